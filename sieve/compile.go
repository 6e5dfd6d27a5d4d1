package sieve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"postern/sieve/grammar"
)

// Script is a script that is ready to run. It is immutable and may run for several messages at once.
type Script struct {
	// Name is what it was called when it was compiled, for messages.
	Name string
	// Warnings are what its writer should know of, though it runs.
	Warnings []grammar.Problem

	steps    []step
	required map[string]bool
	newMail  string // an extension that it requires, and that is for mail that comes in
	done     bool   // it is compiled to its end
	global   bool   // it is one of everybody's, which another includes
}

// Requires reports whether the script requires an extension.
func (s *Script) Requires(extension string) bool { return s.required[extension] }

// Options say how a script is compiled. The zero value is for a user's script.
type Options struct {
	Name   string
	Limits grammar.Limits
	// Include gives the text of a script that is to be included (RFC 6609), of the account or, global, of everybody. The error
	// is fs.ErrNotExist where there is none. Nil stands for no scripts.
	Include func(name string, global bool) ([]byte, error)
	// MustInclude: that there is no such script is a problem. Else it is a warning, for it may yet come.
	MustInclude bool
	// Lenient: what is wrong with scripts that are included is a warning, for they can be mended without this one, and a server
	// does not ask in which order scripts are stored (RFC 6609 3.2). What comes of it is not for running.
	Lenient bool
	// Includes is how many scripts may be included, Depth how many of them within each other; not positive for 64 and 10. The size
	// and the numbers of commands and texts in Limits are for all of them together.
	Includes, Depth int
	// Edits says what editheader may do; what it cannot do is told of.
	Edits EditPolicy

	// For tests of the language: words and extensions that there are besides, and variables with a dot in their names that have
	// a value already.
	extra     []word
	more      []string
	constants map[string]string
}

// Problems are why a script cannot run; there is at least one.
type Problems []grammar.Problem

// Error names the first problem, and how many there are besides.
func (p Problems) Error() string {
	if len(p) == 1 {
		return p[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", p[0].Error(), len(p)-1)
}

// Compile reads a script. The error is Problems.
func Compile(source []byte, o Options) (*Script, error) {
	v := standard()
	if o.extra != nil {
		v = newVocabulary(append(tables(), o.extra)...)
	}
	return compileIn(&family{vocabulary: v, members: map[scriptName]*Script{}, left: o.Limits.OrDefaults()}, source, o)
}

// compileIn compiles a script that may belong to another that includes it.
func compileIn(f *family, source []byte, o Options) (*Script, error) {
	commands, problems := grammar.Parse(source, f.left)
	if len(problems) > 0 {
		return nil, Problems(problems)
	}
	f.take(source, commands)
	c := newCompiler(f, o)
	steps := c.block(commands, true)
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b grammar.Problem) int { return a.Line - b.Line })
		return nil, c.allProblems()
	}
	return &Script{Name: o.Name, Warnings: c.warnings, steps: steps, required: c.required, newMail: c.newMail, done: true}, nil
}

// allProblems puts those of scripts that are included before the one that says that they cannot be used.
func (c *compiler) allProblems() Problems {
	var all Problems
	for _, p := range c.problems {
		all = append(all, c.foreign[p.Position]...)
		all = append(all, p)
	}
	return all[:min(len(all), maxProblems)]
}

func (o *Options) includes() int { return orUsual(o.Includes, usualIncludes) }
func (o *Options) depth() int    { return orUsual(o.Depth, usualDepth) }

func orUsual(limit, usual int) int {
	if limit <= 0 {
		return usual
	}
	return limit
}

// compiler holds what is known while a script is compiled.
type compiler struct {
	options    Options
	family     *family
	vocabulary *vocabulary
	required   map[string]bool
	problems   []grammar.Problem
	warnings   []grammar.Problem
	// begun: a command other than require was met.
	begun bool
	// maybe: whether what stands here is run depends on ihave, so that what is wrong with it is told when it is reached.
	maybe bool
	// newMail is an extension that is required, and that is for mail that comes in.
	newMail string
	// lost: a tag of the command or its tests is unknown, and so where it ends.
	lost bool
	// loops are the names of the foreverypart commands around, the outermost first.
	loops []string
	// variableNames are those that the script sets, globals those of them that it shares with others.
	variableNames, globals map[string]bool
	// foreign are problems of scripts that are included, by where.
	foreign map[grammar.Position]Problems
}

// standard is the vocabulary of all scripts but those of the language's own tests.
var standard = sync.OnceValue(func() *vocabulary { return newVocabulary(tables()...) })

func newCompiler(f *family, o Options) *compiler {
	return &compiler{options: o, family: f, vocabulary: f.vocabulary, required: map[string]bool{}, variableNames: map[string]bool{},
		globals: map[string]bool{}}
}

// has reports whether an extension is required so far; "" always is.
func (c *compiler) has(extension string) bool { return extension == "" || c.required[extension] }

// knows reports whether there is an extension of that name.
func (c *compiler) knows(extension string) bool {
	if name, ok := strings.CutPrefix(extension, "comparator-"); ok {
		_, ok = comparators[name]
		return ok
	}
	return c.vocabulary.extensions[extension] || slices.Contains(c.options.more, extension)
}

// require brings an extension in.
func (c *compiler) require(extension string) {
	c.required[extension] = true
	for _, other := range implied[extension] {
		c.required[other] = true
	}
}

// maxProblems is how many problems, and warnings, are told; the rest only counts.
const maxProblems = 100

func (c *compiler) problem(at grammar.Position, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, grammar.Problem{Position: at, Text: sentence(format, args)})
	}
}

