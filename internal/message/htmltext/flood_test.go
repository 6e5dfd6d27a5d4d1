package htmltext

import (
	"strings"
	"testing"
	"unicode/utf8"

	"postern/internal/testmail"
)

// TestFloodsCostNoMoreThanTheirLength scans each flood in two sizes: work grows with the size and memory does not.
func TestFloodsCostNoMoreThanTheirLength(t *testing.T) {
	for _, flood := range testmail.HTML() {
		t.Run(flood.Name, func(t *testing.T) {
			small, large := flood.Text(100_000), flood.Text(1_000_000)
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
		cap(s.stack.open)*48 + cap(s.sheet.text) + cap(s.sheet.rules)*48 + cap(s.styles.text)
}

func TestAMillionNestedTagsAreFlat(t *testing.T) {
	d := scan(t, strings.Repeat("<div>", 1_000_000)+"deep"+strings.Repeat("</div>", 1_000_000)+"<p>behind")
	if d.Depth != maxDepth-1 || string(d.Visible) != "deep\nbehind" || len(d.scanner.stack.open) > 2 {
		t.Errorf("depth %d, %q", d.Depth, d.Visible)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(newsletter[:2000])
	for _, flood := range testmail.HTML() {
		f.Add(flood.Text(200))
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
		if !strings.Contains(text, "&") { // a reference in raw text that the window cuts in two stays as it is
			compareInPieces(t, text)
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
	for _, flood := range testmail.HTML() {
		b.Run(strings.ReplaceAll(flood.Name, " ", "-"), func(b *testing.B) {
			var d Document
			text := flood.Text(1 << 20)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				d.Scan(strings.NewReader(text), Limits{})
			}
		})
	}
}
