package serve

import (
	"net"
	"net/netip"
)

// addresses are those at which the world reaches our SMTP service: those that the configuration names, or, where it
// listens everywhere, those of this machine. Behind a router that translates there are none to be known.
func (in *instance) addresses() []netip.Addr {
	var public []netip.Addr
	for _, a := range in.config.Listen["smtp"] {
		switch {
		case !a.IP.IsValid():
			return machineAddresses(func(netip.Addr) bool { return true })
		case a.IP.IsUnspecified():
			public = append(public, machineAddresses(func(ip netip.Addr) bool { return ip.Is4() == a.IP.Is4() })...)
		case isPublic(a.IP):
			public = append(public, a.IP)
		}
	}
	return public
}

func machineAddresses(wanted func(netip.Addr) bool) []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for _, a := range all {
		network, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(network.IP)
		if ip = ip.Unmap(); ok && isPublic(ip) && wanted(ip) {
			list = append(list, ip)
		}
	}
	return list
}

// isPublic reports whether the world can reach the address.
func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, text := range []string{
		"100.64.0.0/10",                                     // behind a provider's translation (RFC 6598)
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation (RFC 5737)
		"198.18.0.0/15", // measurements (RFC 2544)
		"2001:db8::/32", // documentation (RFC 3849)
	} {
		if netip.MustParsePrefix(text).Contains(ip) {
			return false
		}
	}
	return true
}
