package dnsbl_test

import (
	"context"
	"slices"
	"testing"

	"postern/dnsbl"
	"postern/internal/testdns"
)

func TestDomainsAreLookedUpInListsOfDomains(t *testing.T) {
	l := start(t, "dbl.spamhaus.org", "uri.example.org=127.0.0.2-127.0.0.254*0.4")
	for domain, code := range map[string]string{"spam.example": "127.0.1.2", "phish.example": "127.0.1.4", "broken.example": "127.0.1.102", "odd.example": "127.0.3.1"} {
		l.list(t, domain+".dbl.spamhaus.org", code)
	}
	l.list(t, "spam.example.uri.example.org", "127.0.0.8", "127.0.0.4")
	domains := []string{"clean.example", "spam.example", "phish.example", "broken.example", "odd.example", "192.0.2.7", "not a name", ""}
	v := l.BeginDomains(context.Background(), domains)()
	if v.Asked != 5 || v.Score != 1.4 {
		t.Errorf("asked about %d, score %v", v.Asked, v.Score)
	}
	got := map[string]float64{}
	for _, listing := range v.Listings {
		got[listing.Domain] += listing.Weight
	}
	want := map[string]float64{"spam.example": 1.4, "phish.example": 1, "broken.example": 0.5}
	for domain, weight := range want {
		if got[domain] != weight {
			t.Errorf("%s weighs %v, not %v", domain, got[domain], weight)
		}
	}
	if len(got) != len(want) {
		t.Errorf("listed: %v", got)
	}
	if len(v.Errors) != 1 || v.Errors[0].Problem != dnsbl.Unknown {
		t.Errorf("errors: %v", v.Errors)
	}
	if l.dns.Asked("192.0.2.7.dbl.spamhaus.org") != 0 {
		t.Error("an address was asked of a list of domains")
	}
}

func TestAListOfDomainsThatRefusesListsNobodyAndIsToldOf(t *testing.T) {
	for code, problem := range map[string]dnsbl.Problem{
		"127.255.255.252": dnsbl.Typo, "127.255.255.254": dnsbl.PublicResolver, "127.255.255.255": dnsbl.TooMany, "127.0.1.255": dnsbl.Refused,
		"127.0.0.1": dnsbl.NotAList, "203.0.113.9": dnsbl.MadeUp,
	} {
		l := start(t, "dbl.spamhaus.org")
		for _, domain := range []string{"a.example", "b.example", "c.example"} {
			l.list(t, domain+".dbl.spamhaus.org", code)
		}
		v := l.BeginDomains(context.Background(), []string{"a.example", "b.example", "c.example"})()
		if len(v.Listings) != 0 || v.Score != 0 || len(v.Errors) != 1 || v.Errors[0].Problem != problem {
			t.Errorf("%s: %+v", code, v)
		}
		if len(l.alerts) != 1 || l.alerts[0].Problem != problem {
			t.Errorf("%s: alerts %+v", code, l.alerts)
		}
	}
	l := start(t, "dbl.spamhaus.org")
	l.dns.SetFailure("", testdns.ServFail())
	if v := l.BeginDomains(context.Background(), []string{"a.example"})(); len(v.Listings) != 0 || len(v.Errors) != 1 || v.Errors[0].Problem != dnsbl.NoAnswer {
		t.Errorf("SERVFAIL: %+v", v)
	}
}

func TestDomainsOfAMessageAreBounded(t *testing.T) {
	l := start(t, "dbl.spamhaus.org")
	var many []string
	for i := range 200 {
		many = append(many, "d"+string(rune('a'+i%26))+string(rune('a'+i/26))+".example")
	}
	if v := l.BeginDomains(context.Background(), many)(); v.Asked != 20 || l.dns.Asked("") != 20 {
		t.Errorf("asked about %d domains, %d questions", v.Asked, l.dns.Asked(""))
	}
	l.cfg.Disabled = true
	if v := l.BeginDomains(context.Background(), slices.Clone(many))(); v.Asked != 0 {
		t.Errorf("asked although it is switched off: %+v", v)
	}
}

func TestListsOfDomainsAreProbedByTheirTestEntries(t *testing.T) {
	l := start(t, "dbl.spamhaus.org", "uri.example.org")
	l.list(t, "dbltest.com.dbl.spamhaus.org", "127.0.1.2")
	l.list(t, "test.uri.example.org", "127.0.0.2")
	if bad := l.ProbeDomains(t.Context()); len(bad) != 0 {
		t.Errorf("lists that work: %v", bad)
	}
	l = start(t, "uri.example.org", "all.example.org")
	l.list(t, "*.all.example.org", "127.0.0.2")
	bad := l.ProbeDomains(t.Context())
	if len(bad) != 2 || bad[0].Zone != "uri.example.org" || bad[1].Zone != "all.example.org" || bad[0].Fix() == bad[1].Fix() {
		t.Errorf("a list without its entry and one that lists all: %v", bad)
	}
}
