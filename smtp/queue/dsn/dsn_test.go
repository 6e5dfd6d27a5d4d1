package dsn_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/smtp/queue/dsn"
)

var at = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

const original = "Received: by us.test\r\nFrom: alice@us.test\r\nSubject: hi\r\n\r\nHello.\r\n"

func report() dsn.Report {
	return dsn.Report{
		Hostname: "us.test", To: "alice@us.test", Date: at, EnvID: "id+2B1", Arrived: at.Add(-time.Hour),
		Recipients: []dsn.Recipient{
			{Address: "bob@a.test", ORCPT: "rfc822;robert+2Bx@old.test", Action: dsn.Failed, Status: "5.1.1", RemoteMTA: "mx.a.test", Diagnostic: "550 5.1.1 no such user", LastAttempt: at},
			{Address: "carol@b.test", Action: dsn.Failed, Status: "5.1.2", Reason: "The domain b.test does not exist", LastAttempt: at},
		},
		Message: strings.NewReader(original),
	}
}

// parts reads a notification as a client does.
func parts(t *testing.T, n dsn.Notification) (*mail.Message, []string, []string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(n.Message))
	if err != nil {
		t.Fatalf("%v in\n%s", err, n.Message)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("%s %v %v", kind, params, err)
	}
	var kinds, bodies []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, kinds, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		kinds, bodies = append(kinds, kind), append(bodies, string(b))
	}
}

func TestANotificationHasItsThreeParts(t *testing.T) {
	n, err := dsn.Compose(report())
	if err != nil {
		t.Fatal(err)
	}
	m, kinds, bodies := parts(t, n)
	if got := strings.Join(kinds, " "); got != "text/plain message/delivery-status text/rfc822-headers" {
		t.Fatal(got)
	}
	if m.Header.Get("Auto-Submitted") != "auto-replied" || m.Header.Get("Message-Id") == "" || m.Header.Get("To") != "<alice@us.test>" || n.Has8Bit {
		t.Errorf("%v", m.Header)
	}
	if date, err := m.Header.Date(); err != nil || !date.Equal(at) {
		t.Errorf("%v %v", date, err)
	}
	for _, want := range []string{"could not be delivered", "<bob@a.test>", "550 5.1.1 no such user", "The domain b.test does not exist"} {
		if !strings.Contains(bodies[0], want) {
			t.Errorf("the words lack %q:\n%s", want, bodies[0])
		}
	}
	groups := fields(t, bodies[1])
	if len(groups) != 3 {
		t.Fatalf("%d groups of fields", len(groups))
	}
	for i, want := range []map[string]string{
		{"Reporting-Mta": "dns; us.test", "Original-Envelope-Id": "id+1", "Arrival-Date": "Mon, 23 Nov 2026 09:00:00 +0000"},
		{"Original-Recipient": "rfc822; robert+x@old.test", "Final-Recipient": "rfc822; bob@a.test", "Action": "failed", "Status": "5.1.1", "Remote-Mta": "dns; mx.a.test", "Diagnostic-Code": "smtp; 550 5.1.1 no such user", "Last-Attempt-Date": "Mon, 23 Nov 2026 10:00:00 +0000"},
		{"Final-Recipient": "rfc822; carol@b.test", "Action": "failed", "Status": "5.1.2", "Remote-Mta": "", "Diagnostic-Code": "", "Original-Recipient": ""},
	} {
		for name, value := range want {
			if got := groups[i].Get(name); got != value {
				t.Errorf("group %d: %s: %q, want %q", i, name, got, value)
			}
		}
	}
	if bodies[2] != "Received: by us.test\r\nFrom: alice@us.test\r\nSubject: hi\r\n" {
		t.Errorf("returned: %q", bodies[2])
	}
}

// fields reads the groups of message/delivery-status.
func fields(t *testing.T, s string) []textproto.MIMEHeader {
	t.Helper()
	var list []textproto.MIMEHeader
	for group := range strings.SplitSeq(strings.Trim(s, "\r\n"), "\r\n\r\n") {
		m, err := mail.ReadMessage(strings.NewReader(group + "\r\n\r\n"))
		if err != nil {
			t.Fatalf("%v in %q", err, group)
		}
		list = append(list, textproto.MIMEHeader(m.Header))
	}
	return list
}

func TestTheWholeMessageComesBackWhenAsked(t *testing.T) {
	r := report()
	r.Full = true
	n, err := dsn.Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, kinds, bodies := parts(t, n); kinds[2] != "message/rfc822" || bodies[2] != original {
		t.Errorf("%s: %q", kinds[2], bodies[2])
	}
}

