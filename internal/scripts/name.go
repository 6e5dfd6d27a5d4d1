package scripts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a name, before and after its normalisation. RFC 5804 1.6 asks for 128 characters, which take up to 512 bytes.
const (
	maxNameChars = 128
	maxNameBytes = 512
)

// CleanName gives the one form of a script's name under which it is known here: Net-Unicode (RFC 5198 2), that is UTF-8 in
// NFC without controls and separators of lines and paragraphs (RFC 5804 1.6). It fails with [ErrName].
func CleanName(name string) (string, error) {
	switch {
	case name == "":
		return "", refuse(ErrName, "A script needs a name; give it one of 1 to %d characters", maxNameChars)
	case len(name) > maxNameBytes || !utf8.ValidString(name):
		return "", refuse(ErrName, "The name of a script is UTF-8; choose one of 1 to %d characters", maxNameChars)
	}
	name = norm.NFC.String(name)
	switch {
	case len(name) > maxNameBytes || utf8.RuneCountInString(name) > maxNameChars:
		return "", refuse(ErrName, "The name is too long; choose one of at most %d characters", maxNameChars)
	case strings.ContainsFunc(name, forbidden):
		return "", refuse(ErrName, "The name of a script holds no control characters and no line breaks; choose another")
	}
	return name, nil
}

// forbidden tells what has no place in a name. RFC 5804 1.6
func forbidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}
