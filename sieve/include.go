package sieve

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/sieve/grammar"
)

// includeWords are of include (RFC 6609).
var includeWords = []word{
	{name: "include", from: "include", tags: []tag{{name: "personal", group: "location"}, {name: "global", group: "location"}, {name: "once"},
		{name: "optional"}}, args: []parameter{{aConstant, "script"}}, command: compileInclude},
	{name: "return", from: "include", command: func(*compiler, *use) func(*machine) error { return func(*machine) error { return errReturn } }},
	{name: "global", from: "include", args: []parameter{{aList, "variables"}}, command: compileGlobal},
}

const (
	// usualIncludes is how many scripts one may include, with those that these include.
	usualIncludes = 64
	// usualDepth is how many scripts may be within each other.
	usualDepth = 10
	// includeCost is how many steps including a script costs.
	includeCost = 10
)

// scriptName names a script: of the account, or of everybody.
type scriptName struct {
	name   string
	global bool
}

// family is a script with all that it includes. They are compiled together, once each.
type family struct {
	vocabulary *vocabulary
	members    map[scriptName]*Script
	// useless are those that are none of the members, and why. They are not read again.
	useless map[scriptName]error
	// open are those that are not compiled to their end yet, from the outermost.
	open []scriptName
	// patterns is what the patterns of all take.
	patterns int
	// left is what the scripts so far leave of the limits.
	left grammar.Limits
}

// take takes a script off the limits of those that come after it.
func (f *family) take(source []byte, commands []grammar.Command) {
	f.left.Shared = true
	f.left.Size -= len(source)
	f.count(commands)
}

// count takes commands with their tests, and their strings, off the limits.
func (f *family) count(list []grammar.Command) {
	for i := range list {
		cmd := &list[i]
		f.left.Commands--
		for j := range cmd.Arguments {
			f.left.Texts -= len(cmd.Arguments[j].Texts)
		}
		f.count(cmd.Tests)
		f.count(cmd.Block)
	}
}

// full reports whether nothing is left of a limit, which would mean its default.
func (f *family) full() bool { return min(f.left.Size, f.left.Commands, f.left.Texts) <= 0 }

// compileInclude compiles the script that is included with this one (RFC 6609 3.2), so that its mistakes are told in time.
func compileInclude(c *compiler, u *use) func(*machine) error {
	which := scriptName{u.args[0].text().literal, u.has("global")}
	if why := badScriptName(which.name); why != "" {
		c.problem(u.args[0].Position, "\"%s\" is no name of a script: %s", strings.ToValidUTF8(which.name, "?"), why)
		return nil
	}
	s := c.included(u, which)
	return func(m *machine) error { return m.include(u, which, s) }
}

// included gives the script, nil where there is none.
func (c *compiler) included(u *use, which scriptName) *Script {
	f := c.family
	if slices.Contains(f.open, which) && !u.has("once") {
		c.unfit(u, "the script \"%s\" includes itself, at once or by way of others; take that out, or include it :once", which.name)
		return nil
	}
	if s := f.members[which]; s != nil {
		return s
	}
	if c.options.Include == nil {
		return nil
	}
	source, err := c.source(which)
	switch {
	case errors.Is(err, fs.ErrNotExist) && u.has("optional"):
		return nil
	case errors.Is(err, fs.ErrNotExist) && !c.options.MustInclude:
		c.warn(u.Position, "there is no script \"%s\" to include; that is a mistake if this script comes here", which.name)
		return nil
	case errors.Is(err, fs.ErrNotExist):
		c.problem(u.Position, "there is no script \"%s\" to include; make one, or include it :optional", which.name)
		return nil
	case errors.Is(err, errIncludes):
		c.unfit(u, "more than %d scripts are included; put some of them together", c.options.includes())
		return nil
	case errors.Is(err, errFull):
		c.unfit(u, "the scripts that are included have more bytes, commands or strings together than one script may have; make them shorter")
		return nil
	case err != nil:
		c.problem(u.Position, "the script \"%s\" could not be read: %v", which.name, err)
		return nil
	case len(f.open) >= c.options.depth():
		c.unfit(u, "more than %d scripts include each other; put some of them together", c.options.depth())
		return nil
	}
	return c.includeSource(u, which, source)
}

var (
	errIncludes = errors.New("too many scripts are included")
	errFull     = errors.New("what is included is too large")
)

