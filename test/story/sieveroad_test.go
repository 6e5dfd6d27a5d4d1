package story_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/db"
	"postern/internal/scripts"
	"postern/internal/settings"
	"postern/test/lab"
)

// manyPlaces is a script that does all that can be done twice.
var manyPlaces = []string{`require ["fileinto", "mailbox", "copy", "editheader", "vacation", "enotify"];`,
	`fileinto :create :copy "One"; addheader :last "X-Form" "two"; fileinto :create :copy "Two"; addheader :last "X-Form" "three"; keep;`,
	`redirect :copy "out@far.example"; vacation :days 1 "Away."; notify "mailto:phone@near.example";`}

// leaving counts the recipients in the queue by their address.
func leaving(t *testing.T, s *lab.Server) string {
	t.Helper()
	list := s.Postern("queue", "list")
	var counts []string
	for _, to := range []string{"out@far.example", "a@sender.example", "phone@near.example"} {
		counts = append(counts, fmt.Sprint(strings.Count(list, to)))
	}
	return strings.Join(counts, " ")
}

// filedIn counts bob's messages in the places of the script.
func filedIn(t *testing.T, s *lab.Server) string {
	t.Helper()
	c := s.IMAP(t, "bob@example.test")
	defer c.Close()
	all, err := c.List("", "*", nil).Collect()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, m := range all {
		box, err := c.Select(m.Mailbox, nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		counts[m.Mailbox] = int(box.NumMessages)
	}
	return fmt.Sprintf("%d %d %d", counts["INBOX"], counts["One"], counts["Two"])
}

const toBob = "From: a@sender.example\r\nTo: bob@example.test\r\nSubject: everywhere\r\nMessage-ID: <everywhere@sender.example>\r\n\r\nHello Bob.\r\n"

// TestARetryAfterALost250DoesNothingTwice, whatever a script has done with the message, also over a crash.
func TestARetryAfterALost250DoesNothingTwice(t *testing.T) {
	s := lab.Start(t)
	keepScripts(t, s, "bob@example.test").use("many", manyPlaces...)
	for _, again := range []func(){func() {}, func() {}, func() { s.Kill(); s.Run() }} {
		again()
		sendAndVanish(t, s, toBob)
		if filed, left := filedIn(t, s), leaving(t, s); filed != "1 1 1" || left != "1 1 1" {
			t.Fatalf("it was filed %s times, and left %s times", filed, left)
		}
	}
}

// TestAFullMailboxTakesNothingOfWhatItsScriptWants: neither copies, nor what would leave; later it takes all of it once.
func TestAFullMailboxTakesNothingOfWhatItsScriptWants(t *testing.T) {
	s := lab.Start(t)
	s.Postern("user", "set", "bob@example.test", "--quota", "64KiB")
	keepScripts(t, s, "bob@example.test").use("many", manyPlaces...)
	letter := toBob + strings.Repeat("A line of a long letter.\r\n", 4000)
	send := func() string {
		r, conn, done := dataPhase(t, s, 25)
		defer done()
		fmt.Fprintf(conn, "%s.\r\n", letter)
		return readReply(t, r)
	}
	if reply := send(); !strings.HasPrefix(reply, "452 4.2.2 ") {
		t.Errorf("the reply is %s", reply)
	}
	if filed, left := filedIn(t, s), leaving(t, s); filed != "0 0 0" || left != "0 0 0" {
		t.Errorf("it was filed %s times, and left %s times", filed, left)
	}
	// There is room for one: all are taken, for the sender could not be told of some.
	s.Postern("user", "set", "bob@example.test", "--quota", "128KiB")
	if reply := send(); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("the reply is %s", reply)
	}
	if filed, left := filedIn(t, s), leaving(t, s); filed != "1 1 1" || left != "1 1 1" {
		t.Errorf("it was filed %s times, and left %s times", filed, left)
	}
}

