package sieve

import "strings"

// lower is the letters of ASCII in lower case, and all other bytes as they are.
var lower = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			table[i] = byte(i) | 0x20
		}
	}
	return table
}()

// Texts are compared without regard to case where they lie: a copy in lower case for each comparison would be most of what one
// costs. A key is in lower case already.

func isSameASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower[a[i]] != lower[b[i]] {
			return false
		}
	}
	return true
}

func hasPrefixASCII(s, key string) bool { return len(s) >= len(key) && isSameASCII(s[:len(key)], key) }

func hasSuffixASCII(s, key string) bool {
	return len(s) >= len(key) && isSameASCII(s[len(s)-len(key):], key)
}

// compareASCII orders a text and a key.
func compareASCII(s, key string) int {
	for i := range min(len(s), len(key)) {
		if c := lower[s[i]]; c != key[i] {
			return int(c) - int(key[i])
		}
	}
	return len(s) - len(key)
}

// needle is a key in lower case that is searched for. What it has in common with itself is known, so that no byte of a text is looked at
// again (Knuth, Morris and Pratt): a search is linear whatever the key.
type needle struct {
	key string
	// common is, for each length of a beginning of the key, the longest shorter beginning that it ends with.
	common []int32
}

func newNeedle(key string) needle {
	n := needle{key, make([]int32, len(key)+1)}
	k := int32(0)
	for i := 1; i < len(key); i++ {
		for k > 0 && key[i] != key[k] {
			k = n.common[k]
		}
		if key[i] == key[k] {
			k++
		}
		n.common[i+1] = k
	}
	return n
}

// indexIn finds the needle in a text, -1 where it is not.
func (n *needle) indexIn(s string) int {
	key, k := n.key, 0
	if key == "" {
		return 0
	}
	for i := range len(s) {
		c := lower[s[i]]
		for k > 0 && c != key[k] {
			k = int(n.common[k])
		}
		if c != key[k] {
			continue
		}
		if k++; k == len(key) {
			return i + 1 - k
		}
	}
	return -1
}

func lowerASCII(s string) string {
	for i := range len(s) {
		if s[i] != lower[s[i]] {
			return toLowerASCII(s)
		}
	}
	return s
}

func toLowerASCII(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for i := range len(s) {
		out.WriteByte(lower[s[i]])
	}
	return out.String()
}
