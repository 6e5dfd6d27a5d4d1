package message

import (
	"bytes"
	"strings"
	"testing"
)

// typical is a message of about 4 KiB with two alternatives, as mail clients send them through a few relays.
var typical = crlf(`Return-Path: <alice@sender.example>
Received: from mx1.relay.example (mx1.relay.example [192.0.2.17])
	by mail.receiver.example (Postern) with ESMTPS id 4Xk2Lp0Zq9z7
	for <bob@receiver.example>; Tue, 03 Mar 2026 10:11:12 +0000
Received: from client.sender.example (unknown [198.51.100.23])
	(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
	by mx1.relay.example with ESMTPSA id 7aGh2k1
	for <bob@receiver.example>; Tue, 03 Mar 2026 10:11:10 +0000
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=mail2026;
	t=1772532670; h=from:to:cc:subject:date:message-id:mime-version:content-type;
	bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
	b=dGhpcyBpcyBub3QgYSByZWFsIHNpZ25hdHVyZSBidXQgaXQgaXMgYXMgbG9uZyBhcyBvbmUgdXN1
	 YWxseSBpcyBzbyB0aGF0IHRoZSBoZWFkZXIgaGFzIGl0cyB1c3VhbCBsZW5ndGggYW5kIHRoZSBiZW5j
	 aG1hcmsgbWVhbnMgc29tZXRoaW5n
Message-ID: <20260303101109.1234567@client.sender.example>
Date: Tue, 03 Mar 2026 11:11:09 +0100
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Subject: Minutes of the meeting on Monday and what comes next
Content-Language: en-US
From: Alice Example <alice@sender.example>
To: Bob Receiver <bob@receiver.example>, "Carol, Accounting" <carol@receiver.example>
Cc: team@lists.sender.example
References: <first@receiver.example> <second@sender.example>
In-Reply-To: <second@sender.example>
Content-Type: multipart/alternative; boundary="------------zJQ9fKx0bT2mWcXyVd4uP1Ls"

This is a multi-part message in MIME format.
--------------zJQ9fKx0bT2mWcXyVd4uP1Ls
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 8bit

` + strings.Repeat("Here is a line of text as people write them, about seventy long.\n", 14) + `
--------------zJQ9fKx0bT2mWcXyVd4uP1Ls
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

<html><body>
` + strings.Repeat("<p>Here is a line of text as people write them, with its tags.</p>=\n", 14) + `
</body></html>

--------------zJQ9fKx0bT2mWcXyVd4uP1Ls--
`)

func BenchmarkParse(b *testing.B) {
	r := bytes.NewReader([]byte(typical))
	b.ReportAllocs()
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		if _, err := Parse(r, r.Size(), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndMeta(b *testing.B) {
	r := bytes.NewReader([]byte(typical))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		m, _ := Parse(r, r.Size(), Limits{})
		n = len(m.Meta())
	}
	b.ReportMetric(float64(n), "meta-bytes")
}

func BenchmarkParseLarge(b *testing.B) {
	text := strings.Replace(typical, "Here", strings.Repeat(strings.Repeat("A", 76)+"\r\n", 100000), 1)
	r := bytes.NewReader([]byte(text))
	b.ReportAllocs()
	b.SetBytes(r.Size())
	for b.Loop() {
		Parse(r, r.Size(), Limits{})
	}
}

func BenchmarkAppendEnvelope(b *testing.B) {
	m := mustParse(b, typical).Meta()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = m.AppendEnvelope(dst[:0])
	}
}

func BenchmarkAppendBodyStructure(b *testing.B) {
	m := mustParse(b, typical).Meta()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = m.AppendBodyStructure(dst[:0], true)
	}
}

func BenchmarkSubjectText(b *testing.B) {
	m := mustParse(b, typical).Meta()
	b.ReportAllocs()
	for b.Loop() {
		m.SubjectText()
	}
}

func BenchmarkAddressText(b *testing.B) {
	m := mustParse(b, typical).Meta()
	b.ReportAllocs()
	for b.Loop() {
		m.AddressText(Cc)
	}
}

func BenchmarkSection(b *testing.B) {
	m := mustParse(b, typical).Meta()
	path := []int{2}
	b.ReportAllocs()
	for b.Loop() {
		m.Section(path, SectionBody)
	}
}
