package mailflow

import (
	"strings"

	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/reply"
)

// checkHeader refuses what no honest program writes and what lets two programs read one message differently.
func checkHeader(m *message.Message, receivedLimit int) error {
	switch {
	case m.HeaderTooBig:
		return reply.New(552, "5.3.4", "The header section is too large")
	case m.HasNUL, m.HasBareCR, m.HasBareLF:
		// The SMTP engine refuses these too; mail has other ways in.
		return reply.New(554, "5.6.0", "The message has a NUL, or a CR or LF that stands alone")
	case m.HasControl:
		return reply.New(554, "5.6.0", "The header has control characters")
	case m.ReceivedCount > receivedLimit:
		return reply.New(554, "5.4.6", "Too many hops: this message goes round in a loop")
	}
	// RFC 5322 3.6. With none or two, one program shows another author than the next one checks.
	if n := m.Header.Count("From"); n != 1 {
		return reply.New(554, "5.6.0", "The message must have exactly one From field, it has %d", n)
	}
	return nil
}

// authors gives the addresses of From and Sender as addresses of ours would be written. A list that cannot be read as plain
// mailboxes, or is empty, is an error: nobody could tell who is claimed to have written the message.
func authors(m *message.Message) (from, sender []address.Address, err error) {
	if from, err = mailboxes(m.Envelope.From, "From"); err != nil {
		return nil, nil, err
	}
	if len(from) == 0 {
		return nil, nil, reply.New(554, "5.6.0", "The From field names no address")
	}
	if n := m.Header.Count("Sender"); n > 1 {
		return nil, nil, reply.New(554, "5.6.0", "The message has more than one Sender field")
	} else if n == 1 {
		if sender, err = mailboxes(m.Envelope.Sender, "Sender"); err != nil {
			return nil, nil, err
		}
		if len(sender) != 1 {
			return nil, nil, reply.New(554, "5.6.0", "The Sender field must name one address")
		}
	}
	return from, sender, nil
}

func mailboxes(list []message.Mailbox, field string) ([]address.Address, error) {
	out := make([]address.Address, 0, len(list))
	for _, m := range list {
		if m.Kind != message.IsAddress {
			return nil, reply.New(554, "5.6.0", "The %s field must not hold a group", field)
		}
		if m.Malformed {
			// Another program may read another address there.
			return nil, reply.New(554, "5.6.0", "The %s field cannot be read in one way only", field)
		}
		a, err := address.Parse(m.Address())
		if err != nil {
			return nil, reply.Wrap(err, 554, "5.6.0", "The %s field holds something that is no address", field)
		}
		out = append(out, a)
	}
	return out, nil
}

// deliveredTo reports whether the message says it was delivered to a before: forwarding it there again would loop.
func deliveredTo(m *message.Message, a address.Address) bool {
	for _, field := range m.Header.All("Delivered-To") {
		if got, err := address.Parse(strings.Trim(field.Value(), "<> ")); err == nil && got.Key() == a.Key() {
			return true
		}
	}
	return false
}