// putScript keeps a script of an administrator's, who has the server stand still.
func putScript(t *testing.T, s *lab.Server, owner scripts.Owner, name string, lines ...string) {
	t.Helper()
	s.Stop()
	database, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + filepath.Join(s.Data, "postern.db")})
	if err != nil {
		t.Fatal(err)
	}
	store, err := scripts.Open(t.Context(), scripts.Options{DB: database, Settings: settings.Defaults()})
	if err == nil {
		err = store.Put(t.Context(), owner, name, []byte(text(lines...)))
	}
	if err == nil {
		err = store.SetActive(t.Context(), owner, name)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := database.Close(); err != nil {
		t.Fatal(err)
	}
	s.Run()
}

// TestAnAdministratorsScriptThatFailsKeepsTheMail: the administrator is told, once, and the user's own script goes on.
func TestAnAdministratorsScriptThatFailsKeepsTheMail(t *testing.T) {
	g := openGate(t, "")
	const alice, bob, admin = "alice@example.test", "bob@example.test", "admin@example.test"
	keepScripts(t, g.Server, alice).use("own", `require "fileinto";`, `fileinto "Archive";`)
	putScript(t, g.Server, scripts.Owner{Role: scripts.Before}, "first", `require "ihave";`, `discard; error "not like this";`)
	putScript(t, g.Server, scripts.Owner{Domain: "example.test", Role: scripts.After}, "last", `require "ihave";`, `error "nor like that";`)
	s := g.stranger(t, true)
	for range 2 {
		g.accept(t, s.ip, s.author, g.letter(s.author), alice, bob)
	}
	if a, inbox, b := g.Count(t, alice, "Archive"), g.Count(t, alice, "INBOX"), g.Count(t, bob, "INBOX"); a != 2 || inbox != 0 || b != 2 {
		t.Errorf("alice has %d messages in Archive and %d in INBOX, bob %d", a, inbox, b)
	}
	told := map[string]int{}
	for _, raw := range g.Messages(t, admin, "INBOX", 2) {
		for _, words := range []string{`The mail filter "first" failed`, `The mail filter "last" failed`} {
			if strings.Contains(string(raw), words) {
				told[words]++
			}
		}
		if !strings.Contains(string(raw), "line 2: no") {
			t.Errorf("the administrator is told\n%s", raw)
		}
	}
	if len(told) != 2 || g.Count(t, admin, "INBOX") != 2 {
		t.Errorf("the administrator was told %v", told)
	}
}

// TestMailBetweenPeopleHerePassesTheRecipientsScript, and not the sender's.
func TestMailBetweenPeopleHerePassesTheRecipientsScript(t *testing.T) {
	s := lab.Start(t)
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, s, alice).use("own", `discard;`)
	keepScripts(t, s, bob).use("filed", `require ["fileinto", "envelope", "editheader", "reject"];`, `if header :is "Subject" "no" { reject "Not that."; stop; }`,
		`if envelope "auth" "alice@example.test" { addheader "X-From-Here" "yes"; deleteheader "Date"; fileinto "Archive"; }`)
	c := submit(t, s, alice)
	if err := c.SendMail(alice, []string{bob}, strings.NewReader(text("From: "+alice, "To: "+bob, "Subject: among us", "", "Hello Bob."))); err != nil {
		t.Fatal(err)
	}
	raw := string(s.Messages(t, bob, "Archive", 1)[0])
	if !strings.HasPrefix(raw, "X-From-Here: yes\r\nReturn-Path: <"+alice+">") || strings.Contains(raw, "\nDate: ") || !strings.Contains(raw, "\nMessage-ID: ") {
		t.Errorf("bob reads\n%s", raw)
	}
	err := c.SendMail(alice, []string{bob}, strings.NewReader(text("From: "+alice, "To: "+bob, "Subject: no", "", "Hello Bob.")))
	if code(err) != 550 || !strings.Contains(err.Error(), "Not that.") {
		t.Errorf("what bob does not want is answered by %v", err)
	}
}