func TestAnInternationalisedMessageIsReportedInItsOwnTypes(t *testing.T) {
	r := report()
	r.SMTPUTF8, r.To, r.Recipients[0].Address = true, "älice@us.test", "böb@a.test"
	r.Recipients[0].Diagnostic = "550 5.1.1 gibt's nicht: böb"
	n, err := dsn.Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	_, kinds, bodies := parts(t, n)
	if got := strings.Join(kinds, " "); got != "text/plain message/global-delivery-status message/global-headers" || !n.Has8Bit {
		t.Error(got)
	}
	if !strings.Contains(bodies[1], "Final-Recipient: utf-8; böb@a.test") || !strings.Contains(bodies[1], "nicht: böb") {
		t.Error(bodies[1])
	}
}

func TestDelaysAndSuccessesAreTold(t *testing.T) {
	for action, want := range map[dsn.Action]string{dsn.Delayed: "delayed", dsn.Relayed: "passed on", dsn.Delivered: "was delivered"} {
		r := report()
		r.Recipients = r.Recipients[:1]
		r.Recipients[0].Action, r.Recipients[0].RetryUntil = action, at.Add(time.Hour)
		n, err := dsn.Compose(r)
		if err != nil {
			t.Fatal(err)
		}
		m, _, bodies := parts(t, n)
		g := fields(t, bodies[1])[1]
		if g.Get("Action") != string(action) || (g.Get("Will-Retry-Until") != "") != (action == dsn.Delayed) || !strings.Contains(strings.ToLower(m.Header.Get("Subject")+bodies[0]), want) {
			t.Errorf("%s: %v", action, g)
		}
	}
}

func TestAMessageThatCannotBeReadIsAnError(t *testing.T) {
	r := report()
	r.Message = iotest.ErrReader(errors.New("disk on fire"))
	if _, err := dsn.Compose(r); err == nil {
		t.Error("composed")
	}
	r.Message = nil
	n, err := dsn.Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, kinds, _ := parts(t, n); len(kinds) != 2 {
		t.Errorf("%v", kinds)
	}
	r.Recipients = nil
	if _, err := dsn.Compose(r); err == nil {
		t.Error("composed for nobody")
	}
}

func TestAnEndlessHeaderComesBackInPart(t *testing.T) {
	r := report()
	r.Message = strings.NewReader(strings.Repeat("X-Field: value value value\r\n", 10000))
	n, err := dsn.Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _, bodies := parts(t, n)
	if len(bodies[2]) > 64<<10 || !strings.HasSuffix(bodies[2], "value\r\n") {
		t.Errorf("%d bytes", len(bodies[2]))
	}
}

// FuzzCompose: whatever strangers write into codes, addresses and replies, the notification is a message of whole lines
// with the parts and groups that it should have.
func FuzzCompose(f *testing.F) {
	f.Add("bob@a.test", "rfc822;x", "550 no", "mx.a.test", "id", original, false)
	f.Add("b\r\nTo: x", "a;b\r\n\r\nAction: delivered", "5\x00\x1b[m\xff "+strings.Repeat("y", 3000), "m\nx", "+0D+0A+0D+0A", "--\r\n\r\n", true)
	f.Fuzz(func(t *testing.T, address, orcpt, diagnostic, host, envid, message string, full bool) {
		if strings.ContainsAny(strings.ReplaceAll(message, "\r\n", ""), "\r\n") {
			return // the queue holds whole lines only
		}
		r := report()
		r.Full, r.EnvID, r.Message = full, envid, strings.NewReader(message)
		r.Recipients[0].Address, r.Recipients[0].ORCPT, r.Recipients[0].Diagnostic, r.Recipients[0].RemoteMTA = address, orcpt, diagnostic, host
		n, err := dsn.Compose(r)
		if err != nil {
			t.Fatal(err)
		}
		if rest := strings.ReplaceAll(string(n.Message), "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
			t.Fatalf("bare line ends in %q", n.Message)
		}
		_, kinds, bodies := parts(t, n)
		if len(kinds) != 3 || len(strings.Split(strings.Trim(bodies[1], "\r\n"), "\r\n\r\n")) != 3 {
			t.Fatalf("%v\n%s", kinds, bodies[1])
		}
		for line := range strings.Lines(bodies[1]) {
			if len(line) > 1000 && len(address)+len(orcpt)+len(host)+len(envid) < 500 {
				t.Fatalf("a line of %d bytes", len(line))
			}
		}
	})
}
