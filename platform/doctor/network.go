package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/internal/config"
	"postern/internal/resolver"
	"postern/platform/zone"
)

// Ports: every service answers at every address.
func Ports(ctx context.Context, p Patient) []Finding {
	var list []Finding
	for _, service := range config.Services() {
		for _, a := range p.Config.Listen[service.Name] {
			for _, target := range targets(a) {
				list = append(list, port(ctx, service.Name, target))
			}
		}
	}
	return list
}

// targets are the addresses at which to knock: all addresses means both of this machine's own.
func targets(a config.Address) []netip.AddrPort {
	switch {
	case a.Port == 0:
		return nil // the system chose it, and only the server knows
	case !a.IP.IsValid():
		list := []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port)}
		if HasIPv6() {
			list = append(list, netip.AddrPortFrom(netip.IPv6Loopback(), a.Port))
		}
		return list
	case a.IP == netip.IPv4Unspecified():
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port)}
	case a.IP == netip.IPv6Unspecified():
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), a.Port)}
	case a.IP == netip.IPv6Loopback() && !HasIPv6():
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(a.IP, a.Port)}
}

// HasIPv6 reports whether this machine has its IPv6 loopback address.
func HasIPv6() bool {
	l, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func port(ctx context.Context, service string, target netip.AddrPort) Finding {
	subject := "port " + service + " " + target.String()
	const fix = "see the server's log, and whether a firewall on this machine is in the way"
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", target.String())
	if err != nil {
		return fail(subject, fix, "does not answer: %v", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if service == "submissions" || service == "imaps" {
		// The certificate is examined elsewhere.
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if err := secure.HandshakeContext(ctx); err != nil {
			return fail(subject, fix, "does not speak TLS: %v", err)
		}
		return ok(subject, "answers with %s", tls.VersionName(secure.ConnectionState().Version))
	}
	return ok(subject, "answers")
}

// Host: the server's name leads to an address, and the address back to the name.
func Host(ctx context.Context, p Patient) []Finding {
	if p.DNS == nil {
		return nil
	}
	host := p.Config.Hostname
	subject := "dns " + host
	addresses, err := p.DNS.LookupHost(ctx, host)
	switch {
	case err != nil && !resolver.IsNotFound(err):
		return []Finding{warn(subject, "check [dns] servers in postern.toml", "the DNS does not answer: %v", err)}
	case err != nil:
		return []Finding{fail(subject, "add A and AAAA records with the server's public addresses", "the server's name has no address")}
	}
	var list []Finding
	for _, ip := range addresses.Values {
		names, err := p.DNS.LookupPTR(ctx, ip)
		same := func(name string) bool { return strings.EqualFold(strings.TrimSuffix(name, "."), host) }
		switch fix := "ask whoever gave you the address for a PTR record that says " + host; {
		case err != nil && !resolver.IsNotFound(err):
			list = append(list, warn(subject, "try again", "whether %s has a name is not known: %v", ip, err))
		case err != nil:
			list = append(list, fail(subject, fix, "%s has no name (PTR); many servers refuse mail from it", ip))
		case !slices.ContainsFunc(names.Values, same):
			list = append(list, fail(subject, fix, "%s is named %s; many servers refuse mail from it", ip, strings.Join(names.Values, ", ")))
		default:
			list = append(list, ok(subject, "%s, and back", ip))
		}
	}
	return list
}

// DNS: the records of every domain.
func DNS(ctx context.Context, p Patient) []Finding {
	if p.DNS == nil {
		return nil
	}
	var list []Finding
	names := make([]string, 0, len(p.Domains))
	for name := range p.Domains {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		list = append(list, warn("domains", "add one with `postern domain add NAME`", "there is no mail domain yet"))
	}
	for _, name := range names {
		subject := "dns " + name
		wrong, unknown := 0, 0
		for _, r := range zone.Check(ctx, p.DNS, p.Domains[name]) {
			what := fmt.Sprintf("%s %s is %s", r.Type, r.Name, r.State)
			fix := r.Fix + ": `postern domain dns check " + name + "` shows more"
			switch {
			case r.State == zone.OK:
				continue
			case r.State == zone.Unknown:
				if unknown++; unknown == 1 { // one silent server is one finding
					list = append(list, warn(subject, r.Fix, "%s", what))
				}
			case r.Type == "SRV": // a convenience of clients, no mail is lost without
				list = append(list, warn(subject, fix, "%s", what))
			default:
				list = append(list, fail(subject, fix, "%s", what))
			}
			wrong++
		}
		if wrong == 0 {
			list = append(list, ok(subject, "all %d records stand", len(p.Domains[name])))
		}
	}
	return list
}
