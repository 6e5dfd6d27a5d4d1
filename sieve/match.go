package sieve

import (
	"slices"
	"strconv"
	"strings"
)

// matchTags are the tags of every test that compares: a comparator and a match type (RFC 5228 2.7, RFC 5231).
var matchTags = []tag{
	{name: "comparator", takes: aConstant},
	{name: "is", group: "match type"}, {name: "contains", group: "match type"}, {name: "matches", group: "match type"},
	{name: "count", from: "relational", takes: aConstant, group: "match type"},
	{name: "value", from: "relational", takes: aConstant, group: "match type"},
	{name: "regex", from: "regex", group: "match type"},
}

// with joins tables of tags.
func with(lists ...[]tag) []tag { return slices.Concat(lists...) }

// relations are those of RFC 5231 4.
var relations = map[string]func(order int) bool{
	"gt": func(o int) bool { return o > 0 }, "ge": func(o int) bool { return o >= 0 },
	"lt": func(o int) bool { return o < 0 }, "le": func(o int) bool { return o <= 0 },
	"eq": func(o int) bool { return o == 0 }, "ne": func(o int) bool { return o != 0 },
}

// matcher compares values with keys.
type matcher struct {
	comparator *comparator
	kind       string // is, contains, matches, count, value, regex
	relation   func(order int) bool
	// fixed are the keys where no variable stands in any of them.
	fixed  []key
	leaves bool // variables are required: matches and regex leave what they met
}

// key is a key ready to be compared.
type key struct {
	text    string // as the comparator compares it
	needle  needle // the same, where it is searched for without regard to case
	pattern *pattern
}

// matcher reads the comparator and the match type of a use, whose keys are those given.
func (c *compiler) matcher(u *use, keys *value) *matcher {
	m := &matcher{comparator: comparators["i;ascii-casemap"], kind: "is", leaves: c.has("variables")}
	if v := u.tags["comparator"]; v != nil {
		name := v.text().literal
		switch known := comparators[name]; {
		case known == nil || !c.knows("comparator-"+name):
			c.problem(v.Position, "unknown comparator '%s' for the %s test", name, u.word.name)
		case !isBuiltIn(name) && !c.has("comparator-"+name):
			c.problem(v.Position, "the comparator '%s' needs require \"comparator-%s\" at the top of the script", name, name)
		default:
			m.comparator = known
		}
	}
	c.matchType(u, m)
	if m.comparator.numeric && (m.kind == "contains" || m.kind == "matches" || m.kind == "regex") {
		c.problem(u.Position, "the comparator '%s' cannot be used with :%s; it knows numbers only", m.comparator.name, m.kind)
	}
	c.prepare(m, keys)
	c.warnImpossible(u, m, keys)
	return m
}

// matchType reads the match type, which is :is where there is none (RFC 5228 2.7.1).
func (c *compiler) matchType(u *use, m *matcher) {
	for _, t := range matchTags[1:] {
		v := u.tags[t.name]
		if v == nil {
			continue
		}
		m.kind = t.name
		if t.takes == nothing {
			continue
		}
		name := strings.ToLower(v.text().literal)
		if m.relation = relations[name]; m.relation == nil {
			c.problem(v.Position, "'%s' is no relation; there are gt, ge, lt, le, eq and ne", v.text().literal)
		}
	}
}

// prepare makes the keys ready that are known already, so that a mistake in a pattern is told now.
func (c *compiler) prepare(m *matcher, keys *value) {
	isFixed := true
	list := make([]key, len(keys.texts))
	for i, t := range keys.texts {
		if !t.isFixed() {
			isFixed = false
			continue
		}
		if c.tooManyPatterns() {
			return
		}
		k, err := m.key(t.literal)
		if err != nil {
			c.problem(t.Position, "%s", err)
			c.family.patterns += 4 * len(t.literal) // it was read all the same
			continue
		}
		list[i] = k
		c.countPattern(t.Position, k.pattern)
	}
	if isFixed {
		m.fixed = list
	}
}

