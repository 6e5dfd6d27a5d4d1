package mailauth

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/clock"
)

type texts map[string]string

func (z texts) LookupTXT(_ context.Context, name string) ([]string, error) {
	switch text, ok := z[strings.TrimSuffix(name, ".")]; {
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case text == "SERVFAIL":
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	default:
		return []string{text}, nil
	}
}

func (z texts) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z texts) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z texts) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func checker(z texts) *Checker {
	return &Checker{Resolver: z, Timeout: time.Second, Clock: clock.System}
}

func TestSPFOfTheReversePathAndOfTheHeloName(t *testing.T) {
	c := checker(texts{"example.com": "v=spf1 ip4:192.0.2.1 -all", "mx.example.net": "v=spf1 ip6:2001:db8::1 -all", "broken.example": "SERVFAIL"})
	for _, test := range []struct {
		client, helo string
		from         address.Address
		want         Status
	}{
		{"192.0.2.1", "anything.example", address.Address{Local: "a", Domain: "example.com"}, Pass},
		{"192.0.2.2", "anything.example", address.Address{Local: "a", Domain: "example.com"}, Fail},
		{"2001:db8::1", "mx.example.net", address.Address{}, Pass},
		{"192.0.2.1", "x.example", address.Address{Local: "a", Domain: "nothing.example"}, None},
		{"192.0.2.1", "x.example", address.Address{Local: "a", Domain: "broken.example"}, TempError},
	} {
		got := c.CheckSPF(context.Background(), netip.MustParseAddr(test.client), test.helo, test.from)
		if got.Status != test.want {
			t.Errorf("%s for %v: got %s (%v), want %s", test.client, test.from, got.Status, got.Cause, test.want)
		}
	}
}

func TestOnlyAPassOfTheSameOrganizationAligns(t *testing.T) {
	r := Results{SPF: SPF{Status: Pass, Domain: "mail.example.co.uk"}, DKIM: []dkim.Verification{{Result: dkim.ResultFail, Domain: "example.org"}, {Result: dkim.ResultPass, Domain: "example.net"}}}
	for domain, want := range map[string]bool{"example.co.uk": true, "other.co.uk": false, "example.org": false, "sub.Example.NET": true, "co.uk": false, "": false} {
		if r.Aligned(domain) != want {
			t.Errorf("aligned with %q: %v", domain, !want)
		}
	}
}
