package antispam

import (
	"bytes"
	"strings"
)

// figures are the bytes that figures begin with.
var figures = func() (t [256]bool) {
	for _, c := range "0123456789b" {
		t[c] = true
	}
	return t
}()

// findFigures looks for amounts, telephone numbers and Bitcoin addresses.
func (f *features) findFigures(text []byte) {
	t := &f.text
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !figures[c] || !startsWord(text, i) {
			continue
		}
		if (c == '1' || c == '3' || c == 'b') && !t.bitcoin {
			t.bitcoin = isBitcoin(text[i:])
		}
		if c != 'b' {
			i += f.number(text[i:]) - 1
		}
	}
}

func startsWord(text []byte, i int) bool {
	if i == 0 {
		return true
	}
	c := text[i-1] | 0x20
	return !(c >= 'a' && c <= 'z' || text[i-1] >= '0' && text[i-1] <= '9')
}

// number reads a run of digits with separators and gives its length: ten to fifteen digits in groups are a telephone
// number, groups of three behind commas an amount.
func (f *features) number(text []byte) int {
	digits, groups, commas, n, group := 0, 1, 0, 0, 0
	year := false
	for n < len(text) && n < 30 {
		if isDigit(text[n]) {
			digits++
			n++
			continue
		}
		year = year || isYear(text[group:n])
		gap := 0
		for gap < 3 && n+gap < len(text) && isSeparator(text[n+gap]) {
			gap++
		}
		if gap == 0 || n+gap == len(text) || !isDigit(text[n+gap]) {
			break
		}
		groups++
		if text[n] == ',' {
			commas++
		}
		n += gap
		group = n
	}
	if commas == 0 && !year && !isYear(text[group:n]) && groups >= 3 && digits >= 10 && digits <= 13 {
		f.text.phones++
	}
	if commas >= 2 && digits >= 7 {
		f.text.millions = true
	}
	return max(n, 1)
}

// isYear: a date stands there.
func isYear(group []byte) bool {
	return len(group) == 4 && (group[0] == '1' && group[1] == '9' || group[0] == '2' && group[1] == '0')
}

func isSeparator(c byte) bool {
	return c == '-' || c == ' ' || c == '.' || c == ')' || c == '(' || c == ','
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isBitcoin recognises an address by its form: Base58 that begins with 1 or 3, or bech32.
func isBitcoin(text []byte) bool {
	if text[0] == 'b' && !bytes.HasPrefix(text, []byte("bc1")) {
		return false
	}
	n, upper, digits := 0, 0, 0
	for n < len(text) && n < 64 {
		c := text[n]
		if !(isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z') {
			break
		}
		if c >= 'A' && c <= 'Z' {
			upper++
		}
		if isDigit(c) {
			digits++
		}
		n++
	}
	word := string(text[:n])
	if strings.HasPrefix(word, "bc1") {
		return (n == 42 || n == 62) && upper == 0 && digits >= 5
	}
	return text[0] != 'b' && n >= 26 && n <= 35 && upper >= 4 && upper <= 28 && digits >= 3 && !strings.ContainsAny(word, "0OIl")
}
