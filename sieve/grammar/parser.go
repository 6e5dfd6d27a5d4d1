package grammar

import "fmt"

// Limits bound what a script can ask for. A limit that is not positive means its default.
type Limits struct {
	Size      int // bytes of the script; 1 MiB
	Depth     int // of blocks and tests within each other; 32
	Commands  int // commands and tests; 10,000
	Arguments int // of one command; 32
	Texts     int // strings; 50,000
	Problems  int // that are looked for before one gives up; 30
	// Shared: scripts that belong together share Size, Commands and Texts, and these are what others leave; messages say so.
	Shared bool
}

// shared says why a limit is as it is, where that is not the usual reason.
func (l Limits) shared() string {
	if !l.Shared {
		return ""
	}
	return ", which is what the scripts that it belongs to leave"
}

// OrDefaults gives the limits with the defaults in place of those that are not positive.
func (l Limits) OrDefaults() Limits {
	for _, d := range []struct {
		limit *int
		usual int
	}{{&l.Size, 1 << 20}, {&l.Depth, 32}, {&l.Commands, 10_000}, {&l.Arguments, 32}, {&l.Texts, 50_000}, {&l.Problems, 30}} {
		if *d.limit <= 0 {
			*d.limit = d.usual
		}
	}
	return l
}

// Parse reads a script. Where there are problems the commands are those that could be read, for showing, not for running.
func Parse(source []byte, limits Limits) ([]Command, []Problem) {
	p := &parser{limits: limits.OrDefaults()}
	if len(source) > p.limits.Size {
		return nil, []Problem{{Position: Position{1, 1}, Text: fmt.Sprintf("the script has %d bytes; %d are the most%s", len(source), p.limits.Size, p.limits.shared())}}
	}
	if at, ok := notUTF8(source); ok {
		return nil, []Problem{{Position: at, Text: "the script is not UTF-8; save it as UTF-8"}}
	}
	p.lexer = lexer{source: source, line: 1, tell: p.problem}
	p.advance()
	var list []Command
	for p.token.kind != end && !p.givenUp() {
		list = p.commands(list, 1)
		if p.is('}') {
			p.problem(p.token.Position, "this brace closes nothing; take it out")
			p.advance()
		}
	}
	return list, p.problems
}

type parser struct {
	lexer    lexer
	token    token
	limits   Limits
	count    int
	texts    int
	problems []Problem
}

func (p *parser) problem(at Position, text string) {
	if !p.givenUp() {
		p.problems = append(p.problems, Problem{Position: at, Text: text})
	}
}

// givenUp: more problems would help nobody.
func (p *parser) givenUp() bool { return len(p.problems) >= p.limits.Problems }

func (p *parser) advance() { p.token = p.lexer.next() }

func (p *parser) is(c byte) bool { return p.token.kind == sign && p.token.sign == c }

// commands reads commands up to the end of a block or of the script.
func (p *parser) commands(list []Command, depth int) []Command {
	for p.token.kind != end && !p.is('}') && !p.givenUp() {
		c, ok := p.command(depth)
		if ok {
			list = append(list, c)
			continue
		}
		if p.token.kind == odd && c.Name != "" {
			p.problem(c.Position, fmt.Sprintf("the command %q cannot be read", c.Name))
		}
		p.recover()
	}
	return list
}

// command reads a command with its block or semicolon. It is false, and something was told, where the rest of it makes no
// sense.
func (p *parser) command(depth int) (c Command, ok bool) {
	if p.token.told() {
		return c, false
	}
	if p.token.kind != name {
		p.problem(p.token.Position, "a command is expected here, but "+p.token.describe()+" was found")
		return c, false
	}
	if c, ok = p.head(depth); !ok {
		return c, false
	}
	switch {
	case p.is(';'):
		p.advance()
		return c, true
	case p.is('{'):
		return p.block(c, depth)
	case p.token.told():
		return c, false
	case p.is('}') || p.token.kind == end:
		p.problem(p.token.Position, fmt.Sprintf("a semicolon is missing behind %q", c.Name))
		return c, true
	}
	p.problem(p.token.Position, fmt.Sprintf("the command %q ends in a semicolon or has a block, but %s was found", c.Name, p.token.describe()))
	return c, false
}

func (p *parser) block(c Command, depth int) (Command, bool) {
	if depth >= p.limits.Depth {
		p.problem(p.token.Position, fmt.Sprintf("blocks are more than %d deep within each other", p.limits.Depth))
		return c, false
	}
	opened := p.token.Position
	p.advance()
	c.HasBlock = true
	c.Block = p.commands(nil, depth+1)
	if !p.is('}') {
		if !p.givenUp() {
			p.problem(p.token.Position, fmt.Sprintf("the block that begins in line %d does not end; close it with }", opened.Line))
		}
		return c, true
	}
	p.advance()
	return c, true
}

