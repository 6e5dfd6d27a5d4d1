package message

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testmail"
)

// crlf gives a message written with plain line ends its real ones.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func mustParse(t testing.TB, text string) *Message {
	t.Helper()
	m, err := Parse(strings.NewReader(text), int64(len(text)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// outline shows a structure in one line: type, and what is inside in brackets.
func outline(p *Part) string {
	s := p.Type + "/" + p.Subtype
	if p.Opaque {
		s += "!"
	}
	switch {
	case p.Embedded != nil:
		s += "{" + outline(p.Embedded) + "}"
	case len(p.Children) > 0:
		parts := make([]string, len(p.Children))
		for i, c := range p.Children {
			parts[i] = outline(c)
		}
		s += "[" + strings.Join(parts, " ") + "]"
	}
	return s
}

func body(text string, p *Part) string { return text[p.BodyStart:p.End] }

func TestMultipartIsTakenApart(t *testing.T) {
	text := crlf(`From: a@b
Content-Type: multipart/mixed; boundary="x"

preamble
--x

one
--x  
Content-Type: text/html

two

--x
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain

three
--y--
--x
--x--
epilogue
--x
not a part
`)
	m := mustParse(t, text)
	if got, want := outline(m.Root), "multipart/mixed[text/plain text/html message/rfc822{multipart/alternative[text/plain]} text/plain]"; got != want {
		t.Fatalf("structure %s, want %s", got, want)
	}
	c := m.Root.Children
	for i, want := range []string{"one", "two\r\n"} {
		if got := body(text, c[i]); got != want {
			t.Errorf("part %d is %q", i+1, got)
		}
	}
	if c[0].Lines != 0 || c[1].Lines != 1 || c[1].HeaderLines != 2 {
		t.Errorf("lines %d %d, header lines %d", c[0].Lines, c[1].Lines, c[1].HeaderLines)
	}
	if got := body(text, c[2].Embedded.Children[0]); got != "three" {
		t.Errorf("inner part is %q", got)
	}
	if c[2].Envelope.Subject != "inner" || c[2].Lines != 7 {
		t.Errorf("message inside: %+v, %d lines", c[2].Envelope, c[2].Lines)
	}
	if c[3].HeaderStart != c[3].End {
		t.Errorf("the part without anything has %q", text[c[3].HeaderStart:c[3].End])
	}
	checkRanges(t, text, m.Root)
}

func TestInnerBoundaryIsNotTakenForItsPrefix(t *testing.T) {
	m := mustParse(t, crlf(`Content-Type: multipart/mixed; boundary=in

--in
Content-Type: multipart/mixed; boundary=inner

--inner

a
--inner

b
--inner--
--in

c
--in--
`))
	if got, want := outline(m.Root), "multipart/mixed[multipart/mixed[text/plain text/plain] text/plain]"; got != want {
		t.Fatalf("structure %s, want %s", got, want)
	}
}

func TestOuterDelimiterEndsWhatIsInside(t *testing.T) {
	m := mustParse(t, crlf(`Content-Type: multipart/mixed; boundary=a

--a
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: message/rfc822

Subject: header without end
--a
Content-Type: text/html

x`))
	want := "multipart/mixed[multipart/mixed[message/rfc822{text/plain}] text/html]"
	if got := outline(m.Root); got != want {
		t.Fatalf("structure %s, want %s", got, want)
	}
	if s := m.Root.Children[0].Children[0].Envelope.Subject; s != "header without end" {
		t.Errorf("subject %q", s)
	}
}

func TestWhatCannotBeLookedIntoIsOpaque(t *testing.T) {
	for text, want := range map[string]string{
		"Content-Type: multipart/mixed\n\nx":                                                    "multipart/mixed!",
		"Content-Type: multipart/mixed; boundary=\"\"\n\n--\nx":                                 "multipart/mixed!",
		"Content-Type: multipart/mixed; boundary=x\n\nno delimiter":                             "multipart/mixed!",
		"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n": "message/rfc822!",
		"Content-Type: text\n\nx":                                                               "text/plain",
		"Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\nb\n--x--\n":         "multipart/digest[message/rfc822{text/plain}]",
		"": "text/plain",
	} {
		if got := outline(mustParse(t, crlf(text)).Root); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestFactsAboutBytes(t *testing.T) {
	type facts struct{ eight, nul, cr, lf, control bool }
	for text, want := range map[string]facts{
		"A: b\r\n\r\nc\r\n":        {},
		"A: b\r\n\r\n\xc3\xa9\r\n": {eight: true},
		"A: b\r\n\r\na\x00\r\n":    {nul: true},
		"A: b\x01\r\n\r\na\r\n":    {control: true},
		"A: b\r\n\r\na\rb\r\n":     {cr: true},
		"A: b\r\n\r\na\r":          {cr: true},
		"A: b\r\n\r\na\r\r\n":      {cr: true},
		"A: b\n\na\n":              {lf: true},
		"A: b\rC: d\r\n\r\n":       {cr: true, control: true},
		"A: b\r\n\r\na\n":          {lf: true},
	} {
		for _, pad := range []int{0, windowSize - 20, windowSize - 1, windowSize, 3 * windowSize} {
			padded := strings.Replace(text, "A: ", "A: "+strings.Repeat("x", pad), 1)
			m := mustParse(t, padded)
			got := facts{m.Has8Bit, m.HasNUL, m.HasBareCR, m.HasBareLF, m.HasControl}
			if got != want {
				t.Errorf("%q padded by %d: %+v, want %+v", text, pad, got, want)
			}
		}
	}
}

// memory is a reader that shows its bytes, as a spooled message of ordinary size does.
type memory struct{ *bytes.Reader }

func (m memory) Bytes() ([]byte, bool) {
	b := make([]byte, m.Size())
	m.ReadAt(b, 0)
	return b, true
}

func TestWindowsDoNotMatter(t *testing.T) {
	line := strings.Repeat("x", 97) + "\n"
	for _, lines := range []int{0, 330, 333, 334, 335, 1000} {
		for shift := range 12 {
			text := crlf("Content-Type: multipart/mixed; boundary=bound\n\n" + strings.Repeat("y", shift) + "\n" +
				strings.Repeat(line, lines) + "--bound\nContent-Type: text/html\n\n" + strings.Repeat(line, lines) + "\n--bound--\n")
			viaWindow := mustParse(t, text)
			inMemory, err := Parse(memory{bytes.NewReader([]byte(text))}, int64(len(text)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(viaWindow.Root, inMemory.Root); d != "" {
				t.Fatalf("%d lines, shift %d:\n%s", lines, shift, d)
			}
			if got := outline(viaWindow.Root); got != "multipart/mixed[text/html]" {
				t.Fatalf("%d lines, shift %d: %s", lines, shift, got)
			}
			checkRanges(t, text, viaWindow.Root)
		}
	}
}

func TestShortReaderIsAnError(t *testing.T) {
	if _, err := Parse(strings.NewReader("A: b\r\n"), 100, Limits{}); err != io.ErrUnexpectedEOF {
		t.Fatalf("error %v", err)
	}
}

func TestLimitsMakeLeavesOpaque(t *testing.T) {
	nested := testmail.NestedMultiparts(10)
	m, err := Parse(strings.NewReader(nested), int64(len(nested)), Limits{Depth: 3})
	if err != nil || !m.Truncated {
		t.Fatalf("truncated %v, error %v", m.Truncated, err)
	}
	if got, want := outline(m.Root), "multipart/mixed[multipart/mixed[multipart/mixed!]]"; got != want {
		t.Errorf("depth: %s, want %s", got, want)
	}
	flat := crlf("Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\nContent-Type: message/rfc822\n\nSubject: a\n\nb\n", 10) + "--x--\n")
	m, err = Parse(strings.NewReader(flat), int64(len(flat)), Limits{Parts: 4})
	if err != nil || !m.Truncated {
		t.Fatalf("truncated %v, error %v", m.Truncated, err)
	}
	if got, want := outline(m.Root), "multipart/mixed[message/rfc822{text/plain} message/rfc822!]"; got != want {
		t.Errorf("parts: %s, want %s", got, want)
	}
	checkRanges(t, flat, m.Root)
	if last := m.Root.Children[1]; last.End != m.Size {
		t.Errorf("the last part ends at %d of %d", last.End, m.Size)
	}
}

func TestHeaderLimits(t *testing.T) {
	text := crlf("A: b\n" + strings.Repeat("X: "+strings.Repeat("y", 100)+"\n", 100) + "\nbody\n")
	m, err := Parse(strings.NewReader(text), int64(len(text)), Limits{HeaderBytes: 1000})
	if err != nil || !m.HeaderTooBig || body(text, m.Root) != "body\r\n" {
		t.Fatalf("too big %v, body %q, error %v", m.HeaderTooBig, body(text, m.Root), err)
	}
	m, err = Parse(strings.NewReader(text), int64(len(text)), Limits{Fields: 50})
	if err != nil || !m.HeaderTooBig || len(m.Header.Fields) != 50 {
		t.Fatalf("too big %v, %d fields, error %v", m.HeaderTooBig, len(m.Header.Fields), err)
	}
	many := crlf("To: " + strings.Repeat("a@b, ", 2000) + "c@d\nContent-Type: text/plain" + strings.Repeat("; a=b", 500) + "\n\n")
	m = mustParse(t, many)
	if len(m.Envelope.To) != 1000 || len(m.Root.Params) != 100 || !m.Truncated || m.HeaderTooBig {
		t.Fatalf("%d addresses, %d parameters, truncated %v", len(m.Envelope.To), len(m.Root.Params), m.Truncated)
	}
}

func TestTextsToRememberAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/mixed; boundary=x\r\n\r\n")
	for range 100 {
		fmt.Fprintf(&b, "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: %s\r\nTo: %s\r\n\r\n", strings.Repeat("s", 50000), strings.Repeat("aaaaaaaaaaaa@b,", 10000))
	}
	m := mustParse(t, b.String())
	if meta := m.Meta(); !m.Truncated || len(meta) > 2*maxTexts {
		t.Fatalf("truncated %v, meta of %d bytes", m.Truncated, len(meta))
	}
}

// nestedMultiparts opens n multiparts and closes none.

// Work is counted, not timed: so many steps per byte and no more, whatever the message is like.
func TestWorkIsLinear(t *testing.T) {
	deep := testmail.NestedMultiparts(5000)
	for name, text := range map[string]string{
		"unterminated":    deep,
		"many delimiters": testmail.NestedMultiparts(99) + strings.Repeat("--b0\r\n", 100000),
		"jumping":         testmail.NestedMultiparts(99) + strings.Repeat("--b50\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\n--b98\r\n", 10000),
		"near misses":     testmail.NestedMultiparts(99) + strings.Repeat("--b\r\n", 100000),
		"same boundary":   strings.Repeat("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", 20000),
		"closing":         testmail.NestedMultiparts(99) + strings.Repeat("--b5--\r\n--b4--\r\n", 50000),
		"messages":        strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 20000),
		"long line":       "Subject: x\r\n\r\n" + strings.Repeat("-", 1<<20),
		"long header":     "Subject: " + strings.Repeat("\r\n x", 300000) + "\r\n\r\n",
		"long boundaries": strings.Replace(deep, "b1", "b1"+strings.Repeat("-", 300), 3),
	} {
		m := mustParse(t, text)
		if perByte := float64(m.steps) / float64(len(text)); perByte > 4 {
			t.Errorf("%s: %.1f steps per byte", name, perByte)
		}
		checkRanges(t, text, m.Root)
	}
}

// checkRanges checks that every byte has its place: a part is its header and its content, and between the parts of a
// multipart there is nothing but delimiter lines.
func checkRanges(t *testing.T, text string, root *Part) {
	t.Helper()
	if root.HeaderStart != 0 || root.End != int64(len(text)) {
		t.Fatalf("the message is [%d, %d) of %d", root.HeaderStart, root.End, len(text))
	}
	for p := range root.All() {
		if p.HeaderStart > p.BodyStart || p.BodyStart > p.End {
			t.Fatalf("part is [%d, %d, %d)", p.HeaderStart, p.BodyStart, p.End)
		}
		if n := int64(strings.Count(text[p.BodyStart:p.End], "\n")); n != p.Lines {
			t.Fatalf("%s has %d lines, not %d", outline(p), n, p.Lines)
		}
		if e := p.Embedded; e != nil && (e.HeaderStart != p.BodyStart || e.End != p.End) {
			t.Fatalf("message in [%d, %d) is [%d, %d)", p.BodyStart, p.End, e.HeaderStart, e.End)
		}
		last := p.BodyStart
		for i, c := range p.Children {
			if c.HeaderStart < last || c.End > p.End {
				t.Fatalf("part [%d, %d) in [%d, %d) behind %d", c.HeaderStart, c.End, p.BodyStart, p.End, last)
			}
			gap := strings.TrimRight(text[last:c.HeaderStart], " \t\r\n")
			want := "--" + strings.TrimRight(p.Param("boundary"), " \t")
			if i > 0 && strings.TrimLeft(gap, "\r\n") != want || !strings.HasSuffix(gap, want) {
				t.Fatalf("between parts: %q, want %q", gap, want)
			}
			last = c.End
		}
	}
}

// checkMeta checks that Meta keeps everything, and that all ways into it agree.
func checkMeta(t testing.TB, m *Message) {
	t.Helper()
	meta := m.Meta()
	env, root, err := meta.Decode()
	if err != nil {
		t.Fatalf("%v in %q", err, meta)
	}
	want := *m.Envelope
	if !want.Sent.IsZero() {
		if unix, zone, ok := meta.Sent(); !ok || unix != want.Sent.Unix() {
			t.Fatalf("sent %d %d %v, want %v", unix, zone, ok, want.Sent)
		}
	}
	if d := cmp.Diff(&want, env); d != "" {
		t.Fatalf("envelope (-parsed +decoded):\n%s", d)
	}
	if d := cmp.Diff(m.Root, root); d != "" {
		t.Fatalf("structure (-parsed +decoded):\n%s", d)
	}
	checkPaths(t, meta, root, nil, 0)
}

func checkPaths(t testing.TB, meta Meta, root *Part, path []int, depth int) {
	want, errWant := root.Find(path)
	got, err := meta.Find(path)
	if (err == nil) != (errWant == nil) {
		t.Fatalf("part %v: %v, want %v", path, err, errWant)
	}
	start, end, err := meta.Section(path, SectionBody)
	if (err == nil) != (errWant == nil) {
		t.Fatalf("section %v: %v, want %v", path, err, errWant)
	}
	if errWant != nil {
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("part %v:\n%s", path, d)
	}
	if len(path) > 0 && (start != want.BodyStart || end != want.End) {
		t.Fatalf("section %v is [%d, %d), want [%d, %d)", path, start, end, want.BodyStart, want.End)
	}
	if depth < 3 {
		for n := range len(want.Children) + 3 {
			checkPaths(t, meta, root, append(path[:len(path):len(path)], n), depth+1)
		}
	}
}
