package sieve

import (
	"errors"
	"slices"
	"unicode/utf8"
)

// partWords are of foreverypart and extracttext (RFC 5703 3 and 7).
var partWords = []word{
	{name: "foreverypart", from: "foreverypart", tags: loopName, block: true, loop: true, command: compileForEveryPart},
	{name: "break", from: "foreverypart", tags: loopName, command: compileBreak},
	{name: "extracttext", from: "extracttext", tags: with(modifierTags, []tag{{name: "first", takes: aNumber}}),
		args: []parameter{{aConstant, "variable"}}, command: compileExtractText},
}

var loopName = []tag{{name: "name", takes: aConstant}}

// name is what a loop is called, or which loop a break is about; "" for none.
func (u *use) name() string {
	if v := u.tags["name"]; v != nil && len(v.texts) == 1 {
		return v.text().literal
	}
	return ""
}

// broken ends the loop of that number, counted from the outermost.
type broken struct{ loop int }

func (broken) Error() string { return "break" }

// compileForEveryPart runs its block for each part in the order of the message: the message itself first, or, in another loop, those
// that are in the part that this one is at.
func compileForEveryPart(c *compiler, u *use) func(*machine) error {
	loop := len(c.loops)
	return func(m *machine) error {
		around := m.part
		defer func() { m.part = around }()
		top := around
		if top == nil {
			top = m.mail.Parsed.Root
		}
		for p := range top.All() {
			if p == around {
				continue
			}
			if err := m.spend(1); err != nil {
				return err
			}
			m.part = p
			err := m.run(u.block)
			var b broken
			if errors.As(err, &b) && b.loop == loop {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func compileBreak(c *compiler, u *use) func(*machine) error {
	loop := len(c.loops) - 1
	switch name := u.name(); {
	case loop < 0:
		c.problem(u.Position, "there is no foreverypart around this break")
	case name != "":
		loop = slices.Index(c.loops, name)
		if loop < 0 {
			c.problem(u.Position, "no foreverypart around this break is named \"%s\"", name)
		}
	}
	err := broken{loop}
	return func(*machine) error { return err }
}

func compileExtractText(c *compiler, u *use) func(*machine) error {
	switch {
	case len(c.loops) == 0:
		c.problem(u.Position, "extracttext takes the text of a part, so it belongs into the block of a foreverypart")
	case !c.has("variables"):
		c.problem(u.Position, "extracttext sets a variable and needs require \"variables\" at the top of the script")
	}
	name := c.variableName(&u.args[0])
	modify := u.modifiers()
	first := u.tags["first"]
	return func(m *machine) error {
		if err := m.spend(flatCost); err != nil {
			return err
		}
		text, err := m.partText()
		if err != nil {
			return err
		}
		if first != nil {
			text = firstCharacters(text, first.number, m.budget.Value)
		}
		return m.modified(name, clipText(text, m.budget.Value), modify)
	}
}

// partText is the text of the part that is looked at; a part that is none has an empty one.
func (m *machine) partText() (string, error) {
	p := m.part
	if p == nil || !p.IsText() {
		return "", nil
	}
	return m.bodyText(p, asText, p.BodyStart, min(p.End, p.BodyStart+maxBody))
}

// firstCharacters cuts a text behind so many characters, or behind so many bytes.
func firstCharacters(s string, most uint64, limit int) string {
	at := 0
	for ; most > 0 && at < len(s) && at < limit; most-- {
		_, n := utf8.DecodeRuneInString(s[at:])
		at += n
	}
	return s[:at]
}
