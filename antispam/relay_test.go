package antispam

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTheRelayIsReadFromReceivedFieldsOfAllServers(t *testing.T) {
	for name, c := range map[string]struct {
		field, ip, helo, rdns string
		asked                 bool
	}{
		"Postfix": {"from mail.example.com (mx7.example.com [192.0.78.10]) by mx.empfang.example (Postfix) with ESMTPS id 4F2B; Tue, 14 May 2024 21:02:13 +0100",
			"192.0.78.10", "mail.example.com", "mx7.example.com", true},
		"Postfix, no name": {"from mypc (unknown [190.12.3.44])\n\tby mx.empfang.example (Postfix) with ESMTP id 1", "190.12.3.44", "mypc", "", true},
		"Postfix, IPv6":    {"from mail.example.com (mail.example.com [IPv6:2a01:4f8::1]) by mx.empfang.example (Postfix) with ESMTPS id 1", "2a01:4f8::1", "mail.example.com", "mail.example.com", true},
		"Sendmail": {"from smtp.example.com (IDENT:root@host9.example.com [192.0.78.10]) by empfang.example (8.12.6/8.12.6) with ESMTP id g6JIDZJ22453 for <anna@empfang.example>",
			"192.0.78.10", "smtp.example.com", "host9.example.com", true},
		"Sendmail, forged":  {"from x.example (host9.example.com [192.0.78.10] (may be forged)) by empfang.example (8.9.3/8.9.3) with SMTP id NAA21278", "192.0.78.10", "x.example", "host9.example.com", true},
		"Sendmail, no name": {"from cable.net.co ([190.12.3.44]) by empfang.example (8.11.6/8.11.6) with SMTP id g6JIDZJ22453", "190.12.3.44", "cable.net.co", "", true},
		"Exim, one name":    {"from mail.example.com ([192.0.78.10]) by mail.empfang.example with esmtps (TLS1.3) (Exim 4.96) id 1rYk-2X for anna@empfang.example", "192.0.78.10", "mail.example.com", "mail.example.com", true},
		"Exim, two names":   {"from host9.example.com ([192.0.78.10]:51234 helo=smtp.example.com) by mail.empfang.example with esmtp (Exim 4.80) id 1X", "192.0.78.10", "smtp.example.com", "host9.example.com", true},
		"Exim, no name":     {"from [190.12.3.44] (helo=five2go.example) by mx09.empfang.example with smtp (Exim 4.92) id 18JODc-0007o8-00", "190.12.3.44", "five2go.example", "", true},
		"qmail":             {"from unknown (HELO five2go.example) (190.12.3.44) by mail.empfang.example with SMTP; 24 Jul 2012 12:00:00 -0000", "190.12.3.44", "five2go.example", "", true},
		"qmail, named":      {"from mx7.example.com (HELO mail.example.com) (192.0.78.10) by mail.empfang.example with SMTP; 24 Jul 2012 12:00:00 -0000", "192.0.78.10", "mail.example.com", "mx7.example.com", true},
		"qmail, address":    {"from unknown (HELO 10.0.0.1) (190.12.3.44) by mail.empfang.example with SMTP", "190.12.3.44", "10.0.0.1", "", true},
		"Exchange":          {"from mail.example.com (192.0.78.10) by AM7EUR03FT041.mail.protection.outlook.com (10.152.16.250) with Microsoft SMTP Server id 15.20.1", "192.0.78.10", "mail.example.com", "", false},
		"Gmail":             {"from mail.example.com (mx7.example.com. [192.0.78.10]) by mx.google.com with ESMTPS id a1 for <x@gmail.com>", "192.0.78.10", "mail.example.com", "mx7.example.com", true},
		"Gmail, no name":    {"from five2go.example ([190.12.3.44]) by mx.google.com with ESMTP id a1", "190.12.3.44", "five2go.example", "", true},
	} {
		r, ok := parseReceived(strings.ReplaceAll(field(c.field), "\n", ""))
		if !ok || r.ip != netip.MustParseAddr(c.ip) || r.helo != c.helo || r.name != c.rdns || r.asked != c.asked || !r.known {
			t.Errorf("%s: %+v, %t", name, r, ok)
		}
	}
}

// field is how package message unfolds.
func field(s string) string { return strings.ReplaceAll(s, "\n\t", "\t") }

