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
	case beginsFolded(m):
		return reply.New(554, "5.6.0", "The message begins with a line that continues a header field")
	case m.ReceivedCount > receivedLimit:
		return reply.New(554, "5.4.6", "Too many hops: this message goes round in a loop")
	}
	// RFC 5322 3.6. With none or two, one program shows another author than the next one checks.
	if n := m.Header.Count("From"); n != 1 {
		return reply.New(554, "5.6.0", "The message must have exactly one From field, it has %d", n)
	}
	return nil
}

// beginsFolded reports whether the first line would become a part of the field that we put before it.
func beginsFolded(m *message.Message) bool {
	if len(m.Header.Fields) == 0 {
		return false
	}
	first := m.Header.Fields[0].Raw[0]
	return first == ' ' || first == '\t'
}

// maxAuthors bounds the addresses in From and in Sender.
const maxAuthors = 1000

// writers reads From or Sender anew from the header. The parsed envelope leaves out what is beyond its limits, and nobody
// shall be claimed as an author from behind one.
func writers(m *message.Message, field string) ([]message.Mailbox, error) {
	var list []message.Mailbox
	for _, f := range m.Header.All(field) {
		list = append(list, message.ParseAddressList(f.Value(), maxAuthors+1)...)
		if len(list) > maxAuthors {
			return nil, reply.New(554, "5.6.0", "The %s field names too many addresses", field)
		}
	}
	return list, nil
}

// authors gives the addresses of From and Sender as addresses of ours would be written. A list that cannot be read as plain
// mailboxes, or is empty, is an error: nobody could tell who is claimed to have written the message.
func authors(m *message.Message) (from, sender []address.Address, err error) {
	if from, err = mailboxes(m, "From"); err != nil {
		return nil, nil, err
	}
	if len(from) == 0 {
		return nil, nil, reply.New(554, "5.6.0", "The From field names no address")
	}
	if n := m.Header.Count("Sender"); n > 1 {
		return nil, nil, reply.New(554, "5.6.0", "The message has more than one Sender field")
	} else if n == 1 {
		if sender, err = mailboxes(m, "Sender"); err != nil {
			return nil, nil, err
		}
		if len(sender) != 1 {
			return nil, nil, reply.New(554, "5.6.0", "The Sender field must name one address")
		}
	}
	return from, sender, nil
}

func mailboxes(m *message.Message, field string) ([]address.Address, error) {
	list, err := writers(m, field)
	if err != nil {
		return nil, err
	}
	out := make([]address.Address, 0, len(list))
	for _, m := range list {
		if m.Kind != message.IsAddress {
			return nil, reply.New(554, "5.6.0", "The %s field must not hold a group", field)
		}
		if m.Malformed || m.Adl != "" {
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

// claims gives the domains in whose name From or Sender speak, in whatever spelling: those of its addresses, and where
// programs may read other addresses than we do, all that stands behind an "@".
func claims(m *message.Message, field string) ([]string, error) {
	list, err := writers(m, field)
	if err != nil {
		return nil, err
	}
	var domains []string
	readable := true
	for _, a := range list {
		if a.Kind != message.IsAddress {
			continue
		}
		domain, err := address.NormalizeDomain(strings.TrimSuffix(a.Host, "."))
		readable = readable && err == nil && !a.Malformed
		domains = append(domains, domain)
	}
	if readable {
		return domains, nil
	}
	for _, f := range m.Header.All(field) {
		domains = append(domains, address.MentionedDomains(f.Value())...)
	}
	return domains, nil
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