// source reads a script that is included. However often a script asks for it, and for how many, few are read.
func (c *compiler) source(which scriptName) (source []byte, err error) {
	f := c.family
	if err := f.useless[which]; err != nil {
		return nil, err
	}
	if len(f.members)+len(f.useless) >= c.options.includes() {
		return nil, errIncludes
	}
	if source, err = c.options.Include(which.name, which.global); err == nil && (f.full() || len(source) > f.left.Size) {
		err = errFull
	}
	if err != nil {
		if f.useless == nil {
			f.useless = map[scriptName]error{}
		}
		f.useless[which] = err
	}
	return source, err
}

// unfit tells what is wrong with a script that is included.
func (c *compiler) unfit(u *use, format string, args ...any) {
	if c.options.Lenient {
		c.warn(u.Position, format, args...)
		return
	}
	c.problem(u.Position, format, args...)
}

// includeSource compiles the text of a script that is included. Its problems are told with its name.
func (c *compiler) includeSource(u *use, which scriptName, source []byte) *Script {
	f := c.family
	s := &Script{}
	f.members[which] = s // before it is compiled: with :once it may be included by its own descendants
	f.open = append(f.open, which)
	o := c.options
	o.Name = which.name
	compiled, err := compileIn(f, source, o)
	f.open = f.open[:len(f.open)-1]
	var problems Problems
	if errors.As(err, &problems) {
		c.unfit(u, "the script \"%s\", which is included here, cannot be used", which.name)
		if c.options.Lenient {
			c.warnOf(which.name, problems)
			return nil
		}
		if c.foreign == nil {
			c.foreign = map[grammar.Position]Problems{}
		}
		c.foreign[u.Position] = of(which.name, problems)
		return nil
	}
	c.warnOf(which.name, compiled.Warnings)
	*s = *compiled
	s.global = which.global
	return s
}

// warnOf warns of what a script that is included has.
func (c *compiler) warnOf(script string, problems []grammar.Problem) {
	c.warnings = append(c.warnings, of(script, problems)...)
	c.warnings = c.warnings[:min(len(c.warnings), maxProblems)]
}

// of gives problems the name of the script that they are of.
func of(script string, problems []grammar.Problem) []grammar.Problem {
	for i := range problems {
		problems[i].Script = cmp.Or(problems[i].Script, script)
	}
	return problems
}

// badScriptName says what is wrong with the name of a script (RFC 6609 3.2, RFC 5804 1.6), "" for nothing.
func badScriptName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case len(name) > 512:
		return "it is longer than 512 bytes"
	case strings.Contains(name, "/"):
		return "there is no / in a name"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 }):
		return "it has control characters"
	}
	return ""
}

// include runs the script as a part of the one that includes it. It has variables of its own.
func (m *machine) include(u *use, which scriptName, s *Script) error {
	if err := m.spend(includeCost); err != nil {
		return err
	}
	if m.ran[which] && u.has("once") {
		return nil
	}
	if s == nil || !s.done {
		if u.has("optional") {
			return nil
		}
		return m.wrong("there is no script \"%s\" to include", which.name)
	}
	if m.ran == nil {
		m.ran = map[scriptName]bool{}
	}
	m.ran[which] = true
	if err := m.applies(s); err != nil {
		return err
	}
	script, scope, at := m.script, m.scope, m.at
	m.script, m.scope = s, newScope()
	err := m.run(s.steps)
	held := m.scope.size()
	m.script, m.scope, m.at = script, scope, at
	if errors.Is(err, errReturn) { // it ends the script that is included, and no more (RFC 6609 3.3)
		err = nil
	}
	if err != nil {
		return err
	}
	return m.take(-held)
}

// compileGlobal makes variables those of all the scripts that are included in each other (RFC 6609 3.4.2).
func compileGlobal(c *compiler, u *use) func(*machine) error {
	if !c.has("variables") {
		c.problem(u.Position, "the command 'global' needs require \"variables\" at the top of the script")
		return nil
	}
	var names []string
	for _, t := range u.args[0].texts {
		name := strings.ToLower(t.literal)
		switch {
		case !t.isFixed() || !isIdentifier(name):
			c.problem(t.Position, "\"%s\" is no name of a variable; it begins with a letter and has letters, digits and underscores", t.written())
		case c.variableNames[name] && !c.globals[name]:
			c.problem(t.Position, "the variable \"%s\" was set before, for this script alone; put 'global' before that", name)
		default:
			c.globals[name] = true
			c.declare(t.Position, name)
			names = append(names, name)
		}
	}
	return func(m *machine) error {
		for _, name := range names {
			m.scope.globals[name] = true
		}
		return nil
	}
}