// TestMailForASubaddressGoesIntoItsFolder where the administrator wants that: into one that is there, and is for nothing else.
func TestMailForASubaddressGoesIntoItsFolder(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	c := g.IMAP(t, alice)
	if err := c.Create("Travel", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	s := g.stranger(t, true)
	goes := func(to, mailbox, by string, spam bool) {
		t.Helper()
		letter := g.letter(s.author)
		if spam {
			letter = g.spam(s.author)
		}
		before := g.Count(t, alice, mailbox)
		r := verdictOf(t, g.trace(t, g.accept(t, s.ip, s.author, letter, to)), to)
		if n := g.Count(t, alice, mailbox) - before; n != 1 || r.Mailbox != mailbox || r.FiledBy != by {
			t.Errorf("for %s there are %d more in %s; the trace says %q by %q", to, n, mailbox, r.Mailbox, r.FiledBy)
		}
	}
	goes("alice+travel@example.test", "INBOX", "default", false)
	g.set("sieve.subaddress_folders", "true")
	goes("alice+travel@example.test", "Travel", "subaddress", false)
	goes("alice+Travel@example.test", "Travel", "subaddress", false)
	goes("alice+nothing@example.test", "INBOX", "default", false)
	goes("alice+trash@example.test", "INBOX", "default", false)
	goes("alice+travel@example.test", "Junk", "spam", true)
	keepScripts(t, g.Server, alice).use("own", `if header :is "X-No" "such" { discard; }`)
	goes("alice+travel@example.test", "Travel", "subaddress", false)
	keepScripts(t, g.Server, alice).use("own", `keep;`)
	goes("alice+travel@example.test", "INBOX", "own, line 1", false)
}

// TestPeopleWhoSendMailOnToEachOtherLoseNone: where everybody sends a message on and nobody keeps it, the last one does.
func TestPeopleWhoSendMailOnToEachOtherLoseNone(t *testing.T) {
	s := lab.Start(t)
	const alice, bob, carol = "alice@example.test", "bob@example.test", "carol@example.test"
	add := s.Command("user", "add", carol)
	add.Stdin = strings.NewReader(lab.Password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	keepScripts(t, s, alice).use("on", `redirect "`+bob+`";`)
	k := keepScripts(t, s, bob)
	k.use("on", `redirect "`+alice+`";`)
	c := submit(t, s, alice)
	send := func(subject string, to ...string) {
		t.Helper()
		if err := c.SendMail(alice, to, strings.NewReader(text("From: "+alice, "To: "+bob, "Subject: "+subject, "", "Hello."))); err != nil {
			t.Fatal(err)
		}
	}
	send("one", alice)
	if raw := string(s.Messages(t, bob, "INBOX", 1)[0]); !strings.Contains(raw, "Subject: one") {
		t.Errorf("bob reads\n%s", raw)
	}
	send("both", alice, bob)
	s.Messages(t, bob, "INBOX", 2)
	k.use("on", `redirect "`+carol+`";`)
	keepScripts(t, s, carol).use("on", `redirect "`+bob+`";`)
	send("three", alice)
	s.Messages(t, carol, "INBOX", 1)
	k.use("on", `require "copy"; redirect :copy "`+alice+`";`) // who keeps a copy may be sent one
	send("kept", alice)
	s.Messages(t, bob, "INBOX", 3)
	if n := s.Count(t, alice, "INBOX"); n != 0 {
		t.Errorf("alice has %d messages that bob has", n)
	}
}

// TestWhatSomebodyElseHereWroteIsSentOnAsItIs: a script puts no words into the mouth of another user, in whose domain's name the message
// would be signed (MAIL-4).
func TestWhatSomebodyElseHereWroteIsSentOnAsItIs(t *testing.T) {
	s := lab.Start(t)
	const alice, bob, admin = "alice@example.test", "bob@example.test", "admin@example.test"
	keepScripts(t, s, bob).use("on", `require "editheader";`, `deleteheader "Subject"; addheader "Subject" "changed"; redirect "`+admin+`";`)
	for n, from := range []string{alice, bob} {
		if err := submit(t, s, from).SendMail(from, []string{bob}, strings.NewReader(text("From: "+from, "To: "+bob, "Subject: as written", "", "Hello."))); err != nil {
			t.Fatal(err)
		}
		raw := string(s.Messages(t, admin, "INBOX", n+1)[n])
		if changed := strings.Contains(raw, "Subject: changed\r\n"); changed != (from == bob) || changed == strings.Contains(raw, "Subject: as written\r\n") {
			t.Errorf("what %s wrote was sent on as\n%s", from, raw)
		}
	}
}
