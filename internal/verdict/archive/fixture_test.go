package archive

import (
	"fmt"
	"time"

	"postern/internal/verdict"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// typical is a trace as the road in leaves it: 12 checks, 30 parts, one recipient.
func typical(n int) *verdict.Trace {
	check := func(name, result, detail string, points verdict.Points, micros int64, parts ...verdict.Part) verdict.Check {
		return verdict.Check{Name: name, Result: result, Detail: detail, Points: points, Micros: micros, Parts: parts}
	}
	words := make([]verdict.Part, 0, 15)
	for i := range 15 {
		words = append(words, verdict.Part{Name: []string{"unsubscribe", "invoice", "h:x-mailer:outlook", "discount", "u:example.net"}[i%5] + fmt.Sprint(i*7%11), Points: verdict.Points(n*i%97 - 40)})
	}
	rules := make([]verdict.Part, 0, 12)
	for i, name := range []string{"HTML_IMAGE_ONLY", "HTML_ONLY", "SUBJECT_CAPS", "MISSING_DATE", "FROM_FREEMAIL", "URI_SHORTENER", "LIST_UNSUB", "MIME_BASE64_TEXT", "REPLYTO_DIFFERS", "BULK_PRECEDENCE", "DATE_FUTURE", "TO_MALFORMED"} {
		rules = append(rules, verdict.Part{Name: name, Detail: "what the rule saw in the message's header", Points: verdict.Points(i * 10)})
	}
	t := &verdict.Trace{
		Version: verdict.TraceVersion, ID: fmt.Sprintf("ABCDEFGH%08d-1", n), At: epoch.Add(time.Duration(n) * time.Millisecond),
		Client: "192.0.2.25", Helo: "mx1.news.example.net", From: fmt.Sprintf("bounce-%d@news%d.example.net", n, n%50), Author: "news@example.net",
		MessageID: fmt.Sprintf("<20260301.%d.abcdef@news.example.net>", n), Size: 48211, Engine: "2026.1",
		Reply: "250 2.6.0 Accepted", Micros: 34521,
		Checks: []verdict.Check{
			check("spf", "pass", "news.example.net names 192.0.2.25", -10, 8123),
			check("dkim", "pass", "d=example.net s=2026 rsa-sha256", -20, 9123),
			check("dmarc", "pass", "aligned by DKIM", -10, 120),
			check("arc", "none", "", 0, 3),
			check("iprev", "pass", "mx1.news.example.net", 0, 4003),
			check("dnsbl", "none", "", 0, 12003),
			check("uribl", "listed", "2 of 5 domains", 150, 22003, verdict.Part{Name: "dbl.spamhaus.org", Detail: "shop.example.com", Points: 100}, verdict.Part{Name: "dbl.spamhaus.org", Detail: "img.example.com", Points: 50}, verdict.Part{Name: "multi.uribl.com", Points: 0}),
			check("rules", "matched", "12 rules", 310, 902, rules...),
			check("bayes", "unsure", "0.71 from 15 words", 40, 610, words...),
			check("reputation", "known", "41 messages, 2 spam", -15, 45),
			check("virus", "clean", "", 0, 1800),
			check("greylist", "passed", "", 0, 20),
		},
		Recipients: []verdict.Recipient{{
			Address: fmt.Sprintf("user%d@example.org", n%1000), Account: int64(n%1000) + 1,
			Policy: verdict.Policy{Source: "server", Tag: 300, Junk: 500, Reject: 1500, Virus: verdict.Reject, DMARC: "none"}, Mailbox: "INBOX", FiledBy: "default",
		}},
	}
	t.Decide()
	return t
}
