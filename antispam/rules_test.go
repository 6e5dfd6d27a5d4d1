package antispam

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/antispam/lexicon"
)

// example is a letter that a rule meets, and one that is nearly like it and that the rule does not meet.
type example struct{ meets, misses letter }

const (
	list    = "List-Id: <potters.lists.example>\nList-Post: <mailto:potters@lists.example>\n"
	answer  = "In-Reply-To: <1@empfang.example>\nReferences: <1@empfang.example>\n"
	signed  = "DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=s1; h=From; bh=x; b=x\n"
	account = "Your account has been blocked. Please verify your account details at "
)

var arrival = time.Date(2024, 5, 14, 20, 2, 20, 0, time.UTC)

func dated(date string) letter { return letter{header: "Date: " + date, at: arrival} }

// examples has one for each rule that is not made of phraseTable.
var examples = map[string]example{
	// header
	"NO_FROM":           {with("-From"), letter{}},
	"NO_DATE":           {with("-Date"), with("Date: yesterday evening")},
	"BAD_DATE":          {with("Date: yesterday evening"), with("-Date")},
	"DATE_AHEAD":        {dated("Wed, 15 May 2024 21:02:11 +0100"), dated("Tue, 14 May 2024 23:02:11 +0100")},
	"DATE_FAR_AHEAD":    {dated("Tue, 14 May 2030 21:02:11 +0100"), dated("Wed, 15 May 2024 21:02:11 +0100")},
	"DATE_BEHIND":       {dated("Thu, 2 May 2024 21:02:11 +0100"), dated("Mon, 13 May 2024 21:02:11 +0100")},
	"DATE_FAR_BEHIND":   {dated("Thu, 2 May 2013 21:02:11 +0100"), dated("Thu, 2 May 2024 21:02:11 +0100")},
	"NO_MESSAGE_ID":     {with("-Message-ID"), letter{}},
	"BAD_MESSAGE_ID":    {with("Message-ID: <4c1f0e7a>"), with("-Message-ID")},
	"NO_SUBJECT":        {with("Subject:  "), with("Subject: -")},
	"NO_TO":             {with("-To"), with("-To\nCc: anna.schubert@empfang.example")},
	"UNDISCLOSED":       {with("To: undisclosed-recipients:;"), with("To: potters:;")},
	"TO_NONE":           {with("To: potters:;"), with("To: undisclosed-recipients:;")},
	"TO_SELF":           {with("To: grace@sender.example"), with("To: grace@sender.example, anna@empfang.example")},
	"TO_RECIPIENTS":     {with("To: Recipients <grace@sender.example>"), with("To: Recipients of the prize <anna@empfang.example>")},
	"FALSE_REPLY":       {with("Subject: Re: Glazes"), with("Subject: Re: Glazes\n" + answer)},
	"SUBJECT_CAPS":      {with("Subject: URGENT RESPONSE NEEDED"), with("Subject: URGENT response NEEDED")},
	"SUBJECT_EXCLAIMS":  {with("Subject: Glazes!! Kilns!"), with("Subject: Glazes and kilns!")},
	"SUBJECT_MONEY":     {with("Subject: Glazes for $20"), with("Subject: Glazes for 20 dollars")},
	"SUBJECT_GAP":       {with("Subject: Glazes                 qxw"), with("Subject: Glazes  and kilns")},
	"SUBJECT_ENCODED":   {with("Subject: =?utf-8?q?Glazes?="), with("Subject: =?utf-8?q?Glas=C3=BCren?=")},
	"SUBJECT_TO_YOU":    {with("Subject: anna.schubert, your glazes"), with("Subject: Anna, your glazes")},
	"SUBJECT_ID":        {with("Subject: glazes and kilns xkqzrvtw"), with("Subject: glazes and kilns Südstraße")},
	"SUBJECT_DISGUISED": {with("Subject: =?utf-8?q?v=D0=B8agra p=D0=B0yp=D0=B0l?="), with("Subject: =?utf-8?q?=D0=BF=D1=80=D0=B8=D0=B2=D0=B5=D1=82 paypal?=")},
	"NAME_DISGUISED":    {with("From: =?utf-8?q?P=D0=B0yP=D0=B0l?= <grace@sender.example>"), with("From: =?utf-8?q?=D0=9E=D0=BB=D1=8C=D0=B3=D0=B0?= <grace@sender.example>")},
	"NAME_IS_OTHER_ADDRESS": {with("From: \"service@bank.example\" <grace@sender.example>"),
		with("From: \"grace@mail.sender.example\" <grace@sender.example>")},
	"NAME_OF_READER":      {with("From: \"empfang.example Support\" <grace@sender.example>"), with("From: \"empfang.example Support\" <it@empfang.example>")},
	"REPLY_TO_FREE":       {with("Reply-To: grace.obi@gmail.com"), with("Reply-To: grace.obi@gmail.com\nFrom: grace.obi@gmail.com")},
	"REPLY_TO_OTHER_FREE": {with("From: grace.obi@yahoo.com\nReply-To: grace.obi@gmail.com"), with("From: grace.obi@yahoo.com\nReply-To: grace@sender.example")},
	"FREE_DIGITS":         {with("From: grace1234@gmail.com"), with("From: grace1234@sender.example")},
	"FREE_UNSIGNED":       {with("From: grace@gmail.com"), with("From: grace@gmail.com\nDKIM-Signature: v=1; d=gmail.com")},
	"FROM_RANDOM":         {with("From: xkqzrvtwpl@sender.example"), with("From: bounce-xkqzrvtwpl@sender.example")},
	"FROM_CHEAP_TLD":      {with("From: grace@sender.top"), with("From: grace@top.example")},
	"FROM_DOUBTFUL_TLD":   {with("From: grace@sender.online"), with("From: grace@online.example")},
	"FROM_TENANT":         {with("From: grace@sender.onmicrosoft.com"), with("From: grace@sender.example")},
	"REPLY":               {with(answer).text("> was it cold?\n> and the glazes?\nYes, all of them.\n"), letter{}.text("> was it cold?\n> and the glazes?\nYes.\n")},
	"ANSWER":              {with("Subject: Re: Glazes\n" + answer), with("Subject: Re: Glazes")},
	"LIST":                {with("List-Id: <potters.lists.example>"), with("List-Unsubscribe: <https://lists.example/u>")},
	"LIST_TALK":           {with(list), with("List-Id: <news.sender.example>")},
	"LIST_TO_LEAVE":       {with("List-Unsubscribe: <https://sender.example/u>\n" + signed), with("List-Unsubscribe: <https://sender.example/u>")},
	"ID_AGREES":           {letter{}, with("Message-ID: <4c1f0e7a@mail.other.example>")},
	"ID_OF_RECEIVER":      {with("Message-ID: <1@mx.empfang.example>"), with("Message-ID: <1@mx.empfang.example>\n" + answer)},
	"ID_OF_MACHINE":       {with("Message-ID: <1@WIN-8K3J2H1G9F0>"), with("Message-ID: <1@win-win-trade.example>")},
	"IMPORTANT":           {with("X-Priority: 1 (Highest)"), with("X-Priority: 3")},
	"SCRIPT":              {with("X-PHP-Originating-Script: 33:mail.php"), with("X-Mailer: PHPMailer 6.0")},
	"OLD_MAILER":          {with("X-Mailer: The Bat! (v2.00.1)"), with("X-Mailer: The Bat! (v2.00.1)\nDate: Tue, 4 May 2004 21:02:11 +0100")},
	"OUTLOOK_BARE":        {with("X-Mailer: Microsoft Outlook 16.0"), with("X-Mailer: Microsoft Outlook 16.0\nThread-Index: AdNS")},
	"FALSE_OUTLOOK": {with("X-Mailer: Microsoft Outlook Express 6.00.2900.2180"),
		with("X-Mailer: Microsoft Outlook Express 6.00.2900.2180\nMessage-ID: <000801cfb3cf$5c6b1a30$0a01a8c0@hans>")},
	"RECIPIENTS_SORTED": {with("To: ann@a.example, anna@b.example, anne@c.example, annika@d.example, anton@e.example"),
		with("To: ann@a.example, ben@b.example, anne@c.example, annika@d.example, anton@e.example")},
	"SIGNED_BY_AUTHOR": {with(signed), with("DKIM-Signature: v=1; d=other.example; s=s1; b=x")},

	// relay
	"RELAY_NAMELESS":  {letter{}.from("mail.sender.example", "", "192.0.78.10"), letter{}.from("mail.sender.example", "mail.sender.example", "192.0.78.10")},
	"RELAY_DYNAMIC":   {letter{}.from("mail.sender.example", "ppp-190-12-3-44.isp.example", "190.12.3.44"), letter{}.from("mail.sender.example", "static-190-12-3-44.isp.example", "190.12.3.44")},
	"HELO_DYNAMIC":    {letter{}.from("adsl-190-12-3-44.isp.example", "isp.example", "190.12.3.44"), letter{}.from("mail190.isp.example", "isp.example", "190.12.3.44")},
	"HELO_ADDRESS":    {letter{}.from("[190.12.3.44]", "isp.example", "190.12.3.44"), letter{}.from("isp.example", "isp.example", "190.12.3.44")},
	"HELO_BARE":       {letter{}.from("mypc", "isp.example", "190.12.3.44"), letter{}.from("mypc.isp.example", "isp.example", "190.12.3.44")},
	"HELO_FREE":       {letter{}.from("yahoo.com", "isp.example", "190.12.3.44"), letter{}.from("mta7.yahoo.com", "mta7.yahoo.com", "98.137.64.10")},
	"HELO_UNNAMED":    {letter{}.from("WIN-8K3J2H1G9F0", "isp.example", "190.12.3.44"), letter{}.from("WINDOWS-MAIL", "isp.example", "190.12.3.44")},
	"PROVIDER_FORGED": {with("From: grace@gmail.com").from("isp.example", "isp.example", "190.12.3.44"), with("From: grace@gmail.com").from("x", "mail-wm1-f41.google.com", "209.85.128.41")},
	"RELAY_OF_NEWSLETTERS": {letter{}.from("mail34.atl11.rsgsv.net", "mail34.atl11.rsgsv.net", "205.201.133.34"),
		letter{}.from("mail34.atl11.rsgsv.net", "isp.example", "190.12.3.44")},

	// structure
	"HTML_ONLY":     {page("<p>Hello</p>"), letter{header: "Content-Type: multipart/alternative; boundary=b", body: "--b\n\nHello\n--b\nContent-Type: text/html\n\n<p>Hello\n--b--\n"}},
	"HTML_UNSIGNED": {page("<p>Hello</p>"), page("<p>Hello</p>", signed+"X: y")},
	"IMAGE_ONLY":    {page(`<a href="http://s.example/"><img src="http://s.example/a.png"></a>`), page(`<img src="http://s.example/a.png">`)},
	"IMAGE_MOSTLY":  {page(`<p>` + strings.Repeat("clay and glaze ", 20) + `<a href="http://s.example/"><img src="http://s.example/a.png"></a>`), page(`<p>` + strings.Repeat("clay and glaze ", 80) + `<a href="http://s.example/"><img src="http://s.example/a.png"></a>`)},
	"ALTERNATIVES_DIFFER": {letter{header: "Content-Type: multipart/alternative; boundary=b", body: "--b\n\n" + plainBody + "--b\nContent-Type: text/html\n\n<p>" + strings.Repeat("something entirely different comes here instead ", 9) + alphabet + "\n--b--\n"},
		letter{header: "Content-Type: multipart/alternative; boundary=b", body: "--b\n\n" + plainBody + "--b\nContent-Type: text/html\n\n<p>" + plainBody + "\n--b--\n"}},
	"TEXT_IN_BASE64":       {letter{header: "Content-Transfer-Encoding: base64", body: "SGVsbG8gQW5uYSwgdGhlIGtpbG4gd2FzIGNvbGQK\n"}, letter{header: "Content-Transfer-Encoding: base64", body: "R3LDvMOfZSBhbiBhbGxlCg==\n"}},
	"CHARSET_WITHOUT_NEED": {with("Content-Type: text/plain; charset=koi8-r"), with("Content-Type: text/plain; charset=iso-8859-1")},
	"STRUCTURE_BROKEN":     {with("Content-Transfer-Encoding: base65"), with("Content-Transfer-Encoding: 8bit")},
	"PROGRAM":              {attaching("notes.exe", "application/octet-stream", "MZ"), attaching("notes.exe.txt", "text/plain", "MZ")},
	"PROGRAM_PASSED_ON":    {attaching("patch.bat", "text/plain", "echo", list), attaching("patch.txt", "text/plain", "echo", list)},
	"DOUBLE_EXTENSION":     {attaching("invoice.pdf.scr", "application/octet-stream", "MZ"), attaching("invoice.v2.pdf", "application/pdf", "%PDF")},
	"PAGE_ATTACHED":        {attaching("form.html", "text/html", "<p>"), attaching("logo.svg", "image/svg+xml", "<svg/>")},
	"MACRO_ATTACHED":       {attaching("list.xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12", "PK"), attaching("list.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK")},
	"ARCHIVE_ODD":          {attaching("order.iso", "application/octet-stream", "CD001"), attaching("logs.gz", "application/gzip", "\x1f\x8b")},
	"TYPE_LIES":            {attaching("invoice.pdf", "text/html", "<p>"), attaching("invoice.pdf", "application/pdf", "%PDF")},
	"SIGNED":               {attaching("signature.asc", "application/pgp-signature", "-----BEGIN"), attaching("signature.asc", "text/plain", "-----BEGIN")},

	// text
	"GTUBE":           {saying(string(gtube) + "\n"), saying(string(gtube[:60]) + "\n")},
	"WORDS_DISGUISED": {saying("p\u0430ypal l\u043egin p\u0430ssw\u043erd to everybody\n"), saying("p\u0430ypal, привет, μA\n")},
	"WORDS_BROKEN":    {page("v<!-- -->ia<!-- -->gra ci<!-- -->al<!-- -->is le<!-- -->vitra"), page("viagra <!-- --> cialis <!-- --> levitra <!-- --> a <!-- --> b <!-- --> c")},
	"LETTERS_CODED":   {page(strings.Repeat("&#97;&#98;&#99; ", 12)), page(strings.Repeat("&#228;&#246;&#252; ", 12))},
	"WORDS_SPACED":    {saying("this is f r e e m o n e y for you\n"), saying("plan b or plan c or d\n")},
	"ZERO_WIDTH":      {page(strings.Repeat("wal&#8203;let ", 20)), page(`<div style="display:none">Preview of all the things within` + strings.Repeat("&zwnj;&nbsp;", 40) + `</div>` + plainBody)},
	"GREETS_ADDRESS":  {saying("Dear anna.schubert,\n\n" + plainBody), saying("Dear Anna Schubert,\n\n" + plainBody)},
	"HIDDEN_TEXT":     {page(`<p>Look!</p><div style="display:none">` + plainBody + `</div>`), page(`<p>` + plainBody + `</p><div style="display:none">` + plainBody[:80] + `</div>`)},
	"TEXT_CAPS":       {saying(strings.ToUpper(plainBody)), letter{}},
	"TEXT_EXCLAIMS":   {saying(strings.Repeat("What a kiln! Look! ", 6)), saying(strings.Repeat("What a kiln! Look at it. ", 6))},
	"MONEY_SIGNS":     {saying("$1 $2 $3 $4 $5 $6 for clay\n"), saying("$1 $2 $3 for clay\n")},
	"FORM":            {page(`<form action="/x"><input name=q></form>`), page(`<input name=q>`)},
	"PASSWORD_FORM":   {page(`<form action="/x"><input type=password name=p></form>`), page(`<form action="/x"><input type=text name=password></form>`)},
	"SCRIPTS":         {page(`<script>x()</script>`), page(`<noscript>x()</noscript>`)},
	"FRAMES":          {page(`<iframe src="http://s.example/"></iframe>`), page(`<p>frames</p>`)},
	"TAGS_INVALID":    {page(`<p><zq>a<zr>b<zs>c<zt>d<zu>e<zv>f`), page(`<p><b>a<i>b<u>c<p>d<br>e<hr>f`)},
	"WARNS":           {saying("Beware of phishing emails today. Do not click on the link in them, we will never ask you for that.\n"), saying("Do not click on the link yet, the page is not ready.\n")},
	"PATCH":           {saying("@@ -1,2 +1,3 @@\n+a\n"), saying("@@ see below @@\n")},

	// links
	"LINK_NUMERIC":       {page(`<a href="http://203.0.113.9/x">here</a>`), page(`<a href="http://192.168.1.20/x">here</a>`)},
	"LINK_PORT":          {saying("see http://s.example:8081/x please\n"), saying("see http://s.example:80/x please\n")},
	"LINK_DISGUISED":     {saying("see http://www.bank.example@203.0.113.9/x please\n"), saying("see http://www.bank.example/@x please\n")},
	"LINK_SCHEME":        {page(`<a href="javascript:x()">here</a>`), page(`<a href="mailto:x@s.example">here</a>`)},
	"LINK_SHORTENER":     {saying("see https://bit.ly/3abc please\n"), with(answer).text("see https://bit.ly/3abc please\n")},
	"LINK_FREE_HOST":     {saying("see https://x.web.app/a please\n"), saying("see https://app.web.example/a please\n")},
	"LINK_CHEAP_TLD":     {saying("see https://x.click/a please\n"), saying("see https://click.x.example/a please\n")},
	"LINK_DOUBTFUL_TLD":  {saying("see https://x.online/a please\n"), saying("see https://online.x.example/a please\n")},
	"LINK_ABROAD":        {saying("see https://x-y.ru/a please, all of you\n"), saying("смотрите https://x-y.ru/a пожалуйста, все\n")},
	"LINK_FEIGNED":       {saying("see http://paypal.com.x.example/a please\n"), saying("see http://www.paypal.com/a please\n")},
	"LINK_NEAR":          {saying("see http://paypal-check.example/a please\n"), saying("see http://big-apple.example/a please\n")},
	"LINK_LIES":          {page(`<a href="http://x.example/">https://www.bank.test.com/</a>`), page(`<a href="http://login.bank.com/">https://www.bank.com/</a>`)},
	"LINK_INNARDS":       {saying("see https://glaze.example/wp-includes/ms/ please\n"), saying("see https://glaze.example/wp-content/uploads/2024/list.pdf please\n")},
	"LINK_HOP":           {saying("see https://www.google.com/url?q=https://x.example/ please\n"), saying("see https://www.google.com/search?q=glaze please\n")},
	"LINK_AIMED":         {page(`<a href="https://x.example/#anna.schubert@empfang.example">here</a>`), page(`<a href="https://x.example/#anna">here</a>`)},
	"LINK_LABELS":        {saying("see http://a.b.c.d.e.example/ please\n"), saying("see http://a.b.c.example/ please\n")},
	"LINK_RANDOM":        {saying("see http://xkqzrvtwpl.com/ please\n"), saying("see http://potterswheel.com/ please\n")},
	"LINK_ALONE":         {saying("see http://x.example/ please\n"), letter{}.text(plainBody + "http://x.example/\n")},
	"LINK_FROM_FREE":     {with("From: grace@gmail.com").text("see http://x.example/ please\n"), saying("see http://x.example/ please\n")},
	"LINK_TO_MANY":       {with("From: grace@gmail.com\nTo: a@a.example, b@b.example, c@c.example").text("http://x.example/\n"), with("From: grace@gmail.com").text("http://x.example/\n")},
	"LINKS_AGREE":        {saying("see http://www.sender.example/ please\n"), saying("see http://www.other.example/ please\n")},
	"LINKS_AGREE_SIGNED": {with(signed).text("see http://www.sender.example/ please\n"), saying("see http://www.sender.example/ please\n")},
	"LINKS_FOREIGN":      {saying("see http://www.other.example/ please\n"), saying("see https://x.list-manage.com/track/click?u=1 please\n")},

	// joint
	"BRAND_FORGED":   {with("From: PayPal Service <grace@sender.example>"), with("From: PayPal Service <service@e.paypal.com>")},
	"BRAND_NEAR":     {with("From: PayPal <x@paypal-check.com>"), with("From: PayPal <x@mail.paypal.de>")},
	"BRAND_LURE":     {with("From: PayPal <grace@sender.example>").text("see http://x.example/ please\n"), with("From: PayPal <grace@sender.example>").text("see http://www.paypal.com/ please\n")},
	"BRAND_HOST":     {saying("Open it in OneDrive: https://x.web.app/a\n"), saying("Open it in OneDrive: https://onedrive.live.com/a\n")},
	"BRAND_UNSIGNED": {with("From: DHL <noreply@dhl.com>").from("x.example", "x.example", "190.12.3.44"), with("From: DHL <noreply@dhl.com>").from("mx1.dhl.com", "mx1.dhl.com", "165.72.200.1")},
	"EXTORT_BITCOIN": {saying("I hacked your camera and recorded a video. Pay to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2\n"), saying("The donations go to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2\n")},
	"BITCOIN":        {saying("The donations go to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq\n"), saying("The donations go to bc1qar0srrr7xfkvy5l643\n")},
	"FRAUD_FREE":     {with("From: x@gmail.com").text(fraud), saying(fraud)},
	"FRAUD_MILLIONS": {saying(fraud + "It is $14,500,000.\n"), saying(fraud + "It is $14,500.\n")},
	"ERRAND_FREE":    {with("From: Chief <x@gmail.com>").text("A quick task for you: are you at your desk? I will reimburse it.\n"), saying("A quick task for you: are you at your desk? I will reimburse it.\n")},
	"ERRAND_FALSE":   {with("Subject: Re: Hi").text("A quick task for you: are you at your desk? I will reimburse it.\n"), with("Subject: Re: Hi\n" + answer).text("A quick task for you: are you at your desk? I will reimburse it.\n")},
	"OFFER_FREE":     {with("From: x@gmail.com").text("Our SEO company does link building for website traffic.\n"), saying("Our SEO company does link building for website traffic.\n")},
	"OFFER_COLD":     {saying("Our SEO company does link building and guest posts, more backlinks, better google ranking.\n"), with(answer).text("Our SEO company does link building and guest posts, more backlinks, better google ranking.\n")},
	"SALES_PAGE":     {page(`Burn fat, lose weight: keto and garcinia are all you need. <a href="http://x.example/">Go</a>`), page(`Burn fat, lose weight: keto and garcinia are all you need. <a href="http://x.example/">Go</a>`, signed+"X: y")},
	"SALES_CHEAP":    {with("From: x@sender.icu").text("Burn fat and lose weight.\n"), saying("Burn fat and lose weight.\n")},
	"PHISH_HOST":     {saying("Verify your account, confirm your account: https://x.web.app/a\n"), saying("Verify your account, confirm your account: https://www.sender.example/a\n")},
	"PHISH_AWAY":     {saying("Verify your account, confirm your account: https://x.example/a\n"), saying("Verify your account, confirm your account: https://sender.example/a\n")},
	"PHISH_CHEAP":    {with("From: x@sender.icu").text("Verify your account.\n"), saying("Verify your account.\n")},
	"PHISH_BRAND":    {with("From: PayPal <x@sender.example>").text("Verify your account.\n"), with("From: PayPal <x@paypal.com>").text("Verify your account.\n")},
	"PHISH_GREETS":   {saying("Dear anna.schubert, verify your account, confirm your account.\n"), saying("Dear Anna, verify your account, confirm your account.\n")},
	"PHISH_PAGE":     {attaching("form.html", "text/html", "<p>").text("Verify your account with the form.\n"), attaching("form.html", "text/html", "<p>")},
	"PHISH_PICTURE":  {page(`Scan the QR code for your account: <img src="cid:q">`), page(`The QR code leads to the programme: <img src="cid:q">`)},
	"MADE_TO_PHISH":  {saying(account + "http://x.example/a\n"), with(signed).text(account + "http://x.example/a\n")},
	"MADE_AWAY":      {saying(account + "http://x.example/a\n"), saying(account + "http://sender.example/a\n")},
	"MADE_HURRY":     {saying(account + "http://x.example/a within 24 hours\n"), saying(account + "http://x.example/a\n")},
	"MADE_CHEAP":     {with("From: x@sender.icu").text(account + "http://x.example/a\n"), saying(account + "http://x.example/a\n")},
	"MADE_BRAND":     {saying("Netflix: " + account + "http://x.example/a\n"), saying("Netflix: " + account + "http://netflix.com/a\n")},
	"RENEWAL_PHONE":  {saying("Your subscription renewal: your card will be charged, it has been debited. Call +1 (808) 555 - 0132\n"), saying("Your subscription renewal: your card will be charged, it has been debited. Order 8085550132\n")},
	"LURE_ATTACHED":  {attaching("invoice.zip", "application/zip", "PK").text("Open the attachment, it is the proforma invoice.\n"), attaching("invoice.pdf", "application/pdf", "%PDF").text("Open the attachment, it is the proforma invoice.\n")},
}

