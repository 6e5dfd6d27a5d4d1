package verdict

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

const (
	// foldAt is the length of a line that RFC 5322 2.1.1 recommends.
	foldAt = 78
	// fieldsAtMost bounds what is put before a message; testsAtMost the names among it.
	fieldsAtMost = 4096
	testsAtMost  = 1500
	// wordAtMost bounds what cannot be folded.
	wordAtMost = 48
	// starsAtMost bounds X-Spam-Level, which filters compare by its length.
	starsAtMost = 50
)

// Fields writes header fields that tell a recipient, their filters and their client how the copy was judged: X-Spam-Flag,
// -Score, -Level and -Status as SpamAssassin writes them, and X-Postern-Verdict with the line of the policy that decided
// and what weighed most. Each field is a line with its CRLF, folded at 78 octets and pure ASCII whatever the trace holds,
// and all are at most 4 KiB.
func Fields(t *Trace, r *Recipient) []byte {
	flag, status := "NO", "No,"
	if r.Verdict.Action == Junk || r.Verdict.Action == Reject {
		flag, status = "YES", "Yes,"
	}
	score := r.Verdict.Score
	b := append(make([]byte, 0, 1024), "X-Spam-Flag: "...)
	b = append(append(b, flag...), "\r\nX-Spam-Score: "...)
	b = append(appendShort(b, score), "\r\nX-Spam-Level:"...)
	if stars := min(max(score/100, 0), starsAtMost); stars > 0 {
		b = append(append(b, ' '), strings.Repeat("*", starsAtMost)[:stars]...)
	}
	b = append(b, "\r\n"...)
	var line folder
	line.begin(b, "X-Spam-Status:")
	line.word(status)
	from := line.open("score=")
	line.b = appendShort(line.b, score)
	line.close(from)
	from = line.open("required=")
	line.b = appendShort(line.b, required(r.Policy))
	line.close(from)
	line.tests(t.Checks, r.Checks)
	line.end()
	line.explain(t, r)
	return line.b
}

// appendShort appends a score with one decimal where that says it all.
func appendShort(b []byte, p Points) []byte {
	b = p.append(b)
	if last := len(b) - 1; b[last] == '0' {
		return b[:last]
	}
	return b
}

// required is the score that makes spam: junk's, or where that never happens, reject's. Where nothing does, it is more than
// any message has.
func required(p Policy) Points {
	return cmp.Or(p.Junk, p.Reject, 1000_00)
}

// appendTest appends the name of a test: of these texts, capitals, digits and low lines.
func appendTest(b []byte, texts ...string) []byte {
	from := len(b)
	for _, text := range texts {
		for _, r := range text {
			c := byte('_')
			switch {
			case 'a' <= r && r <= 'z':
				c = byte(r - 'a' + 'A')
			case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
				c = byte(r)
			}
			if b = append(b, c); len(b)-from == wordAtMost {
				return b
			}
		}
	}
	return b
}

// explain writes X-Postern-Verdict.
func (f *folder) explain(t *Trace, r *Recipient) {
	f.begin(f.b, "X-Postern-Verdict:")
	from := f.open("id=")
	f.b = append(appendToken(f.b, t.ID), ';')
	f.close(from)
	from = f.open("action=")
	f.b = append(appendToken(f.b, string(r.Verdict.Action)), ';')
	f.close(from)
	var text [512]byte
	f.quoted("rule", appendPrintable(text[:0], r.Verdict.Rule))
	var room [usualChecks]*Check
	for _, c := range heaviest(room[:0], t.Checks, r.Checks) {
		if c.Points == 0 || len(f.b) > fieldsAtMost-800 {
			break
		}
		f.b = append(f.b, ';')
		f.fold()
		f.quoted(c.Name, appendTold(append(c.Points.append(text[:0]), ' '), c))
	}
	f.end()
}

// usualChecks is how many checks a copy has, as a rule.
const usualChecks = 16

