package dmarc

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"postern/internal/address"
)

// OrganizationalDomain is the name registered below a public suffix (RFC 7489 3.2), in lower-case A-labels; a public suffix
// is its own. It is empty for what is no domain name. Of the list both sections count, that of the registries and that of
// companies who let out names.
func OrganizationalDomain(domain string) string { return organizationOf(Normalize(domain)) }

// SameOrganization reports whether two domains have the same organizational domain.
func SameOrganization(a, b string) bool {
	a, b = Normalize(a), Normalize(b)
	return a != "" && (a == b || organizationOf(a) == organizationOf(b))
}

// organizationOf is OrganizationalDomain of a name as Normalize gives it.
func organizationOf(domain string) string {
	if domain == "" {
		return ""
	}
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain
}

// IsPublicSuffix reports whether names below a domain belong to different owners.
func IsPublicSuffix(domain string) bool {
	domain = Normalize(domain)
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return domain != "" && suffix == domain
}

// Normalize gives a domain name in lower-case A-labels without a final dot, "" for what is none. It is generous: a name
// that the DNS can hold is one, whatever a registry would say of it, for a forged author's need not be registered.
func Normalize(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if !address.IsASCII(domain) {
		if address.TooLong(domain) {
			domain = strings.Map(visible, domain) // a reader may see another name in it
		}
		if address.TooLong(domain) {
			return ""
		}
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			ascii, err = idna.Punycode.ToASCII(domain)
		}
		if err != nil {
			return ""
		}
		domain = ascii
	}
	domain = strings.ToLower(domain)
	if len(domain) > 253 {
		return ""
	}
	label := 0
	for i := range len(domain) {
		switch c := domain[i]; {
		case c == '.' && label > 0:
			label = 0
		case label < 63 && isInNames(c):
			label++
		default:
			return ""
		}
	}
	if label == 0 {
		return ""
	}
	return domain
}

// visible leaves out the characters that nobody sees, which A-labels do not have either.
func visible(r rune) rune {
	if unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
		return -1
	}
	return r
}

func isInNames(c byte) bool {
	switch c {
	case '.', '"', '(', ')', ',', ':', ';', '<', '>', '@', '[', '\\', ']':
		return false
	}
	return c > ' ' && c < 0x7f
}