const (
	alphabet = "zebra yellow xylophone whiskey violin umbrella tango sierra romeo quebec papa oscar november mike lima kilo juliet india hotel golf foxtrot echo delta charlie bravo\n"
	fraud    = "I am Barrister Cole. My late client has no next of kin. I seek your assistance to claim the fund.\n"
)

// kindTexts are sentences with one telling phrase of a kind each.
var kindTexts = map[lexicon.Kind][]string{
	lexicon.Fraud:    {"He died in an auto crash.", "There was no trunk box.", "It needs utmost confidence.", "I got your email.", "See the overdue payment.", "Here is a business proposition."},
	lexicon.Phish:    {"Please verify your account.", "Then confirm your information.", "The account has been limited.", "We saw that account is suspended.", "Do update your information.", "It was temporarily locked."},
	lexicon.Mailbox:  {"The mailbox quota is small.", "Do not lose the email quota.", "Mind the quota limit.", "Please re confirm.", "There are undelivered mails.", "The server administrator."},
	lexicon.Extort:   {"I am a professional hacker.", "You have seen porn sites.", "After you open this.", "I have full access.", "I know your friends and relatives.", "I hold no grudge."},
	lexicon.Pharma:   {"We have zyban.", "And xenical.", "And cheap meds.", "It is rock hard.", "Without rx.", "Some quality pills."},
	lexicon.Health:   {"You burn fat.", "Try garcinia.", "Or forskolin.", "It helps against cellulite.", "Forget tinnitus.", "The doctors hate it."},
	lexicon.Adult:    {"They are horny.", "It is an orgy.", "With hot babes.", "A live webcam.", "And milfs.", "No sluts."},
	lexicon.Dating:   {"See single women.", "And asian girls.", "I saw your profile.", "It is a hookup.", "Find a soulmate.", "See the local singles."},
	lexicon.Loan:     {"The lowest rates ever.", "For home equity.", "Get a cash advance.", "Be debt free.", "Take a second mortgage.", "For working capital."},
	lexicon.Money:    {"You make money.", "Get extra income.", "Find financial freedom.", "It is mlm.", "They want easy money.", "Get quick cash."},
	lexicon.Stock:    {"See the stock alert.", "A penny stock.", "The target price.", "It is a strong buy.", "On the otcbb.", "The massive gains."},
	lexicon.Prize:    {"Because you won.", "You were randomly selected.", "So claim now.", "Take your prize.", "There are sweepstakes.", "It is a free vacation."},
	lexicon.SEO:      {"With backlinks.", "And guest posts.", "For organic traffic.", "The google ranking.", "And lead generation.", "Use bulk email."},
	lexicon.Casino:   {"Get free spins.", "The deposit bonus.", "No free chips.", "The sportsbook.", "Place a wager.", "This is no deposit."},
	lexicon.Replica:  {"Look at breitling.", "And ray ban.", "All luxury watches.", "These replica watches.", "Bags of louis vuitton.", "And cartier and gucci."},
	lexicon.Software: {"The oem software.", "A university degree.", "It is nonaccredited.", "For life experience.", "An online degree.", "With office xp."},
	lexicon.Crypto:   {"Send btc.", "Or usdt.", "The trading robot.", "The guaranteed returns.", "A daily profit.", "And binary options."},
	lexicon.Renewal:  {"It was auto renewed.", "You will be charged.", "Call the helpline.", "You may claim a refund.", "From geek squad.", "It has been debited."},
	lexicon.Parcel:   {"A failed delivery.", "The shipping fee.", "Ask for redelivery.", "With the customs fee.", "A pending package.", "At the wrong address."},
	lexicon.Lure:     {"It is the proforma.", "And the rfq.", "The payment slip.", "The remittance.", "A telegraphic transfer.", "Please download attached."},
	lexicon.Bulk:     {"For future mailings.", "From our database.", "One of our partners.", "This advertisement.", "The third party advertiser.", "And further mailings."},
	lexicon.Urgent:   {"So act now.", "And order today.", "But dont delay.", "Do call now.", "The final notice.", "No questions asked."},
	lexicon.Abroad:   {"Стоимость участия.", "База предприятий.", "Клиентской базе.", "Клиентская база.", "出口退税", "办理文凭"},
	lexicon.Errand:   {"Are you at your desk?", "I have a quick task.", "Just take care of a payment.", "My paycheck deposited.", "I changed banks.", "So email only."},
}

