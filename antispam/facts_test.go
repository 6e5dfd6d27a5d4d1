package antispam

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/antispam/bayes"
	"postern/antispam/lexicon"
	"postern/antispam/words"
	"postern/internal/address"
)

func TestTheHeaderIsReadAsTheAuthorsProgramMadeIt(t *testing.T) {
	e := New()
	for name, c := range map[string]struct {
		header string
		holds  func(h *headerFacts) bool
	}{
		"author": {"From: =?utf-8?q?J=C3=B6rg?= <JOERG@Mail.Example.CO.UK>", func(h *headerFacts) bool {
			return h.fromName == "Jörg" && h.fromLocal == "joerg" && h.fromDomain == "mail.example.co.uk" && h.fromOrg == "example.co.uk" && !h.fromFree
		}},
		"author of an international domain":      {"From: x@bücher.example", func(h *headerFacts) bool { return h.fromDomain == "xn--bcher-kva.example" }},
		"free mailbox":                           {"From: x@GMail.com", func(h *headerFacts) bool { return h.fromFree }},
		"subdomain of a free provider":           {"From: x@mail.gmail.com", func(h *headerFacts) bool { return h.fromFree }},
		"no author":                              {"-From", func(h *headerFacts) bool { return h.fromDomain == "" && h.fromOrg == "" }},
		"answers to the author":                  {"Reply-To: GRACE@sender.example", func(h *headerFacts) bool { return !h.replyOther && h.replyOrg == "sender.example" }},
		"answers to another":                     {"Reply-To: grace@gmail.com", func(h *headerFacts) bool { return h.replyOther && h.replyFree }},
		"answer":                                 {"Subject: RE: x\nIn-Reply-To: <1@x>", func(h *headerFacts) bool { return h.saysReply && h.isReply }},
		"mailing list":                           {"List-Id: <x.lists.example>", func(h *headerFacts) bool { return h.list && !h.talk }},
		"list of talk":                           {"List-Post: <mailto:x@lists.example>", func(h *headerFacts) bool { return h.list && h.talk }},
		"list of talk of Mailman":                {"X-Mailman-Version: 2.1", func(h *headerFacts) bool { return h.list && h.talk }},
		"post by the web only":                   {"List-Post: <https://news.example/>", func(h *headerFacts) bool { return h.list && !h.talk }},
		"group":                                  {"Reply-To: Kilns <KILNS@groups.example>\nTo: kilns@groups.example\nMessage-ID: <kilns-12@Groups.example>", func(h *headerFacts) bool { return h.group }},
		"letter to a mailbox that answers go to": {"Reply-To: kilns@gmail.com\nTo: kilns@gmail.com\nMessage-ID: <1@mail.gmail.com>", func(h *headerFacts) bool { return !h.group }},
		"mailbox with an identifier to fit":      {"Reply-To: kilns@gmail.com\nTo: kilns@GMail.com\nMessage-ID: <1@gmail.com>", func(h *headerFacts) bool { return !h.group }},
		"group of somebody else":                 {"Reply-To: grace@gmail.com\nTo: kilns@groups.example\nMessage-ID: <1@groups.example>", func(h *headerFacts) bool { return !h.group }},
		"unsubscribe":                            {"List-Unsubscribe: <https://x>", func(h *headerFacts) bool { return h.leave && !h.list }},
		"signature of the author": {"DKIM-Signature: v=1; a=rsa-sha256;\n d=news.sender.example; s=x", func(h *headerFacts) bool {
			return h.signed && h.signedBy
		}},
		"signature of another": {"DKIM-Signature: v=1; d=other.example", func(h *headerFacts) bool { return h.signed && !h.signedBy }},
		"important":            {"Importance: High", func(h *headerFacts) bool { return h.urgent }},
		"not important":        {"X-Priority: 3 (Normal)", func(h *headerFacts) bool { return !h.urgent }},
		"recipients":           {"To: a@x.example, G: b@x.example;\nCc: c@y.example", func(h *headerFacts) bool { return h.recipients == 3 && h.hasTo && h.toOrg == "x.example" }},
		"nobody disclosed":     {"To: Undisclosed Recipients:;", func(h *headerFacts) bool { return h.undisclosed && h.recipients == 0 }},
		"to itself":            {"To: Grace <GRACE@sender.example>", func(h *headerFacts) bool { return h.toSelf }},
		"subject in need of encoding": {"Subject: =?utf-8?b?R2xhc3VyZW4gw7xiZXIgYWxsZXM=?=", func(h *headerFacts) bool {
			return h.subject == "Glasuren über alles" && !h.encodedASCII
		}},
		"raw bytes in the subject are no disguise": {"Subject: p\xe0yp\xe0l p\xd0\xb0yp\xd0\xb0l", func(h *headerFacts) bool { return h.subjectWords.Disguised == 0 }},
		"sent": {"", func(h *headerFacts) bool {
			return h.date.Equal(time.Date(2024, 5, 14, 20, 2, 11, 0, time.UTC)) && h.hasDate && h.arrived.IsZero()
		}},
		"arrived": {"Received: from x (y [192.0.78.10]) by z; Tue, 14 May 2024 21:02:12 +0100\nReceived: by w; Tue, 14 May 2002 21:02:12 +0100", func(h *headerFacts) bool {
			return h.arrived.Equal(h.date.Add(time.Second))
		}},
		"arrived nobody knows when": {"Received: from x (y [192.0.78.10]) by z; yesterday", func(h *headerFacts) bool { return h.arrived.IsZero() }},
	} {
		f := examine(t, e, with(c.header))
		if !c.holds(&f.header) {
			t.Errorf("%s: %+v", name, f.header)
		}
	}
}

