package sieve

import (
	"fmt"

	"postern/sieve/grammar"
)

// bind fits the arguments, tests and block of a command or test to what its word takes. It tells all that does not fit and is
// false then.
func (c *compiler) bind(w *word, cmd *grammar.Command, kind string) (*use, bool) {
	before := len(c.problems)
	c.lost = c.lost && kind == "test"
	u := &use{Position: cmd.Position, word: w, tags: map[string]*value{}}
	called := fmt.Sprintf("the %s %s", w.name, kind)
	if !c.missesSemicolon(w, cmd, kind) {
		rest := c.bindTags(u, cmd.Arguments, called)
		if len(c.problems) == before {
			c.bindPositional(u, rest, called)
		}
	}
	if len(c.problems) == before || w.block || w.tests != noTest || len(cmd.Tests) > 0 && w.tag(cmd.Tests[0].Name) != nil {
		c.bindTests(u, cmd, called)
	}
	c.bindBlock(u, cmd, called)
	return u, len(c.problems) == before
}

// missesSemicolon: what follows a command without tests looks like the next command, or like nothing known: most likely a
// semicolon was forgotten.
func (c *compiler) missesSemicolon(w *word, cmd *grammar.Command, kind string) bool {
	if kind != "command" || w.tests != noTest || cmd.List || len(cmd.Tests) != 1 {
		return false
	}
	next := cmd.Tests[0].Name
	if c.vocabulary.tests[next] != nil {
		return false
	}
	c.problem(cmd.Tests[0].Position, "missing semicolon after the %s command, before '%s'", w.name, next)
	return true
}

// bindTags takes the tags with their values out of the arguments and gives what is left.
func (c *compiler) bindTags(u *use, args []grammar.Argument, called string) (rest []grammar.Argument) {
	groups := map[string]string{}
	for i := 0; i < len(args); i++ {
		a := &args[i]
		if a.Kind != grammar.Tag {
			rest = append(rest, *a)
			continue
		}
		t := u.word.tag(a.Tag)
		if len(rest) > 0 {
			c.problem(a.Position, "unexpected tag ':%s' behind the positional arguments of %s; tags come first", a.Tag, called)
			continue
		}
		if t == nil {
			names := func(yield func(string) bool) {
				for _, t := range u.word.tags {
					if !yield(":" + t.name) {
						return
					}
				}
			}
			c.lost = true
			c.problem(a.Position, "unknown tagged argument ':%s' for %s%s", a.Tag, called, meant(":"+a.Tag, names))
			return nil
		}
		from := t.from
		if !c.available(a.Position, "tag", ":"+t.name, from) {
			return nil
		}
		if other, used := groups[t.group]; used && t.group != "" || u.has(t.name) {
			if other == "" {
				other = t.name
			}
			c.problem(a.Position, "unexpected tag ':%s' for %s; ':%s' stands there already", a.Tag, called, other)
			return nil
		}
		groups[t.group] = t.name
		v := &value{Position: a.Position, given: true}
		u.tags[t.name] = v
		if t.takes == nothing {
			continue
		}
		if i+1 == len(args) {
			c.problem(a.Position, "the tag ':%s' of %s takes %s, which is missing", t.name, called, t.takes)
			return nil
		}
		i++
		if !c.fit(v, &args[i], t.takes) {
			c.problem(args[i].Position, "the tag ':%s' of %s takes %s, but %s was found", t.name, called, t.takes, found(&args[i]))
			return nil
		}
	}
	return rest
}

func (w *word) tag(name string) *tag {
	for i := range w.tags {
		if w.tags[i].name == name {
			return &w.tags[i]
		}
	}
	return nil
}

// bindPositional fits the rest.
func (c *compiler) bindPositional(u *use, rest []grammar.Argument, called string) {
	args := u.word.args
	u.args = make([]value, len(args))
	at := 0
	if u.word.optional && len(rest) == len(args)-1 {
		at = 1
	}
	if n := len(args) - at; len(rest) != n && !(u.word.lastOptional && len(rest) == n-1) {
		where := u.Position
		if len(rest) > n {
			where = rest[n].Position
		}
		c.problem(where, "%s requires %d positional arguments, but %d is/are specified", called, len(args), len(rest))
		return
	}
	for i := range rest {
		p := args[at+i]
		if !c.fit(&u.args[at+i], &rest[i], p.form) {
			c.problem(rest[i].Position, "%s expects %s as argument %d (%s), but %s was found", called, p.form, at+i+1, p.what, found(&rest[i]))
			return
		}
	}
}

// fit makes a value of an argument of that form.
func (c *compiler) fit(v *value, a *grammar.Argument, f form) bool {
	v.Position, v.given = a.Position, true
	switch {
	case f == aNumber && a.Kind == grammar.Number:
		v.number = a.Number
		return true
	case (f == aText || f == aConstant) && a.Kind == grammar.Strings && !a.List, f == aList && a.Kind == grammar.Strings:
		for _, t := range a.Texts {
			v.texts = append(v.texts, c.text(t))
		}
		if f == aConstant && !v.texts[0].isFixed() {
			c.problem(a.Position, "no variable may stand in this string; write what it is to be")
		}
		return true
	}
	return false
}

func found(a *grammar.Argument) string {
	switch {
	case a.Kind == grammar.Tag:
		return "the tag ':" + a.Tag + "'"
	case a.Kind == grammar.Number:
		return "a number"
	case a.List:
		return "a string list"
	}
	return "a string"
}

func (c *compiler) bindTests(u *use, cmd *grammar.Command, called string) {
	switch {
	case u.word.tests == noTest && len(cmd.Tests) > 0:
		if t := u.word.tag(cmd.Tests[0].Name); t != nil && !cmd.List {
			c.problem(cmd.Tests[0].Position, "missing colon before the '%s' tag of %s; write ':%s'", t.name, called, t.name)
			return
		}
		if next := cmd.Tests[0].Name; c.vocabulary.tests[next] != nil || cmd.List {
			c.problem(cmd.Tests[0].Position, "%s accepts no sub-tests, but some are specified", called)
		}
		return
	case u.word.tests == noTest:
		return
	case len(cmd.Tests) == 0:
		c.problem(cmd.Position, "%s requires a test, but none is specified", called)
		return
	case u.word.tests == oneTest && cmd.List:
		c.problem(cmd.Tests[0].Position, "%s requires one test, but a list of tests is specified", called)
		return
	case u.word.tests == someTests && !cmd.List:
		c.problem(cmd.Tests[0].Position, "%s requires a list of tests in parentheses", called)
		return
	}
	for i := range cmd.Tests {
		if t, ok := c.test(&cmd.Tests[i]); ok {
			u.tests = append(u.tests, t)
		}
	}
}

func (c *compiler) bindBlock(u *use, cmd *grammar.Command, called string) {
	switch {
	case u.word.block && !cmd.HasBlock && c.lost:
	case u.word.block && !cmd.HasBlock:
		c.problem(cmd.Position, "%s requires a block in braces, but none is specified", called)
	case !u.word.block && cmd.HasBlock:
		c.problem(cmd.Position, "%s accepts no block, but one is specified; end it with a semicolon", called)
	case u.word.loop:
		c.loops = append(c.loops, u.name())
		u.block = c.block(cmd.Block, false)
		c.loops = c.loops[:len(c.loops)-1]
	case u.word.block:
		u.block = c.block(cmd.Block, false)
	}
}
