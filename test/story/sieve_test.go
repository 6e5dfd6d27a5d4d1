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

	"github.com/emersion/go-imap/v2"

	"postern/internal/verdict"
	"postern/test/lab"
)

// keeper is a ManageSieve session of a user (RFC 5804).
type keeper struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// keepScripts logs in as a user, inside TLS.
func keepScripts(t *testing.T, s *lab.Server, user string) *keeper {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address(4190))
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{t, conn, bufio.NewReader(conn)}
	k.must(k.answer())
	k.must(k.say("STARTTLS"))
	k.conn = tls.Client(conn, s.TLS())
	k.r = bufio.NewReader(k.conn)
	t.Cleanup(func() { k.conn.Close() })
	k.must(k.answer())
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + lab.Password))
	k.must(k.say(`AUTHENTICATE "PLAIN" "` + secret + `"`))
	return k
}

// say sends a command and gives the answer: all lines up to the one that begins with OK, NO or BYE, and that.
func (k *keeper) say(command string) string {
	k.t.Helper()
	if _, err := io.WriteString(k.conn, command+"\r\n"); err != nil {
		k.t.Fatal(err)
	}
	return k.answer()
}

func (k *keeper) answer() string {
	k.t.Helper()
	if err := k.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		k.t.Fatal(err)
	}
	var all strings.Builder
	last := false
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			k.t.Fatalf("%v after %q", err, all.String())
		}
		all.WriteString(line)
		for _, end := range []string{"OK", "NO", "BYE"} {
			last = last || strings.HasPrefix(line, end)
		}
		literal := 0
		if i := strings.LastIndexByte(line, '{'); i >= 0 {
			fmt.Sscanf(line[i:], "{%d}", &literal)
		}
		if literal > 0 {
			if _, err := io.CopyN(&all, k.r, int64(literal)); err != nil {
				k.t.Fatal(err)
			}
			continue
		}
		if last {
			return all.String()
		}
	}
}

func (k *keeper) must(answer string) {
	k.t.Helper()
	if !strings.HasPrefix(answer, "OK") && !strings.Contains(answer, "\nOK") {
		k.t.Fatalf("the answer is %s", answer)
	}
}

// put stores a script.
func (k *keeper) put(name string, lines ...string) string {
	k.t.Helper()
	script := text(lines...)
	return k.say(fmt.Sprintf("PUTSCRIPT \"%s\" {%d+}\r\n%s", name, len(script), script))
}

// use stores a script and makes it the one that is run.
func (k *keeper) use(name string, lines ...string) {
	k.t.Helper()
	k.must(k.put(name, lines...))
	k.must(k.say(`SETACTIVE "` + name + `"`))
}

// flagsOf gives the flags of the only message in a mailbox.
func flagsOf(t *testing.T, s *lab.Server, user, mailbox string) string {
	t.Helper()
	c := s.IMAP(t, user)
	defer c.Close()
	if _, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{Flags: true}).Collect()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %d messages", err, len(list))
	}
	return fmt.Sprint(list[0].Flags)
}

