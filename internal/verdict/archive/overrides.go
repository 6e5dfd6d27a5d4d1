package archive

import (
	"strings"

	"postern/internal/address"
	"postern/internal/directory"
	"postern/internal/settings"
)

// readOverrides gives what the administrator holds against what domains say of themselves.
func readOverrides(s *settings.Settings) *Overrides {
	o, _ := ParseOverrides(settings.DMARCOverride.Get(s)) // the settings have checked them
	return &o
}

// Overrides are policies by domain in lower-case A-labels, as the setting dmarc.override lists them.
type Overrides map[string]string

// ParseOverrides reads entries such as example.org=none.
func ParseOverrides(entries []string) (Overrides, error) {
	o := Overrides{}
	for _, entry := range entries {
		domain, policy, _ := strings.Cut(strings.ToLower(entry), "=")
		normal, err := address.NormalizeDomain(domain)
		if domain == "*" {
			normal, err = domain, nil
		}
		if err != nil || policy != "none" && policy != "quarantine" && policy != "reject" {
			return nil, directory.Refuse(directory.ErrInvalid, "%q is no override of a DMARC policy; write one such as example.org=none, with none, quarantine or reject", entry)
		}
		o[normal] = policy
	}
	return o, nil
}

// For finds the override of an author's domain: its own, that of the nearest domain above it, or that of all; source is how
// a trace names it. ok is false when there is none, and what the domain asks for holds.
func (o Overrides) For(domain string) (policy, source string, ok bool) {
	if len(o) == 0 {
		return "", "", false
	}
	for rest, more := domain, true; more; _, rest, more = strings.Cut(rest, ".") {
		if policy, ok := o[rest]; ok {
			return policy, "override for " + rest, true
		}
	}
	if policy, ok := o["*"]; ok {
		return policy, "override for all domains", true
	}
	return "", "", false
}

// DMARC tells what the administrator wants done with mail that fails DMARC, in place of what its author's domain (lower-case
// A-labels) asks for: policy is "none", "quarantine" or "reject", source the words for [verdict.Policy.DMARCSource].
func (p *Policies) DMARC(domain string) (policy, source string, ok bool) {
	return p.overrides.Load().For(domain)
}
