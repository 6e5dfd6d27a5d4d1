package mailauth

import (
	"slices"
	"strings"

	"postern/internal/mailauth/dmarc"
	"postern/internal/message"
)

const (
	// maxAuthors bounds the domains in From that a policy is asked for. Nobody has more; who does wants to be lost in them.
	maxAuthors = 8
	// maxMailboxes bounds the addresses of From that are looked at.
	maxMailboxes = 1000
)

// authorDomains are the distinct domains of the authors, of every From field there is, at most maxAuthors. unreadable: some
// author has no domain that can be looked up. more: there are more than are given.
func authorDomains(h message.Header) (domains []string, unreadable, more bool) {
	for _, field := range h.All("From") {
		for _, m := range message.ParseAddressList(field.Value(), maxMailboxes) {
			if m.Kind != message.IsAddress {
				continue
			}
			domain := dmarc.Normalize(m.Host)
			switch {
			case domain == "" || !strings.Contains(domain, "."):
				unreadable = true
			case slices.Contains(domains, domain):
			case len(domains) == maxAuthors:
				more = true
			default:
				domains = append(domains, domain)
			}
		}
	}
	return domains, unreadable, more
}
