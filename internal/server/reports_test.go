package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"
	"github.com/mhale/smtpd"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/config"
	"postern/internal/db"
	"postern/internal/mailflow"
	"postern/internal/message"
	"postern/internal/reports"
	"postern/internal/reports/tlsrpt"
	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/internal/tlsconf"
	"postern/smtp/client"
	"postern/smtp/queue"
)

// arrived is a message as another server got it.
type arrived struct {
	from, to string
	data     []byte
}

// world is a server of ours with a clock in our hand, and another one that takes its mail.
type world struct {
	*Server
	clock *clock.Manual
	dns   *testdns.Server
	mail  chan arrived
}

func openWorld(t *testing.T) *world {
	t.Helper()
	testenv.Root(t) // port 25
	w := &world{clock: clock.NewManual(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)), mail: make(chan arrived, 10)}
	w.dns = testdns.Start(t, "far.example. IN MX 10 mx.far.example.\nmx.far.example. IN A 127.0.0.37\n")
	dir := t.TempDir()
	source, err := tlsconf.Open(tlsconf.Options{Dir: dir, Names: []string{"mail.example.test"}, Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.listen(t, "127.0.0.37", source.Config())
	c := config.New("mail.example.test", dir, 0, true)
	c.Listen = map[string][]config.Address{}
	c.DNSServers = []netip.AddrPort{netip.MustParseAddrPort(w.dns.Addr())}
	w.Server, err = Open(t.Context(), Options{Config: c, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Clock: w.clock, TLS: source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.addDomain(t, "example.test")
	return w
}

// listen is the other server.
func (w *world) listen(t *testing.T, ip string, config *tls.Config) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "25"))
	if err != nil {
		t.Fatal(err)
	}
	server := &smtpd.Server{Appname: "far", Hostname: "mx.far.example", DisableReverseDNS: true, TLSConfig: config,
		Handler: func(_ net.Addr, from string, to []string, data []byte) error {
			_, data, _ = bytes.Cut(data, []byte("\r\n")) // a Received field of its own, folded by one line
			for len(data) > 0 && (data[0] == ' ' || data[0] == '\t') {
				_, data, _ = bytes.Cut(data, []byte("\r\n"))
			}
			w.mail <- arrived{from, strings.Join(to, " "), data}
			return nil
		}}
	go server.Serve(l)
	t.Cleanup(func() { l.Close() })
}

// addDomain makes a domain with its keys, and publishes these.
func (w *world) addDomain(t *testing.T, name string) {
	t.Helper()
	keys, err := w.Keys.Generate(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	err = w.DB.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := w.Directory.AddDomainTx(tx, name); err != nil {
			return err
		}
		return w.Keys.InsertTx(tx, keys)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		record, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		w.dns.SetTXT(k.RecordName(), record)
	}
}

// next is the next message that the other server gets.
func (w *world) next(t *testing.T) arrived {
	t.Helper()
	select {
	case m := <-w.mail:
		return m
	case <-time.After(30 * time.Second):
		t.Fatal("no message came")
	}
	return arrived{}
}

// signed verifies a message by another's program and gives the domains that signed it.
func (w *world) signed(t *testing.T, data []byte) []string {
	t.Helper()
	list, err := msgauth.VerifyWithOptions(bytes.NewReader(data), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return w.Resolver.LookupTXT(context.Background(), name)
	}})
	if err != nil {
		t.Fatal(err)
	}
	var domains []string
	for _, v := range list {
		if v.Err != nil {
			t.Errorf("a signature of %s: %v", v.Domain, v.Err)
		}
		domains = append(domains, v.Domain)
	}
	return domains
}

