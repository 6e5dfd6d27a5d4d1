package story_test

import (
	"fmt"
	"strings"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"postern/internal/testdns"
	"postern/internal/verdict"
)

// authored is a message from the world with what its senders' domains say of themselves, and what must become of it.
type authored struct {
	name string
	// publish says what stands in the DNS; domain is the row's own and ip its client.
	publish func(g *gate, t *testing.T, domain, ip string)
	// from is the reverse-path and author the From field, in which @ stands for @domain; "" is a person there.
	from, author string
	// change makes the message of the plain letter, for instance signs it.
	change func(t *testing.T, letter, domain string) string
	// refused is the refusal's code with the words that it must hold, separated by "|"; mailbox where it goes otherwise.
	refused, mailbox string
	// spf, dkim and dmarc are the results in the field.
	spf, dkim, dmarc string
}

// publishes is what a domain usually has: its policy, and whether the row's client may send for it.
func publishes(policy string, client bool) func(*gate, *testing.T, string, string) {
	return func(g *gate, t *testing.T, domain, ip string) {
		if !client {
			ip = ""
		}
		g.domain(t, domain, ip, policy)
	}
}

func signedBy(prefix string) func(*testing.T, string, string) string {
	return func(t *testing.T, letter, domain string) string { return sign(t, letter, prefix+domain) }
}

func TestWhoIsProvenGetsInAndDMARCIsCarriedOut(t *testing.T) {
	g := openGate(t, "")
	forwarder := func(policy string) func(*gate, *testing.T, string, string) {
		return func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, "", policy)
			g.domain(t, "forwarder-of-"+domain, ip, "")
		}
	}
	for i, c := range []authored{
		{name: "SPF passes and is aligned", publish: publishes("reject", true), mailbox: "INBOX", spf: "pass", dkim: "none", dmarc: "pass"},
		{name: "SPF fails, and nobody asks for anything", publish: publishes("", false), mailbox: "INBOX", spf: "fail", dkim: "none", dmarc: "none"},
		{name: "a signature of the author's domain", publish: publishes("reject", true), change: signedBy(""), mailbox: "INBOX", spf: "pass", dkim: "pass", dmarc: "pass"},
		{name: "forwarded as it was: the signature proves it", publish: publishes("reject", false), change: signedBy(""), mailbox: "INBOX", spf: "fail", dkim: "pass", dmarc: "pass"},
		{name: "forwarded under another reverse-path", publish: forwarder("reject"), from: "srs@forwarder-of-", change: signedBy(""), mailbox: "INBOX", spf: "pass", dkim: "pass", dmarc: "pass"},
		{name: "neither is aligned, and the policy is to refuse", publish: forwarder("reject"), from: "x@forwarder-of-", change: signedBy("forwarder-of-"), refused: "550|5.7.1|DOMAIN|policy is to reject"},
		{name: "the client is none of the domain's, and the policy is to refuse", publish: publishes("reject", false), refused: "550|5.7.1|DOMAIN"},
		{name: "the text was changed", publish: publishes("reject", false), change: func(t *testing.T, letter, domain string) string {
			return strings.Replace(sign(t, letter, domain), "Thursday than", "Friday than", 1)
		}, refused: "550|5.7.1|DOMAIN"},
		{name: "the policy is quarantine", publish: forwarder("quarantine"), from: "x@forwarder-of-", mailbox: "Junk", spf: "pass", dkim: "none", dmarc: "fail"},
		{name: "the policy is none", publish: forwarder("none"), from: "x@forwarder-of-", mailbox: "INBOX", spf: "pass", dkim: "none", dmarc: "fail"},
		{name: "a policy for subdomains", publish: func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, "", "none; sp=reject")
			g.dns.SetTXT("news."+domain, "v=spf1 -all")
		}, from: "x@news.", author: "x@news.", refused: "550|5.7.1|news.DOMAIN"},
		{name: "relaxed: a subdomain's client", publish: func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, "", "reject")
			g.domain(t, "mail."+domain, ip, "")
		}, from: "x@mail.", mailbox: "INBOX", spf: "pass", dkim: "none", dmarc: "pass"},
		{name: "strict: a subdomain's client", publish: func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, "", "reject; aspf=s")
			g.domain(t, "mail."+domain, ip, "")
		}, from: "x@mail.", refused: "550|5.7.1|DOMAIN"},
		{name: "two authors, and the second one's domain refuses", publish: func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, ip, "reject")
			g.domain(t, "victim-of-"+domain, "", "reject")
		}, author: "x@, ceo@victim-of-", refused: "550|5.7.1|victim-of-DOMAIN"},
		{name: "two authors, both proven", publish: func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, ip, "reject")
			g.domain(t, "friend-of-"+domain, "", "reject")
		}, author: "x@, y@friend-of-", change: signedBy("friend-of-"), mailbox: "INBOX", spf: "pass", dkim: "pass", dmarc: "pass"},
		{name: "more authors than are asked about", publish: publishes("", true), author: "x@" + strings.Repeat(", x@", 3) + manyAuthors(9), refused: "550|5.7.1|more authors"},
		{name: "no reverse-path: the client's own name counts", publish: func(g *gate, t *testing.T, domain, ip string) {
			g.domain(t, domain, "", "quarantine")
			g.dns.SetTXT("mx"+strings.ReplaceAll(ip, ".", "-")+".example", "v=spf1 ip4:"+ip+" -all")
		}, from: "<>", mailbox: "Junk", spf: "pass", dkim: "none", dmarc: "fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			domain, ip := fmt.Sprintf("sender%d.example", i), fmt.Sprintf("127.60.%d.1", i)
			g.name(t, ip, "mx."+domain)
			c.publish(g, t, domain, ip)
			c.judge(t, g, domain, ip)
			g.leave(ip)
		})
	}
}

