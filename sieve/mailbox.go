package sieve

import (
	"context"
	"strings"
	"unicode/utf8"

	"postern/sieve/grammar"
)

// mailboxWords ask what mailboxes there are (RFC 5490 3, RFC 8579 3).
var mailboxWords = []word{
	{name: "mailboxexists", from: "mailbox", args: []parameter{{aList, "mailbox names"}}, test: compileMailboxExists},
	{name: "specialuse_exists", from: "special-use", args: []parameter{{aText, "mailbox"}, {aList, "special-use flags"}}, optional: true,
		test: compileSpecialUseExists},
}

// askCost is how many steps a question to the host costs, which may have to ask a database.
const askCost = 1000

// ask puts a question to the host.
func ask[T any](m *machine, question func(context.Context) (T, error)) (answer T, err error) {
	if err := m.spend(askCost); err != nil {
		return answer, err
	}
	if answer, err = question(m.ctx); err != nil {
		return answer, m.failed(err, "the server could not answer: %v", err)
	}
	return answer, nil
}

func (m *machine) hasMailbox(name string) (bool, error) {
	if badMailbox(name) != "" {
		return false, nil
	}
	return ask(m, func(ctx context.Context) (bool, error) { return m.host.HasMailbox(ctx, name) })
}

// compileMailboxExists is true if mail can be filed into all of them (RFC 5490 3.1).
func compileMailboxExists(c *compiler, u *use) func(*machine) (bool, error) {
	for _, t := range u.args[0].texts {
		c.warnMailbox(t)
	}
	return func(m *machine) (bool, error) {
		for _, name := range each(m, u.args[0].texts) {
			if ok, err := m.hasMailbox(name); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

// warnMailbox warns of a mailbox that cannot be there.
func (c *compiler) warnMailbox(t text) {
	if !t.isFixed() {
		return
	}
	if why := badMailbox(t.literal); why != "" {
		c.warn(t.Position, "there is never a mailbox \"%s\": %s", strings.ToValidUTF8(t.literal, "?"), why)
	}
}

// compileSpecialUseExists asks for a mailbox for each use, or whether one mailbox has them all (RFC 8579 3).
func compileSpecialUseExists(c *compiler, u *use) func(*machine) (bool, error) {
	if u.args[0].given {
		c.warnMailbox(u.args[0].text())
	}
	for _, t := range u.args[1].texts {
		if t.isFixed() && !isUse(t.literal) {
			c.warn(t.Position, "\"%s\" is no special use, so no mailbox has it; one is written like \"\\\\Junk\"", t.literal)
		}
	}
	return func(m *machine) (bool, error) {
		name := ""
		if u.args[0].given {
			name = u.args[0].text().in(m)
			if ok, err := m.hasMailbox(name); !ok || err != nil {
				return false, err
			}
		}
		for _, use := range each(m, u.args[1].texts) {
			if ok, err := m.hasUse(name, use); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

// hasUse reports whether a mailbox, or any for "", has a special use.
func (m *machine) hasUse(mailbox, use string) (bool, error) {
	if !isUse(use) {
		return false, nil
	}
	list, err := ask(m, func(ctx context.Context) ([]string, error) { return m.host.SpecialUse(ctx, use) })
	if mailbox == "" || err != nil {
		return len(list) > 0, err
	}
	for _, has := range list {
		if sameMailbox(has, mailbox) {
			return true, nil
		}
	}
	return false, nil
}

// isUse: a special use is a backslash and an atom (RFC 6154 6).
func isUse(s string) bool {
	name, ok := strings.CutPrefix(s, `\`)
	return ok && name != "" && len(name) <= maxFlag && !strings.ContainsFunc(name, notInAtom)
}

// checkUse tells that the value of :specialuse is none.
func (c *compiler) checkUse(at grammar.Position, t text) {
	if t.isFixed() && !isUse(t.literal) {
		c.problem(at, "\"%s\" is no special use; one is written like \"\\\\Junk\"", strings.ToValidUTF8(t.literal, "?"))
	}
}

// inbox is the mailbox that keep files into; its name is written in any case (RFC 9051 5.1).
const inbox = "INBOX"

func sameMailbox(a, b string) bool {
	return a == b || strings.EqualFold(a, inbox) && strings.EqualFold(b, inbox)
}

// checkMailbox tells what is wrong with the name of a mailbox that is known already.
func (c *compiler) checkMailbox(at grammar.Position, name string) {
	if why := badMailbox(name); why != "" {
		c.problem(at, "\"%s\" is no name of a mailbox: %s", strings.ToValidUTF8(name, "?"), why)
	}
}

// badMailbox says what is wrong with the name of a mailbox, "" for nothing.
func badMailbox(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case len(name) > 1000:
		return "it is longer than 1000 bytes"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "it has control characters"
	}
	return ""
}
