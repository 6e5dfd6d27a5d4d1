package zone

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"postern/dkim"
	"postern/internal/resolver"
	"postern/internal/testdns"
)

var domain = sample()

func sample() Domain {
	d := Domain{Name: "example.test", Host: "mail.example.test",
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}
	for _, a := range []dkim.Algorithm{dkim.RSA, dkim.Ed25519} {
		key, err := dkim.GenerateKey(a, d.Name, string(a)+"1", time.Unix(0, 0))
		if err != nil {
			panic(err)
		}
		key.State = dkim.Active
		d.Keys = append(d.Keys, key)
	}
	return d
}

func records(t *testing.T, d Domain) []Record {
	t.Helper()
	list, err := Records(d)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTheZoneIsReadByAZoneParserAndHoldsWhatMailNeeds(t *testing.T) {
	text := Zone(domain, records(t, domain))
	parser := dns.NewZoneParser(strings.NewReader(text), ".", "zone")
	count := make(map[string]int)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		count[dns.TypeToString[rr.Header().Rrtype]+" "+rr.Header().Name]++
	}
	if err := parser.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"MX example.test.", "TXT example.test.", "TXT mail.example.test.", "TXT _dmarc.example.test.",
		"TXT rsa1._domainkey.example.test.", "TXT ed255191._domainkey.example.test.", "TXT _smtp._tls.example.test.",
		"SRV _submissions._tcp.example.test.", "SRV _imaps._tcp.example.test.", "SRV _sieve._tcp.example.test.", "A mail.example.test.", "AAAA mail.example.test."} {
		if count[want] != 1 {
			t.Errorf("%d of %s in\n%s", count[want], want, text)
		}
	}
	for _, want := range []string{`"v=spf1 a:mail.example.test ~all"`, `"v=DMARC1; p=reject; rua=mailto:postmaster@example.test"`, "MX\t10 mail.example.test."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestAHostOutsideTheDomainIsNotInTheDomainsZone(t *testing.T) {
	d := domain
	d.Name, d.Keys = "other.test", nil
	for _, r := range records(t, d) {
		if r.Type == "A" || r.Type == "AAAA" || r.Name == d.Host {
			t.Errorf("has %s", r.Line())
		}
	}
}

func check1(t *testing.T, zone string) map[string]Result {
	t.Helper()
	server := testdns.Start(t, zone)
	list := Check(t.Context(), resolver.New(resolver.Options{Servers: []string{server.Addr()}}), records(t, domain))
	results := make(map[string]Result)
	for _, r := range list {
		results[r.Type+" "+r.Name] = r
		if (r.State == OK) != (r.Fix == "") {
			t.Errorf("%s %s: %s, mending %q", r.Type, r.Name, r.State, r.Fix)
		}
	}
	return results
}

func TestAPublishedZoneIsAllRight(t *testing.T) {
	for name, r := range check1(t, Zone(domain, records(t, domain))) {
		if r.State != OK {
			t.Errorf("%s is %s: %v, want %s", name, r.State, r.Actual, r.Value)
		}
	}
}

func TestAnEmptyZoneMissesEverything(t *testing.T) {
	for name, r := range check1(t, "example.test. IN NS ns.example.test.") {
		if r.State != Missing {
			t.Errorf("%s is %s", name, r.State)
		}
	}
}

func TestWhatDiffersIsTold(t *testing.T) {
	key, err := domain.Keys[1].Record()
	if err != nil {
		t.Fatal(err)
	}
	reordered := strings.Split(key, ";")
	results := check1(t, `
example.test. IN MX 10 mail.example.test.
example.test. IN MX 20 backup.example.org.
example.test. IN TXT "some-verification=1"
example.test. IN TXT "v=spf1 include:example.org -all"
mail.example.test. IN TXT "v=spf1 a -all"
mail.example.test. IN TXT "v=spf1 mx -all"
mail.example.test. IN A 192.0.2.1
mail.example.test. IN A 192.0.2.2
mail.example.test. IN AAAA 2001:db8::2
_dmarc.example.test. IN TXT "v=DMARC1;p=reject;rua=mailto:postmaster@example.test"
rsa1._domainkey.example.test. IN TXT "v=DKIM1; k=rsa; p=AAAA"
ed255191._domainkey.example.test. IN TXT "`+strings.TrimSpace(reordered[0])+`;`+reordered[2]+` ; `+strings.TrimSpace(reordered[1])+`"
_imaps._tcp.example.test. IN SRV 0 1 993 imap.example.org.
`)
	for name, want := range map[string]State{
		"MX example.test": OK, "TXT example.test": Different, "TXT mail.example.test": Different, "A mail.example.test": OK,
		"AAAA mail.example.test": Different, "TXT _dmarc.example.test": OK, "TXT rsa1._domainkey.example.test": Different,
		"TXT ed255191._domainkey.example.test": OK, "SRV _imaps._tcp.example.test": Different, "SRV _pop3._tcp.example.test": Missing,
	} {
		if got := results[name]; got.State != want {
			t.Errorf("%s is %s: %v, want %s", name, got.State, got.Actual, want)
		}
	}
	if got := results["TXT example.test"].Actual; len(got) != 1 {
		t.Errorf("foreign texts are shown: %q", got)
	}
}

func TestADNSThatFailsIsNotAMissingRecord(t *testing.T) {
	server := testdns.Start(t, "")
	for _, name := range []string{"example.test.", "_dmarc.example.test."} {
		server.SetFailure(name, testdns.ServFail())
	}
	r := resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	for _, result := range Check(t.Context(), r, records(t, domain)) {
		if result.Name == "_dmarc.example.test" && result.State != Unknown {
			t.Errorf("%s is %s", result.Name, result.State)
		}
	}
}
