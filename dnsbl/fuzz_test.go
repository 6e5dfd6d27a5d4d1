package dnsbl

import (
	"net/netip"
	"testing"
)

// FuzzParseZone: whatever passes as a zone, no answer that means an error is a listing in it.
func FuzzParseZone(f *testing.F) {
	for _, s := range []string{"zen.spamhaus.org", "bl.example.org=127.0.0.2|127.0.0.4-127.0.0.9*0.5", "x.y=127.0.0.0-127.255.255.255", "*", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		z, err := ParseZone(s)
		if err != nil {
			return
		}
		c := New(Options{Config: func() Config { return Config{} }})
		for _, a := range []string{"127.0.0.1", "127.255.255.252", "127.255.255.254", "127.255.255.255", "192.0.2.1"} {
			if got := c.read(z, []netip.Addr{netip.MustParseAddr(a)}); len(got.listings) > 0 {
				t.Fatalf("%q lists %s", s, a)
			}
		}
		if z.weight() <= 0 || z.queryZone("") == "" {
			t.Fatalf("%+v", z)
		}
	})
}