func TestWhomAMessageIsForIsKnownByItsEnvelopeFirst(t *testing.T) {
	a, err := address.Parse("Real.Reader@Empfang.Example")
	if err != nil {
		t.Fatal(err)
	}
	f := examineSource(t, New(), saying("Dear real.reader@empfang.example, look.\n").source(), func(m *Mail) { m.Recipients = []address.Address{a} })
	if len(f.header.to) != 1 || f.header.to[0].address != "real.reader@empfang.example" || !f.text.greeted {
		t.Errorf("%+v, greeted %t", f.header.to, f.text.greeted)
	}
}

func TestTheStructureIsToldFromWhatItPretends(t *testing.T) {
	e := New()
	part := func(header, body string) string { return "--b\n" + header + "\n\n" + body + "\n" }
	text := part("Content-Type: text/plain", "Hello")
	for name, c := range map[string]struct {
		subtype, parts string
		holds          func(s *structureFacts) bool
	}{
		"alternatives": {"alternative", text + part("Content-Type: text/html", "<p>Hello"), func(s *structureFacts) bool {
			return s.plain == 1 && s.html == 1 && s.alternative && len(s.attachments) == 0
		}},
		"a picture within": {"related", part("Content-Type: text/html", "<img src=cid:a>") + part("Content-Type: image/png\nContent-Disposition: inline; filename=a.png", "x"), func(s *structureFacts) bool {
			return s.images == 1 && len(s.attachments) == 0
		}},
		"a picture attached": {"mixed", text + part("Content-Type: image/png\nContent-Disposition: attachment; filename=A.PNG", "x"), func(s *structureFacts) bool {
			return s.images == 1 && len(s.attachments) == 1 && s.attachments[0].ext == ".png"
		}},
		"a text attached": {"mixed", text + part("Content-Type: text/html\nContent-Disposition: attachment; filename=form.html", "<p>x"), func(s *structureFacts) bool {
			return s.html == 0 && len(s.attachments) == 1
		}},
		"a name of RFC 2231": {"mixed", text + part("Content-Type: application/octet-stream\nContent-Disposition: attachment; filename*=utf-8''rechnung%2Eexe", "x"), func(s *structureFacts) bool {
			return len(s.attachments) == 1 && isProgram(&s.attachments[0])
		}},
		"a name that ends in spaces and dots": {"mixed", text + part("Content-Type: application/pdf; name=\"invoice.pdf          .exe. \"", "x"), func(s *structureFacts) bool {
			return isProgram(&s.attachments[0]) && isDoubleExtension(&s.attachments[0])
		}},
		"a calendar":       {"mixed", text + part("Content-Type: text/calendar; method=REQUEST", "BEGIN:VCALENDAR"), func(s *structureFacts) bool { return s.calendar }},
		"signed":           {"signed", text + part("Content-Type: application/pkcs7-signature; name=smime.p7s", "x"), func(s *structureFacts) bool { return s.signed && len(s.attachments) == 0 }},
		"a report":         {"report", text + part("Content-Type: message/delivery-status", "Reporting-MTA: dns; x"), func(s *structureFacts) bool { return s.report }},
		"a message within": {"mixed", text + part("Content-Type: message/rfc822", "Subject: x\n\nDear friend"), func(s *structureFacts) bool { return len(s.attachments) == 0 }},
		"no encoding":      {"mixed", text + part("Content-Type: text/plain\nContent-Transfer-Encoding: rot13", "uryyb"), func(s *structureFacts) bool { return s.broken }},
	} {
		f := examine(t, e, letter{header: "Content-Type: multipart/" + c.subtype + "; boundary=b", body: c.parts + "--b--\n"})
		if !c.holds(&f.structure) {
			t.Errorf("%s: %+v", name, f.structure)
		}
	}
}