// TestAFilterPutByManageSieveFilesTheNextMessage has one script do what scripts do most.
func TestAFilterPutByManageSieveFilesTheNextMessage(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	k := keepScripts(t, g.Server, alice)
	k.use("main", `require ["fileinto", "mailbox", "imap4flags", "copy"];`,
		`if header :contains "Subject" "list" {`,
		`    fileinto :create :flags "\\Flagged" "Lists/Go";`,
		`    fileinto :copy "Nowhere";`,
		`} elsif header :contains "Subject" "rubbish" {`,
		`    discard;`,
		`} elsif header :contains "Subject" "read" {`,
		`    keep :flags ["\\Seen", "work"];`,
		`}`)
	s := g.stranger(t, true)
	id := ""
	send := func(subject string) verdict.Recipient {
		t.Helper()
		id = g.accept(t, s.ip, s.author, g.letter(s.author, "Subject: "+subject), alice)
		return verdictOf(t, g.trace(t, id), alice)
	}

	r := send("news of the list")
	if raw := string(g.Messages(t, alice, "Lists/Go", 1)[0]); !strings.Contains(raw, "Subject: news of the list") {
		t.Errorf("in the new mailbox there is\n%s", raw)
	}
	if flags := flagsOf(t, g.Server, alice, "Lists/Go"); !strings.Contains(flags, `\Flagged`) {
		t.Errorf("its flags are %s", flags)
	}
	if n := g.Count(t, alice, "INBOX"); n != 1 { // a mailbox that is not there is INBOX
		t.Errorf("INBOX has %d messages", n)
	}
	if r.Mailbox != "Lists/Go, INBOX" || r.FiledBy != "main, line 3; main, line 4" {
		t.Errorf("the trace has it in %q by %q", r.Mailbox, r.FiledBy)
	}
	explained := g.Postern("spam", "explain", id)
	for _, want := range []string{"into Lists/Go, INBOX by main, line 3; main, line 4", `main, line 3: fileinto Lists/Go with \Flagged`, "fileinto Nowhere; there is no such mailbox"} {
		if !strings.Contains(explained, want) {
			t.Errorf("it is not explained by %q:\n%s", want, explained)
		}
	}

	r = send("rubbish")
	if n := g.Count(t, alice, "INBOX"); n != 1 || r.Mailbox != "" || strings.Join(r.Scripts, "") != "main, line 6: discard" {
		t.Errorf("what is discarded: INBOX has %d, the trace %q and %q", n, r.Mailbox, r.Scripts)
	}

	r = send("read this")
	if n := g.Count(t, alice, "INBOX"); n != 2 || r.Mailbox != "INBOX" || r.FiledBy != "main, line 8" {
		t.Errorf("what is kept: INBOX has %d, the trace %q by %q", n, r.Mailbox, r.FiledBy)
	}
	r = send("anything")
	if n := g.Count(t, alice, "INBOX"); n != 3 || r.FiledBy != "default" {
		t.Errorf("what no rule is about: INBOX has %d, filed by %q", n, r.FiledBy)
	}
	k.must(k.say(`SETACTIVE ""`))
	if r = send("news of the list"); r.FiledBy != "default" || r.Scripts != nil {
		t.Errorf("without a script: %+v", r)
	}
}

// TestAScriptSendsOnAsAnAliasDoes: under a rewritten return path, signed, sealed, and marked so that it goes round no loop.
func TestAScriptSendsOnAsAnAliasDoes(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.23\n")
	far := listenAsMX(t, "127.0.0.23")
	publish(t, g.Server, g.dns)
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, g.Server, alice).use("away", `require "copy";`, `if header :contains "Subject" "far" { redirect "out@far.example"; }`,
		`if header :contains "Subject" "near" { redirect :copy "bob@example.test"; }`, `if header :contains "Subject" "myself" { redirect "alice+self@example.test"; }`,
		`if header :contains "Subject" "nobody" { redirect "nobody@example.test"; }`)
	s := g.stranger(t, true)
	send := func(subject string, more ...string) verdict.Trace {
		t.Helper()
		return g.trace(t, g.accept(t, s.ip, s.author, g.letter(s.author, append(more, "Subject: "+subject)...), alice))
	}

	trace := send("to far away")
	out := far.wait(t, 1)
	if !strings.HasPrefix(out.from, "SRS0=") || !strings.HasSuffix(out.from, "@example.test") || strings.Join(out.to, " ") != "out@far.example" {
		t.Errorf("sent on from %s to %v", out.from, out.to)
	}
	for _, want := range []string{"Delivered-To: alice@example.test", "ARC-Seal: ", "ARC-Authentication-Results: i=1", "DKIM-Signature: ", "Subject: to far away"} {
		if !strings.Contains(string(out.data), want) {
			t.Errorf("what was sent on lacks %q:\n%s", want, out.data)
		}
	}
	if r := verdictOf(t, trace, alice); r.Mailbox != "" || strings.Join(r.Scripts, "") != "away, line 2: redirect to out@far.example" || g.Count(t, alice, "INBOX") != 0 {
		t.Errorf("alice's copy: %+v", r)
	}

	trace = send("to somebody near")
	if r := verdictOf(t, trace, bob); r.Mailbox != "INBOX" || g.Count(t, bob, "INBOX") != 1 || g.Count(t, alice, "INBOX") != 1 {
		t.Errorf("bob's copy: %+v", r)
	}

	for i, c := range []struct{ subject, field, why string }{
		{"to far away again", "Delivered-To: alice@example.test", "loop"},
		{"to myself", "X-Nothing: 1", "the recipient's own address"},
		{"to nobody", "X-Nothing: 1", "nobody@example.test"},
	} {
		r := verdictOf(t, send(c.subject, c.field), alice)
		if n := g.Count(t, alice, "INBOX"); n != 2+i || r.Mailbox != "INBOX" || !strings.Contains(strings.Join(r.Scripts, ""), c.why) {
			t.Errorf("%s: INBOX has %d, the trace %+v", c.subject, n, r)
		}
	}
	emptyQueue(t, g.Server)
}

