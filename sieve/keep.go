package sieve

import (
	"slices"
	"strings"

	"postern/internal/address"
	"postern/internal/message"
)

// keepWords say where the message goes (RFC 5228 4).
var keepWords = []word{
	{name: "keep", tags: flagsTag, command: compileKeep},
	{name: "discard", command: compileDiscard},
	{name: "fileinto", from: "fileinto", tags: with(copyTag, flagsTag, []tag{
		{name: "create", from: "mailbox"}, {name: "specialuse", from: "special-use", takes: aText}}),
		args: []parameter{{aText, "mailbox"}}, command: compileFileInto},
	{name: "redirect", tags: copyTag, args: []parameter{{aText, "address"}}, command: compileRedirect},
}

var (
	copyTag  = []tag{{name: "copy", from: "copy"}}                      // RFC 3894
	flagsTag = []tag{{name: "flags", from: "imap4flags", takes: aList}} // RFC 5232 5
)

func compileKeep(_ *compiler, u *use) func(*machine) error {
	return func(m *machine) error {
		flags, err := m.flags(u)
		if err != nil {
			return err
		}
		m.result.cancelled = true
		return m.do(Action{Kind: Keep, Flags: flags})
	}
}

func compileDiscard(*compiler, *use) func(*machine) error {
	return func(m *machine) error {
		m.result.cancelled = true
		return m.do(Action{Kind: Discard})
	}
}

func compileFileInto(c *compiler, u *use) func(*machine) error {
	name := u.args[0].text()
	if name.isFixed() {
		c.checkMailbox(u.args[0].Position, name.literal)
	}
	if v := u.tags["specialuse"]; v != nil {
		c.checkUse(v.Position, v.text())
	}
	return func(m *machine) error {
		flags, err := m.flags(u)
		if err != nil {
			return err
		}
		a := Action{Kind: FileInto, Mailbox: name.in(m), Create: u.has("create"), Flags: flags}
		if why := badMailbox(a.Mailbox); why != "" {
			return m.wrong("invalid folder name \"%s\": %s", strings.ToValidUTF8(clipText(a.Mailbox, 60), "?"), why)
		}
		if v := u.tags["specialuse"]; v != nil {
			if a.Use = v.text().in(m); !isUse(a.Use) {
				m.warn("\"%s\" is no special use, so the message goes to %s", strings.ToValidUTF8(clipText(a.Use, 60), "?"), a.Mailbox)
				a.Use = ""
			}
		}
		m.result.cancelled = m.result.cancelled || !u.has("copy")
		return m.do(a)
	}
}

func compileRedirect(c *compiler, u *use) func(*machine) error {
	to := u.args[0].text()
	if to.isFixed() && outAddress(to.literal) == "" {
		c.problem(u.args[0].Position, "\"%s\" is no mail address to redirect to", to.literal)
	}
	return func(m *machine) error {
		target := outAddress(to.in(m))
		if target == "" {
			return m.wrong("\"%s\" is no mail address to redirect to", clipText(to.in(m), 60))
		}
		if m.isOwn(target) {
			m.warn("%s is an address of this account, or the message came for it; it is not sent there again, but kept", target)
			return nil
		}
		m.result.cancelled = m.result.cancelled || !u.has("copy")
		return m.do(Action{Kind: Redirect, Address: target})
	}
}

// isOwn reports whether an address is the account's, or the message came for it: it would come again and again (RFC 5228 10).
func (m *machine) isOwn(target string) bool {
	same := func(own string) bool { return strings.EqualFold(target, own) }
	return same(m.mail.To) || same(m.mail.OriginalTo) || slices.ContainsFunc(m.host.Addresses(), same)
}

