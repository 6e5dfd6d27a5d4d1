// Package words splits text into the words by which a message is judged.
//
// A word is what a reader takes for one: lower case, accents off, letters of other alphabets that stand among Latin ones to
// look like them turned into what they imitate, characters without width taken out. What had to be turned is counted, for
// honest writers have no need of it. Scripts without spaces give their pairs of characters. The road starts in [Split]
// with a text in UTF-8 and ends in one call for each word; it is linear in the text and allocates nothing.
package words

import (
	"unicode"
	"unicode/utf8"
)

// MaxLength is the longest word in bytes; longer runs are no words but are counted.
const MaxLength = 40

// Word is one word of a text. Its Text is valid during the call only.
type Word struct {
	// Text is the word folded and in lower case.
	Text []byte
	// Hash of Text: equal words have equal hashes in every run of every version of the program.
	Hash uint64
	// Disguised: it is made to look like another word to people and unlike it to programs.
	Disguised bool
	// Digits and Letters: it has some of these.
	Digits, Letters bool
	// Break: a clause ended before it.
	Break bool
}

// Stats count what texts are made of.
type Stats struct {
	Words     int
	Long      int // runs of more than MaxLength bytes
	Disguised int // words made to look like others

	Letters int // of any script
	Upper   int // capital ones among them
	Latin   int
	Cyr     int // Cyrillic
	Block   int // Han, Kana, Hangul, Thai
	Digits  int

	Invisible int // characters without width in places where no script needs them
	Exclaims  int // exclamation marks
	Emoji     int
	Currency  int // currency signs
}

// The hash is FNV-1a. It must never change: what was learnt is kept by it.
const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

// Hash is that of a folded word.
func Hash(word string) uint64 {
	h := uint64(offset64)
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * prime64
	}
	return h
}

// Join is the hash of two words in a row.
func Join(a, b uint64) uint64 { return (a*prime64 ^ b) * prime64 }

// Split calls word for each word of text in order, until it returns false, and adds to stats.
func Split(text []byte, stats *Stats, word func(*Word) bool) {
	s := splitter{stats: stats, emit: word}
	for i := 0; i < len(text) && !s.done; {
		if n := s.swift(text[i:]); n > 0 {
			i += n
			continue
		}
		i += s.step(text[i:])
	}
	s.end()
}

// step takes letters of ASCII or one character of any kind, and gives its length.
func (s *splitter) step(text []byte) int {
	if n := s.plain(text); n > 0 {
		return n
	}
	if c := text[0]; c < utf8.RuneSelf {
		s.ascii(c)
		return 1
	}
	r, n := utf8.DecodeRune(text)
	s.rune(r)
	return n
}

// shortUnit is the length in bytes up to which letters of two alphabets are a unit, such as "μA", and no disguise.
const shortUnit = 3

// splitter holds the word under way.
type splitter struct {
	stats *Stats
	emit  func(*Word) bool
	done  bool
	word  Word

	buf      [MaxLength]byte
	n        int
	hash     uint64
	long     bool
	latin    bool // it has a Latin letter
	imitates bool // it has a letter of another alphabet that looks Latin
	foreign  bool // it has a letter of another alphabet that does not
	fancy    bool // it has a Latin letter in an unusual form
	hidden   bool // a character without width stands inside
	previous rune // the last character of a script without spaces
}

// What ASCII characters do to words.
const (
	separates = iota
	isLetter
	isDigit
	joins // within a word it is passed over
	endsClause
)

// ascii classes by character.
var classes = func() (t [utf8.RuneSelf]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = isLetter, isLetter
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = isDigit
	}
	t['\''] = joins
	for _, c := range ".!?;:" {
		t[c] = endsClause
	}
	return t
}()

// small gives the small letter of an ASCII letter, and 0 for all other bytes.
var small = func() (t [256]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = byte(c), byte(c)
	}
	return t
}()

// plain takes the run of ASCII letters that text begins with, which is what most text consists of, and gives its length.
func (s *splitter) plain(text []byte) int {
	if s.previous != 0 || small[text[0]] == 0 {
		return 0
	}
	buf := s.buf[s.n:]
	text = text[:min(len(text), len(buf))]
	hash, upper, n := s.hash, 0, 0
	if s.n == 0 {
		hash = offset64
	}
	for n < len(text) {
		c := small[text[n]]
		if c == 0 {
			break
		}
		upper += int(c^text[n]) >> 5 // 'a' and 'A' differ by 1 << 5
		buf[n] = c
		n++
		hash = (hash ^ uint64(c)) * prime64
	}
	if n == 0 {
		return 0
	}
	s.hash = hash
	s.n += n
	s.stats.Letters += n
	s.stats.Latin += n
	s.stats.Upper += upper
	s.latin, s.word.Letters = true, true
	return n
}

