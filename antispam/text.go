package antispam

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"postern/antispam/bayes"
	"postern/antispam/words"
	"postern/internal/message"
	"postern/internal/message/htmltext"
)

// textFacts are about the texts that a reader sees.
type textFacts struct {
	words.Stats
	visible int // bytes
	hidden  int // bytes of text that is hidden from the reader
	ways    htmltext.Hiding
	html    htmltext.Counts
	longest int // words of the longest text
	lines   int
	quoted  int  // lines that quote another message
	patch   int  // lines of differences between files
	base64  bool // some text is in Base64 and all of ASCII
	// alike is the share of the HTML's words that the plain text has too; compared tells that there were enough of both.
	alike    float64
	compared bool

	gtube    bool // the test text that every filter knows
	bitcoin  bool // a Bitcoin address
	millions bool // an amount of millions
	phones   int  // telephone numbers
	spaced   int  // words spelt with a space behind each letter
	brands   [4]*brand
	branded  int  // brands that it speaks of
	passedOn bool // most of it is a message that is passed on
	greeted  bool // it begins by calling the reader by a mail address
}

const (
	// maxText bounds the text of a message that is read, in bytes; maxTextParts how many parts.
	maxText      = 256 << 10
	maxTextParts = 20
	// minCompared is how many words each of two alternatives must have to be compared.
	minCompared = 20
)

// textReader is the memory that reading texts takes.
type textReader struct {
	document htmltext.Document
	plain    []byte
	previous uint64 // the word before, 0 at the beginning of a clause
	run      int    // single letters in a row
	forward  bool   // the rest of the text is a message that is passed on
	quoted   bool   // what is read now is quoted
	foot     bool   // what is read now stands under the message
	compare  comparison
}

// comparison tells how much of the words of a page the plain text beside it has.
type comparison struct {
	wanted, page bool // the message has both; the page is being read
	words        words.Table[struct{}]
	both, all    int // of the page's words
}

func (c *comparison) reset(wanted bool) {
	c.wanted, c.page, c.both, c.all = wanted, false, 0, 0
	c.words.Reset()
}

func (c *comparison) word(w *words.Word) {
	switch {
	case !c.page:
		c.words.Put(w.Hash, struct{}{})
	case len(w.Text) > 3:
		c.all++
		if _, ok := c.words.Get(w.Hash); ok {
			c.both++
		}
	}
}

// readTexts reads the shown texts in their order.
func (f *features) readTexts(m *Mail) error {
	left, parts := maxText, 0
	f.reader.compare.reset(f.structure.alternative && f.structure.plain > 0 && f.structure.html > 0)
	for p := range m.Parsed.Root.All() {
		if !isShownText(p, p.Filename()) || parts == maxTextParts || left <= 0 {
			continue
		}
		parts++
		before := f.text.Words
		var n int
		var err error
		if p.Subtype == "html" {
			n, err = f.readHTML(p, m.Content, left)
		} else {
			n, err = f.readPlain(p, m.Content, left)
		}
		if err != nil {
			return err
		}
		left -= n
		f.text.longest = max(f.text.longest, f.text.Words-before)
	}
	return nil
}

func (f *features) readPlain(p *message.Part, content io.ReaderAt, most int) (int, error) {
	r := &f.reader
	var err error
	if r.plain, err = appendAll(r.plain[:0], message.TextReader(p, content), most); err != nil {
		return 0, err
	}
	f.text.visible += len(r.plain)
	f.noteBase64(p, r.plain)
	f.findPlainLinks(r.plain)
	r.compare.page = false
	f.readWords(r.plain)
	return len(r.plain), nil
}

// appendAll reads at most so many bytes.
func appendAll(dst []byte, r io.Reader, most int) ([]byte, error) {
	for len(dst) < most {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), most)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (f *features) readHTML(p *message.Part, content io.ReaderAt, most int) (int, error) {
	r := &f.reader
	d := &r.document
	if err := d.Scan(message.TextReader(p, content), htmltext.Limits{Input: 4 * maxText, Visible: most}); err != nil {
		return 0, err
	}
	t := &f.text
	t.visible += len(d.Visible)
	t.hidden += len(d.Hidden)
	t.ways |= d.Ways
	t.addCounts(&d.Counts)
	f.noteBase64(p, d.Visible)
	f.findHTMLLinks(d)
	f.findAimed(d)
	c := &r.compare
	c.page, c.both, c.all = true, 0, 0
	f.readWords(d.Visible)
	if c.wanted && c.all >= minCompared && c.words.Len() >= minCompared {
		t.alike, t.compared = float64(c.both)/float64(c.all), true
	}
	return len(d.Visible), nil
}

func (t *textFacts) addCounts(c *htmltext.Counts) {
	t.html.Tags += c.Tags
	t.html.InvalidTags += c.InvalidTags
	t.html.Images += c.Images
	t.html.Pixels += c.Pixels
	t.html.Scripts += c.Scripts
	t.html.Handlers += c.Handlers
	t.html.Forms += c.Forms
	t.html.Inputs += c.Inputs
	t.html.Passwords += c.Passwords
	t.html.Frames += c.Frames
	t.html.BrokenWords += c.BrokenWords
	t.html.CodedLetters += c.CodedLetters
	t.html.ZeroWidth += c.ZeroWidth
	t.html.Anchors += c.Anchors
}

