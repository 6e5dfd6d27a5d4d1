package spf

import "postern/internal/address"

// maxExplanation bounds what a domain can make us tell its senders, in bytes: a reply line of SMTP holds 512.
const maxExplanation = 500

// explain gives what the domain whose record decided has to say (RFC 7208 6.2). Whatever goes wrong, there is just none.
func (e *evaluation) explain(o outcome) string {
	if o.exp == nil {
		return ""
	}
	name, ok := e.name(o.exp, o.domain)
	if !ok {
		return ""
	}
	answer, err := e.resolver.TXT(e.ctx, name)
	if err != nil || len(answer.Values) != 1 {
		return ""
	}
	m, err := parseMacros(answer.Values[0], inExplanation)
	if err != nil {
		return ""
	}
	text := e.expand(m, o.domain)
	if !address.IsASCII(text) {
		return ""
	}
	return printable(text, maxExplanation)
}

// printable is s in printable ASCII, cut to a length.
func printable(s string, most int) string {
	b := []byte(s[:min(len(s), most)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
