package message

import (
	"strings"
	"unicode/utf8"
)

// DecodeHeader decodes the encoded-words of a field's unfolded value (RFC 2047) to UTF-8. Bytes that are no UTF-8 outside
// of them are taken for Windows-1252. The result has no control characters: it is safe in a line.
func DecodeHeader(s string) string {
	if isPlain(s) {
		return s
	}
	d := wordDecoder{out: make([]byte, 0, len(s)+len(s)/2)}
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		w, n, ok := cutEncodedWord(s[i:])
		if !ok {
			d.text(s[:i+n])
			s = s[i+n:]
			continue
		}
		// RFC 2047 6.2: white space between two encoded-words is not displayed.
		if !d.afterWord || strings.Trim(s[:i], " \t\r\n") != "" {
			d.text(s[:i])
		}
		d.word(w)
		s = s[i+n:]
	}
	d.text(s)
	d.flush()
	return string(d.out)
}

// isPlain reports whether there is nothing to decode: printable ASCII without an encoded-word.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '=' && i+1 < len(s) && s[i+1] == '?' {
			return false
		}
	}
	return true
}

type encodedWord struct {
	charset string
	base64  bool
	text    string
}

// cutEncodedWord reads "=?charset?B?text?=" at the beginning of s and gives its length. When ok is false there is none, and
// none begins in the n bytes either. Words longer than the 75 characters of RFC 2047 2 are common and understood.
func cutEncodedWord(s string) (w encodedWord, n int, ok bool) {
	rest := s[2:]
	i := strings.IndexByte(rest[:min(len(rest), 64)], '?')
	if i <= 0 || i+3 > len(rest) || rest[i+2] != '?' || strings.IndexByte(rest[:i], ' ') >= 0 {
		return w, 2, false
	}
	w.charset, _, _ = strings.Cut(rest[:i], "*") // RFC 2231 5: a language
	switch rest[i+1] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, 2, false
	}
	text := rest[i+3:]
	end := 0
	for ; end < len(text); end++ {
		switch c := text[end]; {
		case c == '?' && end+1 < len(text) && text[end+1] == '=':
			w.text = text[:end]
			return w, 2 + i + 3 + end + 2, true
		case c == '?' && w.base64:
			return w, 2, false
		case c == '\r' || c == '\n':
			return w, 2 + i + 3 + end, false
		}
		// A question mark in a Q word should have been encoded, and is one.
	}
	return w, len(s), false
}

// wordDecoder collects the bytes of neighbouring words of one charset before it converts them, for some software cuts
// characters in two.
type wordDecoder struct {
	out       []byte
	charset   string
	pending   []byte
	afterWord bool
}

func (d *wordDecoder) word(w encodedWord) {
	if d.afterWord && !strings.EqualFold(d.charset, w.charset) {
		d.flush()
	}
	d.charset = w.charset
	d.afterWord = true
	if w.base64 {
		d.pending = appendBase64(d.pending, w.text)
		return
	}
	for i := 0; i < len(w.text); i++ { // RFC 2047 4.2
		c := w.text[i]
		switch {
		case c == '_':
			c = ' '
		case c == '=' && i+2 < len(w.text):
			if hi, lo := unhex(w.text[i+1]), unhex(w.text[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		d.pending = append(d.pending, c)
	}
}

// appendBase64 decodes as bodies are decoded: padding in the middle, where some software joined two words, does not end it.
func appendBase64(dst []byte, s string) []byte {
	var c base64Codec
	return c.finish(c.decode(dst, []byte(s)))
}

// flush converts the words collected.
func (d *wordDecoder) flush() {
	if d.afterWord {
		d.out = appendClean(d.out, toUTF8(d.pending, d.charset))
		d.pending = d.pending[:0]
		d.afterWord = false
	}
}

// text appends what is not encoded.
func (d *wordDecoder) text(s string) {
	if s == "" {
		return
	}
	d.flush()
	if !utf8.ValidString(s) {
		s = toUTF8([]byte(s), "windows-1252")
	}
	d.out = appendClean(d.out, s)
}

// appendClean appends s with spaces in place of control characters.
func appendClean(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}
