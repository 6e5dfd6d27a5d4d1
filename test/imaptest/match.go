package imaptest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// matcher compares replies with what a script expects and remembers what its
// variables stand for.
type matcher struct {
	vars    map[string]string
	bound   []string // names in the order they got their values, for undo
	modseqs map[int]uint64
	// expunged are the messages expunged since the command was sent, by the
	// sequence numbers they had then, ascending.
	expunged []int
}

func newMatcher(vars map[string]string) *matcher {
	return &matcher{vars: vars, modseqs: map[int]uint64{}}
}

// reply reports whether an untagged reply is the expected one; only then its
// variables keep new values.
func (m *matcher) reply(want, got text) bool {
	w, g := parseArgs(want), parseArgs(got)
	switch head(w, 0) {
	case "ok", "no", "bad", "bye", "preauth":
		return m.try(func() bool { return m.prefix(w, g) })
	}
	addDefaults(w)
	return m.try(func() bool { return m.args(w, g, listRule{}) })
}

// answer reports whether the text of a tagged answer begins as expected.
func (m *matcher) answer(prefix, got text) bool {
	w, g := parseArgs(prefix), parseArgs(got)
	return m.try(func() bool { return m.prefix(w, g) })
}

func (m *matcher) prefix(want, got []arg) bool {
	return len(got) >= len(want) && m.args(want, got[:len(want)], listRule{})
}

// try undoes what a comparison has bound when it fails.
func (m *matcher) try(f func() bool) bool {
	mark := len(m.bound)
	if f() {
		return true
	}
	for _, name := range m.bound[mark:] {
		delete(m.vars, name)
	}
	m.bound = m.bound[:mark]
	return false
}

// listRule is how the members of a list are compared.
type listRule struct {
	unordered bool
	chain     int // members that belong together, 0 means 1
	extra     bool
	ignore    []string
	ban       []string
}

// directives takes the directives at the beginning of a list.
func directives(want []arg) (listRule, []arg) {
	var r listRule
	for len(want) > 0 && want[0].kind == atom && strings.HasPrefix(want[0].text, "$!") {
		name, value, _ := strings.Cut(want[0].text[2:], "=")
		switch name {
		case "ordered":
			r.unordered = false
		case "unordered":
			r.unordered, r.extra = true, true
			r.chain, _ = strconv.Atoi(value)
		case "noextra":
			r.extra = false
		case "extra":
			r.extra = true
		case "ignore":
			r.ignore = append(r.ignore, value)
		case "ban":
			r.ban = append(r.ban, value)
		}
		want = want[1:]
	}
	return r, want
}

// addDefaults puts the directives into a reply that the language implies.
func addDefaults(want []arg) {
	add := func(i int, d ...string) bool {
		if i >= len(want) || want[i].kind != list {
			return false
		}
		setDefault(&want[i], d...)
		return true
	}
	switch head(want, 0) {
	case "list", "lsub":
		add(1, "$!unordered")
	case "status":
		add(2, "$!unordered=2")
	}
	if head(want, 1) != "fetch" || !add(2, "$!unordered=2") {
		return
	}
	for i := range want[2].list {
		if head(want[2].list, i) == "flags" && i+1 < len(want[2].list) && want[2].list[i+1].kind == list {
			setDefault(&want[2].list[i+1], "$!unordered", "$!noextra", `$!ignore=\recent`)
		}
	}
}

// setDefault gives a list directives if it has none.
func setDefault(a *arg, d ...string) {
	if len(a.list) > 0 && strings.HasPrefix(a.list[0].text, "$!") {
		return
	}
	out := make([]arg, 0, len(d)+len(a.list))
	for _, s := range d {
		out = append(out, arg{text: s})
	}
	a.list = append(out, a.list...)
}

// args compares the members of two lists.
func (m *matcher) args(want, got []arg, r listRule) bool {
	if !r.unordered {
		return m.ordered(want, got, r)
	}
	n := max(r.chain, 1)
	if len(want)%n != 0 {
		return false
	}
	used := make([]bool, len(got)/n+1)
	for chain := range slices.Chunk(want, n) {
		found := false
		for i := 0; i+n <= len(got) && !found; i += n {
			if !used[i/n] && m.try(func() bool { return m.ordered(chain, got[i:i+n], listRule{}) }) {
				used[i/n], found = true, true
			}
		}
		if !found {
			return false
		}
	}
	for i := 0; i < len(got); i += n {
		name := got[i].text
		if used[i/n] {
			continue
		}
		if containsFold(r.ban, name) || !r.extra && !containsFold(r.ignore, name) {
			return false
		}
	}
	return true
}