func TestANameTooLongForTheDNSIsNotLookedAtDotByDot(t *testing.T) {
	below := strings.Repeat("a.", (maxName-len("gmail.com"))/2) + "gmail.com"
	if known(below) != freeMail || known("a."+below) != 0 {
		t.Errorf("a name of %d bytes is %b, a longer one %b", len(below), known(below), known("a."+below))
	}
}

func TestLinksAreCountedByWhereTheyLead(t *testing.T) {
	e := New()
	for name, c := range map[string]struct {
		letter letter
		holds  func(l *linkFacts) bool
	}{
		"plain text":                           {saying("see www.a.com, http://b.example/x. and mail@c.example\n"), func(l *linkFacts) bool { return l.anchors == 2 && l.orgs["b.example"] == 1 }},
		"a mail address":                       {saying("write to mail@gmail.com\n"), func(l *linkFacts) bool { return l.anchors == 0 }},
		"pictures are no link":                 {page(`<img src="http://a.example/x.png"><a href="#top">top</a><a href="mailto:x@a.example">x</a>`), func(l *linkFacts) bool { return l.anchors == 0 && l.remote == 1 }},
		"organizations":                        {page(`<a href="http://x.a.co.uk/">1</a><a href="http://y.a.co.uk/">2</a>`), func(l *linkFacts) bool { return l.orgs["a.co.uk"] == 2 && len(l.orgs) == 1 }},
		"a shown address":                      {page(`<a href="http://evil.example/">www.bank.com</a>`), func(l *linkFacts) bool { return l.lies == 1 }},
		"words are no address":                 {page(`<a href="http://evil.example/">click here now</a>`), func(l *linkFacts) bool { return l.lies == 0 }},
		"free hosts":                           {saying("https://x.pages.dev/ https://docs.google.com/d/1 https://bit.ly/1\n"), func(l *linkFacts) bool { return l.free == 2 && l.short == 1 }},
		"feigned":                              {saying("http://www.amazon.co.jp.x.example/ http://paypal.com/ http://paypal.zendesk.com/\n"), func(l *linkFacts) bool { return l.feigned == 1 }},
		"alike":                                {saying("http://dhl-paket-24.example/ http://chase-farm.example/ http://xn--paypal-x.example/\n"), func(l *linkFacts) bool { return l.near == 1 }},
		"numbers":                              {saying("http://203.0.113.9/ http://10.0.0.1/ http://3405803785/\n"), func(l *linkFacts) bool { return l.numeric == 2 && !l.numericHTML }},
		"redirect":                             {saying("https://www.google.com/url?q=https%3A%2F%2Fx.example\n"), func(l *linkFacts) bool { return l.hops == 1 }},
		"Base64 of the reader":                 {page(`<a href="http://x.example/a#YW5uYS5zY2h1YmVydEBlbXBmYW5nLmV4YW1wbGU=">x</a>`), func(l *linkFacts) bool { return l.aimed }},
		"the reader in a query of an own host": {page(`<a href="http://x.example/a?u=anna.schubert@empfang.example">unsubscribe</a>`), func(l *linkFacts) bool { return !l.aimed }},
		"the reader in a query of a free host": {page(`<a href="http://x.web.app/a?u=anna.schubert@empfang.example">x</a>`), func(l *linkFacts) bool { return l.aimed }},
	} {
		if f := examine(t, e, c.letter); !c.holds(&f.links) {
			t.Errorf("%s: %+v", name, f.links)
		}
	}
}

