package mailauth

import (
	"slices"
	"strings"

	"postern/internal/address"
	"postern/internal/mailauth/dmarc"
	"postern/internal/message"
)

const (
	// maxAuthors bounds the domains in From that a policy is asked for. Nobody has more; who does wants to be lost in them.
	maxAuthors = 8
	// maxMailboxes bounds the addresses of From that are looked at.
	maxMailboxes = 1000
)

// authors are the domains that From names.
type authors struct {
	domains []string // distinct, at most maxAuthors
	// unreadable: some author has no domain that can be looked up. more: there are more than are given.
	unreadable, more bool
}

// readAll takes the authors of every From field there is.
func (a *authors) readAll(h message.Header) {
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, "From") {
			a.read(h.Fields[i].Value())
		}
	}
}

func (a *authors) read(value string) {
	list := message.ParseAddressList(value, maxMailboxes)
	ambiguous := len(list) == 0 || hasStrayAddress(value, list)
	for i := range list {
		m := &list[i]
		if m.Kind == message.IsAddress {
			readable := a.add(dmarc.Normalize(m.Host))
			a.unreadable = a.unreadable || !readable
			ambiguous = ambiguous || !readable || !isPlain(m)
		}
	}
	if !ambiguous {
		return
	}
	// What a person will see as the author is any of them.
	for _, text := range []string{value, message.DecodeHeader(value)} {
		for _, domain := range address.MentionedDomains(text) {
			a.add(domain)
		}
	}
}

// isPlain reports whether all programs read the same address. They do where another one stands as the name before it.
func isPlain(m *message.Mailbox) bool {
	_, err := address.NormalizeDomain(strings.TrimSuffix(m.Host, "."))
	return err == nil && (!m.Malformed || strings.Contains(m.Name, "@"))
}

// hasStrayAddress reports whether more addresses stand in a list that is malformed somewhere than were read there and stand as
// names: another program may read those.
func hasStrayAddress(value string, list []message.Mailbox) bool {
	malformed, known := false, 0
	for i := range list {
		m := &list[i]
		malformed = malformed || m.Malformed
		known += strings.Count(m.Name, "@")
		if m.Kind == message.IsAddress {
			known++
		}
	}
	return malformed && strings.Count(value, "@") > known
}

// add takes a domain, once, and reports whether a policy can be looked up for it.
func (a *authors) add(domain string) bool {
	switch {
	case !strings.Contains(domain, "."):
		return false
	case slices.Contains(a.domains, domain):
	case len(a.domains) == maxAuthors:
		a.more = true
	default:
		a.domains = append(a.domains, domain)
	}
	return true
}
