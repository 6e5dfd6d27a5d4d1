package htmltext

import (
	"bytes"
	"cmp"
	"slices"
)

// Limits of the style sheets of one document.
const (
	maxRules   = 200
	maxClasses = 8 // of one element
)

// sheet is the document's own style sheets, as far as they can hide something: rules for a single tag, class or
// identifier. Later rules win over earlier ones, whatever the weight of their selectors.
type sheet struct {
	text   []byte
	done   int    // bytes of text that were read
	rules  []rule // sorted by hash once they are read
	sorted int
	some   [4]uint64 // a bit for each value of a byte of the hashes that some rule has
}

type rule struct {
	hash uint32 // of the selector
	own  style
}

func (sh *sheet) reset() { *sh = sheet{text: sh.text[:0], rules: sh.rules[:0]} }

// add collects the text of a style element.
func (sh *sheet) add(b []byte) {
	sh.text = append(sh.text, b[:min(len(b), maxSheet-len(sh.text))]...)
}

// read reads the rules of the text collected.
func (sh *sheet) read() {
	defer sh.sort()
	text := sh.text[sh.done:]
	sh.done = len(sh.text)
	if bytes.Contains(text, []byte("/*")) {
		text = withoutComments(text)
	}
	for len(text) > 0 {
		open := bytes.IndexByte(text, '{')
		if open < 0 {
			return
		}
		selectors := bytes.TrimLeft(text[:open], " \t\r\n\f}")
		if len(selectors) > 0 && selectors[0] == '@' {
			text = text[atRuleEnd(text, open):]
			continue
		}
		end := bytes.IndexByte(text[open:], '}')
		if end < 0 {
			return
		}
		sh.rule(selectors, text[open+1:open+end])
		text = text[open+end+1:]
	}
}

// atRuleEnd is where an at-rule ends: what it holds is for other media, fonts, animations. open is its first brace.
func atRuleEnd(text []byte, open int) int {
	if semicolon := bytes.IndexByte(text[:open], ';'); semicolon >= 0 {
		return semicolon + 1 // @import and @charset have no block
	}
	depth := 0
	for i := open; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// rule keeps a rule for each of its selectors that is simple, if it matters for what is seen.
func (sh *sheet) rule(selectors, declarations []byte) {
	own := noStyle
	readDeclarations(declarations, &own)
	own.width, own.height = -1, -1
	if own == noStyle {
		return
	}
	for selector := range bytes.SplitSeq(selectors, []byte(",")) {
		hash, ok := selectorHash(bytes.Trim(selector, " \t\r\n\f"))
		if !ok {
			continue
		}
		if len(sh.rules) == maxRules {
			return
		}
		sh.rules = append(sh.rules, rule{hash, own})
	}
}

// sort brings new rules into their places, and joins those of one selector.
func (sh *sheet) sort() {
	if sh.sorted == len(sh.rules) {
		return
	}
	slices.SortStableFunc(sh.rules, func(a, b rule) int { return cmp.Compare(a.hash, b.hash) })
	joined := sh.rules[:1]
	for _, r := range sh.rules[1:] {
		if last := &joined[len(joined)-1]; last.hash == r.hash {
			last.own.set(&r.own)
		} else {
			joined = append(joined, r)
		}
	}
	sh.rules, sh.sorted = joined, len(joined)
	for i := range joined {
		h := joined[i].hash
		sh.some[h>>6%4] |= 1 << (h % 64)
	}
}

// selectorHash is the key of "tag", ".class", "tag.class" (for any tag) and "#id".
func selectorHash(b []byte) (uint32, bool) {
	if len(b) == 0 {
		return 0, false
	}
	if i := bytes.LastIndexByte(b, '.'); i > 0 && isName(b[:i]) {
		b = b[i:]
	}
	kind := b[0]
	if kind != '.' && kind != '#' {
		return keyHash(0, b), isName(b)
	}
	return keyHash(kind, b[1:]), isName(b[1:])
}

func isName(b []byte) bool {
	for _, c := range b {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return len(b) > 0
}

func keyHash(kind byte, name []byte) uint32 {
	h := uint32(2166136261)
	h = (h ^ uint32(kind)) * 16777619
	for _, c := range name {
		h = (h ^ uint32(lowerByte(c))) * 16777619
	}
	return h
}

// apply sets what the rules say about an element, by the key of its name, its classes and its identifier.
func (sh *sheet) apply(own *style, name uint32, classes, id []byte) {
	sh.applyKey(own, name)
	n := 0
	for class := range bytes.FieldsSeq(classes) {
		if n++; n > maxClasses {
			break
		}
		sh.applyKey(own, keyHash('.', class))
	}
	if len(id) > 0 {
		sh.applyKey(own, keyHash('#', id))
	}
}

// applyKey applies the rule of a selector.
func (sh *sheet) applyKey(own *style, hash uint32) {
	if sh.some[hash>>6%4]>>(hash%64)&1 == 0 {
		return
	}
	i, ok := slices.BinarySearchFunc(sh.rules, hash, func(r rule, hash uint32) int { return cmp.Compare(r.hash, hash) })
	if ok {
		own.set(&sh.rules[i].own)
	}
}
