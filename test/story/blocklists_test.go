package story_test

import (
	"fmt"
	"strings"
	"testing"

	"postern/internal/testdns"
	"postern/internal/verdict"
)

func TestAListedDomainInALinkCountsAndErrorsOfTheListDoNot(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	link := func(domain string) verdict.Trace {
		t.Helper()
		s := g.stranger(t, true)
		letter := g.compose("Jane <"+s.author+">", nil, "Hello Alice,", "", "the pictures of our trip are at https://www."+domain+"/album?id=7 now.", "", "Jane")
		trace, _ := g.arrives(t, s, letter, alice)
		return trace
	}
	if c := check(link("good.example"), verdict.CheckURIBL); c.Result != "clean" || c.Points != 0 {
		t.Errorf("a link to a good domain: %+v", c)
	}
	for code, points := range map[string]string{"127.0.1.2": "3.50", "127.0.1.4": "3.50", "127.0.1.102": "1.75"} {
		domain := "bad" + strings.ReplaceAll(code, ".", "-") + ".example"
		g.dns.Set(t, domain+".dbl.spamhaus.org. 60 IN A "+code+"\n")
		c := check(link(domain), verdict.CheckURIBL)
		if c.Result != "listed" || c.Points.String() != points || len(c.Parts) != 1 || c.Parts[0].Name != domain {
			t.Errorf("%s: %+v", code, c)
		}
	}
	for i, e := range []struct{ code, told string }{
		{"127.255.255.254", "public or open resolver"}, {"127.255.255.252", "mistyped"}, {"127.255.255.255", "too many questions"},
		{"127.255.255.250", "refuses our questions"}, {"127.0.1.255", "refuses our questions"}, {"127.0.0.1", "no living list"},
		{"192.0.2.1", "makes up answers"}, {"SERVFAIL", "gives no answer"},
	} {
		domain := fmt.Sprintf("error%d.example", i)
		if e.code == "SERVFAIL" {
			g.dns.SetFailure(domain+".dbl.spamhaus.org", testdns.ServFail())
		} else {
			g.dns.Set(t, domain+".dbl.spamhaus.org. 60 IN A "+e.code+"\n")
		}
		trace := link(domain)
		if c := check(trace, verdict.CheckURIBL); c.Points != 0 || c.Result == "listed" || trace.Recipients[0].Mailbox != "INBOX" {
			t.Errorf("%s: %+v, in %q", e.code, c, trace.Recipients[0].Mailbox)
		}
		if e.code != "127.0.1.255" { // the same trouble as the one before
			g.alert(t, "dbl.spamhaus.org", e.told)
		}
	}
	g.alert(t, "dbl.spamhaus.org", "uribl.zones")
}

func TestAListOfClientsThatRefusesUsIsToldOfAndOneThatWeighsLittleCounts(t *testing.T) {
	g := openGate(t, "")
	g.set("dnsbl.zones", "zen.spamhaus.org,half.example*0.5")
	const alice = "alice@example.test"
	listed, unlucky := g.stranger(t, false), g.stranger(t, false)
	g.dns.Set(t, "1.1.70.127.half.example. 60 IN A 127.0.0.2\n1.2.70.127.zen.spamhaus.org. 60 IN A 127.255.255.254\n")
	trace, _ := g.arrives(t, listed, g.letter(listed.author), alice)
	if c := check(trace, verdict.CheckDNSBL); c.Result != "listed" || c.Points.String() != "2.00" || c.Parts[0].Name != "half.example" {
		t.Errorf("half a listing: %+v", c)
	}
	trace, _ = g.arrives(t, unlucky, g.letter(unlucky.author), alice)
	if c := check(trace, verdict.CheckDNSBL); c.Points != 0 || c.Result != "unavailable" || trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("a list that refuses us: %+v", c)
	}
	g.alert(t, "zen.spamhaus.org", "public or open resolver", "Run a resolver of your own", "dnsbl.dqs_key")

	g.set("dnsbl.enabled", "false")
	g.leave(listed.ip) // the lists are asked when a client comes
	trace, _ = g.arrives(t, listed, g.letter(listed.author), alice)
	if c := check(trace, verdict.CheckDNSBL); c.Result != "not asked" || c.Points != 0 {
		t.Errorf("switched off: %+v", c)
	}
}