// TestReportsLeaveTheServerSignedOnceADay: what the server saw of another domain reaches that domain by its own mail server.
func TestReportsLeaveTheServerSignedOnceADay(t *testing.T) {
	w := openWorld(t)
	w.dns.SetTXT("_smtp._tls.far.example", "v=TLSRPTv1; rua=mailto:tls@far.example")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, nil) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	w.Reports.Observe(reports.Observation{
		Domain: "far.example", Record: "v=DMARC1; p=reject; rua=mailto:dmarc@far.example", Source: netip.MustParseAddr("192.0.2.66"), Disposition: "reject",
		HeaderFrom: "far.example", EnvelopeFrom: "forger.example", SPFDomain: "forger.example", SPFScope: "mfrom", SPFResult: "pass",
	})
	// A message of a user makes a session with the exchanger.
	sender := mailflow.ReportSender{Flow: w.flow}
	alice, far := address.Address{Local: "alice", Domain: "example.test"}, address.Address{Local: "friend", Domain: "far.example"}
	text := []byte("From: <alice@example.test>\r\nTo: <friend@far.example>\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\nHello.\r\n")
	if err := sender.Send(t.Context(), alice, far, text, func(*db.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if m := w.next(t); m.from != "alice@example.test" {
		t.Fatalf("from %q", m.from)
	}
	found := map[reports.Kind]*reports.Received{}
	for range 2 {
		if len(found) == 0 {
			w.clock.Advance(24 * time.Hour)
		}
		m := w.next(t)
		if m.from != "postmaster@example.test" {
			t.Errorf("the reverse-path is %q", m.from)
		}
		domains := w.signed(t, m.data)
		if fmt.Sprint(domains) != "[example.test example.test]" {
			t.Errorf("signed by %v", domains)
		}
		parsed, err := message.Parse(bytes.NewReader(m.data), int64(len(m.data)), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		got, err := reports.Read(parsed, bytes.NewReader(m.data))
		if err != nil {
			t.Fatalf("%v in\n%s", err, m.data)
		}
		found[got.Kind] = got
		if want := map[reports.Kind]string{reports.DMARC: "dmarc@far.example", reports.TLS: "tls@far.example"}[got.Kind]; m.to != want {
			t.Errorf("%s went to %s", got.Kind, m.to)
		}
	}
	if d := found[reports.DMARC]; d == nil || d.DMARC.Messages() != 1 || d.DMARC.Records[0].Disposition != "reject" {
		t.Errorf("DMARC %+v", d)
	}
	if x := found[reports.TLS]; x == nil || len(x.TLS.Policies) != 1 || x.TLS.Policies[0].Type != tlsrpt.NoPolicy || x.TLS.Policies[0].Successes != 1 {
		t.Errorf("TLS %+v", x)
	}
	list, err := w.Reports.Sent(t.Context(), reports.Query{DMARC: true, TLS: true})
	if err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	// The sessions that brought the reports are in no report.
	w.clock.Advance(24 * time.Hour)
	if err := w.Reports.SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := w.Reports.Sent(t.Context(), reports.Query{DMARC: true, TLS: true}); err != nil || len(list) != 2 || len(w.mail) != 0 {
		t.Errorf("another day: %+v, %v", list, err)
	}
}

func TestAReportWithoutKeysDoesNotLeave(t *testing.T) {
	w := openWorld(t)
	sender := mailflow.ReportSender{Flow: w.flow}
	if domain := sender.Domain(); domain != "example.test" {
		t.Errorf("reports are sent in the name of %q", domain)
	}
	from, to := address.Address{Local: "postmaster", Domain: "other.test"}, address.Address{Local: "a", Domain: "far.example"}
	err := sender.Send(t.Context(), from, to, []byte("From: <postmaster@other.test>\r\n\r\n"), func(*db.Tx) error { t.Error("noted as sent"); return nil })
	if err == nil || !strings.Contains(err.Error(), "no DKIM keys") {
		t.Errorf("%v", err)
	}
	// What cannot be noted is not sent either.
	from.Domain = "example.test"
	text := []byte("From: <postmaster@example.test>\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n\r\nx\r\n")
	if err := sender.Send(t.Context(), from, to, text, func(*db.Tx) error { return io.ErrShortWrite }); err == nil {
		t.Error("sent all the same")
	}
	if waiting, err := w.Queue.List(t.Context(), queue.Filter{}); err != nil || len(waiting) != 0 {
		t.Errorf("%+v, %v", waiting, err)
	}
}

func TestFailuresOfTLSHaveTheNamesOfTheRFC(t *testing.T) {
	w := openWorld(t)
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""}, {client.ErrNoTLS, tlsrpt.StartTLSNotSupported}, {&client.Error{Reply: client.Reply{Code: 454}}, tlsrpt.StartTLSNotSupported},
		{&client.Error{Err: io.EOF}, tlsrpt.ValidationFailure},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "mx"}}, tlsrpt.CertificateHostMismatch},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, tlsrpt.CertificateNotTrusted},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, tlsrpt.CertificateExpired},
		{named("dane-required"), tlsrpt.DANERequired},
	} {
		w.observeSession(queue.Session{Destination: "far.example", Host: "mx.far.example", Err: c.err})
		if err := w.Reports.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var detail string
		if err := w.DB.QueryRow(t.Context(), `SELECT detail FROM report_seen ORDER BY count DESC LIMIT 1`).Scan(&detail); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(detail, `"result":"`+c.want+`"`); got != (c.want != "") {
			t.Errorf("%v is told as %s, not %q", c.err, detail, c.want)
		}
		err := w.DB.Write(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(`DELETE FROM report_seen`); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// named is an error of a policy that knows its name.
type named string

func (n named) Error() string     { return "the policy: " + string(n) }
func (n named) TLSResult() string { return string(n) }