func TestEachPageOfAMessageIsLookedAtForLinksAtTheReader(t *testing.T) {
	const aimed = `<a href="http://x.example/#anna.schubert@empfang.example">x</a>`
	pages := letter{header: "Content-Type: multipart/mixed; boundary=b", body: "--b\nContent-Type: text/html\n\n" + aimed + "\n--b\nContent-Type: text/html\n\n" +
		`<a href="http://y.example/">y</a>` + "\n--b--\n"}
	if f := examine(t, New(), pages); !f.links.aimed {
		t.Error("the first of two pages is not looked at")
	}
}

// The memory of findings is used again; what one message says is nothing to the next.
func TestALinkAtTheReaderIsOfItsOwnMessageAlone(t *testing.T) {
	e := New()
	f := e.pool.Get().(*Findings)
	e.pool = sync.Pool{New: func() any { return f }}
	for _, c := range []struct {
		letter letter
		want   bool
	}{{page(`<a href="http://x.example/#anna.schubert@empfang.example">x</a>`), true}, {saying("see http://y.example/\n"), false}} {
		if examine(t, e, c.letter); f.links.aimed != c.want {
			t.Errorf("aimed at the reader %t, not %t: %s", f.links.aimed, c.want, c.letter.body)
		}
	}
}

func TestFiguresAreFoundByTheirForm(t *testing.T) {
	e := New()
	for text, want := range map[string]string{
		"call +1 (808) 201 - 4432 now":                        "1 phones",
		"call 0800 555 0199 or 030/1234":                      "1 phones",
		"call 1-877-555-0190":                                 "1 phones",
		"order 112-8823019-4410627":                           "0 phones",
		"card 4111 1111 1111 1111":                            "0 phones",
		"on 14.05.2024 21:02":                                 "0 phones",
		"192.168.100.200":                                     "1 phones", // nobody can tell
		"it is 8085550132":                                    "0 phones",
		"$14,500,000.00 for you":                              "0 phones millions",
		"1,234,567":                                           "0 phones millions",
		"14,500 and 500,000":                                  "0 phones",
		"to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2.":              "0 phones bitcoin",
		"to 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy":               "0 phones bitcoin",
		"to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq":       "0 phones bitcoin",
		"sha1 356a192b7913b04c54574d18c28d46e6395428ab":       "0 phones",
		"id 1f8d3b2c9a0e4d5f6a7b8c9d0e1f2a3b":                 "0 phones",
		"JVBERi0xLjQKJeLjz9MKMyAwIG9iago8PC9MZW5ndGggNiAwIFI": "0 phones",
		"key 1abcdefghijkmnopqrstuvwxyz234":                   "0 phones",
		"commit 3e5fa7b9c1d3e5f7a9b1c3d5e7f9a1b3":             "0 phones",
		"x1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2":                 "0 phones",
	} {
		f := examine(t, e, saying(text+"\n"))
		got := fmt.Sprintf("%d phones", f.text.phones)
		if f.text.millions {
			got += " millions"
		}
		if f.text.bitcoin {
			got += " bitcoin"
		}
		if got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}

func TestWhatIsQuotedIsNotTheAuthors(t *testing.T) {
	e := New()
	threat := "I hacked your device, recorded you with your webcam on porn sites and installed a trojan. Send the video money to my btc wallet 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2.\n"
	own := "Grandma says that I should ask you what this is, and so I do.\n"
	for name, c := range map[string]struct {
		text   string
		quoted bool
	}{
		"said":                 {threat, false},
		"quoted":               {own + "> " + threat, true},
		"passed on":            {own + "---------- Forwarded message ---------\nFrom: x\n\n" + threat, true},
		"passed on by Outlook": {own + "-----Original Message-----\nFrom: x\n\n" + threat, true},
		"nothing of one's own": {"---------- Forwarded message ---------\n" + threat, false},
	} {
		f := examine(t, e, saying(c.text))
		if f.text.bitcoin == c.quoted {
			t.Errorf("%s: a Bitcoin address is found: %t", name, f.text.bitcoin)
		}
		full := examine(t, e, saying(threat)).phrases.Weight(lexicon.Extort)
		if got := f.phrases.Weight(lexicon.Extort); c.quoted && (got > full*2/3 || got == 0) || !c.quoted && got < full {
			t.Errorf("%s: the threats weigh %d of %d", name, got, full)
		}
	}
}

func TestWhatAListPutsUnderAMessageIsNotWhatItSays(t *testing.T) {
	const foot = "Zweckverband mailing list\nhttps://lists.example/zweckverband\n"
	long := strings.Repeat("and more of it than a list puts there\n", 20)
	word := bayes.Token(words.Hash("zweckverband"))
	for name, c := range map[string]struct {
		letter
		kept bool
	}{
		"behind a line":                    {letter{header: "List-Id: <x>", body: plainBody + "__________________________\n" + foot}, false},
		"as a signature":                   {letter{header: "List-Id: <x>", body: plainBody + "-- \n" + foot}, false},
		"with carriage returns":            {letter{header: "List-Id: <x>", body: strings.ReplaceAll(plainBody+"-- \n"+foot, "\n", "\r\n")}, false},
		"behind a line, and another below": {letter{header: "List-Id: <x>", body: plainBody + "-------------------------\n" + foot + "_________________________\nx\n"}, false},
		"of a page":                        {page("<p>"+plainBody+"</p><p>--------------------------</p><p>Zweckverband</p>", "List-Id: <x>"), false},
		"not from a list":                  {letter{body: plainBody + "-- \n" + foot}, true},
		"without a line":                   {letter{header: "List-Id: <x>", body: plainBody + foot}, true},
		"more than a list puts there":      {letter{header: "List-Id: <x>", body: plainBody + "-- \n" + foot + long}, true},
		"with next to nothing above":       {letter{header: "List-Id: <x>", body: "Hello\n-- \n" + foot}, true},
		"with less than a third above":     {letter{header: "List-Id: <x>", body: "Hello" + strings.Repeat(" again", 15) + "\n-- \n" + long[:200] + foot}, true},
		"behind a line that is too high":   {letter{header: "List-Id: <x>", body: "Hello\n-- \n" + plainBody[:200] + "\n-- \n" + foot}, false},
	} {
		f := examine(t, New(), c.letter)
		if kept := slices.Contains(f.WordTokens(), word); kept != c.kept {
			t.Errorf("%s: kept %t", name, kept)
		}
		if !slices.Contains(f.WordTokens(), bayes.Token(words.Hash("hello"))) {
			t.Errorf("%s: the message itself is not read", name)
		}
	}
}

func TestWhatIsQuotedUnderASignatureIsQuoted(t *testing.T) {
	f := examine(t, New(), letter{header: "List-Id: <x>\nIn-Reply-To: <1@x>", body: plainBody + "-- \nGrace\n\n> nigerian prince\n> next of kin\n"})
	if f.text.quoted != 2 || f.text.lines < 8 {
		t.Errorf("%d of %d lines are quoted", f.text.quoted, f.text.lines)
	}
}

func TestBrandsAreTheirOwnersAlone(t *testing.T) {
	e := New()
	for from, want := range map[string]string{
		`Amazon.com <shipment-tracking@amazon.com>`:                                         "genuine",
		`"Amazon.de" <versandbestaetigung@amazon.de>`:                                       "genuine",
		`Amazon Web Services <no-reply-aws@amazon.com>`:                                     "genuine",
		`"service@paypal.de" <service@paypal.de>`:                                           "",
		`PayPal <service@intl.paypal.com>`:                                                  "genuine",
		`Microsoft account team <account-security-noreply@accountprotection.microsoft.com>`: "genuine",
		`Microsoft Outlook <MicrosoftExchange329e71ec88ae4615@firma.example>`:               "",
		`Apple <no_reply@email.apple.com>`:                                                  "genuine",
		`DHL Paket <noreply@dhl.de>`:                                                        "genuine",
		`UPS <pkginfo@ups.com>`:                                                             "",
		`Netflix <info@account.netflix.com>`:                                                "genuine",
		`Chase <chase.miller@gmail.com>`:                                                    "", // a person
		`Chase Miller <chase@firma.example>`:                                                "",
		`Ring, Sandra <sandra.ring@firma.example>`:                                          "",
		`Ring <sandra@ring-family.example>`:                                                 "",
		`Steam Engine Club <club@engines.example>`:                                          "",
		`Apple Farm Shop <hello@applefarm.example>`:                                         "",
		`Ledger-Enquirer <news@ledger.example>`:                                             "",
		`Mail Delivery System <MAILER-DAEMON@mx.firma.example>`:                             "",
		`Mail Administrator <postmaster@firma.example>`:                                     "",
		`Webmail <it@empfang.example>`:                                                      "", // the reader's own
		`Webmail Admin <it@other.example>`:                                                  "forged",
		`Chase Online <x@firma.example>`:                                                    "forged",
		`PayPal <x@firma.example>`:                                                          "forged",
		`"Amazon Prime" <x@primes.top>`:                                                     "forged",
		`DHL Express <x@wp-kitchen.example>`:                                                "forged",
		`UPS Delivery <x@startups.example>`:                                                 "forged",
		`P` + "\u0430" + `yPal <x@firma.example>`:                                           "forged",
		`三井住友カード <x@firma.example>`:                                                         "forged",
		`Sparkasse Kundenservice <x@firma.example>`:                                         "forged",
		`PayPal <x@paypal-security.example>`:                                                "near",
		`Netflix <x@netflix.top>`:                                                           "genuine", // who owns that name is asked elsewhere
		`Amazon <x@amazon-konto.xyz>`:                                                       "near",
	} {
		f := examine(t, e, with("From: "+from))
		h := &f.header
		got := map[bool]string{h.brandForged: "forged", h.brandNear: "near", h.brandGenuine: "genuine"}[true]
		if got != want {
			t.Errorf("%s is %q, not %q", from, got, want)
		}
	}
	if f := examine(t, e, with("From: PayPal <x@sender.example>\n"+list)); f.header.brandForged {
		t.Error("a list that writes for its members forges a brand")
	}
}

func TestBrandListAndHostListAreWellFormed(t *testing.T) {
	for line := range strings.Lines(brandList) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "#") {
			continue
		}
		name, parts, ok := strings.Cut(line, "\t")
		if !ok || foldName(strings.TrimSuffix(name, " +")) == "" || parts != strings.ToLower(parts) {
			t.Errorf("brands.tsv: %q", line)
		}
	}
	known := map[string]bool{}
	for line := range strings.Lines(hostList) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "#") {
			continue
		}
		kind, domain, ok := strings.Cut(line, "\t")
		if !ok || hosts[domain] == 0 || domain != strings.ToLower(domain) || !strings.Contains(domain, ".") {
			t.Errorf("hosts.tsv: %q", line)
		}
		if known[kind+domain] {
			t.Errorf("hosts.tsv names %q as %s twice", domain, kind)
		}
		known[kind+domain] = true
	}
}