// manyAuthors are so many addresses, each of another domain below @.
func manyAuthors(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", x@author%d-of-", i)
	}
	return b.String()
}

// message writes the row's message.
func (c *authored) message(t *testing.T, g *gate, domain string) (from, text string) {
	at := func(s string) string {
		s = strings.ReplaceAll(s, "@, ", "@"+domain+", ")
		s = strings.ReplaceAll(s, "-of-, ", "-of-"+domain+", ")
		return s + domain
	}
	author := "Jane <jane@" + domain + ">"
	if c.author != "" {
		author = at(c.author)
	}
	from = "jane@" + domain
	switch c.from {
	case "":
	case "<>":
		from = ""
	default:
		from = at(c.from)
	}
	text = g.letter(author)
	if c.change != nil {
		text = c.change(t, text, domain)
	}
	return from, text
}

func (c *authored) judge(t *testing.T, g *gate, domain, ip string) {
	from, text := c.message(t, g, domain)
	messageID := strings.Trim(field(t, text, "Message-ID"), "<>")
	id, refused := g.send(t, ip, from, text, "alice@example.test")
	if c.refused != "" {
		c.mustBeRefused(t, g, refused, domain, messageID)
		return
	}
	if refused != nil {
		t.Fatalf("refused: %v", refused)
	}
	mailbox, raw := g.copyOf(t, "alice@example.test", messageID)
	if mailbox != c.mailbox {
		t.Errorf("it is in %q: %s", mailbox, g.Postern("spam", "explain", id))
	}
	results := field(t, string(raw), "Authentication-Results")
	for _, want := range []string{"spf=" + c.spf, "dkim=" + c.dkim, "dmarc=" + c.dmarc} {
		if !strings.Contains(results, want) {
			t.Errorf("no %s in %s", want, results)
		}
	}
	trace := g.trace(t, id)
	if spf, dkim, dmarc := check(trace, verdict.CheckSPF), check(trace, verdict.CheckDKIM), check(trace, verdict.CheckDMARC); spf.Result != c.spf || dkim.Result != c.dkim || dmarc.Result != c.dmarc {
		t.Errorf("the trace says %+v, %+v, %+v", spf, dkim, dmarc)
	}
	if r := trace.Recipients[0]; c.mailbox == "Junk" != strings.HasPrefix(r.Verdict.Rule, "dmarc: quarantine") || r.Mailbox != c.mailbox || trace.Reply != "250 2.6.0 Accepted as "+id {
		t.Errorf("decided %+v, answered %q", r, trace.Reply)
	}
}