func (f *features) noteBase64(p *message.Part, text []byte) {
	if p.Encoding != "base64" || len(text) == 0 {
		return
	}
	for _, c := range text {
		if c >= 0x80 {
			return
		}
	}
	f.text.base64 = true
}

// readWords follows the words of a text, its own lines apart from those that are quoted.
func (f *features) readWords(text []byte) {
	r, t := &f.reader, &f.text
	r.forward = false
	f.greets(text)
	t.gtube = t.gtube || bytes.Contains(text, gtube)
	foot := len(text)
	if f.header.list {
		foot = footOf(text)
	}
	begin, quoted := 0, false
	for at := 0; at < len(text); {
		line, next := text[at:], len(text)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], at+i+1
		}
		if is := f.readLine(line, text[begin:at]); is != quoted || at == foot {
			f.readRun(text[begin:at], quoted)
			begin, quoted, r.foot = at, is, at >= foot
		}
		at = next
	}
	f.readRun(text[begin:], quoted)
	r.foot = false
}

// readLine looks at how a line begins and reports whether it quotes another message: people quote what they answer, and
// programmers show differences.
func (f *features) readLine(line, before []byte) (quotes bool) {
	r, t := &f.reader, &f.text
	for len(line) > 0 && (line[len(line)-1] == '\r' || line[len(line)-1] == ' ') {
		line = line[:len(line)-1]
	}
	if len(line) == 0 {
		return r.forward
	}
	t.lines++
	switch line[0] {
	case '>', '|':
		t.quoted++
		return r.forward || line[0] == '>'
	case '@':
		if bytes.HasPrefix(line, []byte("@@ -")) {
			t.patch++
		}
	case '-', 'B':
		r.forward = r.forward || passesOn(line) && (t.Letters > ownWords || len(before) > ownWords)
		t.passedOn = t.passedOn || r.forward
	}
	return r.forward
}

// ownWords is how many letters one must have written oneself for the rest to be what one passes on.
const ownWords = 30

// passesOn: mail programs write such a line over a message that is passed on or answered.
func passesOn(line []byte) bool {
	if len(line) > 60 {
		return false
	}
	for _, mark := range []string{"---------- Forwarded message", "Begin forwarded message", "-----Original Message", "-------- Original Message",
		"-------- Forwarded Message", "----- Forwarded Message", "-----Ursprüngliche Nachricht", "-------- Weitergeleitete Nachricht",
		"-------- Mensaje", "-------- Message transf", "---------- Weitergeleitete Nachricht"} {
		if bytes.HasPrefix(line, []byte(mark)) {
			return true
		}
	}
	return false
}

// readRun follows the words of lines that are all quoted or all not.
func (f *features) readRun(text []byte, quoted bool) {
	if len(text) == 0 {
		return
	}
	r := &f.reader
	r.previous, r.run, r.quoted = 0, 0, quoted
	f.phrases.Quoted = quoted
	digits := f.text.Digits
	words.Split(text, &f.text.Stats, f.word)
	f.phrases.End()
	f.phrases.Quoted = false
	if !quoted && f.text.Digits > digits {
		f.findFigures(text)
	}
}

// readWord takes the next word of a text.
func (f *features) readWord(w *words.Word) bool {
	f.phrases.Word(w)
	if f.reader.compare.wanted {
		f.reader.compare.word(w)
	}
	if !f.reader.foot {
		f.addWord(w)
	}
	f.noteSpelling(w)
	if !f.reader.quoted {
		f.text.speaksOf(w.Hash)
	}
	return true
}

// greets looks whether a text begins by calling the reader by a mail address, or by its local part where that is no name:
// programs that write to lists of addresses know nothing else.
func (f *features) greets(text []byte) {
	if f.text.greeted || f.header.isReply {
		return
	}
	head := bytes.ToLower(text[:min(len(text), 400)])
	for _, to := range f.header.to {
		if bytes.Contains(head, []byte(to.address)) {
			f.text.greeted = true
			return
		}
		if i := bytes.Index(head, []byte(to.local)); i > 0 && strings.ContainsAny(to.local, "._-0123456789") && len(to.local) > 4 {
			f.text.greeted = isGreeting(head[:i])
		}
	}
}

func isGreeting(text []byte) bool {
	fields := bytes.Fields(text[max(0, len(text)-40):])
	return len(fields) > 0 && greetings[strings.Trim(string(fields[len(fields)-1]), ",:!")]
}

var greetings = setOf("dear hi hello hey attn attention user member customer greetings hallo bonjour hola ciao prezado caro estimado welcome")

// gtube is the generic test for unsolicited bulk email; a message that has it in its text is spam by agreement.
var gtube = []byte("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X")

// addWord makes tokens of a word and of it with the one before.
func (f *features) addWord(w *words.Word) {
	r := &f.reader
	if w.Break {
		r.previous = 0
	}
	if len(w.Text) < 2 || w.Digits {
		// Numbers are different in every message.
		r.previous = 0
		return
	}
	f.words.Add(bayes.Token(w.Hash))
	if r.previous != 0 {
		f.words.Add(bayes.Token(words.Join(r.previous, w.Hash)))
	}
	r.previous = w.Hash
}

// noteSpelling counts words that are written l i k e this.
func (f *features) noteSpelling(w *words.Word) {
	r := &f.reader
	if len(w.Text) != 1 || w.Digits {
		r.run = 0
		return
	}
	if r.run++; r.run == 5 {
		f.text.spaced++
	}
}
