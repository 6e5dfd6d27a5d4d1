package client_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/mhale/smtpd"

	"postern/smtp/client"
)

// bodies that a server must get as they are.
func texts() []string {
	return []string{
		"", "x\r\n", ".\r\n", "..\r\n", ".\r\n.\r\n", "a\r\n.b\r\n\r\n.\r\n", strings.Repeat("0123456789abcdef\r\n", 5000),
		strings.Repeat(".\r\n", 30000), strings.Repeat("x", 32<<10) + "\r\n.\r\n", strings.Repeat("y", 32<<10-2) + "\r\n.z\r\n", "é ü\r\n",
	}
}

func session(t *testing.T, addr string) *client.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, conn)
}

func TestMhaleSmtpdReceivesWhatWeSend(t *testing.T) {
	var mu sync.Mutex
	var got [][]byte
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &smtpd.Server{Hostname: "peer.test", DisableReverseDNS: true, Handler: func(_ net.Addr, _ string, _ []string, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, bytes.Clone(data))
		return nil
	}}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	c := session(t, l.Addr().String())
	for i, text := range texts() {
		text = "Subject: " + fmt.Sprint(i) + "\r\n\r\n" + text
		m := mail("b@p.test", "c@p.test")
		m.Size = int64(len(text))
		if r, err := c.Send(t.Context(), m, strings.NewReader(text)); err != nil || codes(r) != "ok, ok" {
			t.Fatalf("%d: %v, %v", i, codes(r), err)
		}
		mu.Lock()
		if last := got[len(got)-1]; len(got) != i+1 || !bytes.HasSuffix(last, []byte(text)) {
			t.Errorf("%d: arrived otherwise: %.200q", i, last)
		}
		mu.Unlock()
	}
	c.Quit()
}

type backend struct {
	mu  sync.Mutex
	got []string
}

type receiver struct {
	b    *backend
	from string
	to   []string
}

func (b *backend) NewSession(*gosmtp.Conn) (gosmtp.Session, error) { return &receiver{b: b}, nil }

func (r *receiver) Mail(from string, o *gosmtp.MailOptions) error {
	r.from = fmt.Sprintf("%s %s %s %v %s", from, o.Return, o.EnvelopeID, o.UTF8, o.Body)
	return nil
}

func (r *receiver) Rcpt(to string, o *gosmtp.RcptOptions) error {
	if strings.HasPrefix(to, "no") {
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	r.to = append(r.to, fmt.Sprintf("%s %v %s", to, o.Notify, o.OriginalRecipient))
	return nil
}

func (r *receiver) Data(body io.Reader) error {
	b, err := io.ReadAll(body)
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.b.got = append(r.b.got, r.from+"|"+strings.Join(r.to, ",")+"|"+string(b))
	return err
}

func (r *receiver) Reset()        { r.from, r.to = "", nil }
func (r *receiver) Logout() error { return nil }

func TestGoSmtpReceivesWhatWeSend(t *testing.T) {
	b := &backend{}
	server := gosmtp.NewServer(b)
	server.Domain, server.EnableDSN, server.EnableSMTPUTF8, server.MaxLineLength = "peer.test", true, true, 100000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	c := session(t, l.Addr().String())
	for i, text := range texts() {
		text = "Subject: " + fmt.Sprint(i) + "\r\n\r\n" + text
		m := &client.Mail{From: "ä@us.test", Size: int64(len(text)), Ret: "HDRS", EnvID: "a+2Bb", SMTPUTF8: true, Body8Bit: true, Recipients: []client.Recipient{
			{Address: "b@p.test", Notify: "SUCCESS,FAILURE", ORCPT: "rfc822;o+3D@p.test"}, {Address: "no@p.test"}, {Address: "c@p.test", Notify: "NEVER"},
		}}
		r, err := c.Send(t.Context(), m, strings.NewReader(text))
		if err != nil || codes(r) != "ok, RCPT 550, ok" {
			t.Fatalf("%d: %v, %v", i, codes(r), err)
		}
		want := "ä@us.test HDRS a+b true 8BITMIME|b@p.test [SUCCESS FAILURE] o=@p.test,c@p.test [NEVER] |" + text
		b.mu.Lock()
		if len(b.got) != i+1 || b.got[i] != want {
			t.Errorf("%d: arrived as %.300q", i, b.got[len(b.got)-1])
		}
		b.mu.Unlock()
	}
	c.Quit()
}
