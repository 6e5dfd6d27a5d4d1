package words

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// narrow are the letters of Latin-1 and Latin Extended in ASCII, so that most accents cost an array access.
var narrow = func() (t [0x250]string) {
	for r := rune(0x80); r < rune(len(t)); r++ {
		t[r] = decompose(r)
	}
	for r, s := range map[rune]string{'ß': "ss", 'æ': "ae", 'ø': "o", 'œ': "oe", 'ð': "d", 'þ': "th", 'ł': "l", 'đ': "d", 'ı': "i",
		'ħ': "h", 'ŧ': "t", 'ƒ': "f"} {
		t[r] = s
	}
	for r := range t {
		if lower := unicode.ToLower(rune(r)); t[r] == "" && lower < rune(len(t)) {
			t[r] = t[lower]
		}
	}
	return t
}()

// decompose gives the ASCII letters and digits that a character decomposes into, or "".
func decompose(r rune) string {
	parts := norm.NFKD.PropertiesString(string(r)).Decomposition()
	var out []byte
	for _, p := range string(parts) {
		switch {
		case p >= 'A' && p <= 'Z':
			out = append(out, byte(p)+'a'-'A')
		case p >= 'a' && p <= 'z', p >= '0' && p <= '9':
			out = append(out, byte(p))
		case unicode.IsMark(p):
		default:
			return ""
		}
	}
	return string(out)
}

// toLatin gives the ASCII letters or digits that a character is a form of, or "".
func toLatin(r rune) string {
	switch {
	case r < rune(len(narrow)):
		return narrow[r]
	case r >= 0x1e00 && r < 0x1f00, r >= 0x2100 && r < 0x2190, r >= 0x2460 && r < 0x24f0, r >= 0xfb00 && r < 0xfb07, r >= 0xff10 && r < 0xff5b, isFancy(r):
		return decompose(r)
	}
	return ""
}

// isFancy: the mathematical alphabets, in which nobody writes words. Enclosed letters are of the same kind.
func isFancy(r rune) bool { return r >= 0x1d400 && r < 0x1d800 || isEnclosed(r) }

func isEnclosed(r rune) bool { return r >= 0x24b6 && r < 0x24ea || r >= 0x1f130 && r < 0x1f18a }

// imitated tells the Latin letter that a small letter of another alphabet looks like.
func imitated(r rune) (byte, bool) {
	switch r {
	case 'а', 'α':
		return 'a', true
	case 'в', 'β':
		return 'b', true
	case 'с', 'ϲ':
		return 'c', true
	case 'ԁ':
		return 'd', true
	case 'е', 'ε', 'є':
		return 'e', true
	case 'һ':
		return 'h', true
	case 'і', 'ι', 'ї':
		return 'i', true
	case 'ј':
		return 'j', true
	case 'к', 'κ':
		return 'k', true
	case 'ӏ':
		return 'l', true
	case 'м', 'μ':
		return 'm', true
	case 'п', 'η':
		return 'n', true
	case 'о', 'ο', 'σ', 'օ':
		return 'o', true
	case 'р', 'ρ':
		return 'p', true
	case 'ԛ':
		return 'q', true
	case 'г':
		return 'r', true
	case 'ѕ':
		return 's', true
	case 'т', 'τ':
		return 't', true
	case 'υ', 'ս':
		return 'u', true
	case 'ν':
		return 'v', true
	case 'ԝ', 'ω':
		return 'w', true
	case 'х', 'χ':
		return 'x', true
	case 'у', 'γ':
		return 'y', true
	}
	return 0, false
}

// isInvisible: characters that take no room and that no text in the scripts we know needs between letters. The joiners
// U+200C and U+200D are needed by Persian, Indic scripts and emoji; they count when they stand in a Latin word.
func isInvisible(r rune) bool {
	switch r {
	case 0x00ad, 0x034f, 0x061c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e, 0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0x3164, 0xfeff, 0xffa0:
		return true
	}
	return r >= 0xe0000 && r < 0xe0080
}

func isApostrophe(r rune) bool { return r == '\u2019' || r == '\u02bc' || r == '\u00b4' }

// isBlock: scripts that are written without spaces, or in blocks.
func isBlock(r rune) bool {
	switch {
	case r < 0x0e00:
		return false
	case r < 0x0e80: // Thai
		return true
	case r >= 0x3040 && r < 0x3100, r >= 0x3400 && r < 0x4dc0, r >= 0x4e00 && r < 0xa000, r >= 0xac00 && r < 0xd7b0,
		r >= 0xf900 && r < 0xfb00, r >= 0x20000 && r < 0x32000:
		return true
	}
	return false
}

func isEmoji(r rune) bool {
	return r >= 0x2600 && r < 0x27c0 || r >= 0x1f000 && r < 0x1fb00 || r == 0x2b50
}