// TestAScriptThatFailsKeepsTheMessageAndItsOwnerIsToldOnce: of each version of the script.
func TestAScriptThatFailsKeepsTheMessageAndItsOwnerIsToldOnce(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	k := keepScripts(t, g.Server, alice)
	k.use("broken", `require ["ihave", "fileinto"];`, `fileinto "Archive";`, `error "this was to be expected";`)
	s := g.stranger(t, true)
	send := func() verdict.Recipient {
		t.Helper()
		return verdictOf(t, g.trace(t, g.accept(t, s.ip, s.author, g.letter(s.author), alice)), alice)
	}
	told := func(want int) {
		t.Helper()
		n := 0
		for _, raw := range g.Messages(t, alice, "INBOX", 1) {
			if strings.Contains(string(raw), `The mail filter "broken" failed`) {
				n++
				for _, words := range []string{"broken: line 3: this was to be expected", "Auto-Submitted: auto-generated", "Our meeting on Thursday"} {
					if !strings.Contains(string(raw), words) {
						t.Errorf("alice is told without %q:\n%s", words, raw)
					}
				}
			}
		}
		if n != want {
			t.Errorf("alice was told %d times, not %d", n, want)
		}
	}
	r := send()
	if r.Mailbox != "Archive, INBOX" || g.Count(t, alice, "Archive") != 1 || g.Count(t, alice, "INBOX") != 2 {
		t.Errorf("the copy went to %q", r.Mailbox)
	}
	told(1)
	send()
	told(1)
	g.Server.Stop()
	g.Server.Run()
	clear(g.clients)
	send()
	told(1)
	k = keepScripts(t, g.Server, alice)
	k.use("broken", `require ["ihave", "fileinto"];`, `fileinto "Trash";`, `error "this was to be expected";`)
	send()
	told(2)
}

// TestManageSieveTellsMistakesWithTheirLinesAndOffersWhatIsDone.
func TestManageSieveTellsMistakesWithTheirLinesAndOffersWhatIsDone(t *testing.T) {
	g := openGate(t, "")
	k := keepScripts(t, g.Server, "alice@example.test")
	if answer := k.put("bad", "keep;", `fileinto "x";`, "discrad;"); !strings.HasPrefix(answer, "NO") ||
		!strings.Contains(answer, "line 2: ") || !strings.Contains(answer, "\r\nline 3: unknown command 'discrad'") {
		t.Errorf("a script with mistakes: %s", answer)
	}
	if answer := k.put("odd", "stop;", "keep;"); !strings.HasPrefix(answer, "OK (WARNINGS)") || !strings.Contains(answer, "line 2: ") {
		t.Errorf("a script that is odd: %s", answer)
	}
	offered := k.say("CAPABILITY")
	for _, line := range strings.Split(offered, "\r\n") {
		list, ok := strings.CutPrefix(line, `"SIEVE" `)
		if !ok {
			continue
		}
		names := strings.Fields(strings.Trim(list, `"`))
		if len(names) < 10 {
			t.Errorf("few extensions are offered: %v", names)
		}
		for _, name := range names {
			if answer := k.put("one", `require "`+name+`";`, "keep;"); !strings.HasPrefix(answer, "OK") {
				t.Errorf("%s is offered and not taken: %s", name, answer)
			}
		}
		return
	}
	t.Errorf("no extensions are offered: %s", offered)
}

// TestTheImplicitKeepGoesWhereTheScoreSays: a script that says nothing of Junk leaves it to the score, and can ask for it.
func TestTheImplicitKeepGoesWhereTheScoreSays(t *testing.T) {
	g := openGate(t, "")
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, g.Server, alice).use("quiet", `if header :is "X-No" "such" { discard; }`)
	keepScripts(t, g.Server, bob).use("keeps", `keep;`)
	s := g.stranger(t, true)
	trace := g.trace(t, g.accept(t, s.ip, s.author, g.spam("Jane <"+s.author+">"), alice, bob))
	if r := verdictOf(t, trace, alice); r.Mailbox != "Junk" || r.FiledBy != "spam" || g.Count(t, alice, "Junk") != 1 {
		t.Errorf("alice's copy: %+v", r)
	}
	if r := verdictOf(t, trace, bob); r.Mailbox != "INBOX" || r.FiledBy != "keeps, line 1" || g.Count(t, bob, "INBOX") != 1 {
		t.Errorf("bob's copy: %+v", r)
	}
}
