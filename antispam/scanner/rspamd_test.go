package scanner_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"postern/antispam/scanner"
	"postern/internal/testscan"
)

func TestRspamdIsToldTheEnvelope(t *testing.T) {
	var got http.Header
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		got, body = req.Header, req.Method+" "+req.URL.Path+"\r\n"+string(b)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, `{`+plain+`}`)
	}))
	defer server.Close()
	// The environment's proxy is not for mail.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s := parse(t, "rspamd:"+server.URL)
	s.(*scanner.Rspamd).Password = "secret"
	m := mail("Lunch", "Tuesday?")
	m.User = "bob@example.test"
	scan(t, s, m)
	for name, want := range map[string]string{
		"From": "alice@example.org", "Ip": "192.0.2.1", "Helo": "mx.example.org", "Hostname": "mx.example.org", "Queue-Id": "3K9",
		"User": "bob@example.test", "Password": "secret",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q", name, got.Get(name))
		}
	}
	if !slices.Equal(got.Values("Rcpt"), m.Recipients) {
		t.Errorf("Rcpt: %q", got.Values("Rcpt"))
	}
	if !strings.HasPrefix(body, "POST /checkv2\r\nReceived: from mx.example.org") || !strings.HasSuffix(body, "\r\n\r\nTuesday?\r\n") {
		t.Errorf("%q", body)
	}
	if strings.Contains(s.(*scanner.Rspamd).String(), "secret") {
		t.Error("the password is shown")
	}
}

// A proxy before rspamd may say no before it has heard the message; nobody reads the message after Scan has returned.
func TestRspamdThatRefusesEarlyIsUnderstood(t *testing.T) {
	s := parse(t, settingFor("rspamd", testscan.Liar(t, func(conn net.Conn) {
		io.CopyN(io.Discard, conn, 100)
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, conn)
	})))
	_, err := s.Scan(t.Context(), mail("large", strings.Repeat("And so on.\r\n", 1_000_000)))
	var e *scanner.Error
	if !errors.As(err, &e) || e.Trouble != scanner.Refused || !strings.Contains(err.Error(), "413") {
		t.Errorf("%v", err)
	}
}
