package smtp

import (
	"errors"
	"strings"
	"testing"

	gosasl "github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// client connects go-smtp's client to a server that may be sent mail.
func client(t *testing.T, s *testServer) *gosmtp.Client {
	t.Helper()
	_, config := testTLS()
	var c *gosmtp.Client
	var err error
	switch s.Role {
	case MX:
		c, err = gosmtp.Dial(s.addr)
	case Submission:
		c, err = gosmtp.DialStartTLS(s.addr, config)
	case Submissions:
		c, err = gosmtp.DialTLS(s.addr, config)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if s.Role != MX {
		if err := c.Auth(gosasl.NewPlainClient("", testLogin, testPassword)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestAnotherImplementationsClientSendsMail(t *testing.T) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			s := startServer(t, role)
			c := client(t, s)
			text := "Subject: from a peer\r\n\r\n.\r\n..dots\r\n" + strings.Repeat("line\r\n", 50_000)
			err := c.Mail("jürgen@example.test", &gosmtp.MailOptions{Size: int64(len(text)), Return: gosmtp.DSNReturnHeaders, EnvelopeID: "id=1 x", UTF8: true, RequireTLS: role != MX})
			if err != nil {
				t.Fatal(err)
			}
			err = c.Rcpt("bob@example.test", &gosmtp.RcptOptions{Notify: []gosmtp.DSNNotify{gosmtp.DSNNotifyDelayed, gosmtp.DSNNotifyFailure},
				OriginalRecipientType: gosmtp.DSNAddressTypeRFC822, OriginalRecipient: "Bob+x@example.test"})
			if err != nil {
				t.Fatal(err)
			}
			var refusal *gosmtp.SMTPError
			if err := c.Rcpt("nobody@example.test", nil); !errors.As(err, &refusal) || refusal.Code != 550 || refusal.EnhancedCode != (gosmtp.EnhancedCode{5, 1, 1}) {
				t.Errorf("refusal read as %v", err)
			}
			w, err := c.Data()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
			checkPeersMessage(t, s.backend.all()[0], text)
		})
	}
}

func checkPeersMessage(t *testing.T, m received, text string) {
	t.Helper()
	if m.Text != text {
		t.Errorf("%d bytes arrived of %d", len(m.Text), len(text))
	}
	e := m.Envelope
	if e.From.Local != "jürgen" || !e.SMTPUTF8 || e.Body != "8BITMIME" || e.Ret != "HDRS" || e.EnvID != "id=1 x" || e.Size != int64(len(text)) {
		t.Errorf("envelope %+v", e)
	}
	if r := e.Recipients[0]; len(e.Recipients) != 1 || r.ORCPT != "RFC822;Bob+x@example.test" && r.ORCPT != "rfc822;Bob+x@example.test" || r.Notify != NotifyDelay|NotifyFailure {
		t.Errorf("recipients %+v", e.Recipients)
	}
}

func TestAnotherImplementationsClientSeesTheExtensions(t *testing.T) {
	c := client(t, startServer(t, Submissions))
	for _, name := range []string{"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN", "REQUIRETLS", "LIMITS", "AUTH"} {
		if ok, _ := c.Extension(name); !ok {
			t.Errorf("%s not seen", name)
		}
	}
	if ok, _ := c.Extension("BINARYMIME"); ok {
		t.Error("BINARYMIME is offered, which bare CR and LF would need")
	}
	if size, ok := c.MaxMessageSize(); !ok || size != 50<<20 {
		t.Errorf("SIZE %d", size)
	}
}
