package doctor

import (
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/config"
	"postern/internal/resolver"
	"postern/internal/testdns"
	"postern/internal/tlsconf"
	"postern/platform/zone"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func has(t *testing.T, list []Finding, level Level, subject, what string) {
	t.Helper()
	for _, f := range list {
		if f.Level == level && strings.HasPrefix(f.Subject, subject) && strings.Contains(f.What, what) {
			if (f.Level == OK) != (f.Fix == "") {
				t.Errorf("%+v: what is wrong has a mending, and what is right has none", f)
			}
			return
		}
	}
	t.Errorf("no %s of %s with %q in %+v", level, subject, what, list)
}

func TestDataThatOthersMayReadIsAFailure(t *testing.T) {
	dir := t.TempDir()
	p := Patient{Config: config.New("mail.example.test", dir, 0, true)}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	has(t, Permissions(t.Context(), p), OK, "permissions", "nobody else")
	if err := os.WriteFile(filepath.Join(dir, "postern.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	has(t, Permissions(t.Context(), p), Fail, "permissions "+filepath.Join(dir, "postern.db"), "others may read it")
}

func certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	s, err := tlsconf.Open(tlsconf.Options{Dir: t.TempDir(), Names: []string{name}, Clock: clock.NewManual(noon)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Leaf()
}

func TestACertificateIsExaminedForNameAndTime(t *testing.T) {
	leaf := certificate(t, "mail.example.test")
	for _, c := range []struct {
		host, ca string
		now      time.Time
		level    Level
		what     string
	}{
		{"mail.example.test", "", noon, OK, "for mail.example.test"},
		{"mail.example.test", "/d/ca.pem", noon, Warn, "made it itself"},
		{"mail.example.org", "", noon, Fail, "does not name mail.example.org"},
		{"mail.example.test", "", leaf.NotAfter.Add(-time.Hour), Warn, "runs out"},
		{"mail.example.test", "", leaf.NotAfter.Add(time.Hour), Fail, "ran out"},
	} {
		p := Patient{Config: config.New(c.host, "/d", 0, true), Leaf: leaf, CA: c.ca, Now: c.now}
		has(t, Certificate(t.Context(), p), c.level, "certificate", c.what)
	}
	early := Patient{Leaf: leaf, Now: noon.Add(-48 * time.Hour)}
	has(t, Clock(t.Context(), early), Fail, "clock", "before the certificate's first day")
}

func TestAPortThatDoesNotAnswerOrDoesNotSpeakTLSIsAFailure(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("* OK not TLS\r\n"))
			conn.Close()
		}
	}()
	open := config.Address{IP: netip.MustParseAddr("127.0.0.1"), Port: uint16(l.Addr().(*net.TCPAddr).Port)}
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := config.Address{IP: open.IP, Port: uint16(closed.Addr().(*net.TCPAddr).Port)}
	closed.Close()
	c := &config.Config{Listen: map[string][]config.Address{"smtp": {open}, "submission": {shut}, "imaps": {open}}}
	list := Ports(t.Context(), Patient{Config: c})
	has(t, list, OK, "port smtp", "answers")
	has(t, list, Fail, "port submission", "does not answer")
	has(t, list, Fail, "port imaps", "does not speak TLS")
}

func TestTheHostMustLeadToAnAddressAndBack(t *testing.T) {
	server := testdns.Start(t, `
good.example.test. IN A 192.0.2.1
1.2.0.192.in-addr.arpa. IN PTR good.example.test.
nameless.example.test. IN A 192.0.2.2
other.example.test. IN A 192.0.2.3
3.2.0.192.in-addr.arpa. IN PTR pool-3.example.net.
`)
	server.SetFailure("broken.example.test.", testdns.ServFail())
	dns := resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	for host, want := range map[string]struct {
		level Level
		what  string
	}{
		"good.example.test":     {OK, "192.0.2.1, and back"},
		"nameless.example.test": {Fail, "has no name (PTR)"},
		"other.example.test":    {Fail, "is named pool-3.example.net"},
		"missing.example.test":  {Fail, "has no address"},
		"broken.example.test":   {Warn, "does not answer"},
	} {
		has(t, Host(t.Context(), Patient{Config: config.New(host, "/d", 0, true), DNS: dns}), want.level, "dns "+host, want.what)
	}
}

func TestRecordsOfDomainsAreExaminedAndASilentServerIsOneFinding(t *testing.T) {
	records, err := zone.Records(zone.Domain{Name: "example.test", Host: "mail.example.test"})
	if err != nil {
		t.Fatal(err)
	}
	server := testdns.Start(t, "example.test. IN MX 10 elsewhere.test.")
	dns := resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	p := Patient{DNS: dns, Domains: map[string][]zone.Record{"example.test": records}}
	list := DNS(t.Context(), p)
	has(t, list, Fail, "dns example.test", "MX example.test is different")
	has(t, list, Fail, "dns example.test", "TXT _dmarc.example.test is missing")
	has(t, list, Warn, "dns example.test", "SRV _imaps._tcp.example.test is missing")

	server.SetFailure("", testdns.ServFail())
	p.DNS = resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	if list = DNS(t.Context(), p); len(list) != 1 || list[0].Level != Warn {
		t.Errorf("got %+v", list)
	}
	p.Domains = nil
	has(t, DNS(t.Context(), p), Warn, "domains", "no mail domain yet")
}

func TestMailThatWaitsLongIsAWarning(t *testing.T) {
	has(t, Queue(t.Context(), Patient{}), OK, "queue", "nothing waits")
	has(t, Queue(t.Context(), Patient{Waiting: 2, Oldest: noon, Now: noon.Add(time.Minute)}), OK, "queue", "2 recipients wait")
	has(t, Queue(t.Context(), Patient{Waiting: 2, Oldest: noon, Now: noon.Add(5 * time.Hour)}), Warn, "queue", "the oldest for 5h0m0s")
}

func TestAStoppedServerIsTheFirstFinding(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	list := Stopped(t.Context(), Patient{Config: config.New("mail.example.test", dir, 0, true), Now: noon})
	if list[0].Level != Fail || list[0].Subject != "server" {
		t.Errorf("got %+v", list[0])
	}
	has(t, list, OK, "permissions", "nobody else")
}
