package scanner

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"postern/internal/oneline"
	"postern/internal/verdict"
)

const (
	// maxScore is more than any scanner gives: SpamAssassin's own test message gets 1,000.
	maxScore = 100_000
	// maxSymbols are kept of an answer, the weightiest.
	maxSymbols     = 200
	maxSymbolName  = 128
	maxSymbolWords = 256
)

// points reads a score: a decimal number within bounds, which NaN and infinity are not.
func points(s string) (verdict.Points, error) {
	if s == "" || len(s) > 40 || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, lying("%q is not a score", cut(s, 40))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > maxScore || f < -maxScore {
		return 0, lying("%q is not a score", s)
	}
	return verdict.P(f), nil
}

// symbol makes a part of a rule's name.
func symbol(name, detail string, p verdict.Points) (verdict.Part, error) {
	if name == "" || len(name) > maxSymbolName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return verdict.Part{}, lying("%q is not the name of a rule", cut(name, 80))
	}
	return verdict.Part{Name: name, Detail: oneline.Text(detail, maxSymbolWords), Points: p}, nil
}

// weightiest sorts symbols and keeps as many as are of use.
func weightiest(list []verdict.Part) []verdict.Part {
	slices.SortStableFunc(list, func(a, b verdict.Part) int {
		return cmp.Or(cmp.Compare(max(b.Points, -b.Points), max(a.Points, -a.Points)), cmp.Compare(a.Name, b.Name))
	})
	return slices.Clip(list[:min(len(list), maxSymbols)])
}
