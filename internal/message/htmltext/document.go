// Package htmltext reads HTML mail as a filter must: what a person would see, what was hidden from that person, and where
// the links go.
//
// The road starts at [Document.Scan] with the UTF-8 that message.TextReader gives for a text/html part, and ends at the
// fields of [Document]: visible and hidden text, links, counts. It is one pass with a small buffer, a tokenizer of our own
// along the lines of the HTML standard; no tree is built. Whatever the input is, time is linear in its length and memory is
// bounded by [Limits] and a few fixed buffers, and a Document that is used again allocates next to nothing.
//
// It judges nothing: newsletters hide a preview line as spammers hide their poetry. What is worth how much is the affair of
// package antispam.
package htmltext

import "io"

// Limits bound what is read and remembered of one document, in bytes where not said otherwise. A field that is not positive
// means its default.
type Limits struct {
	Input   int64 // read of the document; the rest is not looked at
	Visible int   // of visible text
	Hidden  int   // of hidden text
	Links   int   // number of links
	URL     int   // of one link's address; longer ones are cut
	URLs    int   // of all links' addresses and of the images' alternative texts together
}

// DefaultLimits are the limits for mail from outside.
var DefaultLimits = Limits{Input: 16 << 20, Visible: 256 << 10, Hidden: 64 << 10, Links: 1000, URL: 2 << 10, URLs: 128 << 10}

func (l Limits) fill() Limits {
	if l.Input <= 0 {
		l.Input = DefaultLimits.Input
	}
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.Visible, DefaultLimits.Visible)
	set(&l.Hidden, DefaultLimits.Hidden)
	set(&l.Links, DefaultLimits.Links)
	set(&l.URL, DefaultLimits.URL)
	set(&l.URLs, DefaultLimits.URLs)
	return l
}

// Hiding is a set of ways in which text is kept from the reader's eyes.
type Hiding uint16

// The ways.
const (
	NotDisplayed Hiding = 1 << iota // display:none, mso-hide, the hidden attribute, <template>
	NotVisible                      // visibility:hidden or collapse
	Transparent                     // opacity or the text's alpha near 0
	TinyFont                        // a font of at most one pixel
	SameColour                      // the colour of the background, or nearly
	EmptyBox                        // in a box without height or width that cuts what overflows
	OffScreen                       // far outside of the window
)

// Has reports whether h has any of the ways.
func (h Hiding) Has(ways Hiding) bool { return h&ways != 0 }

// LinkKind tells what a link is for.
type LinkKind uint8

// Kinds of links. What a mail program fetches without asking and where it goes when one clicks are both here.
const (
	Anchor  LinkKind = iota // <a>, <area>
	Image                   // <img>, background images, <input type=image>
	Form                    // where a form is sent to
	Frame                   // <iframe>, <frame>, <embed>, <object>
	Script                  // <script src>
	Sheet                   // <link href>, url() in a style
	Base                    // <base href>: what relative addresses are relative to
	Refresh                 // <meta http-equiv=refresh>: goes there by itself
)

// Link is one address in the document. The slices are the Document's: they are valid until the next Scan.
type Link struct {
	Kind   LinkKind
	URL    []byte // as written, with entities decoded and white space around it dropped; may be cut at Limits.URL
	Text   []byte // of an anchor: the visible text inside; of an image: its alternative text
	Hidden Hiding // of the place where it stands

	// Width and Height of an image in pixels, -1 where the document does not tell.
	Width, Height int

	url, text span
}

// Pixel reports whether the link is an image too small to see: fetching it tells the sender that the mail was read.
func (l *Link) Pixel() bool {
	return l.Kind == Image && (l.Width >= 0 && l.Width <= 1 || l.Height >= 0 && l.Height <= 1)
}

// span is a range of a buffer that may still move.
type span struct{ begin, end int }

// Counts are figures about the markup.
type Counts struct {
	Size         int64 // bytes read
	Tags         int   // start tags
	InvalidTags  int   // start tags of no element of HTML; those of XML namespaces, such as <o:p>, are not counted
	Images       int
	Pixels       int // images of at most one pixel's width or height
	Scripts      int
	Handlers     int // attributes that hold a script: onclick and the like
	Forms        int
	Inputs       int // fields of forms that are not hidden
	Passwords    int // fields of forms for passwords
	Frames       int // frames and embedded objects
	Comments     int
	CommentBytes int64
	Depth        int // of nesting, at most; what is deeper than 256 is not counted on
	TableDepth   int // of tables in tables, at most
	Links        int // all of them, also those over the limit
	Anchors      int

	// Tricks against filters that read words.
	BrokenWords   int // comments and invalid tags between two letters
	CodedLetters  int // ASCII letters and digits that are written as numeric entities
	ZeroWidth     int // characters without width, soft hyphens included
	ControlBytes  int // NUL and other control characters, which are dropped
	HiddenRuns    int // how often hidden text begins
	RelativeLinks int // anchors without a scheme
}

// Document is what was found in one HTML text. The zero value is ready; one that is used for many texts, one after another,
// keeps its memory.
type Document struct {
	// Visible is the text that a reader sees, in the order of the source: runs of white space are one space, blocks are on
	// lines of their own, characters without width are left out, so that words hidden by them are whole. Bytes that are no
	// UTF-8 are as they came.
	Visible []byte
	Hidden  []byte // text that is not to be seen, in the same form; runs are separated by a space
	Title   []byte // of the document
	Ways    Hiding // all ways in which text was hidden
	Links   []Link
	Counts
	Truncated bool // some limit cut something

	scanner scanner
}

// Scan reads a whole document, at most lim.Input bytes, and fills d anew. The error is r's, if it is not io.EOF; d then has
// what was read before. Malformed HTML is no error.
func (d *Document) Scan(r io.Reader, lim Limits) error {
	s := &d.scanner
	d.reset()
	s.reset(d, r, lim.fill())
	s.run()
	d.finish()
	if s.in.err == io.EOF {
		return nil
	}
	return s.in.err
}

func (d *Document) reset() {
	d.Visible, d.Hidden, d.Title = d.Visible[:0], d.Hidden[:0], d.Title[:0]
	d.Links = d.Links[:0]
	d.Ways, d.Counts, d.Truncated = 0, Counts{}, false
}

// finish turns spans into slices, now that buffers move no more.
func (d *Document) finish() {
	s := &d.scanner
	d.Visible, d.Hidden, d.Title = s.visible.b, s.hidden.b, s.title.b
	d.Truncated = d.Truncated || s.in.cut || s.visible.cut || s.hidden.cut
	s.in.r = nil
	for i := range d.Links {
		l := &d.Links[i]
		l.URL = s.arena[l.url.begin:l.url.end:l.url.end]
		texts := s.arena
		if l.Kind == Anchor {
			texts = d.Visible
		}
		end := min(l.text.end, len(texts))
		begin := min(l.text.begin, end)
		for begin < end && (texts[begin] == ' ' || texts[begin] == '\n') {
			begin++
		}
		l.Text = texts[begin:end:end]
	}
}