// mustBeRefused wants a refusal that names the domain, and its judgement to be found by the id in it and by the Message-ID.
func (c *authored) mustBeRefused(t *testing.T, g *gate, refused *gosmtp.SMTPError, domain, messageID string) {
	if refused == nil {
		t.Fatal("accepted")
	}
	said := fmt.Sprintf("%d %d.%d.%d %s", refused.Code, refused.EnhancedCode[0], refused.EnhancedCode[1], refused.EnhancedCode[2], refused.Message)
	for _, want := range strings.Split(strings.ReplaceAll(c.refused, "DOMAIN", domain), "|") {
		if !strings.Contains(said, want) {
			t.Errorf("refused with %q, without %q", said, want)
		}
	}
	if mailbox, _ := g.copyOf(t, "alice@example.test", messageID); mailbox != "" {
		t.Errorf("refused, and in %s", mailbox)
	}
	trace := g.trace(t, "<"+messageID+">")
	if trace.Recipients[0].Verdict.Action != verdict.Reject || trace.Recipients[0].Mailbox != "" || !strings.HasPrefix(trace.Reply, "550 5.7.1 ") {
		t.Errorf("%+v, answered %q", trace.Recipients[0], trace.Reply)
	}
	if !strings.Contains(said, trace.ID) || g.trace(t, trace.ID).MessageID != trace.MessageID {
		t.Errorf("the reply %q does not lead to the judgement %s", said, trace.ID)
	}
}

func TestTheAdministratorAndTrustedForwardersOverrideDMARC(t *testing.T) {
	g := openGate(t, "")
	const ip = "127.61.1.1"
	g.name(t, ip, "mx.list.example")
	g.domain(t, "list.example", ip, "")
	g.domain(t, "strict.example", "", "reject")
	g.domain(t, "second.example", "", "reject")
	g.domain(t, "lax.example", "", "none")
	original := sign(t, g.letter("Jane <jane@strict.example>"), "strict.example")
	// What a mailing list does: a tag and a footer, and its word for what the message was.
	listed := sealWithPython(t, strings.Replace(original, "Subject: ", "Subject: [list] ", 1)+"-- \r\nThe list\r\n", "list.example",
		"dkim=pass header.d=strict.example; dmarc=pass header.from=strict.example")
	send := func(text string) (string, *gosmtp.SMTPError) {
		t.Helper()
		return g.send(t, ip, "bounces@list.example", text, "alice@example.test")
	}
	arrives := func(text, because string) {
		t.Helper()
		id, refused := send(text)
		if refused != nil {
			t.Errorf("refused: %v", refused)
			return
		}
		trace := g.trace(t, id)
		if mailbox, raw := g.copyOf(t, "alice@example.test", strings.Trim(trace.MessageID, "<>")); mailbox != "INBOX" || !strings.Contains(field(t, string(raw), "Authentication-Results"), "dmarc=fail") {
			t.Errorf("in %q:\n%s", mailbox, raw)
		}
		_, raw := g.copyOf(t, "alice@example.test", strings.Trim(trace.MessageID, "<>"))
		if told := strings.Join(strings.Fields(field(t, string(raw), "Authentication-Results")), " "); !strings.Contains(told, "dis=none "+because+")") {
			t.Errorf("the field does not tell what was done: %s", told)
		}
		if p := trace.Recipients[0].Policy; p.DMARC != "none" || p.DMARCSource != because {
			t.Errorf("the trace says DMARC %q because of %q", p.DMARC, p.DMARCSource)
		}
		if told := g.Postern("spam", "explain", id); !strings.Contains(told, "dmarc none ("+because+")") {
			t.Errorf("nobody is told why:\n%s", told)
		}
	}
	again := func(text string) string { // as another message
		g.letters++
		return strings.Replace(text, "Message-ID: <letter.", fmt.Sprintf("Message-ID: <letter.again%d.", g.letters), 1)
	}

	if _, refused := send(listed); refused == nil || refused.Code != 550 {
		t.Errorf("an untrusted sealer's word counts: %v", refused)
	}
	g.set("arc.trusted_sealers", "other.example,list.example")
	arrives(listed, "trusted ARC seal of list.example")
	if _, refused := send(strings.Replace(listed, "The list", "The lust", 1)); refused == nil || refused.Code != 550 {
		t.Errorf("a broken chain of a trusted sealer counts: %v", refused)
	}
	g.set("arc.trusted_sealers", "")

	g.set("dmarc.override", "strict.example=none")
	arrives(again(original), "override for strict.example")
	arrives(g.letter("Jane <jane@sub.strict.example>"), "override for strict.example")
	if _, refused := send(g.letter("jane@strict.example, joe@second.example")); refused == nil || refused.Code != 550 || !strings.Contains(refused.Message, "second.example") {
		t.Errorf("an override for one author is one for both: %v", refused)
	}
	g.set("dmarc.override", "*=none")
	arrives(g.letter("jane@strict.example, joe@second.example"), "override for all domains")

	// An override can ask for more than the domain does.
	g.set("dmarc.override", "lax.example=reject")
	if _, refused := send(g.letter("Jane <jane@lax.example>")); refused == nil || refused.Code != 550 || !strings.Contains(refused.Message, "lax.example") {
		t.Errorf("what fails is not refused: %v", refused)
	}
	g.set("dmarc.override", "lax.example=quarantine")
	id := g.accept(t, ip, "bounces@list.example", g.letter("Jane <jane@lax.example>"), "alice@example.test")
	if r := g.trace(t, id).Recipients[0]; r.Mailbox != "Junk" || r.Verdict.Rule != "dmarc: quarantine, override for lax.example" {
		t.Errorf("%+v", r)
	}
}

