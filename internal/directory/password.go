package directory

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/internal/sasl"
)

// Bounds of a password's length, in characters.
const (
	minPassword = 8
	maxPassword = 256
)

// CheckPassword holds a new password against the rule that every way to set one enforces (PW-1): 8 to 256 characters,
// an uppercase letter, a digit, a symbol, and not one of those that attackers try first. It gives the password in the
// form that is hashed, or an error that names all that is missing.
func CheckPassword(password string) (prepared string, err error) {
	prepared, err = sasl.Prepare(password)
	if err != nil {
		return "", Refuse(ErrInvalid, "the password %v; use letters, digits, symbols and spaces", err)
	}
	n := utf8.RuneCountInString(prepared)
	if n > maxPassword {
		return "", Refuse(ErrInvalid, "the password is too long: %d characters, at most %d are allowed", n, maxPassword)
	}
	var missing []string
	if n < minPassword {
		missing = append(missing, "8 characters or more")
	}
	if !strings.ContainsFunc(prepared, func(r rune) bool { return unicode.IsUpper(r) || unicode.IsTitle(r) }) {
		missing = append(missing, "an uppercase letter")
	}
	if !strings.ContainsFunc(prepared, unicode.IsDigit) {
		missing = append(missing, "a number")
	}
	if !strings.ContainsFunc(prepared, isSymbol) {
		missing = append(missing, "a symbol")
	}
	if len(missing) > 0 {
		return "", Refuse(ErrInvalid, "the password needs %s", inList(missing))
	}
	if isCommon(prepared) {
		return "", Refuse(ErrInvalid, "the password is among those that attackers try first; choose one that is not a common word with a number and a symbol")
	}
	return prepared, nil
}

// isSymbol is everything that is neither letter, mark nor digit; a space counts.
func isSymbol(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r)
}

// inList is "a, b and c".
func inList(items []string) string {
	if len(items) == 1 {
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

// common is the heart of passwords seen again and again in breaches, one in a line, in lower case and without disguise.
//
//go:embed common.txt
var common string

// isCommon undoes the usual disguise of a common word: capitals, digits and signs for letters, and the number and symbol
// in front or behind that the rule asks for. Passwords longer than that trick makes them are left alone.
func isCommon(password string) bool {
	const disguise = 6 // characters before and behind the word
	lower := strings.ToLower(password)
	isCore := func(word string) bool {
		return word != "" && strings.Contains(common, "\n"+word+"\n") && utf8.RuneCountInString(lower) <= len(word)+disguise
	}
	notLetter := func(r rune) bool { return r < 'a' || r > 'z' }
	trimmed := strings.TrimFunc(lower, notLetter)
	for _, word := range []string{
		lower,
		trimmed,
		plainLetters(trimmed),
		plainLetters(strings.TrimRightFunc(lower, notLetter)),
		strings.TrimFunc(plainLetters(lower), notLetter),
	} {
		if isCore(word) {
			return true
		}
	}
	return false
}

// plainLetters turns "p@ssw0rd" into "password".
var plainLettersOf = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t", "+", "t")

func plainLetters(s string) string { return plainLettersOf.Replace(s) }