// key makes a key ready.
func (m *matcher) key(text string) (key, error) {
	switch m.kind {
	case "matches":
		p, err := m.comparator.pattern(text)
		return key{pattern: p}, err
	case "regex":
		p, err := compileRegex(text, m.comparator.name != "i;octet", m.leaves)
		return key{pattern: p}, err
	}
	k := key{text: m.comparator.fold(text)}
	if m.kind == "contains" && m.comparator.caseless {
		k.needle = newNeedle(k.text)
	}
	return k, nil
}

// keys gives the keys as they are now.
func (m *matcher) keys(r *machine, texts []text) ([]key, error) {
	if m.fixed != nil {
		return m.fixed, nil
	}
	list := make([]key, len(texts))
	for i, t := range texts {
		text := t.in(r)
		k, err := m.key(text)
		if err != nil {
			r.warn("%s; it matches nothing", err)
			k = key{pattern: &pattern{never: true}}
		}
		if err := r.spend(m.comparator.cost(len(text)) + k.pattern.price()); err != nil {
			return nil, err
		}
		list[i] = k
	}
	return list, nil
}

// any reports whether one of the values matches one of the keys. Of several the first counts for what it leaves.
func (m *matcher) any(r *machine, values []string, keys []text) (bool, error) {
	c, err := m.begin(r, keys)
	if err != nil {
		return false, err
	}
	for _, v := range values {
		if ok, err := c.see(v); ok || err != nil {
			return ok, err
		}
	}
	return c.end()
}

// comparison is a test that runs: it sees values one after the other until one matches a key.
type comparison struct {
	*matcher
	r     *machine
	texts []text
	keys  []key
	n     int // values so far
}

func (m *matcher) begin(r *machine, keys []text) (c comparison, err error) {
	c = comparison{matcher: m, r: r, texts: keys}
	if m.kind != "count" {
		c.keys, err = m.keys(r, keys)
	}
	return c, err
}

// see looks at a value. When it is true, that is the result of the test.
func (c *comparison) see(value string) (bool, error) {
	if c.n++; c.kind == "count" {
		return false, c.r.spend(1)
	}
	if err := c.r.spend(c.comparator.cost(len(value))); err != nil {
		return false, err
	}
	folded := value
	if !c.comparator.caseless && c.kind != "matches" && c.kind != "regex" {
		folded = c.comparator.fold(value)
	}
	for i := range c.keys {
		if ok, err := c.one(c.r, value, folded, &c.keys[i]); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// end gives the result when no value matched.
func (c *comparison) end() (bool, error) {
	if c.kind == "count" {
		return c.count(c.r, c.n, c.texts)
	}
	return false, nil
}

// count compares the number of values (RFC 5231 4.2).
func (m *matcher) count(r *machine, n int, keys []text) (bool, error) {
	number := strconv.Itoa(n)
	for _, k := range keys {
		key := k.in(r)
		if err := r.spend(bytesCost(len(key))); err != nil {
			return false, err
		}
		if m.relation(m.comparator.compare(number, key)) {
			return true, nil
		}
	}
	return false, nil
}

// one compares a value, and the same as the comparator compares it, with a key.
func (m *matcher) one(r *machine, value, folded string, k *key) (bool, error) {
	if k.pattern != nil {
		met, cost := k.pattern.match(value, m.leaves, r.left())
		if met != nil && m.leaves {
			r.leave(met)
		}
		return met != nil, r.spend(cost)
	}
	caseless := m.comparator.caseless
	looked := min(len(value), len(k.text))
	if m.kind == "contains" {
		looked = 2 * len(value)
	}
	if err := r.spend(bytesCost(looked)); err != nil {
		return false, err
	}
	switch {
	case m.kind == "contains" && caseless:
		return k.needle.indexIn(value) >= 0, nil
	case m.kind == "contains":
		return strings.Contains(folded, k.text), nil
	case m.kind == "is" && caseless:
		return isSameASCII(value, k.text), nil
	case m.kind == "is":
		return m.comparator.order(folded, k.text) == 0, nil
	case caseless:
		return m.relation(compareASCII(value, k.text)), nil
	}
	return m.relation(m.comparator.order(folded, k.text)), nil
}
