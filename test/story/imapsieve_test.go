package story_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"postern/test/lab"
)

// watch names the script that runs for what alice does in a mailbox, "" for the server, by METADATA.
func watch(t *testing.T, c *imapclient.Client, mailbox, script string) {
	t.Helper()
	value := []byte(script)
	if err := c.SetMetadata(mailbox, map[string]*[]byte{"/shared/imapsieve/script": &value}).Wait(); err != nil {
		t.Fatal(err)
	}
}

// append puts a message into a mailbox.
func appendTo(t *testing.T, c *imapclient.Client, mailbox, text string) {
	t.Helper()
	cmd := c.Append(mailbox, int64(len(text)), nil)
	if _, err := cmd.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func note(from, subject string) string {
	return "From: " + from + "\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\nMessage-ID: <" + strings.ReplaceAll(subject, " ", "-") + "@example.test>\r\nSubject: " +
		subject + "\r\n\r\nA note.\r\n"
}

// lie gives the subjects of the messages in a mailbox with their flags, "subject (flags)".
func lie(t *testing.T, c *imapclient.Client, mailbox string) []string {
	t.Helper()
	data, err := c.Select(mailbox, nil).Wait()
	if err != nil && strings.Contains(err.Error(), "NONEXISTENT") {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if data.NumMessages == 0 {
		return nil
	}
	list, err := c.Fetch(imap.SeqSet{imap.SeqRange{Start: 1}}, &imap.FetchOptions{Flags: true, Envelope: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range list {
		flags := map[string]bool{}
		for _, f := range m.Flags {
			if f != `\Recent` {
				flags[string(f)] = true
			}
		}
		out = append(out, fmt.Sprintf("%s (%s)", m.Envelope.Subject, strings.Join(slices.Sorted(maps.Keys(flags)), " ")))
	}
	return out
}

// comesTo waits until a mailbox holds what is wanted.
func comesTo(t *testing.T, c *imapclient.Client, mailbox string, want ...string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := lie(t, c, mailbox)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s holds %q, not %q", mailbox, got, want)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestScriptsRunForWhatIsDoneInAMailbox: APPEND, COPY, MOVE and STORE; sessions that wait are told, and a script's own doings run no script.
func TestScriptsRunForWhatIsDoneInAMailbox(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	k := keepScripts(t, g.Server, alice)
	k.must(k.put("tasks", `require ["imapsieve", "environment", "imap4flags", "fileinto", "copy", "variables", "mailbox"];`,
		`if not environment "imap.user" "alice@example.test" { stop; }`,
		`if not environment "imap.email" "alice@example.test" { stop; }`,
		`if environment "imap.cause" "APPEND" { addflag "appended"; }`,
		`if environment "imap.cause" "COPY" { addflag "copied"; }`,
		`if environment :matches "imap.cause" "*" { set "cause" "${1}"; }`,
		`if environment :matches "imap.mailbox" "*" { set "box" "${1}"; }`,
		`if header :contains "Subject" "discard" { discard; stop; }`,
		`if header :contains "Subject" "file" { fileinto "Archive"; stop; }`,
		`if environment "imap.cause" "FLAG" {`,
		`    if environment :matches "imap.changedflags" "*" { addflag "changed"; fileinto :copy :create :flags "\\Seen" "Log/${box} ${1}"; }`,
		`} else { fileinto :copy :create :flags "\\Seen" "Log/${cause}"; }`))
	c, other := g.IMAP(t, alice), g.IMAP(t, alice)
	caps, err := c.Capability().Wait()
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("IMAPSIEVE=SIEVE://MAIL.EXAMPLE.TEST:%d", g.Port(4190))
	if !slices.ContainsFunc(slices.Collect(maps.Keys(caps)), func(one imap.Cap) bool { return strings.EqualFold(string(one), at) }) || !caps.Has(imap.CapMetadata) {
		t.Errorf("it offers %v, without %s", caps, at)
	}
	for _, box := range []string{"Tasks", "Elsewhere"} {
		if err := c.Create(box, nil).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, c, "Tasks", "tasks")

	arrived := make(chan uint32, 100)
	waiting, err := imapclient.DialTLS(g.Address(993), &imapclient.Options{TLSConfig: g.TLS(), UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				arrived <- *data.NumMessages
			}
		}}})
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := waiting.Login(alice, lab.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := waiting.Select("Archive", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := waiting.Idle()
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()

	appendTo(t, c, "Tasks", note(alice, "one"))
	comesTo(t, c, "Log/APPEND", `one (\Seen)`)
	comesTo(t, other, "Tasks", `one (appended)`)

	appendTo(t, c, "Elsewhere", note(alice, "two"))
	appendTo(t, c, "Elsewhere", note(alice, "three"))
	comesTo(t, c, "Elsewhere", `two ()`, `three ()`)
	if _, err := c.Copy(imap.SeqSetNum(1), "Tasks").Wait(); err != nil {
		t.Fatal(err)
	}
	comesTo(t, other, "Tasks", `one (appended)`, `two (copied)`)
	if _, err := c.Move(imap.SeqSetNum(1, 2), "Tasks").Wait(); err != nil {
		t.Fatal(err)
	}
	comesTo(t, other, "Tasks", `one (appended)`, `two (copied)`, `two (copied)`, `three (copied)`)
	comesTo(t, other, "Log/COPY", `two (\Seen)`, `two (\Seen)`, `three (\Seen)`)

	comesTo(t, c, "Tasks", `one (appended)`, `two (copied)`, `two (copied)`, `three (copied)`)
	store := func(op imap.StoreFlagsOp, set imap.SeqSet, flags ...imap.Flag) {
		t.Helper()
		if err := c.Store(set, &imap.StoreFlags{Op: op, Flags: flags, Silent: true}, nil).Close(); err != nil {
			t.Fatal(err)
		}
	}
	store(imap.StoreFlagsAdd, imap.SeqSetNum(1, 2), imap.FlagFlagged, "copied")
	comesTo(t, other, `Log/Tasks \Flagged copied`, `one (\Seen)`)
	comesTo(t, other, `Log/Tasks \Flagged`, `two (\Seen)`)
	comesTo(t, other, "Tasks", `one (\Flagged appended changed copied)`, `two (\Flagged changed copied)`, `two (copied)`, `three (copied)`)
	store(imap.StoreFlagsDel, imap.SeqSetNum(2), imap.FlagFlagged)
	comesTo(t, other, `Log/Tasks \Flagged`, `two (\Seen)`, `two (\Seen)`)

	appendTo(t, c, "Tasks", note(alice, "discard this"))
	appendTo(t, c, "Tasks", note(alice, "file this"))
	select { // the session that waits is told without asking
	case n := <-arrived:
		if n != 1 {
			t.Errorf("the session that waits is told of %d messages", n)
		}
	case <-time.After(30 * time.Second):
		t.Error("the session that waits is not told")
	}
	comesTo(t, other, "Tasks", `one (\Flagged appended changed copied)`, `two (changed copied)`, `two (copied)`, `three (copied)`,
		`discard this (\Deleted)`, `file this (\Deleted)`)
	comesTo(t, other, "Log/APPEND", `one (\Seen)`) // nothing ran for what scripts did

	// The server's script is for mailboxes that name none; one that names "" has none. A script that is not there does nothing.
	watch(t, c, "", "tasks")
	watch(t, c, "Elsewhere", "")
	appendTo(t, c, "Elsewhere", note(alice, "four"))
	watch(t, c, "Tasks", "nonsense")
	appendTo(t, c, "Tasks", note(alice, "five"))
	appendTo(t, c, "Drafts", note(alice, "six"))
	comesTo(t, other, "Log/APPEND", `one (\Seen)`, `six (\Seen)`)
	comesTo(t, other, "Elsewhere", `four ()`)
	if got := lie(t, other, "Tasks"); got[len(got)-1] != `five ()` {
		t.Errorf("Tasks holds %q", got)
	}
}

// TestWhatWasDoneIsLookedAtOnceThoughTheServerDies: each message once, whenever the server died.
func TestWhatWasDoneIsLookedAtOnceThoughTheServerDies(t *testing.T) {
	g := openGate(t, "")
	const alice, n = "alice@example.test", 400
	k := keepScripts(t, g.Server, alice)
	k.must(k.put("count", `require ["imapsieve", "fileinto", "copy", "mailbox", "imap4flags"];`, `addflag "seen-by-script"; fileinto :copy :create "Count";`))
	c := g.IMAP(t, alice)
	if err := c.Create("Work", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		appendTo(t, c, "Work", note(alice, fmt.Sprint("a", i)))
	}
	watch(t, c, "Trash", "count")
	if _, err := c.Select("Work", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	for range n / 4 {
		if _, err := c.Copy(imap.SeqSetNum(1, 2, 3, 4), "Trash").Wait(); err != nil {
			t.Fatal(err)
		}
	}
	g.Server.Kill()
	g.Server.Run()
	clear(g.clients)
	deadline := time.Now().Add(60 * time.Second)
	for g.Count(t, alice, "Count") < n && time.Now().Before(deadline) {
		<-time.After(20 * time.Millisecond)
	}
	c = g.IMAP(t, alice)
	done := lie(t, c, "Trash")
	for _, one := range done {
		if !strings.HasSuffix(one, "(seen-by-script)") {
			t.Errorf("Trash holds %s", one)
		}
	}
	if got := g.Count(t, alice, "Count"); got != n || len(done) != n {
		t.Errorf("of %d messages in Trash %d were copied", len(done), got)
	}
}

// TestAScriptThatFailsInAMailboxLeavesTheMessageAndItsOwnerIsToldOnce.
func TestAScriptThatFailsInAMailboxLeavesTheMessageAndItsOwnerIsToldOnce(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	k := keepScripts(t, g.Server, alice)
	k.must(k.put("broken", `require ["imapsieve", "fileinto", "copy", "ihave"];`, `fileinto :copy "Archive";`, `discard;`, `error "no";`))
	k.must(k.put("answers", `require ["imapsieve", "vacation"];`, `vacation "away";`))
	c := g.IMAP(t, alice)
	watch(t, c, "Trash", "broken")
	watch(t, c, "Drafts", "answers")
	for _, subject := range []string{"one", "two", "three"} {
		appendTo(t, c, "Trash", note(alice, subject))
	}
	appendTo(t, c, "Drafts", note(alice, "four"))
	comesTo(t, c, "Archive", `one ()`, `two ()`, `three ()`)
	g.Messages(t, alice, "INBOX", 2)
	comesTo(t, c, "Trash", `one ()`, `two ()`, `three ()`)
	comesTo(t, c, "Drafts", `four ()`)
	raw := g.Messages(t, alice, "INBOX", 2)
	for i, words := range [][]string{{`The mail filter "broken" failed`, "broken: line 4: no", `lies in the mailbox "Trash"`}, {`The mail filter "answers" failed`, `requires "vacation"`}} {
		for _, w := range words {
			if len(raw) != 2 || !strings.Contains(string(raw[i]), w) {
				t.Errorf("of %d notices number %d lacks %q:\n%s", len(raw), i, w, raw)
			}
		}
	}
}

// TestAMessageIsSentOnFromAMailbox: what came by mail as when it came, what the owner wrote as if they sent it, and nothing else.
func TestAMessageIsSentOnFromAMailbox(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.61\n")
	far := listenAsMX(t, "127.0.0.61")
	publish(t, g.Server, g.dns)
	const alice, bob = "alice@example.test", "bob@example.test"
	k := keepScripts(t, g.Server, alice)
	k.must(k.put("send", `require ["imapsieve", "copy"];`, `if header :contains "Subject" "near" { redirect :copy "bob@example.test"; }`, `else { redirect "out@far.example"; }`))
	c := g.IMAP(t, alice)
	watch(t, c, "Archive", "send")
	s := g.stranger(t, true)
	g.accept(t, s.ip, s.author, g.letter(s.author, "Subject: from far"), alice)
	comesTo(t, c, "INBOX", "from far ()")
	if _, err := c.Move(imap.SeqSetNum(1), "Archive").Wait(); err != nil {
		t.Fatal(err)
	}
	out := far.wait(t, 1)
	if !strings.HasPrefix(out.from, "SRS0=") || strings.Join(out.to, " ") != "out@far.example" || !strings.Contains(string(out.data), "Delivered-To: alice@example.test") {
		t.Errorf("sent on from %s to %v:\n%s", out.from, out.to, out.data)
	}
	comesTo(t, c, "Archive", `from far (\Deleted)`)

	appendTo(t, c, "Archive", note("boss@example.test", "forged")) // is kept, and not sent
	appendTo(t, c, "Archive", "Bcc: secret@far.example\r\n"+note(alice, "my own"))
	out = far.wait(t, 2)
	if out.from != alice || !strings.Contains(string(out.data), "Subject: my own") || !strings.Contains(string(out.data), "DKIM-Signature: ") || strings.Contains(string(out.data), "secret") {
		t.Errorf("sent on from %s:\n%s", out.from, out.data)
	}
	appendTo(t, c, "Archive", note(alice, "near"))
	g.Messages(t, bob, "INBOX", 1)
	comesTo(t, c, "Archive", `from far (\Deleted)`, "forged ()", `my own (\Deleted)`, "near ()")
	emptyQueue(t, g.Server)
}

// TestWhatLeavesFromAMailboxHasTheHeaderOfItsScript: edits go with it, what is the server's or the owner's alone does not; and a change can be
// told of.
func TestWhatLeavesFromAMailboxHasTheHeaderOfItsScript(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.66\n")
	far := listenAsMX(t, "127.0.0.66")
	publish(t, g.Server, g.dns)
	const alice, bob = "alice@example.test", "bob@example.test"
	k := keepScripts(t, g.Server, alice)
	k.must(k.put("send", `require ["imapsieve", "environment", "editheader", "enotify", "copy"];`, `addheader "X-Note" "seen"; deleteheader "X-Drop";`,
		`if environment "imap.cause" "FLAG" { notify :message "it was marked" "mailto:bob@example.test"; }`, `else { redirect :copy "out@far.example"; }`))
	c := g.IMAP(t, alice)
	watch(t, c, "Archive", "send")
	s := g.stranger(t, true)
	g.accept(t, s.ip, s.author, g.letter(s.author, "X-Drop: this", "Subject: from far"), alice)
	comesTo(t, c, "INBOX", "from far ()")
	if _, err := c.Move(imap.SeqSetNum(1), "Archive").Wait(); err != nil {
		t.Fatal(err)
	}
	out := string(far.wait(t, 1).data)
	for _, wanted := range []string{"X-Note: seen\r\n", "Subject: from far\r\n", "Delivered-To: alice@example.test\r\n"} {
		if strings.Count(out, wanted) != 1 {
			t.Errorf("%q is there %d times in\n%s", wanted, strings.Count(out, wanted), out)
		}
	}
	if strings.Contains(out, "X-Drop") || strings.Contains(out, "Return-Path: <"+s.author) {
		t.Errorf("what leaves is\n%s", out)
	}
	appendTo(t, c, "Archive", "Bcc: secret@far.example\r\nX-Drop: this\r\n"+note(alice, "my own"))
	out = string(far.wait(t, 2).data)
	if strings.Count(out, "X-Note: seen\r\n") != 1 || strings.Contains(out, "secret") || strings.Contains(out, "X-Drop") {
		t.Errorf("what leaves of my own is\n%s", out)
	}
	if _, err := c.Select("Archive", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	for _, told := range g.Messages(t, bob, "INBOX", 1) {
		if !strings.Contains(string(told), "it was marked") || !strings.Contains(string(told), "Auto-Submitted: auto-notified") {
			t.Errorf("bob is told\n%s", told)
		}
	}
	emptyQueue(t, g.Server)
}

// TestFormsOfAMessageInAMailboxAreBounded as those of one that comes in are.
func TestFormsOfAMessageInAMailboxAreBounded(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	script := []string{`require ["imapsieve", "editheader", "fileinto", "mailbox", "copy"];`}
	for i := range 12 {
		script = append(script, fmt.Sprintf(`addheader :last "X-Form" "%d"; fileinto :create :copy "Form%d";`, i, i))
	}
	k := keepScripts(t, g.Server, alice)
	k.must(k.put("forms", script...))
	c := g.IMAP(t, alice)
	watch(t, c, "INBOX", "forms")
	appendTo(t, c, "INBOX", note(alice, "large")+strings.Repeat(strings.Repeat("x", 998)+"\r\n", 12<<10))
	for i := range 12 {
		for deadline := time.Now().Add(30 * time.Second); lie(t, c, fmt.Sprint("Form", i)) == nil && time.Now().Before(deadline); {
			<-time.After(20 * time.Millisecond)
		}
		raw := string(g.Messages(t, alice, fmt.Sprint("Form", i), 1)[0])
		if changed := strings.Contains(raw, fmt.Sprintf("X-Form: %d\r\n", i)); changed != (i < 10) || strings.Count(raw, "\n") < 12<<10 {
			t.Errorf("form %d is changed: %v; it has %d bytes", i, changed, len(raw))
		}
	}
}

// TestScriptsReadAnnotations: of mailboxes and of the server, when mail comes in and when it is moved.
func TestScriptsReadAnnotations(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	k := keepScripts(t, g.Server, alice)
	lines := []string{`require ["mboxmetadata", "servermetadata", "fileinto", "imapsieve", "imap4flags"];`,
		`if metadata "Archive" "/private/for" "letters" { addflag "mailbox"; }`,
		`if metadataexists "Archive" ["/private/for", "/private/none"] { addflag "wrong"; }`,
		`if servermetadata :contains "/private/vendor/x" "Y" { addflag "server"; }`,
		`if servermetadataexists "/private/vendor/x" { addflag "exists"; }`,
		`if metadata "Nowhere" "/private/for" "letters" { addflag "wrong"; }`}
	k.use("main", lines...)
	c := g.IMAP(t, alice)
	letters, y := []byte("letters"), []byte("y and\r\nmore")
	if err := c.SetMetadata("Archive", map[string]*[]byte{"/private/for": &letters}).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetMetadata("", map[string]*[]byte{"/PRIVATE/vendor/x": &y}).Wait(); err != nil {
		t.Fatal(err)
	}
	s := g.stranger(t, true)
	g.accept(t, s.ip, s.author, g.letter(s.author, "Subject: hello"), alice)
	comesTo(t, c, "INBOX", "hello (exists mailbox server)")
	watch(t, c, "Trash", "main")
	appendTo(t, c, "Trash", note(alice, "moved"))
	comesTo(t, c, "Trash", "moved (exists mailbox server)")
	if err := c.SetMetadata("Archive", map[string]*[]byte{"/private/for": nil}).Wait(); err != nil {
		t.Fatal(err)
	}
	appendTo(t, c, "Trash", note(alice, "again"))
	comesTo(t, c, "Trash", "moved (exists mailbox server)", "again (exists server)")
	got, err := g.IMAP(t, "bob@example.test").GetMetadata("", []string{"/private/vendor/x"}, nil).Wait()
	if err != nil || got.Entries["/private/vendor/x"] != nil {
		t.Errorf("bob sees alice's annotation: %v, %v", got, err)
	}
}
