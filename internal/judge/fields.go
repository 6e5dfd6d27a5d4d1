package judge

import (
	"bytes"
	"strings"

	"postern/internal/mailauth"
	"postern/internal/message"
	"postern/internal/verdict"
)

// Results is the Authentication-Results field (RFC 8601), with its line end.
func (v *Judgement) Results(hostname string) []byte { return v.Auth.Field(hostname) }

// Fields tell recipient i how their copy was judged. An external scanner's own fields stand before ours, and in place of
// those of the same name.
func (v *Judgement) Fields(i int) []byte {
	ours := verdict.Fields(v.Trace, &v.Trace.Recipients[i])
	if len(v.wishes.Headers) == 0 {
		return ours
	}
	var b []byte
	names := make([]string, 0, len(v.wishes.Headers))
	for _, f := range v.wishes.Headers {
		b = f.Append(b)
		names = append(names, f.Name)
	}
	return append(b, bytes.TrimSuffix(message.FilterHeader(nil, ours, names, true), []byte("\r\n"))...)
}

// spamFields are what speaks in the name of a spam filter or a virus scanner; a message that brings some along speaks for
// somebody else's. Those that end in a hyphen are beginnings of names.
var spamFields = []string{"X-Spam", "X-Spam-", "X-Spamd-", "X-Rspamd-", "X-Virus-", "X-Postern-Verdict"}

// MayBeForged reports whether IsForged may be true of a field of that name, whatever its value and our hostname are.
func MayBeForged(name string) bool {
	return name != "" && (name[0]|0x20 == 'x' || strings.EqualFold(name, "Authentication-Results"))
}

// IsForged reports whether a field of a message that comes in speaks in our name: results of authentication that claim to
// be ours (RFC 8601 5), and a spam filter's words, which readers and filters here would take for ours.
func IsForged(name, value, hostname string) bool {
	if strings.EqualFold(name, "Authentication-Results") {
		return mailauth.IsOwnResults(value, hostname)
	}
	for _, n := range spamFields {
		if strings.EqualFold(name, n) || strings.HasSuffix(n, "-") && len(name) > len(n) && strings.EqualFold(name[:len(n)], n) {
			return true
		}
	}
	return false
}

// ProtectedFields are names of fields that tell how a message was judged; one that ends in * stands for all that begin so. Nobody
// but the judge may write them.
func ProtectedFields() []string {
	names := []string{"Authentication-Results"}
	for _, n := range spamFields {
		if strings.HasSuffix(n, "-") {
			n += "*"
		}
		names = append(names, n)
	}
	return names
}
