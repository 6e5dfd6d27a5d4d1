package sieve

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// comparator is a collation (RFC 4790): how texts are compared.
type comparator struct {
	name string
	// fold gives what is compared byte by byte.
	fold func(string) string
	// caseless: it is ASCII that is folded, which is done while comparing.
	caseless bool
	// numeric: numbers are compared; only equality and order make sense.
	numeric bool
	// dear is how many times more than others it costs.
	dear int
}

// comparators are all that there are (RFC 5228 2.7.3, RFC 5051).
var comparators = map[string]*comparator{
	"i;octet":           {name: "i;octet", fold: func(s string) string { return s }},
	"i;ascii-casemap":   {name: "i;ascii-casemap", fold: lowerASCII, caseless: true},
	"i;ascii-numeric":   {name: "i;ascii-numeric", fold: func(s string) string { return s }, numeric: true},
	"i;unicode-casemap": {name: "i;unicode-casemap", fold: foldUnicode, dear: 127},
}

// isBuiltIn tells the comparators that need not be required (RFC 5228 2.7.3).
func isBuiltIn(comparator string) bool {
	return comparator == "i;octet" || comparator == "i;ascii-casemap"
}

// foldUnicode is the titlecase form decomposed (RFC 5051 2), or another form that is the same for the same texts.
func foldUnicode(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	return norm.NFKD.String(cases.Fold().String(s))
}

// cost is what making a text ready for comparing costs, in steps.
func (c *comparator) cost(bytes int) int { return bytesCost(bytes * (1 + c.dear)) }

// compare orders two texts: negative, 0 or positive.
func (c *comparator) compare(a, b string) int { return c.order(c.fold(a), c.fold(b)) }

// order is compare for texts that are folded.
func (c *comparator) order(a, b string) int {
	if !c.numeric {
		return strings.Compare(a, b)
	}
	x, isX := number(a)
	y, isY := number(b)
	switch {
	case !isX && !isY:
		return 0
	case !isX: // what is no number is positive infinity (RFC 4790 9.1.1)
		return 1
	case !isY:
		return -1
	case len(x) != len(y):
		return len(x) - len(y)
	}
	return strings.Compare(x, y)
}

// number gives the digits that a text begins with, without leading zeros; ok is false for none.
func number(s string) (digits string, ok bool) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), n > 0
}
