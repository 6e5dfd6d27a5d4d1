package grammar

import (
	"bytes"
	"encoding/base64"
)

// maxTag is the longest tag; it comes back with every answer.
const maxTag = 128

// rule reads the arguments of one command. What it returns after an error is
// not looked at.
type rule func(*Reader) Command

// plain is the rule of a command without arguments.
func plain(c func() Command) rule {
	return func(*Reader) Command { return c() }
}

// commands are the rules by name. RFC 9051 9 (command)
var commands = map[string]rule{
	"CAPABILITY":   plain(func() Command { return &Capability{} }),
	"NOOP":         plain(func() Command { return &Noop{} }),
	"LOGOUT":       plain(func() Command { return &Logout{} }),
	"STARTTLS":     plain(func() Command { return &StartTLS{} }),
	"CHECK":        plain(func() Command { return &Check{} }),
	"CLOSE":        plain(func() Command { return &Close{} }),
	"UNSELECT":     plain(func() Command { return &Unselect{} }),
	"NAMESPACE":    plain(func() Command { return &Namespace{} }),
	"IDLE":         plain(func() Command { return &Idle{} }),
	"EXPUNGE":      plain(func() Command { return &Expunge{} }),
	"AUTHENTICATE": (*Reader).authenticate,
	"LOGIN":        (*Reader).login,
	"ENABLE":       (*Reader).enable,
	"ID":           (*Reader).id,
	"SELECT":       func(r *Reader) Command { return r.selectMailbox(false) },
	"EXAMINE":      func(r *Reader) Command { return r.selectMailbox(true) },
	"CREATE":       (*Reader).create,
	"DELETE":       func(r *Reader) Command { return &Delete{Mailbox: r.spMailbox()} },
	"RENAME":       func(r *Reader) Command { return &Rename{From: r.spMailbox(), To: r.spMailbox()} },
	"SUBSCRIBE":    func(r *Reader) Command { return &Subscribe{Mailbox: r.spMailbox()} },
	"UNSUBSCRIBE":  func(r *Reader) Command { return &Unsubscribe{Mailbox: r.spMailbox()} },
	"LIST":         (*Reader).listCommand,
	"LSUB":         (*Reader).lsub,
	"STATUS":       (*Reader).status,
	"APPEND":       (*Reader).appendCommand,
	"SEARCH":       func(r *Reader) Command { return r.search(false) },
	"FETCH":        func(r *Reader) Command { return r.fetch(false) },
	"STORE":        func(r *Reader) Command { return r.store(false) },
	"COPY":         func(r *Reader) Command { return &Copy{Set: r.spSet(), Mailbox: r.spMailbox()} },
	"MOVE":         func(r *Reader) Command { return &Move{Set: r.spSet(), Mailbox: r.spMailbox()} },
	"COMPRESS":     (*Reader).compress,
	"GETQUOTA":     func(r *Reader) Command { return &GetQuota{Root: r.spAString()} },
	"GETQUOTAROOT": func(r *Reader) Command { return &GetQuotaRoot{Mailbox: r.spMailbox()} },
	"SETQUOTA":     (*Reader).setQuota,
	"GETMETADATA":  (*Reader).getMetadata,
	"SETMETADATA":  (*Reader).setMetadata,
}

// uidCommands are the rules behind UID. RFC 9051 6.4.9
var uidCommands = map[string]rule{
	"UID SEARCH":  func(r *Reader) Command { return r.search(true) },
	"UID FETCH":   func(r *Reader) Command { return r.fetch(true) },
	"UID STORE":   func(r *Reader) Command { return r.store(true) },
	"UID COPY":    func(r *Reader) Command { return &Copy{UID: true, Set: r.spSet(), Mailbox: r.spMailbox()} },
	"UID MOVE":    func(r *Reader) Command { return &Move{UID: true, Set: r.spSet(), Mailbox: r.spMailbox()} },
	"UID EXPUNGE": func(r *Reader) Command { return &Expunge{UID: true, Set: r.spSet()} },
}

// parseCommand reads the command whose first line is current.
func (r *Reader) parseCommand() Command {
	tag := r.run(tagChar)
	if len(tag) == 0 || len(tag) > maxTag || r.peek() != ' ' {
		if 0 < len(tag) && len(tag) <= maxTag && r.atEnd() {
			r.tag = string(tag)
		}
		r.bad("A command is a tag, a space and a name")
		return nil
	}
	r.tag = string(tag)
	r.space()
	rule := r.commandRule()
	if r.err != nil {
		return nil
	}
	cmd := rule(r)
	if r.err != nil {
		return nil
	}
	switch c := cmd.(type) {
	case *Append: // its end comes behind its messages
	case *Search:
		r.end()
		r.charset.check(r)
		return c
	default:
		r.end()
	}
	return cmd
}

// commandRule takes the command's name.
func (r *Reader) commandRule() rule {
	known := commands
	name := string(r.word())
	if name == "UID" {
		r.space()
		name = "UID " + string(r.word())
		known = uidCommands
	}
	rule, ok := known[name]
	if !ok || r.peek() != ' ' && !r.atEnd() {
		r.fail(&Error{Unknown: true, Text: "There is no such command"})
		return nil
	}
	r.name = name
	return rule
}

func (r *Reader) spAString() string {
	r.space()
	return r.astring()
}

func (r *Reader) spMailbox() string {
	r.space()
	return r.mailbox()
}

func (r *Reader) spSet() NumSet {
	r.space()
	return r.set()
}

// authenticate reads AUTHENTICATE. RFC 9051 6.2.2, RFC 4959 3
func (r *Reader) authenticate() Command {
	r.space()
	c := &Authenticate{Mechanism: r.upperAtom("The name of a mechanism is missing")}
	if !r.accept(' ') {
		return c
	}
	c.HasInitial = true
	line := bytes.TrimRight(r.buf[r.pos:r.eol], " ")
	r.pos = r.eol
	if string(line) == "=" {
		return c
	}
	c.Initial = make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Strict().Decode(c.Initial, line)
	if err != nil || n == 0 {
		r.bad("The initial response is not base64")
	}
	c.Initial = c.Initial[:n]
	return c
}

func (r *Reader) login() Command {
	return &Login{User: r.spAString(), Password: r.spAString()}
}

// enable reads ENABLE. RFC 9051 6.3.1
func (r *Reader) enable() Command {
	c := &Enable{}
	r.space()
	for {
		r.element()
		c.Capabilities = append(c.Capabilities, r.upperAtom("The name of a capability is missing"))
		if r.err != nil || !r.accept(' ') {
			return c
		}
	}
}

// id reads ID. RFC 2971 3.3
func (r *Reader) id() Command {
	const maxFields = 30
	c := &ID{}
	r.space()
	if r.acceptWord("NIL") {
		return c
	}
	r.list(func() {
		name := r.str()
		r.space()
		c.Fields = append(c.Fields, IDField{Name: name, Value: r.nstring()})
		if len(c.Fields) > maxFields {
			r.bad("ID takes at most 30 fields")
		}
	})
	return c
}

func (r *Reader) compress() Command {
	r.space()
	return &Compress{Mechanism: r.upperAtom("The name of a mechanism is missing")}
}

// setQuota reads SETQUOTA. RFC 9208 4.1.3
func (r *Reader) setQuota() Command {
	c := &SetQuota{Root: r.spAString()}
	r.space()
	r.list(func() {
		name := r.upperAtom("The name of a resource is missing")
		r.space()
		c.Limits = append(c.Limits, QuotaLimit{Resource: name, Limit: r.number(maxNumber64)})
	})
	return c
}
