package sasl

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"postern/internal/address"
)

// ErrUnpreparable means that a name or password holds what neither may: control characters, broken UTF-8 and the like.
var ErrUnpreparable = errors.New("contains a control character or another character that cannot be used in names and passwords")

// Prepare brings a login name or password to the form in which it is compared and hashed: SASLprep (RFC 4013), which
// SCRAM clients apply before they hash (RFC 5802 2.2).
//
// Two of its rules are left out, because a password that PLAIN can carry must work: characters younger than Unicode 3.2
// are allowed (as RFC 4013 allows in queries), and right-to-left letters may stand beside digits at either end.
func Prepare(s string) (string, error) {
	if plainASCII(s) {
		return s, nil
	}
	if !utf8.ValidString(s) {
		return "", ErrUnpreparable
	}
	s = norm.NFKC.String(strings.Map(mapRune, s))
	for _, r := range s {
		if prohibited(r) {
			return "", ErrUnpreparable
		}
	}
	return s, nil
}

// LoginKey is one string for all spellings of a login name, by which accounts are found and failures are counted: the
// prepared address's key. What is no address gives a key that no account has.
func LoginKey(login string) string {
	if prepared, err := Prepare(login); err == nil {
		login = prepared
	}
	login = strings.TrimSpace(login)
	a, err := address.Parse(login)
	if err != nil {
		return "?" + strings.ToLower(login)
	}
	return a.Key()
}

func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// mapRune is RFC 4013 2.1: RFC 3454's table B.1 vanishes, the spaces of table C.1.2 become a space.
func mapRune(r rune) rune {
	switch {
	case r == 0xad, r == 0x34f, r == 0x1806, r >= 0x180b && r <= 0x180d, r >= 0x200b && r <= 0x200d, r == 0x2060,
		r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff:
		return -1
	case r > 0x7f && unicode.Is(unicode.Zs, r):
		return ' '
	}
	return r
}

// prohibited is RFC 4013 2.3: RFC 3454's tables C.2 to C.9. Surrogates (C.5) are no valid UTF-8.
func prohibited(r rune) bool {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Co, r):
		return true // C.2.1, part of C.2.2, C.3
	case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true // C.4
	case r >= 0xfff9 && r <= 0xfffd, r >= 0x2ff0 && r <= 0x2ffb:
		return true // C.6, C.7
	case r == 0x340, r == 0x341, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f:
		return true // C.8
	case r == 0xe0001, r >= 0xe0020 && r <= 0xe007f:
		return true // C.9
	case r == 0x6dd, r == 0x70f, r == 0x180e, r == 0x2028, r == 0x2029, r >= 0x2061 && r <= 0x2063, r >= 0x1d173 && r <= 0x1d17a:
		return true // the rest of C.2.2
	}
	return false
}
