package imaptest

import "strings"

// arg is a piece of a reply: an atom, a string or a list.
type arg struct {
	kind kind
	text string
	list []arg
}

type kind uint8

const (
	atom    kind = iota
	quoted       // a quoted string
	literal      // a literal; in a script it has no variables
	list
)

func (a arg) String() string {
	switch a.kind {
	case quoted, literal:
		return `"` + a.text + `"`
	case list:
		return "(" + join(a.list) + ")"
	}
	return a.text
}

func join(args []arg) string {
	s := make([]string, len(args))
	for i, a := range args {
		s[i] = a.String()
	}
	return strings.Join(s, " ")
}

// parseArgs divides a line. It never fails: what is human text in it may look
// like anything.
func parseArgs(t text) []arg {
	stack := [][]arg{nil}
	add := func(a arg) { stack[len(stack)-1] = append(stack[len(stack)-1], a) }
	closeList := func() {
		inner := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		add(arg{kind: list, list: inner})
	}
	for _, p := range t {
		if p.literal {
			add(arg{kind: literal, text: p.s})
			continue
		}
		s := p.s
		for s != "" {
			switch c := s[0]; {
			case c == ' ':
				s = s[1:]
			case c == '(':
				stack = append(stack, nil)
				s = s[1:]
			case c == ')' && len(stack) > 1:
				closeList()
				s = s[1:]
			case c == '"':
				var q string
				q, s = cutQuoted(s)
				add(arg{kind: quoted, text: q})
			default:
				n := atomLength(s)
				add(arg{text: strings.ReplaceAll(s[:n], `"`, "")})
				s = s[n:]
			}
		}
	}
	for len(stack) > 1 {
		closeList()
	}
	return stack[0]
}

// cutQuoted takes a quoted string from the beginning of s.
func cutQuoted(s string) (string, string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i+1 < len(s) {
				i++
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// atomLength is the length of the atom at the beginning of s. A section such as
// BODY[HEADER.FIELDS (FROM)] is one atom; a response code [UNSEEN 1] is several.
func atomLength(s string) int {
	section := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			section = section || i > 0 && strings.IndexByte(s[i:], ']') > 0
		case ']':
			section = false
		case ' ', '(', ')':
			if !section && i > 0 {
				return i
			}
		}
	}
	return len(s)
}

// head gives the first args as text in lower case, "" where there is no atom.
func head(args []arg, i int) string {
	if i >= len(args) || args[i].kind == list {
		return ""
	}
	return strings.ToLower(args[i].text)
}
