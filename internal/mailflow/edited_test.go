package mailflow

import (
	"testing"
)

func TestAChangedHeaderComesApart(t *testing.T) {
	const (
		path   = "Return-Path: <a@example.org>\r\n"
		ours   = path + "Delivered-To: alice@example.test\r\nReceived: by mail.example.test\r\n\tid 1\r\n"
		theirs = "From: a@example.org\r\nSubject: x\r\n"
	)
	for _, c := range []struct {
		name, header     string
		front, own, head string
		cut              bool
	}{
		{"nothing", ours + theirs, "", ours, theirs, false},
		{"a field before", "X-A: 1\r\n" + ours + theirs, "X-A: 1\r\n", ours, theirs, false},
		{"a field that looks like ours", "X-A: 1\r\n " + path + ours + theirs, "X-A: 1\r\n " + path, ours, theirs, false},
		{"a field behind", ours + theirs + "X-B: 2\r\n", "", ours, theirs + "X-B: 2\r\n", false},
		{"a field less", ours + "From: a@example.org\r\n", "", ours, "From: a@example.org\r\n", false},
		{"one of ours less", "X-A: 1\r\n" + path + "Received: by mail.example.test\r\n\tid 1\r\n" + theirs, "X-A: 1\r\n",
			path + "Received: by mail.example.test\r\n\tid 1\r\n", theirs, true},
		{"no field left of theirs", ours, "", ours, "", false},
	} {
		got := parts([]byte(c.header+"\r\n"), []byte(ours))
		if string(got.front) != c.front || string(got.own) != c.own || string(got.head) != c.head || got.cut != c.cut {
			t.Errorf("%s: %q, %q, %q, %v", c.name, got.front, got.own, got.head, got.cut)
		}
	}
}

// TestOursAreKnownThoughTheFirstOfThemIsGone: of a message that lies in a mailbox, a field that a script put before all others when it
// came may be gone.
func TestOursAreKnownThoughTheFirstOfThemIsGone(t *testing.T) {
	const (
		path   = "Return-Path: <a@example.org>\r\n"
		mark   = "Delivered-To: alice@example.test\r\n"
		theirs = "From: a@example.org\r\nSubject: x\r\n"
	)
	for header, front := range map[string]string{
		path + mark + theirs: "", "X-B: 1\r\n" + path + mark + theirs: "X-B: 1\r\n",
		"X-B: 1\r\nX-C: 3\r\n" + path + mark + theirs: "X-B: 1\r\n",
	} {
		got := parts([]byte(header+"\r\n"), []byte("X-A: 1\r\nX-C: 3\r\n"+path+mark))
		if string(got.front) != front || string(got.head) != theirs || !got.cut {
			t.Errorf("%q: %q, %q, %q, %v", header, got.front, got.own, got.head, got.cut)
		}
	}
}

func TestAnAddedFieldOfTheEnvelopeIsKnown(t *testing.T) {
	for fields, want := range map[string]bool{"": false, "X-A: Subject: x\r\n": false, "X-A: 1\r\nsubject: x\r\n": true, "REPLY-TO: a@example.org\r\n": true, "List-Id: <x>\r\n": false} {
		if hasEnvelope([]byte(fields)) != want {
			t.Errorf("%q: %v", fields, !want)
		}
	}
}
