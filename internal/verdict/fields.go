package verdict

import (
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
	b := make([]byte, 0, 1024)
	flag, status := "NO", "No,"
	if r.Verdict.Action == Junk || r.Verdict.Action == Reject {
		flag, status = "YES", "Yes,"
	}
	score := shortScore(r.Verdict.Score)
	b = append(b, "X-Spam-Flag: "+flag+"\r\nX-Spam-Score: "+score+"\r\n"...)
	stars := min(max(r.Verdict.Score/100, 0), starsAtMost)
	b = append(b, strings.TrimRight("X-Spam-Level: "+strings.Repeat("*", int(stars)), " ")+"\r\n"...)
	line := newFolder(b, "X-Spam-Status:")
	line.words(status, "score="+score, "required="+shortScore(required(r.Policy)))
	line.tests(testNames(t.Checks, r.Checks))
	return explain(line.end(), t, r)
}

// shortScore is a score with one decimal where that says it all.
func shortScore(p Points) string { return strings.TrimSuffix(p.String(), "0") }

// required is the score that makes spam: junk's, or where that never happens, reject's. Where nothing does, it is more than
// any message has.
func required(p Policy) Points {
	return cmp.Or(p.Junk, p.Reject, 1000_00)
}

// testNames are what had a say, in the form of SpamAssassin's names. Rules and a scanner's symbols have names of their own;
// of the other checks the result is told, since their parts are words and names that the sender chose.
func testNames(lists ...[]Check) (names []string) {
	for _, list := range lists {
		for _, c := range list {
			if c.Name != CheckRules && c.Name != CheckScanner {
				if c.Points != 0 {
					names = append(names, testName(c.Name+"_"+c.Result))
				}
				continue
			}
			for _, part := range c.Parts {
				names = append(names, testName(part.Name))
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

func testName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), wordAtMost)]
}

// explain writes X-Postern-Verdict.
func explain(b []byte, t *Trace, r *Recipient) []byte {
	line := newFolder(b, "X-Postern-Verdict:")
	line.words("id=" + token(t.ID) + ";")
	line.words("action=" + token(string(r.Verdict.Action)) + ";")
	line.quoted("rule=", r.Verdict.Rule)
	checks := heaviest(t.Checks, r.Checks)
	for _, c := range checks {
		if c.Points == 0 || len(line.b) > fieldsAtMost-800 {
			break
		}
		line.b = append(line.b, ';')
		line.fold()
		line.quoted(token(c.Name)+"=", c.Points.String()+" "+told(c))
	}
	return line.end()
}

// heaviest gives the checks with most points first, for or against.
func heaviest(lists ...[]Check) []Check {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b Check) int { return cmp.Compare(b.Points.abs(), a.Points.abs()) })
	return all
}

func (p Points) abs() Points { return max(p, -p) }

// told is a check's result with the parts that weigh most.
func told(c Check) string {
	parts := slices.Clone(c.Parts)
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(b.Points.abs(), a.Points.abs()) })
	text := c.Result
	for i, p := range parts[:min(len(parts), 5)] {
		text += [...]string{": ", ", ", ", ", ", ", ", "}[i] + p.Name + " " + p.Points.String()
	}
	return text
}

// folder writes a header field word by word.
type folder struct {
	b     []byte
	start int // of the present line
}

func newFolder(b []byte, name string) *folder {
	f := &folder{b: b, start: len(b)}
	f.b = append(f.b, name...)
	return f
}

func (f *folder) end() []byte { return append(f.b, "\r\n"...) }

// fold begins a new line of the field.
func (f *folder) fold() {
	f.b = append(f.b, "\r\n\t"...)
	f.start = len(f.b) - 1
}

// room folds if n more octets, and a comma or semicolon behind them, would not fit, and reports whether it did.
func (f *folder) room(n int) bool {
	if len(f.b)-f.start+n < foldAt {
		return false
	}
	f.fold()
	return true
}

// words appends words with a space before each.
func (f *folder) words(list ...string) {
	for _, w := range list {
		if !f.room(len(w)+1) && f.b[len(f.b)-1] != '\t' {
			f.b = append(f.b, ' ')
		}
		f.b = append(f.b, w...)
	}
}

// tests appends the list of names. SpamAssassin folds it behind its commas, which those who read it expect.
func (f *folder) tests(names []string) {
	if len(names) == 0 {
		f.words("tests=none")
		return
	}
	begin := len(f.b)
	f.words("tests=" + names[0])
	for _, name := range names[1:] {
		if len(f.b)-begin+len(name) > testsAtMost {
			return
		}
		f.b = append(f.b, ',')
		f.room(len(name))
		f.b = append(f.b, name...)
	}
}

// quoted appends a quoted string, cut where it grows too long.
func (f *folder) quoted(name, text string) {
	words := strings.Fields(printable(text))
	if len(words) == 0 {
		words = []string{""}
	}
	length := 0
	for i, w := range words {
		if length += len(w) + 1; length > 600 {
			words = append(words[:i], "...")
			break
		}
	}
	for i, w := range words {
		w = escaped(w[:min(len(w), wordAtMost)])
		if i == 0 {
			w = name + `"` + w
		}
		if i == len(words)-1 {
			w += `"`
		}
		f.words(w)
	}
}

func escaped(s string) string {
	if strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
}

// printable leaves nothing but printable ASCII and spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > '~':
			return '?'
		}
		return r
	}, s)
}

// token is a text as one word without what means something in the field.
func token(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ';' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, s)
	return s[:min(len(s), wordAtMost)]
}
