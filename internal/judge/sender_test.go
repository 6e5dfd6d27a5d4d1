package judge

import (
	"strconv"
	"strings"
	"testing"

	"postern/antispam/reputation"
	"postern/dkim"
	"postern/internal/address"
	"postern/internal/mailauth"
	"postern/internal/verdict"
)

func TestWhoAnswersForAMessageIsWhoIsProven(t *testing.T) {
	pass := func(domain string) []dkim.Verification {
		return []dkim.Verification{{Result: dkim.ResultPass, Domain: domain}}
	}
	spf := func(s mailauth.Status, domain string) mailauth.SPF { return mailauth.SPF{Status: s, Domain: domain} }
	for name, c := range map[string]struct {
		results mailauth.Results
		kind    reputation.Kind
		domain  string
	}{
		"the author":                   {mailauth.Results{SPF: spf(mailauth.Pass, "other.example"), DKIM: pass("mail.sender.example")}, reputation.AuthenticatedDomain, "sender.example"},
		"a signer, where it is none":   {mailauth.Results{SPF: spf(mailauth.Pass, "other.example"), DKIM: pass("Mail.List.example")}, reputation.AuthenticatedDomain, "list.example"},
		"the client's domain at least": {mailauth.Results{SPF: spf(mailauth.Pass, "out.other.example")}, reputation.AuthenticatedDomain, "other.example"},
		"nobody":                       {mailauth.Results{SPF: spf(mailauth.Fail, "sender.example")}, reputation.EnvelopeDomain, "sender.example"},
	} {
		b := newBench(t, letter)
		b.results = c.results
		found := false
		for _, k := range b.judge(t).keys {
			found = found || k == reputation.Key{Kind: c.kind, Name: c.domain}
			if k.Kind == reputation.AuthenticatedDomain && c.kind != k.Kind {
				t.Errorf("%s: counted under %+v", name, k)
			}
		}
		if !found {
			t.Errorf("%s: not counted under %s", name, c.domain)
		}
	}
}

func TestAddressLiteralsShareNoReputation(t *testing.T) {
	b := newBench(t, strings.Replace(letter, "jane@sender.example", "jane@[192.0.2.9]", 1))
	b.Arrival.From = address.Address{Local: "jane", Domain: "[192.0.2.9]"}
	b.results = mailauth.Results{}
	for _, k := range b.judge(t).keys {
		if k.Name == "" {
			t.Errorf("counted under %+v", k)
		}
	}
}

func TestReputationsAreBelievedTheMoreTheMoreIsKnown(t *testing.T) {
	points := func(standings map[string]reputation.Standing) verdict.Check {
		b := newBench(t, letter)
		b.standings = standings
		return find(b.judge(t), verdict.CheckReputation)
	}
	if c := points(nil); c.Result != "unknown" || c.Points != 0 {
		t.Errorf("nothing is known: %+v", c)
	}
	little, much := points(map[string]reputation.Standing{"192.0.2.1/32": {Spam: 1}}), points(map[string]reputation.Standing{"192.0.2.1/32": {Spam: 50}})
	if little.Result != "bad" || little.Points <= 0 || much.Points <= little.Points {
		t.Errorf("one and fifty: %s, %s", little.Points, much.Points)
	}
	if c := points(map[string]reputation.Standing{"192.0.2.1/32": {Spam: 20, Ham: 20}}); c.Points != 0 || c.Result != "even" {
		t.Errorf("as much spam as ham: %+v", c)
	}
	good := points(map[string]reputation.Standing{"sender.example": {Ham: 50}})
	if good.Result != "good" || good.Points >= 0 || good.Points < -verdict.P(1) {
		t.Errorf("good: %+v", good)
	}
	all := map[string]reputation.Standing{"192.0.2.0/24": {Spam: 1e6}, "192.0.2.1/32": {Spam: 1e6}, "sender.example": {Spam: 1e6}, "jane@sender.example": {Spam: 1e6}}
	if c := points(all); c.Points != verdict.P(worst) {
		t.Errorf("all that is bad: %+v", c)
	}
	for k := range all {
		all[k] = reputation.Standing{Ham: 1e6}
	}
	if c := points(all); c.Points != verdict.P(best) {
		t.Errorf("all that is good: %+v", c)
	}
}

