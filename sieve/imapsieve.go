package sieve

import "strings"

// item is an item of the environment: those of imapsieve tell what was done with the message, and are there for scripts that require
// it (RFC 6785 4). They are empty for mail that comes in. All others the host knows.
func (m *machine) item(name string) (value string, ok bool) {
	if m.change != nil {
		switch name { // RFC 6785 4.1
		case "location":
			return "MS", true
		case "phase":
			return "post", true
		}
	}
	rest, ofMailbox := strings.CutPrefix(name, "imap.")
	if !ofMailbox {
		return m.host.Item(name)
	}
	c := Change{}
	if m.change != nil {
		c = *m.change
	}
	value, ok = map[string]string{"user": c.User, "email": c.Email, "cause": c.Cause, "mailbox": c.Mailbox,
		"changedflags": strings.Join(c.Flags, " ")}[rest]
	return value, ok && m.script.Requires("imapsieve")
}

// forNewMail are the extensions that say something to whoever sent a message that comes in.
var forNewMail = []string{"reject", "ereject", "vacation"}

// applies is an error for a message that lies in a mailbox already, if a script requires what is for mail that comes in (RFC 6785 3.11).
func (m *machine) applies(s *Script) error {
	if m.change == nil || s.newMail == "" {
		return nil
	}
	return m.wrong("the script requires \"%s\", which is for mail that comes in; this message lies in a mailbox already", s.newMail)
}

// onlyForNew is an error for a message that lies in a mailbox already: nobody waits for an answer, and there is no envelope (RFC 6785
// 3.11, 4.6).
func (m *machine) onlyForNew(what string) error {
	if m.change != nil {
		return m.wrong("%s is for mail that comes in; this message lies in a mailbox already", what)
	}
	return nil
}
