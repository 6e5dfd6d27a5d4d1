package sieve

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/sieve/grammar"
)

// variableWords are of variables (RFC 5229).
var variableWords = []word{
	{name: "set", from: "variables", tags: modifierTags, args: []parameter{{aConstant, "name"}, {aText, "value"}}, command: compileSet},
	{name: "string", from: "variables", tags: matchTags, args: keyed("source"), test: compileString},
}

// modifierTags are the modifiers' tags.
var modifierTags = []tag{{name: "lower", group: "case"}, {name: "upper", group: "case"}, {name: "lowerfirst", group: "first"},
	{name: "upperfirst", group: "first"}, {name: "quotewildcard", group: "wildcard"}, {name: "quoteregex", from: "regex", group: "wildcard"},
	{name: "length", group: "length"}, {name: "encodeurl", from: "enotify", group: "url"}}

// modifiers are what set does to a value, in the order of their precedence (RFC 5229 4.1).
var modifiers = []struct {
	tag string
	do  func(string) string
}{
	{"lower", strings.ToLower}, {"upper", strings.ToUpper},
	{"lowerfirst", func(s string) string { return first(s, unicode.ToLower) }}, {"upperfirst", func(s string) string { return first(s, unicode.ToUpper) }},
	{"quotewildcard", func(s string) string { return quote(s, `*?\`) }}, {"quoteregex", func(s string) string { return quote(s, `\.[]{}()*+?^$|`) }},
	{"encodeurl", encodeURL},
	{"length", func(s string) string { return strconv.Itoa(utf8.RuneCountInString(s)) }},
}

func first(s string, change func(rune) rune) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(change(r)) + s[n:]
}

// quote puts a backslash before each of the characters.
func quote(s, characters string) string {
	var out strings.Builder
	for i := range len(s) {
		if strings.IndexByte(characters, s[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// encodeURL is percent-encoding (RFC 5435 6, RFC 3986 2.3).
func encodeURL(s string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return out.String()
}

func compileSet(c *compiler, u *use) func(*machine) error {
	name, modify, value := c.variableName(&u.args[0]), u.modifiers(), u.args[1].text()
	return func(m *machine) error { return m.modified(name, value.in(m), modify) }
}

// modifiers are those that a use has, in their order.
func (u *use) modifiers() (list []func(string) string) {
	for _, mod := range modifiers {
		if u.has(mod.tag) {
			list = append(list, mod.do)
		}
	}
	return list
}

// modified sets a variable to a value that is changed before.
func (m *machine) modified(name, value string, modify []func(string) string) error {
	if err := m.spend(bytesCost(len(value) * (1 + decodeCost*len(modify)))); err != nil {
		return err
	}
	for _, do := range modify {
		value = do(value)
		m.waste(len(value))
	}
	return m.set(name, clipText(value, m.budget.Value))
}

// variableName reads the name of a variable that a script is about to set.
func (c *compiler) variableName(v *value) string {
	name := strings.ToLower(v.text().literal)
	switch {
	case !isVariableName(name):
		c.problem(v.Position, "'%s' is no name of a variable; it begins with a letter and has letters, digits and underscores", name)
	case strings.Contains(name, ".") && name[:strings.IndexByte(name, '.')] != "global":
		c.problem(v.Position, "the variable '%s' cannot be set; it is of a namespace that an extension gives", name)
	case strings.Contains(name, ".") && !c.isNamespace(name):
		c.problem(v.Position, "the variable '%s' needs require \"include\" at the top of the script", name)
	}
	c.declare(v.Position, name)
	return name
}

// declare counts the variables that a script sets. That there are too many is told once.
func (c *compiler) declare(at grammar.Position, name string) {
	if c.variableNames[name] {
		return
	}
	c.variableNames[name] = true
	if len(c.variableNames) == maxVariables+1 {
		c.problem(at, "the script has more than %d variables", maxVariables)
	}
}

func compileString(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[1])
	return func(m *machine) (bool, error) {
		values := each(m, u.args[0].texts)
		if match.kind == "count" {
			n := 0 // empty ones are not counted (RFC 5229 5)
			for _, v := range values {
				if v != "" {
					n++
				}
			}
			return match.count(m, n, u.args[1].texts)
		}
		return match.any(m, values, u.args[1].texts)
	}
}

// isNamespace: names with a dot that this script may read: variables of included scripts (RFC 6609 3.4.3) and the environment's
// (RFC 5183 has none, imapsieve gives some by the environment test).
func (c *compiler) isNamespace(name string) bool {
	rest, ok := strings.CutPrefix(name, "global.")
	return ok && c.has("include") && isIdentifier(rest)
}

// variable is the value of a variable; one that was never set is empty (RFC 5229 3).
func (m *machine) variable(name string) string {
	if rest, ok := strings.CutPrefix(name, "global."); ok {
		return m.global[rest]
	}
	if m.scope.globals[name] {
		return m.global[name]
	}
	return m.scope.variables[name]
}

// set gives a variable a value.
func (m *machine) set(name, value string) error {
	into := m.scope.variables
	if rest, ok := strings.CutPrefix(name, "global."); ok {
		into, name = m.global, rest
	} else if m.scope.globals[name] {
		into = m.global
	}
	old, known := into[name]
	if !known && len(into) == maxVariables {
		return m.failed(ErrBudget, "the script has more than %d variables", maxVariables)
	}
	into[name] = value
	return m.take(len(value) - len(old))
}

// matched is what the last match left under a number: 0 for the whole, then each wildcard (RFC 5229 3.2).
func (m *machine) matched(n int) string {
	if n >= len(m.scope.matches) {
		return ""
	}
	return m.scope.matches[n]
}

// leave keeps what a match met.
func (m *machine) leave(met []string) {
	m.scope.matches = met[:min(len(met), maxMatches+1)]
}