func TestOnlyWhatTheMessageDecidedIsLearntOfItsSender(t *testing.T) {
	blocked, allowed := verdict.Check{Name: verdict.CheckSender, Result: "blocked"}, verdict.Check{Name: verdict.CheckSender, Result: "allowed"}
	for name, c := range map[string]struct {
		copies []string
		own    *verdict.Check // of the first copy
		want   string
	}{
		"wanted by all":            {[]string{"inbox", "inbox"}, nil, "ham"},
		"junk for all":             {[]string{"junk", "reject"}, nil, "spam"},
		"junk for one":             {[]string{"junk", "inbox"}, nil, ""},
		"marked":                   {[]string{"tag"}, nil, ""},
		"told to come again":       {[]string{"greylist"}, nil, ""},
		"refused by the score":     {[]string{"reject score 20.00 reaches"}, nil, "spam"},
		"refused by DMARC":         {[]string{"reject dmarc: reject, as"}, nil, ""},
		"junk by DMARC":            {[]string{"junk dmarc: quarantine, as"}, nil, ""},
		"it claims to be ours":     {[]string{"reject claim: example.test is ours"}, nil, ""},
		"one person blocks it":     {[]string{"junk"}, &blocked, ""},
		"one person allows it":     {[]string{"inbox"}, &allowed, ""},
		"one blocks what is Junk":  {[]string{"junk", "junk"}, &blocked, ""},
		"one allows what is liked": {[]string{"inbox", "inbox"}, &allowed, ""},
	} {
		b := newBench(t, letter)
		v := decided(c.copies...)
		if c.own != nil {
			v.Trace.Recipients[0].Checks = []verdict.Check{*c.own}
		}
		b.Learn(v)
		got := ""
		if len(b.noted) == 1 {
			got = b.noted[0]
		}
		if got != c.want || len(b.noted) > 1 {
			t.Errorf("%s: %v, not %q", name, b.noted, c.want)
		}
	}
}

func TestASignedMessageThatIsReplayedCountsOnceForItsSigner(t *testing.T) {
	provider := func(signature string, sent mailauth.SPF) *Judgement {
		v := decided("junk")
		v.Auth = mailauth.Results{SPF: sent, DKIM: []dkim.Verification{{Result: dkim.ResultPass, Domain: "provider.example", SignaturePrefix: signature}}}
		v.keys = []reputation.Key{{Kind: reputation.Network, Name: "192.0.2.0/24"}, {Kind: reputation.AuthenticatedDomain, Name: "provider.example"}}
		return v
	}
	elsewhere, itself := mailauth.SPF{Status: mailauth.Pass, Domain: "spammer.example"}, mailauth.SPF{Status: mailauth.Pass, Domain: "out.provider.example"}
	b := newBench(t, letter)
	for n, c := range []struct {
		v    *Judgement
		keys int
	}{
		{provider("first", elsewhere), 2}, {provider("first", elsewhere), 1}, {provider("first", elsewhere), 1}, {provider("second", elsewhere), 2},
		{provider("first", itself), 2}, {provider("first", itself), 2},
	} {
		if b.Learn(c.v); len(b.under) != n+1 || len(b.under[n]) != c.keys || b.under[n][0].Kind != reputation.Network {
			t.Errorf("message %d is counted under %+v", n, b.under[n:])
		}
	}
	for n := range 3 * rememberedSignatures {
		b.Learn(provider(strconv.Itoa(n), elsewhere))
	}
	if n := len(b.counted.known); n != rememberedSignatures || len(b.counted.ring) != n {
		t.Errorf("%d signatures are remembered", n)
	}
}
