package server

import (
	"net/netip"
	"testing"

	"postern/internal/config"
)

func TestOurOwnPort25IsKnownAndAnotherOnThisMachineIsNot(t *testing.T) {
	at := func(ip string, port uint16) *config.Config {
		a := config.Address{Port: port}
		if ip != "" {
			a.IP = netip.MustParseAddr(ip)
		}
		return &config.Config{Listen: map[string][]config.Address{"smtp": {a}}}
	}
	for _, c := range []struct {
		listen string
		port   uint16
		ip     string
		own    bool
	}{
		{"", 25, "127.0.0.1", true}, {"", 25, "::1", true}, {"", 25, "192.0.2.1", false}, {"0.0.0.0", 25, "127.0.0.1", true},
		{"192.0.2.1", 25, "192.0.2.1", true}, {"192.0.2.1", 25, "::ffff:192.0.2.1", true}, {"192.0.2.1", 25, "127.0.0.1", false},
		{"127.0.0.1", 2025, "127.0.0.1", false}, {"127.0.0.1", 25, "127.0.0.19", false},
	} {
		if got := ownAddresses(at(c.listen, c.port))(netip.MustParseAddr(c.ip)); got != c.own {
			t.Errorf("listening on %s:%d, %s is own: %v", c.listen, c.port, c.ip, got)
		}
	}
}
