package story_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/test/lab"
)

func code(err error) int {
	var smtp *gosmtp.SMTPError
	if errors.As(err, &smtp) {
		return smtp.Code
	}
	return 0
}

// TestEveryWayOutWantsTheUsersOwnAddresses is the table of MAIL-4: way × login × envelope × From × Sender × alias.
func TestEveryWayOutWantsTheUsersOwnAddresses(t *testing.T) {
	s := lab.Start(t)
	s.Postern("alias", "add", "sales@example.test", "alice@example.test")
	s.Postern("alias", "add", "both@example.test", "alice@example.test", "bob@example.test")
	s.Postern("alias", "add", "others@example.test", "bob@example.test")
	s.Postern("group", "add", "team@example.test", "alice@example.test", "bob@example.test")
	ways := map[string]func() (*gosmtp.Client, error){
		"587": func() (*gosmtp.Client, error) { return gosmtp.DialStartTLS(s.Address(587), s.TLS()) },
		"465": func() (*gosmtp.Client, error) { return gosmtp.DialTLS(s.Address(465), s.TLS()) },
	}
	own := []string{"alice@example.test", "ALICE@Example.Test", "alice+tag@example.test", "sales@example.test", "both@example.test"}
	foreign := []string{"bob@example.test", "nobody@example.test", "alice@elsewhere.example", "others@example.test", "team@example.test", "postmaster@example.test"}
	type row struct {
		envelope, from, sender string
		ok                     bool
	}
	var rows []row
	for _, a := range own {
		for _, b := range own {
			rows = append(rows, row{a, b, "", true}, row{a, b, own[0], true})
		}
	}
	for _, a := range foreign {
		rows = append(rows, row{a, own[0], "", false}, row{own[0], a, "", false}, row{own[0], own[0], a, false}, row{own[0], own[0] + ", " + a, own[0], false}, row{own[0], a, own[0], false})
	}
	rows = append(rows, row{"", own[0], "", false})
	// An author behind the limits of the parser, or whom another program may find where ours finds alice.
	pad := strings.Repeat("\r\n ("+strings.Repeat("x", 900)+")", 150)
	for _, from := range []string{
		strings.Repeat(own[0]+",\r\n ", 1000) + "ceo@elsewhere.example", own[0] + "," + pad + " ceo@elsewhere.example",
		"<@elsewhere.example:" + own[0] + ">", "ceo@elsewhere.example <" + own[0] + ">", own[0] + " ceo@elsewhere.example",
	} {
		rows = append(rows, row{own[0], from, "", false}, row{own[0], own[0], from, false})
	}
	for way, dial := range ways {
		accepted := 0
		for _, r := range rows {
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Auth(sasl.NewPlainClient("", "alice@example.test", lab.Password)); err != nil {
				t.Fatal(err)
			}
			mail := "From: " + r.from + "\r\n"
			if r.sender != "" {
				mail += "Sender: " + r.sender + "\r\n"
			}
			err = c.SendMail(r.envelope, []string{"bob@example.test"}, strings.NewReader(mail+"Subject: "+way+"\r\n\r\nHello.\r\n"))
			if (err == nil) != r.ok || err != nil && code(err)/100 != 5 {
				t.Errorf("%s: envelope %q, From %q, Sender %q: %v", way, r.envelope, r.from, r.sender, err)
			}
			if err == nil {
				accepted++
			}
			c.Close()
		}
		if accepted == 0 {
			t.Errorf("%s takes nothing at all", way)
		}
	}
}

// TestNobodyRelays is the open-relay matrix: no form of address leads elsewhere without a login.
func TestNobodyRelays(t *testing.T) {
	s := lab.Start(t)
	for _, to := range []string{
		"x@elsewhere.example", "x%elsewhere.example@example.test", "elsewhere.example!x@example.test", `"x@elsewhere.example"@example.test`, `"x@elsewhere.example"`,
		"@example.test:x@elsewhere.example", "x@[127.0.0.1]", "x@localhost", "x@elsewhere.example@example.test", "x@example.test@elsewhere.example", "nobody@example.test", "x@sub.example.test",
	} {
		for _, from := range []string{"", "a@sender.example", "alice@example.test", "postmaster@example.test"} {
			for _, port := range []int{25, 587} {
				reply := dialogue(t, s, port, "EHLO client.example", "MAIL FROM:<"+from+">", "RCPT TO:<"+to+">")
				if reply[0] != '5' {
					t.Errorf("port %d: from <%s> to <%s>: %s", port, from, to, reply)
				}
			}
		}
	}
}

