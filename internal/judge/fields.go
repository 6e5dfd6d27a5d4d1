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

// spamFields are what speaks in a spam filter's name; a message that brings some along speaks for somebody else's.
var spamFields = []string{"X-Spam-Status", "X-Spam-Flag", "X-Spam-Score", "X-Spam-Level", "X-Spam-Report", "X-Spam-Checker-Version",
	"X-Spam", "X-Spamd-Bar", "X-Spamd-Result", "X-Rspamd-Score", "X-Rspamd-Action", "X-Virus-Scanned", "X-Virus-Status", "X-Postern-Verdict"}

// IsForged reports whether a field of a message that comes in speaks in our name: results of authentication that claim to
// be ours (RFC 8601 5), and a spam filter's words, which readers and filters here would take for ours.
func IsForged(name, value, hostname string) bool {
	if strings.EqualFold(name, "Authentication-Results") {
		return mailauth.IsOwnResults(value, hostname)
	}
	for _, n := range spamFields {
		if strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}
