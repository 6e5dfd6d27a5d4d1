package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Service is one thing that can listen.
type Service struct {
	// Name is the key in [listen], the file descriptor's name in socket activation, and the name in the log.
	Name string
	// Port is the standard port.
	Port uint16
	// Loopback services listen on this machine only unless the file says otherwise.
	Loopback bool
	// Doc says what it is for.
	Doc string
}

var services = []Service{
	{Name: "smtp", Port: 25, Doc: "mail from the world (RFC 5321)"},
	{Name: "submission", Port: 587, Doc: "mail from users, STARTTLS (RFC 6409)"},
	{Name: "submissions", Port: 465, Doc: "mail from users, TLS from the first byte (RFC 8314)"},
	{Name: "imaps", Port: 993, Doc: "reading mail, TLS from the first byte (RFC 9051)"},
	{Name: "managesieve", Port: 4190, Doc: "users' Sieve scripts, STARTTLS (RFC 5804)"},
	{Name: "admin", Port: 4025, Loopback: true, Doc: "metrics and health over HTTP"},
}

// Services lists what this version of Postern serves, in the order in which ports are bound. The IMAP service has no
// plaintext sibling on 143: passwords and mail cross the wire inside TLS only (RFC 8314 3).
func Services() []Service { return append([]Service(nil), services...) }

// Address is one place to listen at. Without an IP it is every address of the machine, in both families.
type Address struct {
	IP   netip.Addr
	Port uint16
}

// String is the form of the file: ":25", "192.0.2.1:25", "[2001:db8::1]:25".
func (a Address) String() string {
	if !a.IP.IsValid() {
		return ":" + strconv.Itoa(int(a.Port))
	}
	return netip.AddrPortFrom(a.IP, a.Port).String()
}

// Network is what [net.Listen] needs to bind exactly the families that the address names. "tcp" with 0.0.0.0 would
// bind IPv6 as well and then collide with a second line for [::].
func (a Address) Network() string {
	switch {
	case !a.IP.IsValid():
		return "tcp"
	case a.IP.Is4():
		return "tcp4"
	}
	return "tcp6"
}

// ParseAddress reads ":25", "192.0.2.1:25", "[2001:db8::1]:25" or "[fe80::1%eth0]:25". Names are refused: what a name
// means could change between two starts of the server.
func ParseAddress(s string) (Address, error) {
	host, portText, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("%q is not an address with a port", s)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || len(portText) > 5 || portText[0] == '+' {
		return Address{}, fmt.Errorf("%q has no port between 0 and 65535", s)
	}
	if host == "" {
		return Address{Port: uint16(port)}, nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return Address{}, fmt.Errorf("%q does not name an IP address", s)
	}
	return Address{IP: ip.Unmap(), Port: uint16(port)}, nil
}

// defaults are the addresses of a service that the file does not mention, moved up by base.
func (s Service) defaults(base int) []Address {
	port := uint16(int(s.Port) + base)
	if s.Loopback {
		return []Address{{IP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Port: port}, {IP: netip.IPv6Loopback(), Port: port}}
	}
	return []Address{{Port: port}}
}