// TestTroubleInTheDNSNeverLosesMail: where the outcome hangs on an answer that does not come, the sender is asked to come
// again, and gets in when the DNS is well; elsewhere the message is taken.
func TestTroubleInTheDNSNeverLosesMail(t *testing.T) {
	g := openGate(t, "")
	for i, c := range []struct {
		name    string
		policy  string
		client  bool   // may send for the domain
		signed  bool   // for the domain
		failing string // the name that fails; @ is the domain
		waits   bool   // 451 until it is well
		mailbox string // when it is taken; "INBOX" if empty
	}{
		{name: "the policy", policy: "reject", failing: "_dmarc.@"},
		{name: "the policy of a proven author", policy: "reject", client: true, failing: "_dmarc.@"},
		{name: "SPF, and the policy is to refuse", policy: "reject", client: true, failing: "@", waits: true},
		{name: "SPF, and the policy is quarantine", policy: "quarantine", client: true, failing: "@", waits: true},
		{name: "SPF, and the policy is none", policy: "none", client: true, failing: "@"},
		{name: "SPF, and there is no policy", client: true, failing: "@"},
		{name: "SPF, and the signature proves it", policy: "reject", client: true, signed: true, failing: "@"},
		{name: "the key, and the policy is to refuse", policy: "reject", signed: true, failing: "s._domainkey.@", waits: true},
		{name: "the key, and the policy is quarantine", policy: "quarantine", signed: true, failing: "s._domainkey.@", waits: true},
		{name: "the key, and the policy is none", policy: "none", signed: true, failing: "s._domainkey.@"},
		{name: "the key, and SPF proves it", policy: "reject", client: true, signed: true, failing: "s._domainkey.@"},
		{name: "all", policy: "reject", client: true, signed: true, failing: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			domain, ip := fmt.Sprintf("trouble%d.example", i), fmt.Sprintf("127.62.%d.1", i)
			client := ip
			if !c.client {
				client = ""
			}
			g.domain(t, domain, client, c.policy)
			letter := g.letter("Jane <jane@" + domain + ">")
			if c.signed {
				letter = sign(t, letter, domain)
			}
			failing := strings.Replace(c.failing, "@", domain, 1)
			g.dns.SetFailure(failing, testdns.ServFail())
			id, refused := g.send(t, ip, "jane@"+domain, letter, "alice@example.test")
			if c.waits {
				if refused == nil || refused.Code != 451 || refused.EnhancedCode != (gosmtp.EnhancedCode{4, 7, 1}) || !strings.Contains(refused.Message, domain) {
					t.Fatalf("told %v, accepted as %q", refused, id)
				}
				trace := g.trace(t, strings.Trim(field(t, letter, "Message-ID"), "<>"))
				if r := trace.Recipients[0]; r.Verdict.Action != verdict.Greylist || !strings.Contains(r.Verdict.Rule, "cannot be checked now") || !strings.HasPrefix(trace.Reply, "451 4.7.1 ") {
					t.Errorf("%+v, answered %q", r, trace.Reply)
				}
				g.dns.SetFailure(failing, testdns.Failure{})
				id, refused = g.send(t, ip, "jane@"+domain, letter, "alice@example.test")
			}
			g.dns.SetFailure(failing, testdns.Failure{})
			if refused != nil {
				t.Fatalf("refused: %v", refused)
			}
			if r := g.trace(t, id).Recipients[0]; r.Mailbox != "INBOX" {
				t.Errorf("%+v", r)
			}
			g.leave(ip)
		})
	}
}