// heaviest appends the checks with most points first, for or against.
func heaviest(all []*Check, lists ...[]Check) []*Check {
	for _, list := range lists {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	slices.SortStableFunc(all, func(a, b *Check) int { return cmp.Compare(b.Points.abs(), a.Points.abs()) })
	return all
}

func (p Points) abs() Points { return max(p, -p) }

// appendTold appends a check's result with the parts that weigh most.
func appendTold(b []byte, c *Check) []byte {
	b = appendPrintable(b, c.Result)
	var room [5]*Part
	for i, p := range heaviestParts(room[:0], c.Parts) {
		if i == 0 {
			b = append(b, ": "...)
		} else {
			b = append(b, ", "...)
		}
		b = p.Points.append(append(appendPrintable(b, p.Name), ' '))
	}
	return b
}

// heaviestParts gives as many as there is room for; of those that weigh the same, the first.
func heaviestParts(room []*Part, parts []Part) []*Part {
	for i := range parts {
		weight, at := parts[i].Points.abs(), len(room)
		for at > 0 && weight > room[at-1].Points.abs() {
			at--
		}
		if at == cap(room) {
			continue
		}
		if len(room) == cap(room) {
			room = room[:len(room)-1]
		}
		room = slices.Insert(room, at, &parts[i])
	}
	return room
}

// folder writes a header field word by word.
type folder struct {
	b     []byte
	start int // of the present line
}

// begin starts a field behind others.
func (f *folder) begin(b []byte, name string) {
	f.b, f.start = append(b, name...), len(b)
}

func (f *folder) end() { f.b = append(f.b, "\r\n"...) }

// fold begins a new line of the field.
func (f *folder) fold() {
	f.b = append(f.b, "\r\n\t"...)
	f.start = len(f.b) - 1
}

// room folds if n more octets, and a comma or semicolon behind them, would not fit.
func (f *folder) room(n int) {
	if len(f.b)-f.start+n >= foldAt {
		f.fold()
	}
}

// open begins a word, with a space before it; more of it may be appended until close ends it.
func (f *folder) open(word string) (from int) {
	from = len(f.b)
	f.b = append(append(f.b, ' '), word...)
	return from
}

// close puts a line end in place of the space before a word for which the line is too short.
func (f *folder) close(from int) {
	switch n := len(f.b) - from; {
	case from-f.start+n >= foldAt:
		f.b = append(f.b, "\n\t"...)
		copy(f.b[from+3:], f.b[from+1:from+n])
		copy(f.b[from:], "\r\n\t")
		f.start = from + 2
	case f.b[from-1] == '\t':
		f.b = append(f.b[:from], f.b[from+1:]...)
	}
}

func (f *folder) word(w string) { f.close(f.open(w)) }

// tests appends the names of what had a say, in the form of SpamAssassin's. Rules and a scanner's symbols have names of their
// own; of the other checks the result is told, since their parts are words and names that the sender chose.
func (f *folder) tests(lists ...[]Check) {
	begin, first := len(f.b), true
	var room [wordAtMost]byte
	for _, list := range lists {
		for i := range list {
			c := &list[i]
			if c.Name != CheckRules && c.Name != CheckScanner {
				if c.Points != 0 && !f.test(appendTest(room[:0], c.Name, "_", c.Result), begin, &first) {
					return
				}
				continue
			}
			for j := range c.Parts {
				if name := appendTest(room[:0], c.Parts[j].Name); len(name) > 0 && !f.test(name, begin, &first) {
					return
				}
			}
		}
	}
	if first {
		f.word("tests=none")
	}
}

// test appends one name of a list, and reports whether there was room for it. SpamAssassin folds the list behind its commas,
// which those who read it expect.
func (f *folder) test(name []byte, begin int, first *bool) bool {
	if *first {
		*first = false
		from := f.open("tests=")
		f.b = append(f.b, name...)
		f.close(from)
		return true
	}
	if len(f.b)-begin+len(name) > testsAtMost {
		return false
	}
	f.b = append(f.b, ',')
	f.room(len(name))
	f.b = append(f.b, name...)
	return true
}

// quoted appends a name and a printable text as a quoted string, cut where it grows too long.
func (f *folder) quoted(name string, text []byte) {
	word, rest := cutWord(text)
	from := f.open("")
	f.b = append(appendToken(f.b, name), `="`...)
	for length := len(word) + 1; ; length += len(word) + 1 {
		if length > 600 {
			word, rest = []byte("..."), nil
		}
		f.b = appendEscaped(f.b, word[:min(len(word), wordAtMost)])
		if len(rest) == 0 {
			f.b = append(f.b, '"')
			f.close(from)
			return
		}
		f.close(from)
		word, rest = cutWord(rest)
		from = f.open("")
	}
}

// cutWord gives the first word of a printable text, and what begins with the next one.
func cutWord(text []byte) (word, rest []byte) {
	text = bytes.TrimLeft(text, " ")
	end := bytes.IndexByte(text, ' ')
	if end < 0 {
		return text, nil
	}
	return text[:end], bytes.TrimLeft(text[end:], " ")
}

func appendEscaped(b, text []byte) []byte {
	for _, c := range text {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return b
}

// appendPrintable appends a text of which nothing is left but printable ASCII and spaces.
func appendPrintable(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f:
			b = append(b, ' ')
		case r > '~':
			b = append(b, '?')
		default:
			b = append(b, byte(r))
		}
	}
	return b
}

// appendToken appends a text as one word without what means something in the field.
func appendToken(b []byte, text string) []byte {
	from := len(b)
	for _, r := range text {
		if len(b)-from == wordAtMost {
			break
		}
		if r <= ' ' || r > '~' || r == ';' || r == '"' || r == '\\' {
			r = '_'
		}
		b = append(b, byte(r))
	}
	return b
}
