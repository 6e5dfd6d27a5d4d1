package weburl

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// Options bound a search. A number that is not positive means its default.
type Options struct {
	Count  int  // addresses at most; 500
	Length int  // of one address in bytes; what is longer is cut; 2048
	Bare   bool // also domains without a scheme or "www.", where they end in a public suffix
}

// Found is an address in a text.
type Found struct {
	Raw  []byte // as it stands in the text
	URL  URL
	Bare bool // written without a scheme and without "www."
}

// Find calls fn for each web address in a text, in order, until fn returns false: http, https and ftp with "://", what
// begins with "www.", and bare domains if asked. Mail addresses are none. The cost is linear in the text.
func Find(text []byte, o Options, fn func(Found) bool) {
	if o.Count <= 0 {
		o.Count = 500
	}
	if o.Length <= 0 {
		o.Length = 2 << 10
	}
	s := search{text: text, Options: o}
	for s.Count > 0 {
		begin, end := s.nextWord()
		if begin < 0 {
			return
		}
		f, next := s.match(begin, end)
		if f.Raw != nil {
			s.Count--
			if !fn(f) {
				return
			}
		}
		s.from = next
	}
}

// search is a pass over a text. Words that can begin an address have a dot in them, or a colon or a bracket behind them.
type search struct {
	Options
	text    []byte
	from    int // what is before is done with
	dot     mark
	colon   mark
	bracket mark
	parser  Parser
}

// mark is where the next of some character is, not before where it was searched from last.
type mark int

// seek gives the place of the next c from a place on, the text's length when there is none.
func (m *mark) seek(text []byte, c byte, from int) int {
	if int(*m) < from || *m == 0 {
		i := bytes.IndexByte(text[from:], c)
		if i < 0 {
			i = len(text) - from
		}
		*m = mark(from + i)
	}
	return int(*m)
}

// nextWord finds the next word that may begin an address; begin is negative when there is none.
func (s *search) nextWord() (begin, end int) {
	for s.from < len(s.text) {
		if !isWord[s.text[s.from]] {
			s.from++ // a colon without a word, among others
			continue
		}
		at := min(s.dot.seek(s.text, '.', s.from), s.colon.seek(s.text, ':', s.from), s.bracket.seek(s.text, '[', s.from))
		if at == len(s.text) {
			return -1, 0
		}
		begin, end = at, at
		for begin > s.from && isWord[s.text[begin-1]] {
			begin--
		}
		for end < len(s.text) && isWord[s.text[end]] {
			end++
		}
		if s.mayMatch(begin, at, end) {
			return begin, end
		}
		s.from = max(end, at+1)
	}
	return -1, 0
}

// mayMatch is false for words that match would only pass over: those without a scheme behind which no slashes are, and the
// last ones of sentences. at is the first dot, colon or bracket.
func (s *search) mayMatch(begin, at, end int) bool {
	if slashesLength(s.text[end:]) > 0 {
		return end > begin
	}
	return at+1 < end
}

// isWord tells the bytes of a scheme or of a host in ASCII.
var isWord = func() (t [256]bool) {
	for c := range t {
		t[c] = isLetter(byte(c)) || isDigit(byte(c)) || c == '-' || c == '_' || c == '%' || c == '.'
	}
	return t
}()

// match looks whether an address begins in the word text[begin:end], and gives where to go on.
func (s *search) match(begin, end int) (Found, int) {
	text, o := s.text, s.Options
	word := text[begin:end]
	if scheme, slashes := schemeAt(word, text[end:]); scheme > 0 {
		raw, next := token(text, end-scheme, end+slashes, o)
		u := URL{}
		u.setScheme(word[len(word)-scheme:])
		if text[end] != ':' {
			u.Tricks |= Defanged
		}
		s.parser.readHostPort(&u, bytes.TrimLeft(raw[scheme+slashes:], "/\\"))
		if u.Tricks.Has(InvalidHost) {
			return Found{}, next
		}
		return Found{Raw: raw, URL: u}, next
	}
	www := len(word) > 5 && hasFold(word, "www") && (word[3] == '.' || isDigit(word[3]) && word[4] == '.')
	if begin > 0 && text[begin-1] == '@' || !www && !(o.Bare && isBare(text, begin, end)) {
		return Found{}, end
	}
	raw, next := token(text, begin, begin, o)
	u := URL{Scheme: "http"}
	s.parser.readHostPort(&u, raw)
	if u.Tricks.Has(InvalidHost) || !isPublic(u.Host) || bytes.IndexByte(raw, '@') >= 0 {
		return Found{}, max(next, end)
	}
	return Found{Raw: raw, URL: u, Bare: !www}, next
}

// schemeAt reports whether a word ends in a scheme and "://" or a disguise of it follows: the lengths of both, or 0.
func schemeAt(word, behind []byte) (scheme, slashes int) {
	slashes = slashesLength(behind)
	if slashes == 0 {
		return 0, 0
	}
	for _, s := range []string{"https", "http", "hxxps", "hxxp", "ftp"} {
		if n := len(word) - len(s); n >= 0 && hasFold(word[n:], s) {
			return len(s), slashes
		}
	}
	return 0, 0
}