func (c *compiler) warn(at grammar.Position, format string, args ...any) {
	if len(c.warnings) < maxProblems {
		c.warnings = append(c.warnings, grammar.Problem{Position: at, Text: sentence(format, args)})
	}
}

// sentence is a message of a length that can be shown, whatever stands in the script.
func sentence(format string, args []any) string {
	const most = 300
	return strings.ToValidUTF8(clipText(fmt.Sprintf(format, args...), most), "?")
}

// block compiles commands that follow each other; outermost tells that they are no block of another command.
func (c *compiler) block(list []grammar.Command, outermost bool) []step {
	var steps []step
	for i := 0; i < len(list); i++ {
		cmd := &list[i]
		if cmd.Name == "if" {
			n := chainLength(list[i:])
			before := len(c.problems)
			s, ok := c.chain(list[i : i+n])
			if why := c.putOff(before); why != "" {
				s.run, ok = func(m *machine) error { return m.wrong("%s", why) }, true
			}
			if ok {
				steps = append(steps, s)
			}
			i += n - 1
			c.begun = true
			continue
		}
		if cmd.Name == "elsif" || cmd.Name == "else" {
			c.problem(cmd.Position, "this %s follows no if; begin with if", cmd.Name)
			n := 1 + orphans(list[i+1:])
			c.check(list[i : i+n])
			i += n - 1
			continue
		}
		if s, ok := c.command(cmd, outermost); ok {
			steps = append(steps, s)
		}
		c.warnUnreached(list[i:])
	}
	return steps
}

// orphans is how many elsif and else follow one without an if.
func orphans(list []grammar.Command) int {
	n := 0
	for n < len(list) && (list[n].Name == "elsif" || list[n].Name == "else") {
		n++
	}
	return n
}

// check looks at the blocks of commands that make no sense themselves.
func (c *compiler) check(list []grammar.Command) {
	for i := range list {
		c.block(list[i].Block, false)
	}
}

// command compiles one command.
func (c *compiler) command(cmd *grammar.Command, outermost bool) (step, bool) {
	if cmd.Name == "require" {
		c.requireCommand(cmd, outermost)
		return step{}, false
	}
	before := len(c.problems)
	s := step{cmd.Position, cmd.Name, nil}
	if w := c.commandWord(cmd); w != nil {
		c.begun = c.begun || !w.anywhere
		if u, ok := c.bind(w, cmd, "command"); ok {
			s.run = w.command(c, u)
		}
	}
	if why := c.putOff(before); why != "" {
		s.run = func(m *machine) error { return m.wrong("%s", why) }
	}
	return s, len(c.problems) == before
}

// commandWord gives the word of a command, or tells why there is none.
func (c *compiler) commandWord(cmd *grammar.Command) *word {
	w := c.vocabulary.commands[cmd.Name]
	switch {
	case w == nil && c.vocabulary.tests[cmd.Name] != nil:
		c.problem(cmd.Position, "cannot use test '%s' as a command; it belongs behind if", cmd.Name)
	case w == nil:
		c.problem(cmd.Position, "unknown command '%s'%s", cmd.Name, meant(cmd.Name, maps.Keys(c.vocabulary.commands)))
	case c.available(cmd.Position, "command", w.name, w.from):
		return w
	}
	return nil
}

// available reports whether a word or tag can be used, and tells why not.
func (c *compiler) available(at grammar.Position, kind, name, from string) bool {
	if c.has(from) {
		return true
	}
	c.problem(at, "the %s '%s' needs require \"%s\" at the top of the script", kind, name, from)
	return false
}

// test compiles one test.
func (c *compiler) test(t *grammar.Command) (condition, bool) {
	before := len(c.problems)
	d := condition{t.Position, t.Name, nil}
	if w := c.testWord(t); w != nil {
		if u, ok := c.bind(w, t, "test"); ok {
			d.holds = w.test(c, u)
		}
	}
	if why := c.putOff(before); why != "" {
		d.holds = func(m *machine) (bool, error) { return false, m.wrong("%s", why) }
	}
	return d, len(c.problems) == before
}

// testWord gives the word of a test, or tells why there is none.
func (c *compiler) testWord(t *grammar.Command) *word {
	w := c.vocabulary.tests[t.Name]
	switch {
	case w == nil && (c.vocabulary.commands[t.Name] != nil || isControl(t.Name)):
		c.problem(t.Position, "cannot use command '%s' as a test", t.Name)
	case w == nil:
		c.problem(t.Position, "unknown test '%s'%s", t.Name, meant(t.Name, maps.Keys(c.vocabulary.tests)))
	case c.available(t.Position, "test", w.name, w.from):
		return w
	}
	return nil
}

func isControl(name string) bool {
	return slices.Contains([]string{"if", "elsif", "else", "require"}, name)
}

// requireCommand is require (RFC 5228 3.2).
func (c *compiler) requireCommand(cmd *grammar.Command, outermost bool) {
	u, ok := c.bind(&requireWord, cmd, "command")
	if !ok {
		return
	}
	if !outermost || c.begun {
		c.problem(cmd.Position, "require must come before all other commands; move it to the top of the script")
		return
	}
	for _, t := range u.args[0].texts {
		name := strings.ToLower(t.literal)
		switch {
		case slices.Contains([]string{"redirect", "keep", "discard"}, name):
			c.problem(t.Position, "\"%s\" is no extension but belongs to the language; take it out of the list", name)
		case !c.knows(name):
			c.problem(t.Position, "there is no extension \"%s\" here%s", name, meant(name, slices.Values(Extensions())))
		default:
			c.require(name)
			if slices.Contains(forNewMail, name) {
				c.newMail = name
			}
		}
	}
}

var requireWord = word{name: "require", args: []parameter{{aConstantList, "extensions"}}}

const aConstantList = aList
