package resolver

import (
	"testing"

	"github.com/miekg/dns"
)

// FuzzAnswer feeds packets as a hostile server would send them: whatever is in them, reading ends and gives records of
// the type asked for.
func FuzzAnswer(f *testing.F) {
	q := question("example.test.", dns.TypeTXT, true)
	m := new(dns.Msg)
	m.SetReply(q)
	text, _ := dns.NewRR(`example.test. 60 TXT "v=DKIM1; \"quoted\" \007" "second"`)
	circle, _ := dns.NewRR("example.test. 60 CNAME example.test.")
	m.Answer = append(m.Answer, text, circle)
	packet, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packet)
	f.Add(packet[:20])
	f.Fuzz(func(t *testing.T, packet []byte) {
		m := new(dns.Msg)
		if m.Unpack(packet) != nil {
			return
		}
		_ = answers(m, q)
		_, _ = alias(m, "example.test.", dns.TypeTXT)
		for _, rr := range bounded(m.Answer) {
			if txt, ok := rr.(*dns.TXT); ok {
				for _, s := range txt.Txt {
					if len(unescape(s)) > 255 {
						t.Fatalf("a string of %d bytes", len(unescape(s)))
					}
				}
			}
		}
		_ = negativeTTL(m)
	})
}

// FuzzName: a name is refused or can be asked for.
func FuzzName(f *testing.F) {
	for _, s := range []string{"example.test", ".", "a..b", "xn--e1afmkfd.test.", `a\.b`, "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		known, ok := canonical(name)
		if !ok {
			return
		}
		if _, err := question(cacheKey{name: known}.fqdn(), dns.TypeA, true).Pack(); err != nil {
			t.Fatalf("%q passed and cannot be packed: %v", name, err)
		}
	})
}