// head reads the name, the arguments and the tests of a command or test.
func (p *parser) head(depth int) (c Command, ok bool) {
	c = Command{Position: p.token.Position, Name: p.token.value}
	if p.count++; p.count > p.limits.Commands {
		p.tooMuch(fmt.Sprintf("the script has more than %d commands and tests%s", p.limits.Commands, p.limits.shared()))
		return c, false
	}
	p.advance()
	if c.Arguments, ok = p.arguments(c.Name); !ok {
		return c, false
	}
	switch {
	case p.token.kind == name:
		return p.single(c, depth)
	case p.is('('):
		return p.list(c, depth)
	}
	return c, true
}

// tooMuch tells of a limit, and reads no further.
func (p *parser) tooMuch(text string) {
	p.problem(p.token.Position, text)
	p.token.kind = end
	p.lexer.at = len(p.lexer.source)
}

// countText is false when there are more strings than there may be.
func (p *parser) countText() bool {
	if p.texts++; p.texts > p.limits.Texts {
		p.tooMuch(fmt.Sprintf("the script has more than %d strings%s", p.limits.Texts, p.limits.shared()))
		return false
	}
	return true
}

func (p *parser) single(c Command, depth int) (Command, bool) {
	t, ok := p.test(depth)
	c.Tests = []Command{t}
	return c, ok
}

func (p *parser) test(depth int) (Command, bool) {
	if depth >= p.limits.Depth {
		p.problem(p.token.Position, fmt.Sprintf("tests are more than %d deep within each other", p.limits.Depth))
		return Command{}, false
	}
	if p.token.kind != name {
		if !p.token.told() {
			p.problem(p.token.Position, "a test is expected here, but "+p.token.describe()+" was found")
		}
		return Command{}, false
	}
	return p.head(depth + 1)
}

// list reads the tests in parentheses.
func (p *parser) list(c Command, depth int) (Command, bool) {
	c.List = true
	p.advance()
	for {
		t, ok := p.test(depth)
		if !ok {
			return c, false
		}
		c.Tests = append(c.Tests, t)
		switch {
		case p.is(','):
			p.advance()
		case p.is(')'):
			p.advance()
			return c, true
		default:
			if !p.token.told() {
				p.problem(p.token.Position, "the tests of a list are parted by commas and end with ), but "+p.token.describe()+" was found")
			}
			return c, false
		}
	}
}

func (p *parser) arguments(of string) (list []Argument, ok bool) {
	for {
		a := Argument{Position: p.token.Position}
		switch {
		case p.token.kind == tagged:
			a.Kind, a.Tag = Tag, p.token.value
			p.advance()
		case p.token.kind == number:
			a.Kind, a.Number = Number, p.token.n
			p.advance()
		case p.token.kind == text:
			a.Kind, a.Texts = Strings, []Text{{p.token.Position, p.token.value}}
			if !p.countText() {
				return list, false
			}
			p.advance()
		case p.is('['):
			if a, ok = p.strings(a); !ok {
				return list, false
			}
		default:
			return list, !p.token.told()
		}
		if len(list) == p.limits.Arguments {
			p.problem(a.Position, fmt.Sprintf("%q has more than %d arguments", of, p.limits.Arguments))
			return list, false
		}
		list = append(list, a)
	}
}

// strings reads a list of strings, of which there is at least one.
func (p *parser) strings(a Argument) (Argument, bool) {
	a.Kind, a.List = Strings, true
	p.advance()
	for {
		if p.token.kind != text {
			if !p.token.told() {
				p.problem(p.token.Position, "a string is expected in the list, but "+p.token.describe()+" was found")
			}
			return a, false
		}
		a.Texts = append(a.Texts, Text{p.token.Position, p.token.value})
		if !p.countText() {
			return a, false
		}
		p.advance()
		switch {
		case p.is(','):
			p.advance()
		case p.is(']'):
			p.advance()
			return a, true
		default:
			if !p.token.told() {
				p.problem(p.token.Position, "the strings of a list are parted by commas and end with ], but "+p.token.describe()+" was found")
			}
			return a, false
		}
	}
}

// recover passes over the rest of a command that made no sense, its block included, so that what follows can be read.
func (p *parser) recover() {
	for depth := 0; p.token.kind != end; {
		switch {
		case p.is('{'):
			depth++
		case p.is('}') && depth == 0:
			return
		case p.is('}'):
			if depth--; depth == 0 {
				p.advance()
				return
			}
		case p.is(';') && depth == 0:
			p.advance()
			return
		}
		p.advance()
	}
}

// told: what is wrong with the token was said already.
func (t token) told() bool { return t.kind == bad || t.kind == odd }

// describe names a token for a message.
func (t token) describe() string {
	switch t.kind {
	case name:
		return fmt.Sprintf("the word %q", clip([]byte(t.value)))
	case tagged:
		return "the tag :" + clip([]byte(t.value))
	case number:
		return fmt.Sprintf("the number %d", t.n)
	case text:
		return "a string"
	case sign:
		return fmt.Sprintf("%q", t.sign)
	}
	return "the end of the script"
}