func TestDomainsAreThoseOfLinksAndAuthorOnceEach(t *testing.T) {
	f := examine(t, New(), with("Reply-To: x@reply.example").text("http://www.a.example/ http://b.a.example/ http://203.0.113.9/ http://c.example/\n"))
	if got, want := f.Domains(10), []string{"a.example", "203.0.113.9", "c.example", "sender.example", "reply.example"}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if got := f.Domains(2); len(got) != 2 {
		t.Errorf("%v are more than two", got)
	}
}

func TestTokensAreWhatIsSaidAndWhereItIsFrom(t *testing.T) {
	e := New()
	a, b := examine(t, e, letter{}), examine(t, e, with("From: grace@sender.example"))
	if slices.Equal(a.Tokens(), b.Tokens()) || len(a.WordTokens()) == 0 {
		t.Error("the author's name is no token")
	}
	words := a.WordTokens()
	for _, trait := range []bayes.Token{bayes.Within(traitFrom, 0), traitList} {
		if slices.Contains(words, trait) {
			t.Error("a trait is among the words")
		}
	}
	if !slices.Equal(a.Tokens()[:len(words)], words) || len(a.Tokens()) <= len(words) {
		t.Error("the tokens for training do not begin with the words, or have no traits")
	}
	upper := examine(t, e, saying(strings.ToUpper(plainBody)))
	if !slices.Equal(upper.WordTokens(), words) {
		t.Error("capitals make other words")
	}
}

func TestFindingsAreThoseOfTheLastMessageOnly(t *testing.T) {
	e := New()
	want := fmt.Sprint(examine(t, e, letter{}).Rules())
	for i, l := range []letter{attaching("x.exe", "a/b", "MZ", list), page(`<form action="http://203.0.113.9/"><input type=password>`), with("From: PayPal <x@firma.example>\n" + answer).text("> " + fraud)} {
		f := examine(t, e, l)
		f.Rules()
		f.Words()
		f.Close()
		again := examine(t, e, letter{})
		if got := fmt.Sprint(again.Rules()); got != want {
			t.Errorf("after letter %d the plain one meets %s", i, got)
		}
		again.Close()
	}
}
