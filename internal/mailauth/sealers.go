package mailauth

import (
	"strings"

	"postern/dkim"
	"postern/internal/mailauth/authres"
	"postern/internal/mailauth/dmarc"
)

// vouchedFor gives the trusted sealer that saw the author's domain proven before the message was changed on its way, "" if
// there is none. It says something only if the chain passes. From the newest seal back, each sealer must be trusted: what
// an untrusted one sealed, it can have invented.
func vouchedFor(c dkim.Chain, author string, trusted []string) string {
	for i := len(c.Sets) - 1; i >= 0 && isTrusted(c.Sets[i].Domain, trusted); i-- {
		// What cannot be read of it is left out.
		f, _ := authres.Parse(c.Sets[i].Results)
		for _, r := range f.Results {
			if r.Value == "pass" && provesAuthor(r, author) {
				return c.Sets[i].Domain
			}
		}
	}
	return ""
}

func isTrusted(domain string, trusted []string) bool {
	domain = dmarc.Normalize(domain) // a seal may have it in U-labels
	for _, t := range trusted {
		t = dmarc.Normalize(t)
		if t != "" && (domain == t || strings.HasSuffix(domain, "."+t)) {
			return true
		}
	}
	return false
}

// provesAuthor reports whether a pass that a sealer wrote down is one for the author's domain.
func provesAuthor(r authres.Result, author string) bool {
	switch r.Method {
	case "dmarc":
		from := r.Get("header", "from")
		return from == "" || SameOrganization(domainOf(from), author)
	case "spf":
		from := r.Get("smtp", "mailfrom")
		if from == "" {
			from = r.Get("smtp", "mfrom") // as drafts had it
		}
		return SameOrganization(domainOf(from), author)
	case "dkim":
		signer := r.Get("header", "d")
		if signer == "" {
			signer = r.Get("header", "i")
		}
		return SameOrganization(domainOf(signer), author)
	}
	return false
}

// domainOf is the domain of an address, or the domain that stands in its place.
func domainOf(s string) string { return s[strings.LastIndexByte(s, '@')+1:] }
