package sieve

import (
	"errors"
	"slices"

	"postern/sieve/grammar"
)

// What ends a script, or an included one, before its end.
var (
	errStop   = errors.New("stop")
	errReturn = errors.New("return")
)

// controlWords are those that say what runs (RFC 5228 3 and 5). require and if are read apart.
var controlWords = []word{
	{name: "stop", command: func(*compiler, *use) func(*machine) error { return func(*machine) error { return errStop } }},
	{name: "true", test: func(*compiler, *use) func(*machine) (bool, error) { return always(true) }},
	{name: "false", test: func(*compiler, *use) func(*machine) (bool, error) { return always(false) }},
	{name: "not", tests: oneTest, test: func(_ *compiler, u *use) func(*machine) (bool, error) {
		return func(m *machine) (bool, error) {
			ok, err := m.holds(&u.tests[0])
			return !ok, err
		}
	}},
	{name: "anyof", tests: someTests, test: func(_ *compiler, u *use) func(*machine) (bool, error) { return until(u, true) }},
	{name: "allof", tests: someTests, test: func(_ *compiler, u *use) func(*machine) (bool, error) { return until(u, false) }},
}

func always(is bool) func(*machine) (bool, error) {
	return func(*machine) (bool, error) { return is, nil }
}

// until makes tests until one has a result, which is that of all then.
func until(u *use, result bool) func(*machine) (bool, error) {
	return func(m *machine) (bool, error) {
		for i := range u.tests {
			if is, err := m.holds(&u.tests[i]); err != nil || is == result {
				return is, err
			}
		}
		return !result, nil
	}
}

// branch is an if, elsif or else; of an else the test is nil.
type branch struct {
	test  *condition
	block []step
}

var (
	ifWord   = word{name: "if", tests: oneTest, block: true}
	elseWord = word{name: "else", block: true}
)

// chainLength is how many of the commands belong to the if that stands first.
func chainLength(list []grammar.Command) int {
	n := 1
	for n < len(list) && (list[n].Name == "elsif" || list[n].Name == "else") {
		n++
		if list[n-1].Name == "else" {
			break
		}
	}
	return n
}

// chain compiles an if with its elsif and else (RFC 5228 3.1).
func (c *compiler) chain(list []grammar.Command) (step, bool) {
	before, maybe := len(c.problems), c.maybe
	var branches []branch
	for i := range list {
		// Whether the rest of the chain can be run hangs on the test, if it asks what there is (RFC 5463 4).
		c.maybe = c.maybe || c.has("ihave") && mentions(list[i].Tests, "ihave")
		if b, ok := c.branch(&list[i]); ok {
			branches = append(branches, b)
		}
	}
	c.maybe = maybe || c.maybe && slices.ContainsFunc(list, ends)
	s := step{list[0].Position, "if", func(m *machine) error { return m.choose(branches) }}
	return s, len(c.problems) == before
}

// branch compiles one of them.
func (c *compiler) branch(cmd *grammar.Command) (branch, bool) {
	w := ifWord
	if cmd.Name == "else" {
		w = elseWord
		if len(cmd.Tests) == 1 && cmd.Tests[0].Name == "if" {
			c.problem(cmd.Position, "'else if' is written 'elsif'")
			return branch{}, false
		}
	}
	w.name = cmd.Name
	u, ok := c.bind(&w, cmd, "command")
	if !ok || len(u.tests) != min(len(cmd.Tests), 1) {
		return branch{}, false
	}
	b := branch{block: u.block}
	if len(u.tests) == 1 {
		b.test = &u.tests[0]
	}
	return b, true
}

// ends: what follows the chain is not reached by way of this branch.
func ends(cmd grammar.Command) bool {
	n := len(cmd.Block)
	return n > 0 && isEnd(cmd.Block[n-1].Name)
}

// mentions: a test of that name is among the tests or in them.
func mentions(tests []grammar.Command, name string) bool {
	for i := range tests {
		if tests[i].Name == name || mentions(tests[i].Tests, name) {
			return true
		}
	}
	return false
}

// choose runs the first block whose test holds.
func (m *machine) choose(branches []branch) error {
	for i := range branches {
		b := &branches[i]
		if b.test != nil {
			ok, err := m.holds(b.test)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		return m.run(b.block)
	}
	return nil
}
