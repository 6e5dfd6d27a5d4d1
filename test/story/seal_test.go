package story_test

import (
	"strings"
	"testing"
)

// arcVerify has dkimpy verify the chain of a message by the test's DNS: what it says of it, and by whom the newest set is.
func (g *gate) arcVerify(t *testing.T, message []byte) string {
	t.Helper()
	return strings.TrimSpace(string(python(t, dnsForPython(g.dns)+`
cv, results, reason = dkim.arc_verify(open(sys.argv[1], "rb").read(), dnsfunc=txt)
print((cv or b"none").decode(), [(r["instance"], r["cv"].decode(), r["as-domain"].decode()) for r in results])
`, message)))
}

// TestWhatAGroupForwardsIsSealed: those whom a group of ours leads to see by an ARC set of ours what we found, and can believe
// it; the sender's own signature and the chain of earlier forwarders stay whole.
func TestWhatAGroupForwardsIsSealed(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.52\n")
	far := listenAsMX(t, "127.0.0.52")
	publish(t, g.Server, g.dns)
	g.Postern("group", "add", "team@example.test", "alice@example.test", "out@far.example")
	s := g.stranger(t, true)
	g.domain(t, "strict.example", "", "reject")
	g.domain(t, "list.example", s.ip, "")
	letter := sign(t, g.letter("Jane <jane@strict.example>", "Authentication-Results: mail.example.test; dmarc=pass header.from=forged.example"), "strict.example")
	forwarded := func(n int, mail string) string {
		t.Helper()
		id := g.accept(t, s.ip, "jane@"+s.domain, mail, "team@example.test")
		if r := verdictOf(t, g.trace(t, id), "team@example.test"); r.Verdict.Action != "inbox" {
			t.Errorf("%+v", r)
		}
		got := far.wait(t, n)
		if !strings.HasSuffix(got.from, "@example.test") {
			t.Errorf("forwarded from %s", got.from)
		}
		return string(got.data)
	}
	got := forwarded(1, letter)
	if said := g.arcVerify(t, []byte(got)); said != "pass [(1, 'none', 'example.test')]" {
		t.Errorf("dkimpy says %s of\n%s", said, got)
	}
	for name, want := range map[string]string{"ARC-Authentication-Results": "i=1; mail.example.test;", "Authentication-Results": "mail.example.test;"} {
		value := field(t, got, name)
		if !strings.HasPrefix(value, want) || !strings.Contains(value, "dmarc=pass") || !strings.Contains(value, "header.from=strict.example") {
			t.Errorf("%s: %s", name, value)
		}
	}
	if strings.Contains(got, "forged.example") || count(got, "Authentication-Results") != 1 {
		t.Errorf("forged results travel along:\n%s", got)
	}
	passed := string(python(t, dnsForPython(g.dns)+`
d = dkim.DKIM(open(sys.argv[1], "rb").read())
n = sum(1 for f, _ in d.headers if f.lower() == b"dkim-signature")
for i in range(n):
    print(d.verify(idx=i, dnsfunc=txt), d.domain.decode())
`, []byte(got)))
	if strings.Count(passed, "True example.test") != 2 || !strings.Contains(passed, "True strict.example") || strings.Contains(passed, "False") {
		t.Errorf("signatures: %s", passed)
	}
	// What was sealed before keeps its set, and gets a second one.
	sealed := sealWithPython(t, sign(t, g.letter("Jane <jane@strict.example>"), "strict.example"), "list.example", "dmarc=pass header.from=strict.example")
	if said := g.arcVerify(t, []byte(forwarded(2, sealed))); said != "pass [(2, 'pass', 'example.test'), (1, 'none', 'list.example')]" {
		t.Errorf("dkimpy says %s", said)
	}
}
