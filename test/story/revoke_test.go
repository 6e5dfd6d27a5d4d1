package story_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"postern/test/lab"
)

func TestANewPasswordEndsWhatTheOldOneLetIn(t *testing.T) {
	s := lab.Start(t)
	reader := s.IMAP(t, "alice@example.test")
	if _, err := reader.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := reader.Idle()
	if err != nil {
		t.Fatal(err)
	}
	sender := submit(t, s, "alice@example.test")
	if err := sender.Noop(); err != nil {
		t.Fatal(err)
	}
	filters := manageSieve(t, s, "alice@example.test")
	cmd := s.Command("user", "password", "alice@example.test")
	cmd.Stdin = strings.NewReader("Another-pass-2\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if line, err := filters.ReadString('\n'); err != nil || !strings.HasPrefix(line, "BYE ") {
		t.Errorf("a session of the old password still keeps scripts: %q, %v", line, err)
	}
	<-reader.Closed()
	_ = idle.Close()
	if err := sender.Mail("alice@example.test", nil); code(err) != 421 {
		t.Errorf("a session of the old password still sends: %v", err)
	}
}

// manageSieve logs in to where a user's scripts are kept, and gives what the server says from there on.
func manageSieve(t *testing.T, s *lab.Server, user string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address(4190))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	says := func(w io.Writer, command string) {
		t.Helper()
		if _, err := io.WriteString(w, command); err != nil {
			t.Fatal(err)
		}
		for line := ""; !strings.HasPrefix(line, "OK"); {
			if line, err = r.ReadString('\n'); err != nil || strings.HasPrefix(line, "NO") {
				t.Fatalf("%.20q: %q, %v", command, line, err)
			}
		}
	}
	says(conn, "")
	says(conn, "STARTTLS\r\n")
	secured := tls.Client(conn, s.TLS())
	r = bufio.NewReader(secured)
	says(secured, "")
	says(secured, fmt.Sprintf("AUTHENTICATE \"PLAIN\" \"%s\"\r\n", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+lab.Password))))
	return r
}
