package story_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	gosmtp "github.com/emersion/go-smtp"

	"postern/internal/testdns"
	"postern/internal/verdict"
	"postern/test/lab"
)

// gate is a server that a test stands before: it sends mail from clients of its choice and looks where each message went.
type gate struct {
	*lab.Server
	t                  *testing.T // whose end is the gate's
	dns                *testdns.Server
	clients            map[string]*gosmtp.Client     // by the address they come from
	readers            map[string]*imapclient.Client // by user
	letters, strangers int
}

// openGate starts a server whose DNS holds zone. When the test ends, every judgement must come out again as it was, and nothing
// stored may be damaged.
func openGate(t *testing.T, zone string) *gate {
	t.Helper()
	g := &gate{t: t, dns: testdns.Start(t, zone), clients: map[string]*gosmtp.Client{}, readers: map[string]*imapclient.Client{}}
	g.Server = lab.Start(t, "--dns", g.dns.Addr())
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		if out, err := g.Command("spam", "replay", "--all").CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 different.") {
			t.Errorf("replayed: %v\n%s", err, out)
		}
		if out, err := g.Command("verify").CombinedOutput(); err != nil {
			t.Errorf("verified: %v\n%s", err, out)
		}
	})
	return g
}

// set changes a setting.
func (g *gate) set(name, value string) { g.Postern("settings", "set", name, value) }

// name gives a client's address a name that leads back to it.
func (g *gate) name(t *testing.T, ip, name string) {
	t.Helper()
	b := net.ParseIP(ip).To4()
	g.dns.Set(t, fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa. 60 IN PTR %s.\n%s. 60 IN A %s\n", b[3], b[2], b[1], b[0], name, name, ip))
}

// from is a client at a loopback address, one connection for all it sends.
func (g *gate) from(t *testing.T, ip string) *gosmtp.Client {
	t.Helper()
	if c := g.clients[ip]; c != nil {
		return c
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := d.Dial("tcp", g.Address(25))
	if err != nil {
		t.Fatal(err)
	}
	c := gosmtp.NewClient(conn)
	g.t.Cleanup(func() { c.Close() })
	if err := c.Hello("mx" + strings.ReplaceAll(ip, ".", "-") + ".example"); err != nil {
		t.Fatal(err)
	}
	g.clients[ip] = c
	return c
}

// leave ends a client's connection.
func (g *gate) leave(ip string) {
	if c := g.clients[ip]; c != nil {
		c.Quit()
		delete(g.clients, ip)
	}
}

// send hands a message over and gives the id under which it was accepted, or the refusal.
func (g *gate) send(t *testing.T, ip, from, text string, to ...string) (id string, refused *gosmtp.SMTPError) {
	t.Helper()
	c := g.from(t, ip)
	id, err := transact(c, from, text, to)
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if err != nil {
		if err := c.Reset(); err != nil { // closed after too many refusals
			delete(g.clients, ip)
		}
	}
	return id, refused
}

func transact(c *gosmtp.Client, from, text string, to []string) (id string, err error) {
	if err := c.Mail(from, nil); err != nil {
		return "", err
	}
	for _, rcpt := range to {
		if err := c.Rcpt(rcpt, nil); err != nil {
			return "", err
		}
	}
	w, err := c.Data()
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return "", err
	}
	answer, err := w.CloseWithResponse()
	if err != nil {
		return "", err
	}
	_, id, _ = strings.Cut(answer.StatusText, "Accepted as ")
	return id, nil
}

// accept is send for a message that must be taken.
func (g *gate) accept(t *testing.T, ip, from, text string, to ...string) (id string) {
	t.Helper()
	id, refused := g.send(t, ip, from, text, to...)
	if refused != nil {
		t.Fatalf("refused: %d %v %s", refused.Code, refused.EnhancedCode, refused.Message)
	}
	return id
}

// letter is an ordinary message of a person, with a Message-ID of its own at its author's domain.
func (g *gate) letter(from string, more ...string) string {
	return g.compose(from, more, "Hello Alice,", "", "thank you for the minutes of our meeting. I have read them with Peter this morning, and we have",
		"two questions about the third item that we would rather ask you on Thursday than in writing.", "", "Until then", "Jane")
}

// compose makes a message of an author, further fields and the lines of its text. A field of the usual ones that is among
// the further ones stands in place of it.
func (g *gate) compose(from string, more []string, lines ...string) string {
	g.letters++
	domain := strings.TrimRight(from[strings.LastIndexByte(from, '@')+1:], "> ")
	fields := []string{
		"From: " + from, "To: alice@example.test", "Subject: Our meeting on Thursday", "Date: " + time.Now().Format(time.RFC1123Z),
		fmt.Sprintf("Message-ID: <letter.%d@%s>", g.letters, domain), "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
	}
	var header []string
	for _, usual := range fields {
		name, _, _ := strings.Cut(usual, ":")
		replaced := false
		for _, m := range more {
			replaced = replaced || strings.HasPrefix(m, name+":")
		}
		if !replaced {
			header = append(header, usual)
		}
	}
	return text(append(append(append(header, more...), ""), lines...)...)
}

// field gives a field's value in a message, unfolded; "" when it has none.
func field(t *testing.T, message, name string) string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(message))
	if err != nil {
		t.Fatalf("%v in\n%s", err, message)
	}
	return m.Header.Get(name)
}

