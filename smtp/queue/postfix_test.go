package queue_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/dkim"
	"postern/internal/testenv"
	"postern/smtp/client"
	"postern/smtp/queue"
)

// postfix is a real Postfix with its own configuration, spool and port; it takes mail for peer.test and puts each message
// into a file.
type postfix struct {
	dir  string
	addr string
	seen map[string]bool
}

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.peer.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = peer.test
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ {a@peer.test = a/}, {b@peer.test = b/}, {ö@peer.test = o/} }
virtual_minimum_uid = 1
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/cert.pem
smtpd_tls_security_level = may
smtpd_peername_lookup = no
message_size_limit = 20000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
`

const postfixMaster = `%s inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
error unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
postlog unix-dgram n - n - 1 postlogd
`

func startPostfix(t *testing.T) *postfix {
	t.Helper()
	testenv.Root(t)
	program := testenv.Need(t, "postfix")[0]
	owner, err := user.Lookup("postfix")
	if err != nil {
		testenv.Missing(t, "user postfix: %v", err)
	}
	dir, err := os.MkdirTemp("", "postern-postfix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	for _, sub := range []string{"", "etc", "spool", "data", "mail"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"data", "mail"} {
		if err := os.Chown(filepath.Join(dir, sub), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postfix{dir: dir, addr: l.Addr().String(), seen: map[string]bool{}}
	l.Close()
	p.write(t, "etc/main.cf", fmt.Sprintf(postfixMain, dir, owner.Uid, owner.Gid))
	p.write(t, "etc/master.cf", fmt.Sprintf(postfixMaster, p.addr))
	p.write(t, "cert.pem", pemOf(t))
	if out, err := exec.Command(program, "-c", filepath.Join(dir, "etc"), "start").CombinedOutput(); err != nil {
		t.Fatalf("starting Postfix: %v\n%s\n%s", err, out, p.log())
	}
	t.Cleanup(func() {
		_ = exec.Command(program, "-c", filepath.Join(dir, "etc"), "stop").Run()
		if t.Failed() {
			t.Logf("Postfix's log:\n%s", p.log())
		}
	})
	eventually(t, "Postfix listens", func() bool {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return p
}

func (p *postfix) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *postfix) log() []byte {
	b, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return b
}

func pemOf(t *testing.T) string {
	t.Helper()
	cert, _ := certificate(t, "mx.peer.test")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
}

// eventually waits for a condition of another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !ok(); {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

// next gives the next message that was delivered to a user.
func (p *postfix) next(t *testing.T, box string) []byte {
	t.Helper()
	var content []byte
	eventually(t, "a message for "+box, func() bool {
		files, _ := filepath.Glob(filepath.Join(p.dir, "mail", box, "new", "*"))
		for _, f := range files {
			if !p.seen[f] {
				b, err := os.ReadFile(f)
				if err == nil {
					p.seen[f], content = true, b
				}
				return err == nil
			}
		}
		return false
	})
	return content
}

// What Postfix puts into the mailbox is what we sent, in Unix lines behind its own fields.
func TestPostfixReceivesWhatTheQueueSends(t *testing.T) {
	p := startPostfix(t)
	n := newInternet(t, "peer.test. MX 10 mx.peer.test.\nmx.peer.test. A 192.0.2.1\n")
	n.o.Timeouts = client.Timeouts{}
	n.mu.Lock()
	n.servers["192.0.2.1:25"] = p.addr
	n.mu.Unlock()
	line := queue.NewRemote(n.o).Line("peer.test")
	defer line.Close()
	const head = "From: alice@us.test\r\nTo: a@peer.test\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@us.test>\r\nSubject: x\r\n\r\n"
	for i, text := range []string{
		head + "Hello.\r\n", head, head + ".\r\n..\r\n.dot\r\n", head + "From the start\r\n\r\n\r\n\r\n", head + "caf\xc3\xa9 and trailing  \t\r\n",
		head + strings.Repeat("a line of sixty characters, to make a message that is long..\r\n", 20000), head + "no end", head + strings.Repeat("w", 900) + "\r\n",
	} {
		j := job("a@peer.test", "nobody@peer.test", "b@peer.test")
		j.Size, j.Open, j.Body8Bit = int64(len(text)), func() io.Reader { return strings.NewReader(text) }, strings.Contains(text, "\xc3")
		outcomes := line.Deliver(t.Context(), j)
		if got := said(outcomes[0]) + " " + said(outcomes[1]) + " " + said(outcomes[2]); got != "ok 5.1.1 ok" || !outcomes[0].TLS || outcomes[0].Relayed {
			t.Fatalf("message %d: %s, %+v", i, got, outcomes)
		}
		want := strings.ReplaceAll(text, "\r\n", "\n")
		if !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		for _, box := range []string{"a", "b"} {
			b := p.next(t, box)
			if !bytes.HasSuffix(b, []byte(want)) {
				t.Errorf("message %d arrived otherwise for %s: %.1000q", i, box, b)
			}
		}
	}
	signaturesSurvive(t, p, line)
	if got := n.visits(); strings.Count(got, "192.0.2.1") != 1 {
		t.Errorf("connections: %s", got)
	}
	j := job("ö@peer.test")
	j.SMTPUTF8, j.Body8Bit, j.From = true, true, "älice@us.test"
	if o := line.Deliver(context.Background(), j)[0]; said(o) != "ok" {
		t.Errorf("internationalised: %+v", o)
	}
	if b := p.next(t, "o"); !bytes.Contains(b, []byte("Return-Path: <älice@us.test>")) {
		t.Errorf("%q", b)
	}
}

// signaturesSurvive: what we signed verifies where Postfix put it.
func signaturesSurvive(t *testing.T, p *postfix, line queue.Line) {
	t.Helper()
	now := time.Now()
	zone := map[string]string{}
	var keys []*dkim.Key
	for _, a := range []dkim.Algorithm{dkim.RSA, dkim.Ed25519} {
		k, err := dkim.GenerateKey(a, "us.test", "s-"+string(a), now)
		if err != nil {
			t.Fatal(err)
		}
		text, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		zone[k.RecordName()] = text
		keys = append(keys, k)
	}
	const head = "From: Alice <alice@us.test>\r\nTo: a@peer.test,\r\n  b@peer.test\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@us.test>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\tfolded\r\nMIME-Version: 1.0\r\n\r\n"
	for i, text := range []string{"Hello.\r\n", "", ".\r\n..\r\n\r\n\r\n", "spaces  and \t tabs \r\n \r\n", "no end", strings.Repeat("words on a line, many times.  \r\n", 3000)} {
		text = head + text
		prefix := []byte("Received: by us.test; Mon, 23 Nov 2026 10:00:00 +0000\r\n")
		signature, err := dkim.Sign(strings.NewReader(text), int64(len(text)), prefix, keys, now)
		if err != nil {
			t.Fatal(err)
		}
		j := job("a@peer.test")
		j.Open = func() io.Reader { return strings.NewReader(string(signature) + string(prefix) + text) }
		j.Size = int64(len(signature) + len(prefix) + len(text))
		if o := line.Deliver(t.Context(), j)[0]; said(o) != "ok" {
			t.Fatalf("signed message %d: %+v", i, o)
		}
		got := strings.ReplaceAll(string(p.next(t, "a")), "\n", "\r\n")
		list, err := dkim.Verify(t.Context(), strings.NewReader(got), int64(len(got)), func(_ context.Context, name string) ([]string, error) {
			return []string{zone[name]}, nil
		}, now)
		if err != nil || len(list) != 2 || list[0].Result != dkim.ResultPass || list[1].Result != dkim.ResultPass {
			t.Errorf("signed message %d: %+v, %v", i, list, err)
		}
	}
}
