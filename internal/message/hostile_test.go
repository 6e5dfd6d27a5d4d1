package message

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/internal/message/htmltext"
	"postern/internal/testmail"
)

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
	for _, class := range testmail.Messages() {
		t.Run(class.Name, func(t *testing.T) {
			for _, n := range []int{10_000, 100_000, 1_000_000} {
				text := class.Text(n)
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
		"10,000 parts":         {testmail.Multipart(strings.Repeat("--b\n\nx\n", 10_000)), func(m *Message) bool { return len(m.Root.Children) == DefaultLimits.Parts-1 }},
		"1,000 nested":         {testmail.NestedMultiparts(1000), func(m *Message) bool { return m.Truncated }},
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
	text := testmail.Multipart("--b\nContent-Type: application/zip; name=bomb.zip\nContent-Transfer-Encoding: base64\n\n" +
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
	for _, class := range testmail.Messages() {
		b.Run(strings.ReplaceAll(class.Name, " ", "-"), func(b *testing.B) {
			text := class.Text(1 << 20)
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
