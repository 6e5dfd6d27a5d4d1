package htmltext

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// floods are documents made to hurt; text gives one of about n bytes.
var floods = []struct {
	name string
	text func(n int) string
}{
	{"nested divs", repeated("<div>", "")},
	{"nested hidden spans", repeated("<span style='display:none'>", "x")},
	{"unclosed fonts in paragraphs", repeated("<p><font color=red>", "x")},
	{"closed and unclosed formatting", repeated("<p><b><i><u></p>", "x")},
	{"end tags of what is far above", func(n int) string {
		return "<div><blockquote>" + strings.Repeat("<span>", 100) + strings.Repeat("</div>", n/6)
	}},
	{"end tags of what is beyond a cell", func(n int) string {
		return "<div><table><td>" + strings.Repeat("<span>", 60) + strings.Repeat("</div>", n/6)
	}},
	{"end tags of nothing", repeated("</b></div></xyz>", "")},
	{"table rows", repeated("<tr><td>", "")},
	{"nested tables", repeated("<table><tr><td>", "")},
	{"list items", repeated("<li><b>", "")},
	{"one giant attribute", func(n int) string { return "<b title='" + strings.Repeat("x", n) + "'>y" }},
	{"one giant attribute without quotes", func(n int) string { return "<b title=" + strings.Repeat("x", n) + ">y" }},
	{"one giant attribute's name", func(n int) string { return "<b " + strings.Repeat("x", n) + ">y" }},
	{"one giant tag's name", func(n int) string { return "<" + strings.Repeat("x", n) + ">y" }},
	{"one giant style", func(n int) string { return "<b style='" + strings.Repeat("color:red;", n/10) + "'>y" }},
	{"one giant address", func(n int) string { return "<a href='http://" + strings.Repeat("x", n) + "'>y" }},
	{"a tag with many attributes", func(n int) string { return "<b " + strings.Repeat("style=x ", n/8) + ">y" }},
	{"styles", repeated("<b style='color:#fff;font:0/0 a;display:none;background:url(x)'></b>", "")},
	{"comments", repeated("<!---->", "")},
	{"comments that look closed", func(n int) string { return "<!--" + strings.Repeat("-->"[:2]+" ", n/3) }},
	{"dashes", func(n int) string { return "<!--" + strings.Repeat("-", n) }},
	{"unclosed comments", repeated("<!--", "")},
	{"unclosed tags", repeated("<a ", "")},
	{"less-than signs", repeated("<", "")},
	{"entities", repeated("&amp;", "")},
	{"unended entities", repeated("&ampx", "")},
	{"numeric entities", repeated("&#x41;", "")},
	{"rare entities", repeated("&CounterClockwiseContourIntegral;", "")},
	{"long digits", func(n int) string { return "&#" + strings.Repeat("9", n) }},
	{"ampersands", repeated("&", "")},
	{"zero-width characters", repeated("\u200b", "")},
	{"control characters", repeated("\x01", "")},
	{"style sheets", repeated("<style>.a{color:red}</style>", "")},
	{"classes", func(n int) string {
		var b strings.Builder
		b.WriteString("<style>")
		for i := range 300 {
			fmt.Fprintf(&b, ".c%d{color:red}", i)
		}
		b.WriteString("</style>")
		b.WriteString(strings.Repeat("<b class='c1 c2 c3 c4 c5 c6 c7 c8 c9'>", n/38))
		return b.String()
	}},
	{"unended style sheet", func(n int) string { return "<style>" + strings.Repeat("a{", n/2) }},
	{"unended script", func(n int) string { return "<script>" + strings.Repeat("</scrip", n/7) }},
	{"links", func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString("<a href=http://h" + strconv.Itoa(i) + ".example/>x</a>")
		}
		return b.String()
	}},
	{"images", repeated("<img src=x width=1 height=1>", "")},
	{"addresses in styles", repeated("<b style='background:url(a);background:url(b);background:url(c)'></b>", "")},
}

func repeated(piece, end string) func(int) string {
	return func(n int) string { return strings.Repeat(piece, n/len(piece)) + end }
}

// TestFloodsCostNoMoreThanTheirLength scans each flood in two sizes: work grows with the size and memory does not.
func TestFloodsCostNoMoreThanTheirLength(t *testing.T) {
	for _, flood := range floods {
		t.Run(flood.name, func(t *testing.T) {
			small, large := flood.text(100_000), flood.text(1_000_000)
			d := scan(t, small)
			if most := int64(20 * len(small)); d.scanner.steps > most {
				t.Errorf("%d steps for %d bytes", d.scanner.steps, len(small))
			}
			held := d.held()
			d = scan(t, large)
			if most := int64(20 * len(large)); d.scanner.steps > most {
				t.Errorf("%d steps for %d bytes", d.scanner.steps, len(large))
			}
			if got := d.held(); got > held+1<<20 && got > 2<<20 {
				t.Errorf("%d bytes held for %d, %d for %d", held, len(small), got, len(large))
			}
			if n := len(d.Visible) + len(d.Hidden); n > len(large)+1 {
				t.Errorf("%d bytes of text", n)
			}
		})
	}
}

// held is how much memory a document keeps.
func (d *Document) held() int {
	s := &d.scanner
	return cap(d.Visible) + cap(d.Hidden) + cap(d.Title) + cap(d.Links)*128 + cap(s.in.buf) + cap(s.values) + cap(s.arena) +
		cap(s.stack.open)*48 + cap(s.sheet.text) + cap(s.sheet.rules)*48
}

func TestAMillionNestedTagsAreFlat(t *testing.T) {
	d := scan(t, strings.Repeat("<div>", 1_000_000)+"deep"+strings.Repeat("</div>", 1_000_000)+"<p>behind")
	if d.Depth != maxDepth-1 || string(d.Visible) != "deep\nbehind" || len(d.scanner.stack.open) > 2 {
		t.Errorf("depth %d, %q", d.Depth, d.Visible)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(newsletter[:2000])
	for _, flood := range floods {
		f.Add(flood.text(200))
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := scan(t, text)
		if d.scanner.steps > 20*int64(len(text)+100) {
			t.Fatalf("%d steps for %d bytes", d.scanner.steps, len(text))
		}
		if len(d.Visible)+len(d.Hidden)+len(d.Title) > 2*len(text) {
			t.Fatalf("%q gave %q and %q", text, d.Visible, d.Hidden)
		}
		if utf8.ValidString(text) && !(utf8.Valid(d.Visible) && utf8.Valid(d.Hidden)) {
			t.Fatalf("%q gave %q and %q", text, d.Visible, d.Hidden)
		}
		for _, l := range d.Links {
			if len(l.URL) == 0 {
				t.Fatalf("%q: an empty link", text)
			}
		}
		small := new(Document)
		if err := small.Scan(strings.NewReader(text), Limits{Input: 50, Visible: 10, Hidden: 5, Links: 2, URL: 7, URLs: 10}); err != nil {
			t.Fatal(err)
		}
		if len(small.Visible) > 10 || len(small.Hidden) > 5 || len(small.Links) > 2 {
			t.Fatalf("%q: limits are not kept", text)
		}
	})
}

func BenchmarkFloods(b *testing.B) {
	for _, flood := range floods {
		b.Run(strings.ReplaceAll(flood.name, " ", "-"), func(b *testing.B) {
			var d Document
			text := flood.text(1 << 20)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				d.Scan(strings.NewReader(text), Limits{})
			}
		})
	}
}
