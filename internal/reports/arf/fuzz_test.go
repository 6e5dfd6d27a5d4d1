package arf

import (
	"strings"
	"testing"
)

func FuzzRead(f *testing.F) {
	f.Add([]byte("\r\nFeedback-Type: auth-failure\r\nAuth-Failure: dmarc\r\nSource-IP: [192.0.2.1]\r\nSource-Port: 25\r\nReported-Domain: Example.TEST.\r\nIncidents: 3\r\nArrival-Date: Mon, 23 Nov 2026 06:00:00 +0000\r\nDKIM-Canonicalized-Body: YQ\r\n ==\r\n"),
		[]byte("From: =?utf-8?q?a?= <a@b.example>\r\nSubject: x\r\nMessage-ID: <1@b.example>\r\n"))
	f.Add([]byte("Sender Domain: example.test\nSender IP Address: 192.0.2.1\nSPF Alignment: no\n------ This is a copy of the headers\n\nFrom: a\n"), []byte{})
	f.Fuzz(func(t *testing.T, fields, original []byte) {
		if r, err := Read(fields, original); err == nil {
			if r.Type == "" || r.Incidents < 1 || strings.ContainsAny(r.Subject+r.Author+r.OriginalMailFrom, "\r\n\x1b") {
				t.Fatalf("%+v", r)
			}
		}
		if r, ok := ReadText(fields); ok && !r.Source.IsValid() {
			t.Fatalf("%+v", r)
		}
	})
}

func TestPlainTextIsAReportOnlyWhenItNamesADomainAndAnAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"Sender Domain: example.test\nSender IP Address: 192.0.2.1\n": true,
		"Sender Domain: example.test\n":                               false,
		"Sender IP Address: 192.0.2.1\n":                              false,
		"Hello.\n":                                                    false,
	} {
		if _, ok := ReadText([]byte(text)); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}