// dialogue sends lines in clear and gives the reply to the last.
func dialogue(t *testing.T, s *lab.Server, port int, lines ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address(port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(conn)
	readReply(t, r)
	last := ""
	for _, line := range lines {
		fmt.Fprintf(conn, "%s\r\n", line)
		last = readReply(t, r)
	}
	return last
}

func readReply(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", line, err)
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

func TestLocalSendersOnPort25MustProveThemselves(t *testing.T) {
	dns := testdns.Start(t, "spf.test. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n")
	s := lab.Start(t, "--dns", dns.Addr())
	s.Postern("domain", "add", "spf.test")
	mail := func(envelope, from string) error {
		return world(t, s).SendMail(envelope, []string{"bob@example.test"}, strings.NewReader(text("From: "+from, "Subject: x", "", "Hello.")))
	}
	for _, c := range []struct {
		envelope, from string
		ok             bool
	}{
		{"alice@example.test", "alice@example.test", false},
		{"a@sender.example", "alice@example.test", false},
		{"alice@example.test", "a@sender.example", false},
		{"a@sender.example", "a@sender.example", true},
		{"someone@spf.test", "someone@spf.test", true},
		{"someone@spf.test", "alice@example.test", false},
		// The same domain as other programs read it, and authors behind the limits of the parser.
		{"a@sender.example", "alice@example.test.", false},
		{"a@sender.example", "<alice@example.test\u00a0>", false},
		{"a@sender.example", "alice@example.test <a@sender.example>", false},
		{"a@sender.example", "a@sender.example,\r\n" + strings.Repeat(" ("+strings.Repeat("x", 900)+")\r\n", 150) + " alice@example.test", false},
		{"a@sender.example", "\"alice@example.test via list\" <a@sender.example>", true},
		{"a@sender.example", "a@sender.example\r\nSender: alice@example.test", false},
	} {
		if err := mail(c.envelope, c.from); (err == nil) != c.ok || err != nil && code(err) != 550 {
			t.Errorf("envelope %s, From %.80s: %v", c.envelope, c.from, err)
		}
	}
	// More addresses before From than the parsed envelope has room for.
	long := ""
	for _, more := range []int{5000, 500, 50, 5, 0} {
		for range min(12, 20000/(more+1)) {
			long += "To: a@sender.example" + strings.Repeat(",\r\n b@sender.example", more) + "\r\n"
		}
	}
	if err := world(t, s).SendMail("a@sender.example", []string{"bob@example.test"}, strings.NewReader(long+text("From: alice@example.test", "", "Hello."))); code(err) != 550 {
		t.Errorf("behind long lists: %v", err)
	}
}

func TestZenIsAskedBeforeMailIsAcceptedAndItsErrorsLoseNothing(t *testing.T) {
	const name = "1.0.0.127.zen.spamhaus.org."
	for answer, listed := range map[string]bool{
		"": false, "127.0.0.2": true, "127.0.0.3": true, "127.0.0.4": true, "127.0.0.9": true, "127.0.0.10": true, "127.0.0.11": true,
		"127.0.0.1": false, "127.0.0.12": false, "127.255.255.252": false, "127.255.255.254": false, "127.255.255.255": false, "192.0.2.1": false, "SERVFAIL": false, "TIMEOUT": false,
	} {
		dns := testdns.Start(t, "")
		switch answer {
		case "":
		case "SERVFAIL":
			dns.SetFailure(name, testdns.ServFail())
		case "TIMEOUT":
			dns.SetFailure(name, testdns.Timeout())
		default:
			dns.Set(t, name+" 60 IN A "+answer+"\n")
		}
		s := lab.Start(t, "--dns", dns.Addr())
		err := world(t, s).SendMail("a@sender.example", []string{"alice@example.test"}, strings.NewReader(text("From: a@sender.example", "Subject: x", "", "Hello.")))
		if listed != (code(err) == 554) || !listed && err != nil {
			t.Errorf("zen says %q: %v", answer, err)
		}
		if dns.Asked(name) == 0 {
			t.Errorf("zen was not asked (%q)", answer)
		}
		s.Stop()
	}
}

func TestIMAPIsOnlyThereInsideTLS(t *testing.T) {
	s := lab.Start(t)
	conn, err := net.Dial("tcp", s.Address(993))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(conn, "a LOGIN alice@example.test "+lab.Password+"\r\n")
	answer := make([]byte, 1024)
	if n, _ := conn.Read(answer); bytes.Contains(answer[:n], []byte("OK")) {
		t.Fatalf("a plaintext client was answered %q", answer[:n])
	}
	if conn, err := net.Dial("tcp", s.Address(143)); err == nil {
		conn.Close()
		t.Fatal("there is a plaintext port")
	}
	old := s.TLS()
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	if conn, err := tls.Dial("tcp", s.Address(993), old); err == nil {
		conn.Close()
		t.Fatal("TLS 1.1 was accepted")
	}
}

func TestNoFalseEndOfDataSplitsAMessage(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "smtp-smuggling"), "end-of-data-sequences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s := lab.Start(t)
	smuggled := "MAIL FROM:<evil@sender.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: evil@sender.example\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
	tried := 0
	for line := range strings.SplitSeq(string(list), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sequence, err := strconv.Unquote(`"` + line + `"`)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		tried++
		for _, port := range []int{25, 465} {
			r, w, done := dataPhase(t, s, port)
			fmt.Fprintf(w, "From: alice@example.test\r\nSubject: carrier\r\n\r\na%s%s\r\n.\r\n", sequence, smuggled)
			if got := readReply(t, r); got[0] != '5' {
				t.Errorf("port %d: %q was answered %s", port, line, got)
			}
			done()
		}
	}
	if tried < 9 {
		t.Fatalf("only %d sequences", tried)
	}
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 0 {
		t.Fatalf("%d messages got through", n)
	}
}

// dataPhase brings a session to DATA.
func dataPhase(t *testing.T, s *lab.Server, port int) (*bufio.Reader, net.Conn, func()) {
	t.Helper()
	return dataPhaseTo(t, s, port, "bob@example.test")
}

func dataPhaseTo(t *testing.T, s *lab.Server, port int, to string) (*bufio.Reader, net.Conn, func()) {
	t.Helper()
	var conn net.Conn
	var err error
	if port == 465 {
		conn, err = tls.Dial("tcp", s.Address(port), s.TLS())
	} else {
		conn, err = net.Dial("tcp", s.Address(port))
	}
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(conn)
	readReply(t, r)
	lines := []string{"EHLO client.example"}
	from := "a@sender.example"
	if port == 465 {
		from = "alice@example.test"
		lines = append(lines, "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABQb3N0ZXJuLWRlbW8tMQ==")
	}
	for _, line := range append(lines, "MAIL FROM:<"+from+">", "RCPT TO:<"+to+">", "DATA") {
		fmt.Fprintf(conn, "%s\r\n", line)
		if got := readReply(t, r); got[0] > '3' {
			t.Fatalf("%s: %s", line, got)
		}
	}
	return r, conn, func() { conn.Close() }
}

func TestWhatCannotBeSignedIsRefusedForGood(t *testing.T) {
	s := lab.Start(t)
	mail := "From: alice@example.test\r\n" + strings.Repeat("List-Id: <a.example.test>\r\n", 300) + "\r\nHello.\r\n"
	if err := submit(t, s, "alice@example.test").SendMail("alice@example.test", []string{"far@elsewhere.example"}, strings.NewReader(mail)); code(err) != 554 {
		t.Errorf("300 fields of a kind that is signed: %v", err)
	}
}
