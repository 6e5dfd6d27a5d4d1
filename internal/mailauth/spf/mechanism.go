package spf

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"postern/internal/resolver"
)

// addressesOf asks for the addresses of the client's kind (RFC 7208 5).
func (e *evaluation) addressesOf(name string) ([]netip.Addr, error) {
	if e.Client.Is4() {
		answer, err := e.resolver.LookupA(e.ctx, name)
		return answer.Values, err
	}
	answer, err := e.resolver.LookupAAAA(e.ctx, name)
	return answer.Values, err
}

// contains reports whether the client is in the network of one of the addresses.
func (e *evaluation) contains(list []netip.Addr, d *directive) bool {
	bits := d.v6
	if e.Client.Is4() {
		bits = d.v4
	}
	return slices.ContainsFunc(list, func(ip netip.Addr) bool {
		network, err := ip.Prefix(bits)
		return err == nil && network.Contains(e.Client)
	})
}

// hasAddress is the mechanism "a" (RFC 7208 5.3).
func (e *evaluation) hasAddress(name string, d *directive) (bool, *outcome) {
	list, err := e.addressesOf(name)
	if err != nil {
		return false, e.void(err)
	}
	return e.contains(list, d), nil
}

// hasExchanger is the mechanism "mx" (RFC 7208 5.4).
func (e *evaluation) hasExchanger(name string, d *directive) (bool, *outcome) {
	answer, err := e.resolver.MX(e.ctx, name)
	if err != nil {
		return false, e.void(err)
	}
	if len(answer.Values) > maxNames { // RFC 7208 4.6.4
		return false, &outcome{result: PermError, cause: errors.New("the domain has more than 10 mail exchangers")}
	}
	empty := false
	for _, mx := range answer.Values {
		if !isName(mx.Host) {
			continue // a null MX (RFC 7505)
		}
		list, err := e.addressesOf(mx.Host)
		switch {
		case err == nil && e.contains(list, d):
			return true, nil
		case err == nil || empty && resolver.IsNotFound(err):
			continue
		}
		// RFC 7208 4.6.4 counts terms: hosts that have no address of the client's kind are one, however many they are.
		empty = true
		if problem := e.void(err); problem != nil {
			return false, problem
		}
	}
	return false, nil
}

// existsName is the mechanism "exists" (RFC 7208 5.7), which asks for IPv4 addresses whatever the client's kind.
func (e *evaluation) existsName(name string) (bool, *outcome) {
	answer, err := e.resolver.LookupA(e.ctx, name)
	if err != nil {
		return false, e.void(err)
	}
	return len(answer.Values) > 0, nil
}

// isNamed is the mechanism "ptr" (RFC 7208 5.5): a name of the client that leads back to it is name or below it.
func (e *evaluation) isNamed(name string) bool {
	return slices.ContainsFunc(e.names(), func(n string) bool { return within(n, name) })
}

// names are the client's names that lead back to it, of the first ten. Trouble on the way only leaves a name out.
func (e *evaluation) names() []string {
	if e.asked {
		return e.validated
	}
	e.asked = true
	answer, err := e.resolver.LookupPTR(e.ctx, e.Client)
	if err != nil {
		return nil
	}
	for _, name := range answer.Values[:min(len(answer.Values), maxNames)] {
		name = strings.ToLower(name)
		if list, err := e.addressesOf(name); err == nil && slices.Contains(list, e.Client) {
			e.validated = append(e.validated, name)
		}
	}
	return e.validated
}

// validatedName is "%{p}": the name that is closest to the domain, "unknown" without any (RFC 7208 7.3).
func (e *evaluation) validatedName(domain string) string {
	names := e.names()
	if len(names) == 0 {
		return "unknown"
	}
	if slices.Contains(names, domain) {
		return domain
	}
	if i := slices.IndexFunc(names, func(n string) bool { return within(n, domain) }); i >= 0 {
		return names[i]
	}
	return names[0]
}

func within(name, domain string) bool {
	domain = strings.ToLower(domain)
	return name == domain || strings.HasSuffix(name, "."+domain)
}

var _ Resolver = (*resolver.Resolver)(nil)
