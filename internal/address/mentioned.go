package address

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMentioned bounds the places that are looked at in one text.
const maxMentioned = 10000

// MentionedDomains gives what stands behind each "@" of a text and is a domain name, as lower-case A-labels: for address lists
// that cannot be read in one way only, and in which another program may find any of them.
func MentionedDomains(text string) (domains []string) {
	for range maxMentioned {
		_, rest, found := strings.Cut(text, "@")
		if !found {
			break
		}
		text = rest
		rest = strings.TrimLeft(rest, " \t[\"(")
		for _, foreign := range []func(rune) bool{endsASCIIName, endsName} {
			name := rest
			if end := strings.IndexFunc(rest, foreign); end >= 0 {
				name = rest[:end]
			}
			if domain, err := NormalizeDomain(strings.Trim(name, ".-")); err == nil {
				domains = append(domains, domain)
			}
		}
	}
	return domains
}

func endsASCIIName(r rune) bool { return r >= utf8.RuneSelf || endsName(r) }

func endsName(r rune) bool {
	return r != '.' && r != '-' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}
