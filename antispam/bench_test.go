package antispam

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
)

// benchHeader is as long as headers are nowadays.
const benchHeader = `Received: from mail.sender.example (mail.sender.example [192.0.78.10])
	by mx.empfang.example (Postfix) with ESMTPS id 4F2B1C0D9E
	for <anna@empfang.example>; Tue, 14 May 2024 21:02:13 +0100
Received: from client.sender.example (client.sender.example [203.0.113.7])
	by mail.sender.example (Postfix) with ESMTPSA id 1A2B3C4D5E;
	Tue, 14 May 2024 21:02:11 +0100
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=s1;
 h=From:To:Subject:Date:Message-ID; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;
 b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB4nujc7YopdG5dWLSdNg6x
From: Grace Obi <grace@sender.example>
To: Anna Schubert <anna@empfang.example>
Subject: Glazes, kilns and the fair in June
Date: Tue, 14 May 2024 21:02:11 +0100
Message-ID: <4c1f0e7a@sender.example>
MIME-Version: 1.0
`

// benchPlain is a letter of about n bytes, another one for each seed.
func benchPlain(n int, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 1))
	words := strings.Fields("the kiln was cold when we opened it this morning and most of the glazes had run so I made notes about each shelf " +
		"could you send me the recipe that Sandra used for the blue one please because our account at the supplier lists something else " +
		"and the parcel that arrived on Friday contained three bags of feldspar instead of two see you at the fair where we share a table " +
		"http://www.sender.example/fair/2024/programme has the programme and I will bring the wheel if there is room in the van")
	var b strings.Builder
	b.WriteString(benchHeader + "Content-Type: text/plain; charset=utf-8\n\n")
	for i, line := 0, 0; b.Len() < n; i++ {
		w := words[random.IntN(len(words))]
		if i%11 == 10 {
			w = fmt.Sprintf("%s%c%c", w, 'a'+random.Int32N(26), 'a'+random.Int32N(26))
		}
		if line += len(w) + 1; line > 72 {
			b.WriteByte('\n')
			line = len(w)
		}
		b.WriteString(w)
		b.WriteByte(' ')
	}
	return b.String()
}

// benchNewsletter is HTML of about n bytes as mailing providers make it, another one for each seed.
func benchNewsletter(n int, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 2))
	words := strings.Fields("stoneware bowls plates and mugs of our own workshop in a glaze that nobody else has now with free shipping until the end of this week")
	var b strings.Builder
	b.WriteString(benchHeader + "List-Unsubscribe: <https://news.sender.example/u/1>\nContent-Type: text/html; charset=utf-8\n\n" +
		"<html><head><title>News</title><style>p{margin:10px 0}</style></head><body><div style=\"display:none\">Preview" + strings.Repeat("&zwnj;&nbsp;", 40) + "</div><table>\n")
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `<tr><td style="padding:9px 18px;font:16px/150%% Helvetica,Arial,sans-serif;color:#202020">`+
			`<p>Offer %d: %s.</p>`+
			`<a href="https://click.news.sender.example/ls/click?upn=%x&amp;id=%d" target="_blank" style="color:#1f6f54">See it in the shop</a>`+
			`<img src="https://cdn.sender.example/i/%d.jpg" width="564" alt="Bowl %d"></td></tr>`+"\n", i, strings.Join(some(random, words, 10+random.IntN(10)), " "), random.Uint32(), i, i, i)
	}
	b.WriteString("</table></body></html>\n")
	return b.String()
}

// some picks words.
func some(random *rand.Rand, words []string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = words[random.IntN(len(words))]
	}
	return list
}

// benchMessages are what is measured.
var benchMessages = []struct {
	name string
	text func(seed uint64) string
}{
	{"plain 4 KiB", func(seed uint64) string { return benchPlain(4<<10, seed) }},
	{"newsletter 20 KiB", func(seed uint64) string { return benchNewsletter(20<<10, seed) }},
	{"newsletter 100 KiB", func(seed uint64) string { return benchNewsletter(100<<10, seed) }},
}

// BenchmarkExamine is what a message costs besides its parsing. Different ones come in turn: of one that is repeated the
// processor learns by heart where its words end.
func BenchmarkExamine(b *testing.B) {
	e := New()
	for _, m := range benchMessages {
		var mails []*Mail
		size := 0
		for seed := range uint64(64) {
			text := []byte(strings.ReplaceAll(m.text(seed), "\n", "\r\n"))
			r := bytes.NewReader(text)
			parsed, err := message.Parse(r, int64(len(text)), message.DefaultLimits)
			if err != nil {
				b.Fatal(err)
			}
			mails = append(mails, &Mail{Parsed: parsed, Content: r, At: time.Date(2024, 5, 14, 20, 2, 13, 0, time.UTC),
				Relay: &Relay{IP: netip.MustParseAddr("192.0.78.10"), Helo: "mail.sender.example", Name: "mail.sender.example", Asked: true}})
			size = len(text)
		}
		b.Run(m.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f, err := e.Examine(mails[i%len(mails)])
				if err != nil {
					b.Fatal(err)
				}
				f.Rules()
				f.Words()
				f.Close()
			}
		})
	}
}
