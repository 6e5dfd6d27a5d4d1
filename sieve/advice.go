package sieve

import (
	"iter"
	"strings"

	"postern/sieve/grammar"
)

// warnUnreached warns of what stands behind a command that ends the script; list begins with that one.
func (c *compiler) warnUnreached(list []grammar.Command) {
	if len(list) > 1 && isEnd(list[0].Name) {
		c.warn(list[1].Position, "nothing behind '%s' is run; take it out, or put it before", list[0].Name)
	}
}

// isEnd: nothing behind the command in its block is run.
func isEnd(command string) bool {
	return command == "stop" || command == "error" || command == "return"
}

// warnImpossible warns of keys that no value can be like.
func (c *compiler) warnImpossible(u *use, m *matcher, keys *value) {
	if m.kind != "is" && m.kind != "contains" && m.kind != "matches" {
		return
	}
	for _, t := range keys.texts {
		if !t.isFixed() {
			continue
		}
		if why := impossible(u, m.kind, t.literal); why != "" {
			c.warn(t.Position, "this %s test never holds for \"%s\": %s", u.word.name, t.literal, why)
		}
	}
}

// impossible says why no value of a test is like a key, "" if one may be.
func impossible(u *use, kind, key string) string {
	isAddress := u.word.name == "address" || u.word.name == "envelope"
	switch {
	case u.word.name == "header" && kind == "is" && strings.TrimSpace(key) != key:
		return "the values of fields are compared without the spaces around them"
	case u.has("domain") && strings.Contains(key, "@"):
		return "a domain has no @; with :all the whole address is compared"
	case (u.has("user") || u.has("localpart")) && strings.Contains(key, "@") && !strings.Contains(key, `"`):
		return "what stands before the @ has none itself; with :all the whole address is compared"
	case isAddress && kind == "is" && strings.ContainsAny(key, "*<>"):
		return "with :is a key is the address alone; a * stands for any text with :matches"
	}
	return ""
}

// warnText warns of numbers that are put in order as text, for that is the default (RFC 5228 2.7.3).
func (c *compiler) warnText(u *use, m *matcher) {
	if m.kind == "value" && !m.comparator.numeric {
		c.warn(u.Position, "the %s test compares text here, and 10 stands before 2; add :comparator \"i;ascii-numeric\"", u.word.name)
	}
}

// meant gives words that ask whether another name was meant, if one is near enough.
func meant(name string, known iter.Seq[string]) string {
	const most = 2
	best, nearest := "", most+1
	for other := range known {
		if d := distance(name, other, most); d < nearest || d == nearest && other < best {
			best, nearest = other, d
		}
	}
	if nearest > most || nearest >= len(name) {
		return ""
	}
	return "; did you mean '" + best + "'?"
}

// distance is how many letters are put in, taken out or changed to come from one word to the other; more than most are most+1.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], most+1)
}
