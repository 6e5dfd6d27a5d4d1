package sieve

import "slices"

// ihaveWords are of ihave (RFC 5463).
var ihaveWords = []word{
	{name: "ihave", from: "ihave", args: []parameter{{aList, "capabilities"}}, test: compileIHave},
	{name: "error", from: "ihave", args: []parameter{{aText, "message"}}, command: compileErrorCommand},
}

// compileIHave asks for extensions and, if all are to be had, brings them in for what follows (RFC 5463 4). The answer is known
// when the script is compiled.
func compileIHave(c *compiler, u *use) func(*machine) (bool, error) {
	var names []string
	for _, t := range u.args[0].texts {
		if !t.isFixed() {
			c.problem(t.Position, "no variable may stand in the name of an extension; write what it is to be")
		}
		names = append(names, t.literal)
	}
	if slices.ContainsFunc(names, func(name string) bool { return !c.knows(name) }) {
		return always(false)
	}
	for _, name := range names {
		c.require(name)
	}
	return always(true)
}

// compileErrorCommand is error, by which a script gives up (RFC 5463 5).
func compileErrorCommand(_ *compiler, u *use) func(*machine) error {
	why := u.args[0].text()
	return func(m *machine) error { return m.wrong("%s", why.in(m)) }
}

// putOff makes of the problems since there were so many warnings, where it may be that what they are about is never run, and gives the
// first of them, which is told if it is (RFC 5463 4). "" stands for nothing to put off.
func (c *compiler) putOff(before int) (why string) {
	if !c.maybe || len(c.problems) == before {
		return ""
	}
	for _, p := range c.problems[before:] {
		c.warn(p.Position, "%s; that is a mistake if the script comes here", p.Text)
	}
	why = c.problems[before].Text
	c.problems = c.problems[:before]
	return why
}
