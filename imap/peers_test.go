package imap

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"postern/internal/testenv"
)

// go-imap's client was written by others, and checks what it reads.
func TestGoIMAPsClientUnderstandsUs(t *testing.T) {
	w := newWorld(t)
	var updates []uint32
	told := make(chan uint32, 10)
	c, err := imapclient.DialTLS(w.addr, &imapclient.Options{TLSConfig: w.tls, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				told <- *d.NumMessages
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(c.Login("alice@example.test", password).Wait())
	_, err = c.Enable(imap.CapIMAP4rev2).Wait()
	check(err)
	check(c.Create("Wörk", nil).Wait())
	boxes, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	check(err)
	if len(boxes) != 7 || boxes[6].Mailbox != "Wörk" || boxes[6].Status == nil || *boxes[6].Status.NumMessages != 0 {
		t.Errorf("%d mailboxes, the last is %+v", len(boxes), boxes[len(boxes)-1])
	}
	text := strings.ReplaceAll(mixed, "\n", "\r\n")
	app := c.Append("INBOX", int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagFlagged}, Time: time.Unix(1700000000, 0)})
	_, err = app.Write([]byte(text))
	check(err)
	check(app.Close())
	appended, err := app.Wait()
	check(err)
	if appended.UID != 1 {
		t.Errorf("UID %d", appended.UID)
	}
	sel, err := c.Select("INBOX", &imap.SelectOptions{}).Wait()
	check(err)
	if sel.NumMessages != 1 || sel.UIDNext != 2 {
		t.Errorf("selected %+v", sel)
	}
	whole := &imap.FetchItemBodySection{Peek: true}
	binary := &imap.FetchItemBinarySection{Part: []int{1}, Peek: true}
	messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{
		Envelope: true, Flags: true, InternalDate: true, RFC822Size: true, UID: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection: []*imap.FetchItemBodySection{whole}, BinarySection: []*imap.FetchItemBinarySection{binary},
	}).Collect()
	check(err)
	m := messages[0]
	if m.Envelope.Subject != "Grüße" || m.Envelope.From[0].Addr() != "bob@example.test" || !m.InternalDate.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("%+v %v", m.Envelope, m.InternalDate)
	}
	if got := m.FindBodySection(whole); string(got) != text {
		t.Errorf("body: %q", got)
	}
	if got := m.FindBinarySection(binary); !bytes.HasPrefix(got, []byte("Schöne Grüße")) {
		t.Errorf("binary: %q", got)
	}
	if kind := m.BodyStructure.MediaType(); kind != "multipart/mixed" {
		t.Errorf("structure: %s", kind)
	}
	stored, err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Collect()
	check(err)
	if len(stored) != 1 || len(stored[0].Flags) != 2 {
		t.Errorf("stored %+v", stored)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "grüße"}}}, nil).Wait()
	check(err)
	if uids := found.AllUIDs(); len(uids) != 1 {
		t.Errorf("found %v", uids)
	}
	copied, err := c.Copy(imap.UIDSetNum(1), "Wörk").Wait()
	check(err)
	if copied.DestUIDs.String() != "1" {
		t.Errorf("copied %+v", copied)
	}
	_, err = c.Move(imap.UIDSetNum(1), "Trash").Wait()
	check(err)
	idle, err := c.Idle()
	check(err)
	w.deliver("alice@example.test", "", hello)
	for len(updates) == 0 || updates[len(updates)-1] != 1 {
		select {
		case n := <-told:
			updates = append(updates, n)
		case <-time.After(10 * time.Second):
			t.Fatalf("no push: %v", updates)
		}
	}
	check(idle.Close())
	check(idle.Wait())
	quota, err := c.GetQuotaRoot("INBOX").Wait()
	check(err)
	if len(quota) != 1 {
		t.Errorf("quota %+v", quota)
	}
	_, err = c.ID(&imap.IDData{Name: "test"}).Wait()
	check(err)
	check(c.Unselect().Wait())
	check(c.Delete("Wörk").Wait())
	check(c.Logout().Wait())
}

// Python's imaplib is strict about the responses that it knows.
func TestPythonsImaplibUnderstandsUs(t *testing.T) {
	python := testenv.Need(t, "python3")[0]
	w := newWorld(t)
	w.deliver("alice@example.test", "", mixed)
	script := filepath.Join(t.TempDir(), "client.py")
	err := os.WriteFile(script, []byte(`
import imaplib, ssl, sys, time
host, port, user, password = sys.argv[1:]
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
def check(answer):
    typ, data = answer
    assert typ == "OK", answer
    return data
m = imaplib.IMAP4_SSL(host, int(port), ssl_context=context)
check(m.login(user, password))
assert "QRESYNC" in m.capability()[1][0].decode()
assert check(m.select("INBOX")) == [b"1"]
assert len(check(m.list())) == 6
assert check(m.lsub())
assert check(m.namespace())
assert check(m.status("INBOX", "(MESSAGES UNSEEN)")) == [b"INBOX (MESSAGES 1 UNSEEN 1)"]
data = check(m.fetch("1", "(UID FLAGS RFC822)"))
assert b"Inner body" in data[0][1], data
assert check(m.search(None, "SUBJECT", "gr"))[0] == b"1"
check(m.store("1", "+FLAGS", "(\\Flagged)"))
check(m.append("INBOX", "(\\Seen)", imaplib.Time2Internaldate(time.time()), b"Subject: x\r\n\r\nbody\r\n"))
check(m.noop())
assert m.response("EXISTS")[1][-1] == b"2"
check(m.copy("1:2", "Archive"))
check(m.uid("STORE", "1", "+FLAGS.SILENT", "(\\Deleted)"))
assert check(m.expunge()) == [b"1"]
check(m.getquotaroot("INBOX"))
check(m.create("Mine")); check(m.rename("Mine", "Yours")); check(m.subscribe("Yours")); check(m.unsubscribe("Yours")); check(m.delete("Yours"))
check(m.check()); check(m.close()); assert m.logout()[0] == "BYE"
print("done")
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(w.addr, ":")
	out, err := exec.Command(python, script, host, port, "alice@example.test", password).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Errorf("%v\n%s", err, out)
	}
}
