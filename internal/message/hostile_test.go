package message

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/internal/message/htmltext"
)

// hostile are messages made to hurt, one for each class that is known. text gives one of about n bytes, as far as it can.
var hostile = []struct {
	name string
	text func(n int) string
}{
	{"many parts", func(n int) string { return multipart(strings.Repeat("--b\n\nx\n", n/7)) }},
	{"many empty parts", func(n int) string { return multipart(strings.Repeat("--b\n", n/4)) }},
	{"many closing delimiters", func(n int) string { return multipart(strings.Repeat("--b--\n", n/6)) }},
	{"nested multiparts", func(n int) string { return nestedMultiparts(n / 100) }},
	{"nested multiparts of one boundary", func(n int) string {
		return multipart(strings.Repeat("--b\nContent-Type: multipart/mixed; boundary=b\n\n", n/48))
	}},
	{"boundaries that are prefixes", func(n int) string {
		var b strings.Builder
		for i := 1; b.Len() < n/2 && i < 240; i++ {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%s\n\n--%[1]s\n", strings.Repeat("b", i))
		}
		b.WriteString(strings.Repeat("--"+strings.Repeat("b", 240)+"x\n", n/500))
		return crlf(b.String())
	}},
	{"lines that look like delimiters", func(n int) string { return multipart("--b\n\n" + strings.Repeat("--c\n--bb\n--b-\n", n/14)) }},
	{"one line of hyphens", func(n int) string { return multipart("--b\n\n" + strings.Repeat("-", n)) }},
	{"messages in messages", func(n int) string { return crlf(strings.Repeat("Content-Type: message/rfc822\n\n", n/30)) }},
	{"digests of messages", func(n int) string {
		return crlf("Content-Type: multipart/digest; boundary=b\n\n" + strings.Repeat("--b\n\nSubject: x\n\nx\n", n/20))
	}},
	{"messages and multiparts by turns", func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		return crlf(b.String())
	}},
	{"encodings in encodings", func(n int) string {
		text := "x"
		for len(text) < n/4 {
			text = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(text))
		}
		return crlf(text + "\n")
	}},
	{"pieces of a parameter", func(n int) string {
		var b strings.Builder
		b.WriteString("Content-Type: a/b")
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, ";\n name*%d*=%%41", i)
		}
		return crlf(b.String() + "\n\nx\n")
	}},
	{"pieces in the wrong order", func(n int) string {
		var b strings.Builder
		b.WriteString("Content-Type: a/b")
		for i := n / 20; i >= 0; i-- {
			fmt.Fprintf(&b, ";\n name*%d=x", i)
		}
		return crlf(b.String() + "\n\nx\n")
	}},
	{"percent signs", func(n int) string {
		return crlf("Content-Disposition: attachment; filename*=utf-8''" + strings.Repeat("%41", n/3) + "\n\nx\n")
	}},
	{"semicolons", func(n int) string { return crlf("Content-Type: a/b" + strings.Repeat(";", n) + "\n\nx\n") }},
	{"names without values", func(n int) string { return crlf("Content-Type: a/b" + strings.Repeat(";a", n/2) + "\n\nx\n") }},
	{"fields", func(n int) string { return strings.Repeat("X: y\r\n", n/6) + "\r\nx\r\n" }},
	{"lines that are no fields", func(n int) string { return strings.Repeat("x\r\n", n/3) + "\r\nx\r\n" }},
	{"one giant field", func(n int) string { return "Subject: " + strings.Repeat("x", n) + "\r\n\r\nx\r\n" }},
	{"one field of many lines", func(n int) string { return "Subject: x\r\n" + strings.Repeat(" x\r\n", n/4) + "\r\nx\r\n" }},
	{"a giant header in each part", func(n int) string {
		return multipart(strings.Repeat("--b\n"+strings.Repeat("Content-Description: "+strings.Repeat("x", 200)+"\n", 10)+"\nx\n", n/2300))
	}},
	{"a header without end", func(n int) string { return strings.Repeat("Received: x\r\n", n/13) }},
	{"addresses", func(n int) string { return "To: " + strings.Repeat("a@b.example, ", n/13) + "\r\n\r\nx\r\n" }},
	{"address fields", func(n int) string { return strings.Repeat("To: a@b.example\r\n", n/17) + "\r\nx\r\n" }},
	{"groups", func(n int) string { return "To: " + strings.Repeat("g:a@b;,", n/7) + "\r\n\r\nx\r\n" }},
	{"groups in groups", func(n int) string { return "To: " + strings.Repeat("g:", n/2) + "\r\n\r\nx\r\n" }},
	{"comments in comments", func(n int) string {
		return "To: " + strings.Repeat("(", n/2) + strings.Repeat(")", n/2) + "a@b\r\n\r\nx\r\n"
	}},
	{"comments without end", func(n int) string { return "To: " + strings.Repeat("(a ", n/3) + "\r\n\r\nx\r\n" }},
	{"quoted strings with escapes", func(n int) string { return "To: " + strings.Repeat(`"\a" <a@b>,`, n/11) + "\r\n\r\nx\r\n" }},
	{"quotation marks", func(n int) string { return "To: " + strings.Repeat(`"`, n) + "\r\n\r\nx\r\n" }},
	{"angle brackets", func(n int) string { return "To: " + strings.Repeat("<@", n/2) + "\r\n\r\nx\r\n" }},
	{"source routes", func(n int) string { return "To: <" + strings.Repeat("@a,", n/3) + ":a@b>\r\n\r\nx\r\n" }},
	{"dots in a domain", func(n int) string {
		return "To: " + strings.Repeat("a@b"+strings.Repeat(". c", 300)+",", n/900) + "\r\n\r\nx\r\n"
	}},
	{"encoded-words", func(n int) string { return "Subject: " + strings.Repeat("=?utf-8?q?a?= ", n/15) + "\r\n\r\nx\r\n" }},
	{"encoded-words of many charsets", func(n int) string {
		return "Subject: " + strings.Repeat("=?iso-2022-jp?b?GyRC?= =?gbk?q?=81?= =?utf-7?q?+?= ", n/50) + "\r\n\r\nx\r\n"
	}},
	{"begins of encoded-words", func(n int) string { return "Subject: " + strings.Repeat("=?a?q?x", n/7) + "\r\n\r\nx\r\n" }},
	{"begins of encoded-words and one end", func(n int) string {
		return "Subject: " + strings.Repeat("=?a b?q?x", n/9) + "?=\r\n\r\nx\r\n"
	}},
	{"begins of encoded-words in names", func(n int) string { return "From: " + strings.Repeat("=?a?q?x ", n/8) + " <a@b>\r\n\r\nx\r\n" }},
	{"base64 that claims gigabytes", func(n int) string {
		return "Content-Transfer-Encoding: base64\r\nContent-Length: 99999999999\r\n" +
			"Content-Disposition: attachment; size=99999999999\r\n\r\n" + strings.Repeat("QUFB", n/4)
	}},
	{"base64 that is none", func(n int) string { return "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("=A*", n/3) }},
	{"quoted-printable of white space", func(n int) string {
		return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(" ", n) + "="
	}},
	{"quoted-printable of equals signs", func(n int) string {
		return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("= ", n/2)
	}},
	{"NUL, 8-bit and control characters", func(n int) string {
		return "Subject: \x00\x01\xff\r\n\r\n" + strings.Repeat("\x00\x80\xff\x1b\r", n/5)
	}},
	{"UTF-7", func(n int) string {
		return "Content-Type: text/plain; charset=utf-7\r\n\r\n" + strings.Repeat("+ADw-+2D3cAA+", n/13)
	}},
	{"UTF-16 halves", func(n int) string {
		return "Content-Type: text/plain; charset=utf-16\r\n\r\n" + strings.Repeat("\xd8\x00", n/2)
	}},
	{"escapes of ISO-2022", func(n int) string {
		return "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + strings.Repeat("\x1b$B\x1b(B", n/6)
	}},
	{"tags in HTML", func(n int) string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", n/5) }},
	{"an attribute in HTML", func(n int) string { return "Content-Type: text/html\r\n\r\n<a href='" + strings.Repeat("x", n) }},
	{"comments in HTML", func(n int) string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<!---->", n/7) }},
	{"entities in HTML", func(n int) string {
		return "Content-Type: text/html\r\n\r\n" + strings.Repeat("&#65;&NotEqualTilde;", n/20)
	}},
}

func multipart(body string) string {
	return crlf("Content-Type: multipart/mixed; boundary=b\n\n" + body)
}

// Factors that work and memory may have over the length of a message.
const (
	maxSteps  = 4  // units of work for each byte, in the parser
	maxAlloc  = 12 // bytes allocated in all for each byte, for parsing, structure and texts
	maxKept   = 4  // bytes that the parsed message keeps for each of its own
	baseAlloc = 3 << 20
)

// TestHostileMessagesCostNoMoreThanTheirLength parses each class in three sizes, makes its Meta, walks it and decodes all
// its texts. Work is counted, not timed; memory is what the allocator counts.
func TestHostileMessagesCostNoMoreThanTheirLength(t *testing.T) {
	for _, class := range hostile {
		t.Run(class.name, func(t *testing.T) {
			for _, n := range []int{10_000, 100_000, 1_000_000} {
				text := class.text(n)
				size := int64(len(text))
				m, texts, spent, kept := measure(t, text)
				t.Logf("%d bytes: %.1f steps, %.1f bytes allocated, %.1f kept for each", size,
					float64(m.steps)/float64(size), float64(spent)/float64(size), float64(kept)/float64(size))
				if m.steps > maxSteps*(size+1000) {
					t.Errorf("%d bytes: %d steps", size, m.steps)
				}
				if spent > maxAlloc*size+baseAlloc {
					t.Errorf("%d bytes: %d allocated", size, spent)
				}
				if kept > maxKept*size+1<<20 {
					t.Errorf("%d bytes: %d kept", size, kept)
				}
				if texts > 4*size+1000 {
					t.Errorf("%d bytes: %d of text", size, texts)
				}
				checkRanges(t, text, m.Root)
				checkCover(t, text, m.Root)
				checkLimits(t, m)
			}
		})
	}
}

// measure parses, walks and decodes a message and tells how much text it has, what was allocated for all of that, and how
// much the parsed message keeps.
func measure(t testing.TB, text string) (m *Message, texts, spent, kept int64) {
	t.Helper()
	var before, after, left runtime.MemStats
	r := strings.NewReader(text)
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := Parse(r, r.Size(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m.Meta()
	for p := range m.Root.All() {
		p.Filename()
		DecodeHeader(p.Description)
		n, err := io.Copy(io.Discard, TextReader(p, r))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Children) == 0 && p.Embedded == nil {
			texts += n
		}
		if p.Type == "text" && p.Subtype == "html" {
			var d htmltext.Document
			if err := d.Scan(TextReader(p, r), htmltext.Limits{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range m.Header.Fields {
		if !utf8.ValidString(DecodeHeader(m.Header.Fields[i].Value())) {
			t.Fatalf("field %d is no text", i)
		}
	}
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&left)
	runtime.KeepAlive(m)
	return m, texts, int64(after.TotalAlloc - before.TotalAlloc), int64(left.HeapAlloc) - int64(before.HeapAlloc)
}

// checkLimits checks that what is remembered keeps the default limits.
func checkLimits(t testing.TB, m *Message) {
	t.Helper()
	lim := DefaultLimits
	parts, depth := 0, 0
	var walk func(p *Part, level int)
	walk = func(p *Part, level int) {
		parts++
		depth = max(depth, level)
		if len(p.Params) > lim.Params || len(p.DispositionParams) > lim.Params {
			t.Errorf("%d and %d parameters", len(p.Params), len(p.DispositionParams))
		}
		for _, c := range p.Children {
			walk(c, level+1)
		}
		if p.Embedded != nil {
			walk(p.Embedded, level+1)
		}
	}
	walk(m.Root, 1)
	if parts > lim.Parts || depth > lim.Depth || len(m.Header.Fields) > lim.Fields {
		t.Errorf("%d parts, depth %d, %d fields", parts, depth, len(m.Header.Fields))
	}
	for _, list := range m.Envelope.lists() {
		if len(*list) > lim.Addresses+1 {
			t.Errorf("%d addresses", len(*list))
		}
	}
	if n := len(m.Meta()); n > 4*maxTexts {
		t.Errorf("meta of %d bytes", n)
	}
}

// TestHostileNumbersAreCut takes numbers that were seen in attacks, far over the limits: the message says so.
func TestHostileNumbersAreCut(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		cut  func(m *Message) bool
	}{
		"10,000 parts":         {multipart(strings.Repeat("--b\n\nx\n", 10_000)), func(m *Message) bool { return len(m.Root.Children) == DefaultLimits.Parts-1 }},
		"1,000 nested":         {nestedMultiparts(1000), func(m *Message) bool { return m.Truncated }},
		"10,000 continuations": {"Content-Type: a/b" + strings.Repeat("; x*1=y", 10_000) + "\r\n\r\n", func(m *Message) bool { return m.Truncated }},
		"100,000 fields":       {strings.Repeat("X: y\r\n", 100_000) + "\r\n", func(m *Message) bool { return m.HeaderTooBig }},
		"a 10 MiB field":       {"X: " + strings.Repeat("y", 10<<20) + "\r\n\r\n", func(m *Message) bool { return m.HeaderTooBig }},
		"100,000 addresses":    {"To: " + strings.Repeat("a@b,", 100_000) + "\r\n\r\n", func(m *Message) bool { return len(m.Envelope.To) == DefaultLimits.Addresses }},
	} {
		m := mustParse(t, c.text)
		if !m.Truncated && !m.HeaderTooBig || !c.cut(m) {
			t.Errorf("%s: not cut", name)
		}
	}
}

// A zip bomb is an attachment like any other: nothing in this package looks into archives.
func TestAttachedArchivesAreNotOpened(t *testing.T) {
	var bomb bytes.Buffer
	w := zip.NewWriter(&bomb)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, 9) })
	f, err := w.Create("zeros")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 100 {
		f.Write(zeros)
	}
	w.Close()
	text := multipart("--b\nContent-Type: application/zip; name=bomb.zip\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString(bomb.Bytes()) + "\n--b--\n")
	m, texts, spent, _ := measure(t, text)
	t.Logf("%d bytes, %d allocated", len(text), spent)
	if leaf := m.Root.Children[0]; leaf.Filename() != "bomb.zip" || len(leaf.Children) > 0 {
		t.Errorf("the archive is %+v", leaf)
	}
	if size := int64(len(text)); texts > 2*size || spent > maxAlloc*size+baseAlloc {
		t.Errorf("%d bytes: %d of text, %d allocated", size, texts, spent)
	}
}

// A boundary may stand in the text it delimits, in other lines: only whole lines count.
func TestBoundariesInTextAreText(t *testing.T) {
	text := crlf("Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\n\nx --a b\n --a b\n--a bc\n--a b--c\n-- a b\n--a b \t\n\ny\n--a b--\n")
	m := mustParse(t, text)
	if len(m.Root.Children) != 2 || body(text, m.Root.Children[0]) != "x --a b\r\n --a b\r\n--a bc\r\n--a b--c\r\n-- a b" || body(text, m.Root.Children[1]) != "y" {
		t.Errorf("%s", outline(m.Root))
	}
}

func BenchmarkHostile(b *testing.B) {
	for _, class := range hostile {
		b.Run(strings.ReplaceAll(class.name, " ", "-"), func(b *testing.B) {
			text := class.text(1 << 20)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r := strings.NewReader(text)
				m, _ := Parse(r, r.Size(), Limits{})
				m.Meta()
				for p := range m.Root.All() {
					io.Copy(io.Discard, TextReader(p, r))
				}
				for i := range m.Header.Fields {
					DecodeHeader(m.Header.Fields[i].Value())
				}
			}
		})
	}
}