func TestHopsThatTellNothingOfStrangersAreNoRelay(t *testing.T) {
	for name, value := range map[string]string{
		"within":               "from localhost (localhost [127.0.0.1]) by mx.empfang.example (Postfix) with ESMTP id 1",
		"private":              "from nas (nas.lan [192.168.1.20]) by mx.empfang.example (Postfix) with ESMTP id 1",
		"two of one house":     "from out7.bigmail.com (out7.bigmail.com [192.0.78.10]) by in3.bigmail.com (Postfix) with ESMTPS id 1",
		"two of one Exchange":  "from DB8PR05MB6111.eurprd05.prod.outlook.com (2603:10a6:10:1::1) by AM0PR05MB1.eurprd05.prod.outlook.com with HTTPS",
		"fetched":              "from mail.example.com [192.0.78.10] by localhost with POP3 (fetchmail-5.9.0) for x@localhost (single-drop)",
		"a script":             "by web3.empfang.example (Postfix, from userid 0) id 6E0D; Sun, 11 Feb 2024 06:25:09 +0100",
		"nothing":              "",
		"from nowhere":         "from ",
		"from and no address":  "from mail.example.com by mx.empfang.example with SMTP",
		"qmail's own":          "(qmail 15822 invoked by uid 1000); 4 Oct 2002 02:50:21 -0000",
		"a link-local address": "from x.example (x.example [fe80::1]) by mx.empfang.example (Postfix) with ESMTP id 1",
	} {
		if r, ok := parseReceived(value); ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestTheRelayIsTheFirstHopThatTells(t *testing.T) {
	l := with("Received: from localhost (localhost [127.0.0.1]) by mx.empfang.example with ESMTP id 1; Tue, 14 May 2024 21:02:15 +0100\n" +
		"Received: from mail.example.com (mx7.example.com [192.0.78.10]) by mx.empfang.example (Postfix) id 2; Tue, 14 May 2024 21:02:13 +0100\n" +
		"Received: from pc (ppp-190-12-3-44.isp.example [190.12.3.44]) by mail.example.com (Postfix) id 3; Tue, 14 May 2024 21:02:11 +0100")
	f := examine(t, New(), l)
	if f.relay.name != "mx7.example.com" || !f.header.arrived.Equal(f.header.date.Add(4e9)) {
		t.Errorf("%+v, arrived %s", f.relay, f.header.arrived)
	}
	l.relay = &Relay{IP: netip.MustParseAddr("198.51.100.9"), Helo: "Other.Example", Name: "other.example", Asked: true}
	if f := examine(t, New(), l); f.relay.helo != "other.example" || f.relay.ip != l.relay.IP {
		t.Errorf("what is known of the client does not go before the header: %+v", f.relay)
	}
}

func TestALineOfACustomerIsToldFromAServer(t *testing.T) {
	ip := netip.MustParseAddr("190.12.3.44")
	for name, want := range map[string]bool{
		"ppp-190-12-3-44.isp.example":      true,
		"44.3.12.190.isp.example":          true,
		"adsl7.isp.example":                true,
		"p5b0c12.dip0.t-ipconnect.example": false,
		"pool-71-2.isp.example":            true,
		"static-190-12-3-44.isp.example":   false,
		"mail-190-12-3-44.isp.example":     false,
		"vps190-12-3-44.hoster.example":    false,
		"mail.example.com":                 false,
		"dynamics.example":                 false,
		"":                                 false,
	} {
		if got := looksDynamic(name, ip); got != want {
			t.Errorf("%q is a customer's: %t", name, got)
		}
	}
	for host, want := range map[string]bool{"win-8k3j2h1g9f0": true, "win-8k3j2h1g9f0.lan": true, "win-win-trade.example": false, "windows-mail": false,
		"vm-8-12-centos": true, "vm-8-12.hoster.example": false, "win-abcdefghijk": false} {
		if got := isUnnamed(host); got != want {
			t.Errorf("%q was given by a machine: %t", host, got)
		}
	}
}

func FuzzParseReceived(f *testing.F) {
	for _, s := range []string{"from a (b [1.2.3.4]) by c", "from [1.2.3.4] (helo=x) by y (Exim 4)", "from unknown (HELO x) (1.2.3.4) by z", "from ((((", "from [", "from x ([IPv6:::1])"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := parseReceived(s); ok && (!r.known || !isPublic(r.ip)) {
			t.Errorf("%+v", r)
		}
	})
}