// TestADomainOfOursCannotBeClaimedFromOutside: who is ours logs in, or is proven by SPF or DKIM.
func TestADomainOfOursCannotBeClaimedFromOutside(t *testing.T) {
	g := openGate(t, "")
	const ip, branch = "127.63.1.1", "127.63.2.1"
	g.domain(t, "example.test", branch, "")
	g.domain(t, "elsewhere.example", ip, "")
	forged := g.letter("Boss <boss@example.test>")
	g.dns.SetFailure("example.test", testdns.ServFail())
	if _, refused := g.send(t, branch, "boss@example.test", forged, "alice@example.test"); refused == nil || refused.Code != 451 || !strings.Contains(refused.Message, "example.test") {
		t.Errorf("while the DNS does not answer: %v", refused)
	}
	g.dns.SetFailure("example.test", testdns.Failure{})
	for from, ip := range map[string]string{"boss@example.test": ip, "x@elsewhere.example": ip, "": ip} {
		_, refused := g.send(t, ip, from, forged, "alice@example.test")
		if refused == nil || refused.Code != 550 || !strings.Contains(refused.Message, "log in") {
			t.Errorf("from <%s>: %v", from, refused)
			continue
		}
		trace := g.trace(t, strings.Trim(field(t, forged, "Message-ID"), "<>"))
		if r := trace.Recipients[0]; r.Verdict.Action != verdict.Reject || !strings.HasPrefix(r.Verdict.Rule, "claim: example.test is ours") || !strings.Contains(refused.Message, trace.ID) {
			t.Errorf("%+v, answered %q", r, trace.Reply)
		}
	}
	g.accept(t, branch, "boss@example.test", g.letter("Boss <boss@example.test>"), "alice@example.test")
	g.accept(t, ip, "x@elsewhere.example", sign(t, g.letter("Boss <boss@example.test>"), "example.test"), "alice@example.test")

	g.set("spam.enabled", "false")
	if _, refused := g.send(t, ip, "x@elsewhere.example", forged, "alice@example.test"); refused == nil || refused.Code != 550 {
		t.Errorf("with spam.enabled off: %v", refused)
	}
}

// TestAMessageMadeToAskWithoutEndAsksALittle: ten signatures of names that do not answer, SPF that includes without end,
// and authors of many domains ask no more of the DNS than is allowed for one message.
func TestAMessageMadeToAskWithoutEndAsksALittle(t *testing.T) {
	g := openGate(t, "")
	g.set("dnsbl.timeout", "1s")
	g.set("uribl.timeout", "1s")
	const ip = "127.64.1.1"
	g.dns.SetNegativeTTL(0)
	for i := range 40 {
		g.dns.SetTXT(fmt.Sprintf("spf%d.flood.example", i), fmt.Sprintf("v=spf1 include:spf%d.flood.example a:a%d.flood.example mx:m%[2]d.flood.example ~all", i+1, i))
	}
	g.dns.SetTXT("flood.example", "v=spf1 include:spf0.flood.example include:spf20.flood.example -all")
	letter := g.letter("a@flood.example, b@one.flood.example, c@two.one.flood.example, d@d.three.two.one.flood.example")
	for i := range 60 {
		letter = strings.Replace(sign(t, letter, "flood.example"), "s=s", fmt.Sprintf("s=s%d", i), 1)
	}
	before := g.dns.Asked("")
	g.accept(t, ip, "a@flood.example", letter, "alice@example.test")
	if asked := g.dns.Asked("") - before; asked > 160 || asked < 30 {
		t.Errorf("%d questions", asked)
	}
	// Nobody answers at all: the message is taken, after a number of tries.
	g.leave(ip)
	t.Parallel() // it waits most of the time
	g.dns.SetFailure("", testdns.Timeout())
	before = g.dns.Asked("")
	quiet := strings.ReplaceAll(strings.ReplaceAll(letter, "flood.example", "quiet.example"), "letter.", "again.")
	id := g.accept(t, "127.64.2.1", "a@quiet.example", quiet, "alice@example.test")
	if asked := g.dns.Asked("") - before; asked > 160 || asked == 0 {
		t.Errorf("%d questions to a server that does not answer", asked)
	}
	g.dns.SetFailure("", testdns.Failure{})
	if trace := g.trace(t, id); check(trace, verdict.CheckSPF).Result != "temperror" || trace.Recipients[0].Mailbox == "" {
		t.Errorf("%+v", trace)
	}
}