func (s *splitter) ascii(c byte) {
	switch classes[c] {
	case isLetter:
		s.stats.Letters++
		s.stats.Latin++
		if c < 'a' {
			s.stats.Upper++
			c += 'a' - 'A'
		}
		s.latin, s.word.Letters = true, true
		s.put(c)
	case isDigit:
		s.stats.Digits++
		s.word.Digits = true
		s.put(c)
	case endsClause:
		s.end()
		s.word.Break = true
		if c == '!' {
			s.stats.Exclaims++
		}
	case separates:
		s.end()
		if c == '$' {
			s.stats.Currency++
		}
	}
}

func (s *splitter) put(c byte) {
	if s.previous != 0 {
		s.endBlock()
	}
	if s.n == MaxLength {
		s.long = true
		return
	}
	if s.n == 0 {
		s.hash = offset64
	}
	s.buf[s.n] = c
	s.n++
	s.hash = (s.hash ^ uint64(c)) * prime64
}

func (s *splitter) putRune(r rune) {
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		s.put(c)
	}
}

func (s *splitter) rune(r rune) {
	switch {
	case isInvisible(r):
		s.stats.Invisible++
		s.hidden = s.hidden || s.n > 0
	case isApostrophe(r), unicode.IsMark(r):
		// Both belong to the word and are not written in it.
	case isBlock(r):
		s.stats.Letters++
		s.stats.Block++
		s.pair(r)
	case unicode.IsLetter(r), isEnclosed(r):
		s.letter(r)
	case unicode.IsDigit(r):
		s.stats.Digits++
		s.word.Digits = true
		if !s.putLatin(r) {
			s.putRune(r)
		}
	default:
		s.end()
		s.word.Break = s.word.Break || unicode.IsPunct(r)
		switch {
		case unicode.Is(unicode.Sc, r):
			s.stats.Currency++
		case isEmoji(r):
			s.stats.Emoji++
		}
	}
}

func (s *splitter) letter(r rune) {
	s.stats.Letters++
	lower := unicode.ToLower(r)
	if lower != r {
		s.stats.Upper++
	}
	s.word.Letters = true
	switch {
	case s.putLatin(r):
		s.stats.Latin++
		s.latin = true
		s.fancy = s.fancy || isFancy(r)
		return
	case unicode.Is(unicode.Cyrillic, r):
		s.stats.Cyr++
	}
	if _, ok := imitated(lower); ok {
		s.imitates = true
	} else {
		s.foreign = true
	}
	s.putRune(lower)
}

// putLatin writes what a letter or digit is in ASCII, and reports whether it is anything there.
func (s *splitter) putLatin(r rune) bool {
	latin := toLatin(r)
	for i := range len(latin) {
		s.put(latin[i])
	}
	return latin != ""
}

// pair makes a word of each two neighbours in a script without spaces.
func (s *splitter) pair(r rune) {
	was := s.previous
	if was == 0 {
		s.end()
	} else {
		s.previous = 0
		s.putRune(was)
		s.putRune(r)
		s.word.Letters = true
		s.end()
	}
	s.previous = r
}

// endBlock ends a run of such a script; a character alone is a word too.
func (s *splitter) endBlock() { s.previous = 0 }

func (s *splitter) end() {
	s.previous = 0
	if s.n == 0 {
		s.hidden = false
		return
	}
	mixed := s.latin && s.imitates && !s.foreign && s.n > shortUnit
	if mixed {
		s.unmask()
	}
	s.word.Text, s.word.Hash = s.buf[:s.n], s.hash
	s.word.Disguised = mixed || s.fancy || s.hidden && s.latin
	if s.long {
		s.stats.Long++
	} else {
		s.stats.Words++
		if s.word.Disguised {
			s.stats.Disguised++
		}
		s.done = !s.emit(&s.word)
	}
	s.word = Word{}
	s.n, s.long = 0, false
	s.latin, s.imitates, s.foreign, s.fancy, s.hidden = false, false, false, false, false
}

// unmask turns the letters of a word into those that they imitate.
func (s *splitter) unmask() {
	text := s.buf
	n := s.n
	s.n = 0
	for i := 0; i < n; {
		r, size := utf8.DecodeRune(text[i:n])
		i += size
		if latin, ok := imitated(r); ok {
			s.put(latin)
		} else {
			s.putRune(r)
		}
	}
}