// copyOf finds a user's copy of a message by its Message-ID: the mailbox it is in and its bytes. Both are empty when there
// is none. A message is there as soon as it was accepted.
func (g *gate) copyOf(t *testing.T, user, messageID string) (mailbox string, raw []byte) {
	t.Helper()
	c := g.readers[user]
	if c == nil {
		c = g.IMAP(g.t, user)
		g.readers[user] = c
	}
	for _, mailbox := range []string{"INBOX", "Junk"} {
		if _, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
			t.Fatal(err)
		}
		found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Message-ID", Value: messageID}}}, nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		uids := found.AllUIDs()
		if len(uids) == 0 {
			continue
		}
		if len(uids) > 1 {
			t.Errorf("%s has %d copies of %s in %s", user, len(uids), messageID, mailbox)
		}
		list, err := c.Fetch(imap.UIDSetNum(uids[0]), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %d messages", err, len(list))
		}
		return mailbox, list[0].BodySection[0].Bytes
	}
	return "", nil
}

// trace is the judgement that `postern spam explain` tells for an id or a Message-ID. What was refused is stored behind the
// sender's back, and waited for.
func (g *gate) trace(t *testing.T, id string) verdict.Trace {
	t.Helper()
	var trace verdict.Trace
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, err := g.Command("spam", "explain", "--json", id).Output()
		if err == nil {
			if err := json.Unmarshal(out, &trace); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			return trace
		}
		if time.Now().After(deadline) {
			t.Fatalf("no judgement of %s: %v", id, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// check finds a check of a message in its trace, or of its first recipient.
func check(trace verdict.Trace, name string) verdict.Check {
	lists := [][]verdict.Check{trace.Checks}
	for _, r := range trace.Recipients {
		lists = append(lists, r.Checks)
	}
	for _, list := range lists {
		for _, c := range list {
			if c.Name == name {
				return c
			}
		}
	}
	return verdict.Check{}
}

// verdictOf is what was decided for one recipient.
func verdictOf(t *testing.T, trace verdict.Trace, address string) verdict.Recipient {
	t.Helper()
	for _, r := range trace.Recipients {
		if r.Address == address {
			return r
		}
	}
	t.Fatalf("the trace knows nobody called %s: %+v", address, trace.Recipients)
	return verdict.Recipient{}
}

// alert waits until the administrator has a message whose subject and text hold some words, and `postern check` tells it
// too.
func (g *gate) alert(t *testing.T, words ...string) {
	t.Helper()
	holds := func(s string) bool {
		s = strings.Join(strings.Fields(s), " ")
		for _, w := range words {
			if !strings.Contains(s, w) {
				return false
			}
		}
		return true
	}
	deadline := time.Now().Add(30 * time.Second)
	for n := 1; ; n++ {
		list := g.Messages(t, "admin@example.test", "INBOX", n)
		if holds(string(bytes.Join(list, nil))) {
			break
		}
		if n = len(list); time.Now().After(deadline) {
			t.Fatalf("the administrator was not told %q, but\n%s", words, bytes.Join(list, nil))
		}
	}
	if out, _ := g.Command("check").CombinedOutput(); !holds(string(out)) {
		t.Errorf("postern check does not tell %q:\n%s", words, out)
	}
}