// outAddress reads one address, with or without a name, as mail may be sent to (RFC 5228 2.4.2.3); "" where it is none. It is in ASCII,
// its domain perhaps in Unicode, which is made ASCII.
func outAddress(s string) string {
	list := message.ParseAddressList(s, 2)
	if len(list) != 1 || list[0].Kind != message.IsAddress || list[0].Malformed || list[0].Local == "" || list[0].Adl != "" {
		return ""
	}
	a := list[0]
	if strings.ContainsFunc(a.Local, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return ""
	}
	if !strings.Contains(s, a.Local) && !strings.Contains(s, `"`) {
		return "" // several words were read as one
	}
	domain, err := address.NormalizeDomain(a.Host)
	if err != nil {
		return ""
	}
	a.Host = domain
	return a.Address()
}

// do adds an action, once: what a script asks for again it gets once (RFC 5228 2.10.3), with the flags that it named last (RFC 5232
// 5).
func (m *machine) do(a Action) error {
	r := m.result
	a.Script, a.Line, a.home = m.script.Name, m.at.Line, m.isHome(&a)
	if err := r.conflicts(m, a.Kind); err != nil {
		return err
	}
	for i := range r.actions {
		if r.actions[i].sameAs(&a) {
			r.actions[i].again(&a)
			return nil
		}
	}
	if a.Kind == Redirect {
		if r.redirects++; r.redirects > m.budget.Redirects {
			return m.failed(ErrBudget, "the number of redirect actions exceeds policy limit: %d are the most", m.budget.Redirects)
		}
	}
	if len(r.actions) == m.budget.Actions {
		return m.failed(ErrBudget, "the total number of actions exceeds policy limit: %d are the most", m.budget.Actions)
	}
	if a.Kind != Keep || m.change == nil { // a message that lies in a mailbox already stays as it is (RFC 6785 3.1)
		var err error
		if a.Header, err = m.header(); err != nil {
			return err
		}
	}
	r.actions = append(r.actions, a)
	return nil
}

// sameAs: doing one of the two is doing both.
func (a *Action) sameAs(b *Action) bool {
	if a.refuses() && b.refuses() {
		return true
	}
	if a.isStore() && b.isStore() {
		return a.home && b.home || a.home == b.home && a.Mailbox == b.Mailbox && a.Use == b.Use
	}
	return a.Kind == b.Kind && a.Address == b.Address && a.Reply == nil && b.Reply == nil && a.Notice.same(b.Notice)
}

// again takes over what the same action says when it is asked for another time.
func (a *Action) again(b *Action) {
	if b.Flags != nil {
		a.Flags = b.Flags
	}
	if isKeep(*b) {
		a.Kind, a.Mailbox = Keep, ""
	}
	a.Create = a.Create || b.Create
}

// isStore: the action puts the message into a mailbox.
func (a *Action) isStore() bool { return a.Kind == Keep || a.Kind == FileInto }

func (a *Action) refuses() bool { return a.Kind == Reject || a.Kind == EReject }

// isHome: the action leaves the message where keep does, which is the inbox. A message that lies in a mailbox already is kept there,
// and fileinto always makes another one (RFC 6785 3.3).
func (m *machine) isHome(a *Action) bool {
	return a.Kind == Keep || m.change == nil && a.Kind == FileInto && a.Use == "" && sameMailbox(a.Mailbox, inbox)
}

// conflicts: a message that is refused is not taken as well (RFC 5429 2.4), nor answered (RFC 5230 4.7). What a script before this
// one filed or sent on stands, whatever this one says.
func (r *result) conflicts(m *machine, kind Kind) error {
	a := Action{Kind: kind}
	for i := range r.actions[r.settled:] {
		other := &r.actions[r.settled+i]
		if a.refuses() && other.takes() || other.refuses() && a.takes() || a.refuses() && other.refuses() {
			return m.wrong("%s cannot be used with %s; a message is either refused or taken", kind, other.Kind)
		}
	}
	return nil
}

// takes: the action cannot be had together with a refusal.
func (a *Action) takes() bool { return a.isStore() || a.Kind == Redirect || a.Kind == Vacation }