var step = regexp.MustCompile(`^([A-Z]+)_([2346])$`)

// exampleOf finds the letters for a rule.
func exampleOf(rule string) (example, bool) {
	if e, ok := examples[rule]; ok {
		return e, true
	}
	if rule == "GREETING" {
		return example{saying("Dear account holder,\n\n" + plainBody), letter{}}, true
	}
	s := step.FindStringSubmatch(rule)
	if s == nil {
		return example{}, false
	}
	for _, p := range phraseTable {
		texts := kindTexts[p.kind]
		if p.name != s[1] || len(texts) < 6 {
			continue
		}
		n := int(s[2][0] - '0')
		return example{saying(strings.Join(texts[:n], "\n") + "\n"), saying(strings.Join(texts[:n-1], "\n") + "\n")}, true
	}
	return example{}, false
}

func TestEachRuleMeetsItsExampleAndNotTheNearMiss(t *testing.T) {
	engine := New()
	rules := Rules()
	if len(rules) < 150 {
		t.Errorf("there are %d rules only", len(rules))
	}
	known := map[string]bool{}
	for _, r := range rules {
		if known[r.Name] {
			t.Errorf("%s stands in the tables twice", r.Name)
		}
		known[r.Name] = true
		e, ok := exampleOf(r.Name)
		if !ok {
			t.Errorf("%s has no example: write a letter that it meets and one that it nearly meets", r.Name)
			continue
		}
		if got := matched(examine(t, engine, e.meets)); !slices.Contains(got, r.Name) {
			t.Errorf("%s does not meet its example, which meets %v", r.Name, got)
		}
		if got := matched(examine(t, engine, e.misses)); slices.Contains(got, r.Name) {
			t.Errorf("%s meets the letter that it should nearly meet", r.Name)
		}
	}
	for name := range examples {
		if !known[name] {
			t.Errorf("%s has an example and is no rule", name)
		}
	}
}

