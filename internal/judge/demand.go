package judge

import (
	"postern/internal/mailauth"
	"postern/internal/mailauth/dmarc"
)

// demand is what is to be done because of DMARC, by what the authors' domains ask for and the administrator has against it.
type demand struct {
	// policy is "" when nothing is asked for and nothing was overridden.
	policy dmarc.Policy
	// source says why it is not what the author's domain asks for; empty when it is.
	source string
	// author is the domain whose message this would be; "" when the message names too many.
	author string
	// unsure: whoever asks for it might be proven once the DNS answers.
	unsure bool
}

// demandOf joins what the authors' domains ask for: the strictest holds (RFC 9989 5.3.1).
func demandOf(d mailauth.DMARC, p Policies) demand {
	if d.TooMany {
		return demand{policy: d.Disposition}
	}
	out := demand{policy: dmarc.None, unsure: true}
	for _, a := range d.Authors {
		wanted, why := wantedFor(a, p)
		if dmarc.Stricter(out.policy, wanted) != out.policy || out.policy == dmarc.None && out.source == "" {
			out.policy, out.source, out.author = wanted, why, a.Domain
		}
		out.unsure = out.unsure && (a.Unsure || wanted == dmarc.None)
	}
	if out.policy == dmarc.None && out.source == "" {
		return demand{}
	}
	out.unsure = out.unsure && out.policy != dmarc.None
	return out
}

// wantedFor is what is to be done because of one author, and why it is not what the author's domain asks for.
func wantedFor(a mailauth.Author, p Policies) (wanted dmarc.Policy, why string) {
	if a.Status != mailauth.Fail && (a.Disposition == "" || a.Disposition == dmarc.None) {
		return dmarc.None, ""
	}
	if a.Override != "" {
		if a.Disposition == dmarc.None {
			return dmarc.None, ""
		}
		return dmarc.None, "trusted ARC seal of " + a.Override
	}
	if own, source, ok := p.DMARC(a.Domain); ok {
		return dmarc.Policy(own), source
	}
	return a.Disposition, ""
}
