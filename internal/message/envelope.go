package message

import (
	"time"

	"postern/internal/address"
)

// Envelope is the header as IMAP's ENVELOPE sees it (RFC 9051 7.5.2): text unfolded, encoded-words not decoded. Sender
// and ReplyTo are what the header says; that they default to From is added where IMAP's form is made.
type Envelope struct {
	Date       string
	Sent       time.Time // Date, parsed; zero when it cannot be
	Subject    string
	InReplyTo  string
	MessageID  string
	References string

	// A field that is there but empty is "" in IMAP, one that is not is NIL.
	HasDate, HasSubject, HasInReplyTo, HasMessageID bool

	From, Sender, ReplyTo, To, Cc, Bcc []Mailbox
}

// MailboxKind tells a mailbox from the marks of a group.
type MailboxKind uint8

// Kinds of members of an address list.
const (
	IsAddress  MailboxKind = iota
	GroupStart             // Local is the group's name
	GroupEnd
)

// Mailbox is one member of an address list (RFC 5322 3.4). The local part is unquoted. Host is empty when the address has
// no domain.
type Mailbox struct {
	Kind                   MailboxKind
	Name, Adl, Local, Host string

	// Malformed says that what stands here is not an address by the rules and that other software may read another
	// one out of it.
	Malformed bool
}

// Address is local@host as the envelope of SMTP writes it, for [address.Parse].
func (m Mailbox) Address() string {
	if m.Kind != IsAddress {
		return ""
	}
	return address.Address{Local: m.Local, Domain: m.Host}.String()
}

// AddressField names an address list of the envelope.
type AddressField uint8

// The address lists.
const (
	From AddressField = iota
	Sender
	ReplyTo
	To
	Cc
	Bcc
)

const addressFields = int(Bcc) + 1

// lists are the address lists in the order of AddressField.
func (e *Envelope) lists() [addressFields]*[]Mailbox {
	return [...]*[]Mailbox{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc}
}

// list is the address list that a field adds to, nil when it is none.
func (e *Envelope) list(code fieldCode) *[]Mailbox {
	if code < fieldFrom || code > fieldBcc {
		return nil
	}
	return e.lists()[code-fieldFrom]
}