func TestPointsOfRulesHaveOneDecimalAndATable(t *testing.T) {
	for _, r := range Rules() {
		if r.Points%10 != 0 || r.Points == 0 {
			t.Errorf("%s is worth %s", r.Name, r.Points)
		}
		if TableOf(r.Name) != r.Table || !slices.Contains(Tables(), r.Table) || r.About == "" {
			t.Errorf("%s is of table %q and about %q", r.Name, r.Table, r.About)
		}
	}
}

// Groups on the web have answers sent to themselves; the rules about other addresses for answers are not for them.
func TestAGroupIsNoOtherMailboxForAnswers(t *testing.T) {
	e := New()
	l := with("From: joy@hotmail.com\nReply-To: Kilns <kilns@groups.msn.com>\nTo: Kilns <kilns@groups.msn.com>\nMessage-ID: <Kilns-1399@groups.msn.com>")
	for _, p := range examine(t, e, l).Rules().Parts {
		if p.Name == "REPLY_TO_OTHER_FREE" || p.Name == "REPLY_TO_FREE" || p.Name == "ID_OF_RECEIVER" {
			t.Errorf("it has %s", p.Name)
		}
	}
}

func TestNoSinglePointOfRulesButGTUBEIsJunkAlone(t *testing.T) {
	for _, r := range Rules() {
		if r.Points >= 500 && r.Name != "GTUBE" {
			t.Errorf("%s alone makes a message junk", r.Name)
		}
	}
}

func TestWordsAloneNeverMakeAMessageJunk(t *testing.T) {
	for index := 0.0; index <= 1; index += 0.0005 {
		if p := wordPoints(index); p >= 5 || p < -2 {
			t.Fatalf("an index of %.4f is worth %.2f", index, p)
		}
	}
	for margin := -20.0; margin <= 20; margin += 0.01 {
		if p := marginPoints(margin); p >= 5 || p < -2 || p*margin < 0 {
			t.Fatalf("a margin of %.2f is worth %.2f", margin, p)
		}
	}
	if wordPoints(1) <= wordPoints(0.9) || wordPoints(0.5) != 0 || wordPoints(0) >= 0 {
		t.Error("the steps are not in order")
	}
}
