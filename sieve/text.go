package sieve

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/sieve/grammar"
)

// text is a string of a script, in which variables may stand (RFC 5229 3).
type text struct {
	grammar.Position
	// literal is the text where no variable stands in it, which is nearly always; parts are else what it consists of.
	literal string
	parts   []part
}

// part of a text: what stands there, or a variable by its name, or what a match left by its number.
type part struct {
	literal  string
	variable string
	match    int // -1 for none
}

// isFixed: no variable stands in it.
func (t text) isFixed() bool { return t.parts == nil }

// written is the text as the script has it, with its variables by their names.
func (t text) written() string {
	if t.parts == nil {
		return t.literal
	}
	var out strings.Builder
	for _, p := range t.parts {
		switch {
		case p.variable != "":
			out.WriteString("${" + p.variable + "}")
		case p.match >= 0:
			out.WriteString("${" + strconv.Itoa(p.match) + "}")
		default:
			out.WriteString(p.literal)
		}
	}
	return out.String()
}

// in gives the text with the values that the variables have now.
func (t text) in(m *machine) string {
	if t.parts == nil {
		return t.literal
	}
	var out strings.Builder
	for _, p := range t.parts {
		if m.cost.Steps++; out.Len() > maxValue {
			break
		}
		switch {
		case p.variable != "":
			out.WriteString(m.variable(p.variable))
		case p.match >= 0:
			out.WriteString(m.matched(p.match))
		default:
			out.WriteString(p.literal)
		}
	}
	m.cost.Steps += out.Len() / 64 // whatever is done next finds out if that was too much
	m.waste(out.Len())
	return clipText(out.String(), maxValue)
}

// clipText cuts a text at a character's border.
func clipText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// each gives the values of a list.
func each(m *machine, list []text) []string {
	m.cost.Steps += len(list) / 16
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.in(m)
	}
	return out
}

// text compiles a string: encoded characters first, then variables, each if its extension is required.
func (c *compiler) text(t grammar.Text) text {
	s := t.Value
	if c.has("encoded-character") && strings.Contains(s, "${") {
		s = c.decodeCharacters(t.Position, s)
	}
	out := text{Position: t.Position, literal: s}
	if c.has("variables") && strings.Contains(s, "${") {
		out.parts = c.variables(t.Position, s)
	}
	return out
}

// variables cuts a string at its variables; nil where there is none. What is not written as the grammar has it is no variable
// but text.
func (c *compiler) variables(at grammar.Position, s string) (parts []part) {
	literal := func(s string) {
		if s != "" {
			parts = append(parts, part{literal: s, match: -1})
		}
	}
	found, rest, begin := false, s, 0
	for {
		i := strings.Index(rest[begin:], "${")
		if i < 0 {
			break
		}
		i += begin
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			break
		}
		p, ok := c.variablePart(at, rest[i+2:i+end])
		if !ok {
			begin = i + 2
			continue
		}
		literal(rest[:i])
		parts, found = append(parts, p), true
		rest, begin = rest[i+end+1:], 0
	}
	if !found {
		return nil
	}
	literal(rest)
	return parts
}

// variablePart reads what stands between the braces.
func (c *compiler) variablePart(at grammar.Position, name string) (part, bool) {
	if name != "" && strings.Trim(name, "0123456789") == "" {
		n := 0
		for _, d := range name {
			n = n*10 + int(d-'0')
			if n > maxMatches {
				c.problem(at, "${%s} is beyond what a match can leave; the last is ${%d}", name, maxMatches)
				return part{}, false
			}
		}
		return part{match: n}, true
	}
	name = strings.ToLower(name)
	if !isVariableName(name) {
		return part{}, false
	}
	if value, ok := c.options.constants[name]; ok {
		return part{literal: value, match: -1}, true
	}
	if strings.Contains(name, ".") && !c.isNamespace(name) {
		c.problem(at, "there is no variable %q; a name with a dot is of a namespace that an extension gives", name)
		return part{}, false
	}
	return part{variable: name, match: -1}, true
}

// isVariableName: identifiers, one or more, parted by dots (RFC 5229 3).
func isVariableName(s string) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || !isIdentifier(id) {
			return false
		}
	}
	return len(s) <= maxName
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !(c >= 'a' && c <= 'z' || s[i] == '_' || i > 0 && s[i] >= '0' && s[i] <= '9') {
			return false
		}
	}
	return s != ""
}