// slashesLength is the length of "://" at the beginning of b or of a disguise of it, 0 when there is none.
func slashesLength(b []byte) int {
	switch {
	case len(b) < 3 || b[0] != ':' && b[0] != '[':
		return 0
	case string(b[:3]) == "://", string(b[:3]) == `:\\`:
		return 3
	case bytes.HasPrefix(b, []byte("[:]//")), bytes.HasPrefix(b, []byte("[://]")):
		return 5
	}
	return 0
}

func hasFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if b[i]|0x20 != prefix[i] {
			return false
		}
	}
	return true
}

// token reads an address that begins at begin and whose host begins at host: up to white space or what cannot stand in an
// address, without the punctuation of the sentence around it. next is behind all of it.
func token(text []byte, begin, host int, o Options) (raw []byte, next int) {
	end, inHost, ascii := host, true, true
loop:
	for end < len(text) {
		c := text[end]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(text[end:])
			if endsAddress(r, inHost) || inHost && ascii && isPublicName(text[host:end]) {
				break loop // text without spaces goes on behind the host
			}
			ascii = ascii && !inHost
			end += n
			continue
		case c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"' || c == '`' || c == '|' || c == '^':
			break loop
		case isSlash(c) || c == '?' || c == '#':
			inHost = false
		case inHost && (c == '(' || c == '{' || c == '['):
			n := dotLength(text[end:])
			if n == 0 && (c != '[' || end != host) {
				break loop
			}
			end += max(n, 1)
			continue
		}
		end++
	}
	next = end
	raw = text[begin:min(end, begin+o.Length)]
	return trimPunctuation(raw), next
}

// endsAddress tells characters beyond ASCII that end an address: white space, quotation marks, and the full stops that
// are dots in a host only.
func endsAddress(r rune, inHost bool) bool {
	switch r {
	case '。', '．', '｡':
		return !inHost
	case '\u200b', '\ufeff', '，', '、', '；', '：', '！', '？', '（', '）':
		return true
	}
	return unicode.IsSpace(r) || unicode.In(r, unicode.Pi, unicode.Pf, unicode.Ps, unicode.Pe)
}

// trimPunctuation drops what belongs to the sentence: full stops, commas, brackets that were not opened inside.
func trimPunctuation(b []byte) []byte {
	open := [3]int{}
	for _, c := range b {
		if i := brackets[c]; i > 0 {
			open[(i-1)%3] += 1 - int(i-1)/3*2
		}
	}
	for n := len(b); n > 0; n-- {
		c := b[n-1]
		i := bytes.IndexByte([]byte(")]}"), c)
		switch {
		case i >= 0 && open[i] < 0:
			open[i]++
		case i >= 0 || bytes.IndexByte([]byte(".,;:!?'*~\\$"), c) < 0:
			return b[:n]
		}
	}
	return b[:0]
}

// brackets are numbered from 1, the closing ones from 4.
var brackets = [256]uint8{'(': 1, '[': 2, '{': 3, ')': 4, ']': 5, '}': 6}

// isBare reports whether a word can be a domain, and is no part of a mail address or a name of a file.
func isBare(text []byte, begin, end int) bool {
	word := bytes.TrimRight(text[begin:end], ".-_%")
	if len(word) > 253 || bytes.IndexByte(word, '.') < 1 || bytes.IndexByte(word, '%') >= 0 {
		return false
	}
	if begin > 0 && (isSlash(text[begin-1]) || text[begin-1] == '=') || end < len(text) && text[end] == '@' {
		return false
	}
	if last := word[bytes.LastIndexByte(word, '.')+1:]; len(last) < 2 || last[0] < 'a' && last[1] >= 'a' {
		return false // "e.g", or the next sentence without the space before it
	}
	return isPublicName(word)
}

// isPublicName reports whether b is a name under a public suffix of the DNS.
func isPublicName(b []byte) bool {
	return len(b) <= 253 && bytes.IndexByte(b, '.') > 0 && isPublic(string(bytes.ToLower(b)))
}

// isPublic reports whether a host is a name below a public suffix that ICANN knows, and not likely one of a file.
func isPublic(host string) bool {
	if !isHost(host) {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(host)
	if len(suffix) >= len(host) {
		return false
	}
	if !icann { // a private suffix stands below one of ICANN's, what is in no list has no dot
		return bytes.IndexByte([]byte(suffix), '.') >= 0
	}
	if len(host) == len(suffix)+1 || countDots(host) > 1 {
		return true
	}
	switch suffix {
	case "md", "pl", "ps", "py", "rs", "sh", "so", "zip", "mov", "cc", "am", "in", "st":
		return false // notes.md, setup.py, "word.in": more often than not no domain
	}
	return true
}

func countDots(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] == '.' {
			n++
		}
	}
	return n
}

// dotLength is the length of a disguised dot at the beginning of b: [.], (dot) and the like; 0 when there is none.
func dotLength(b []byte) int {
	if len(b) < 3 || b[0] != '[' && b[0] != '(' && b[0] != '{' {
		return 0
	}
	closing := map[byte]byte{'[': ']', '(': ')', '{': '}'}[b[0]]
	if b[1] == '.' && b[2] == closing {
		return 3
	}
	if hasFold(b[1:], "dot") && len(b) > 4 && b[4] == closing {
		return 5
	}
	return 0
}

// undoDots puts dots in place of disguised ones.
func undoDots(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if n := dotLength(b); n > 0 {
			out = append(out, '.')
			b = b[n:]
			continue
		}
		out = append(out, b[0])
		b = b[1:]
	}
	return out
}