func (m *matcher) ordered(want, got []arg, r listRule) bool {
	if !r.extra && len(want) != len(got) {
		return false
	}
	for _, w := range want {
		for {
			if len(got) == 0 {
				return false
			}
			g := got[0]
			got = got[1:]
			if m.one(w, g) {
				break
			}
			if !r.extra {
				return false
			}
		}
	}
	return true
}

func containsFold(names []string, s string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s) })
}

// one compares two args.
func (m *matcher) one(want, got arg) bool {
	if want.kind == atom && want.text == "$" {
		return true
	}
	if want.kind == list || got.kind == list {
		if want.kind != got.kind {
			return false
		}
		r, members := directives(want.list)
		return m.args(members, got.list, r)
	}
	// NIL is not the string "NIL".
	isNil := func(a arg) bool { return a.kind == atom && strings.EqualFold(a.text, "NIL") }
	if isNil(want) && got.kind != atom || isNil(got) && want.kind != atom {
		return false
	}
	if want.kind == literal {
		return strings.EqualFold(want.text, got.text)
	}
	return m.text(want.text, got.text)
}

// variable is $name, ${name}, $$ and ${case:text} in a text.
var variable = regexp.MustCompile(`\$\$|\$\{case:([^}]*)\}|\$\{([A-Za-z0-9_]+)\}|\$([A-Za-z0-9_]+)`)

var modseqName = regexp.MustCompile(`^modseq([0-9]+)$`)

// text compares a text that has variables with one that has none, and gives values
// to the variables that have none yet.
func (m *matcher) text(want, got string) bool {
	var pattern strings.Builder
	pattern.WriteString(`(?is)\A`)
	var open []string
	rest := want
	for {
		at := variable.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		pattern.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		name := ""
		switch {
		case at[2] >= 0:
			pattern.WriteString(`(?-i:` + regexp.QuoteMeta(rest[at[2]:at[3]]) + `)`)
		case at[4] >= 0:
			name = rest[at[4]:at[5]]
		case at[6] >= 0:
			name = rest[at[6]:at[7]]
		default:
			pattern.WriteString(`\$`)
		}
		rest = rest[at[1]:]
		if name == "" {
			continue
		}
		if value, ok := m.value(name); ok {
			pattern.WriteString(regexp.QuoteMeta(value))
		} else if i := slices.Index(open, name); i >= 0 {
			return false // RE2 has no back-references; no script needs them
		} else {
			open = append(open, name)
			pattern.WriteString(`(.*?)`)
		}
	}
	pattern.WriteString(regexp.QuoteMeta(rest) + `\z`)
	found := regexp.MustCompile(pattern.String()).FindStringSubmatch(got)
	if found == nil {
		return false
	}
	for i, name := range open {
		if !m.bind(name, found[i+1]) {
			return false
		}
	}
	return true
}

// value is what a variable stands for. A number is the present sequence number of
// the message that had this one when the command was sent.
func (m *matcher) value(name string) (string, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return strconv.Itoa(m.present(n)), true
	}
	v, ok := m.vars[name]
	return v, ok
}

// bind gives a variable its value. MODSEQs must grow by what their numbers say.
func (m *matcher) bind(name, value string) bool {
	if sub := modseqName.FindStringSubmatch(name); sub != nil {
		v, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return false
		}
		n, _ := strconv.Atoi(sub[1])
		for below, seen := range m.modseqs {
			if below < n && v < seen+uint64(n-below) || below == n && v != seen {
				return false
			}
		}
		if v < uint64(n) {
			return false
		}
		m.modseqs[n] = v
	}
	m.vars[name] = value
	m.bound = append(m.bound, name)
	return true
}

// start forgets expunges: a new command is sent.
func (m *matcher) start() { m.expunged = m.expunged[:0] }

// present is the sequence number now of what was n.
func (m *matcher) present(n int) int {
	now := n
	for _, e := range m.expunged {
		if e < n {
			now--
		}
		if e == n {
			return 0
		}
	}
	return now
}

// expunge records that the message with the present number n is gone.
func (m *matcher) expunge(n int) {
	for _, e := range m.expunged {
		if e <= n {
			n++
		}
	}
	i, _ := slices.BinarySearch(m.expunged, n)
	m.expunged = slices.Insert(m.expunged, i, n)
}

// expand puts values for the variables in a command.
func (m *matcher) expand(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if v == "$$" {
			return "$"
		}
		name := strings.Trim(v[1:], "{}")
		if value, ok := m.vars[name]; ok {
			return value
		}
		return v
	})
}
