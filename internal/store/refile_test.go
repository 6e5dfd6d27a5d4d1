package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/internal/db"
)

// journal notes what it is told.
type journal struct {
	others bool
	told   []string
}

func (j *journal) Watches(AccountID) bool { return j.others }

func (j *journal) HappenedTx(tx *db.Tx, h Happening) error {
	told := fmt.Sprintf("%s %v %v %v", h.Cause, h.UIDs, h.Flags, h.Changed)
	tx.OnCommit(func() { j.told = append(j.told, told) })
	return nil
}

// listener notes where messages were filed.
type listener struct{ filed []string }

func (l *listener) FiledTx(tx *db.Tx, f Filed) error {
	tx.OnCommit(func() { l.filed = append(l.filed, f.From+">"+f.To) })
	return nil
}
func (l *listener) MarkedTx(*db.Tx, Marked) error { return nil }

func (f *fixture) annotate(a *Account, mailbox, value string) {
	f.t.Helper()
	if err := a.Annotate(ctx, mailbox, []Annotation{{Entry: ScriptEntry, Value: []byte(value)}}); err != nil {
		f.t.Fatal(err)
	}
}

func TestTheJournalIsToldOfMailboxesThatAScriptWatches(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		j := &journal{}
		f.Record(j)
		f.deliver(1, "INBOX", letter("one", 100))
		f.deliver(1, "INBOX", letter("two", 100), `\Seen`, "work")
		v := f.view(a, "INBOX")
		store := func(mode StoreMode, flags ...string) {
			t.Helper()
			if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{1, 2}, Mode: mode, Flags: flags}); err != nil {
				t.Fatal(err)
			}
		}
		store(Add, `\Flagged`)
		if len(j.told) > 0 {
			t.Fatalf("it is told of what nobody watches: %v", j.told)
		}
		f.annotate(a, "INBOX", "script")
		f.deliver(1, "INBOX", letter("three", 100)) // what comes in is no deed of the owner's
		store(Set, `\Seen`, "home")                 // one gets \Seen and loses \Flagged, two loses work as well
		store(Remove, `\Seen`)
		store(Remove, `\Seen`)
		if _, err := v.Copy(ctx, []uint32{1, 2}, "Archive"); err != nil {
			t.Fatal(err)
		}
		f.annotate(a, "", "general")
		if _, err := v.Move(ctx, []uint32{2}, "Archive"); err != nil {
			t.Fatal(err)
		}
		f.annotate(a, "Archive", "") // which has none
		if _, err := v.Copy(ctx, []uint32{1}, "Archive"); err != nil {
			t.Fatal(err)
		}
		f.reopen()
		a = f.Account(1)
		f.Record(j)
		if _, _, err := a.Append(ctx, "Trash", []AppendItem{{Prepared: f.prepare(letter("four", 10))}}); err != nil {
			t.Fatal(err)
		}
		j.others = true
		if _, _, err := a.Append(ctx, "Archive", []AppendItem{{Prepared: f.prepare(letter("five", 10))}}); err != nil {
			t.Fatal(err)
		}
		// The order of the keywords is that of their bits: work came before home.
		want := []string{`FLAG [1 2] [\Seen \Flagged work home] [11 14]`, `FLAG [1 2] [\Seen] [1 1]`, `COPY [3] [] []`, `APPEND [1] [] []`, `APPEND [5] [] []`}
		if !slices.Equal(j.told, want) {
			t.Errorf("it is told\n%s\nnot\n%s", strings.Join(j.told, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestWhatAScriptWantsIsDoneAndNotToldAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		j, l := &journal{others: true}, &listener{}
		f.Record(j)
		f.Listen(l)
		f.deliver(1, "INBOX", letter("one", 100), `\Seen`, "old")
		box := f.mailbox(a, "INBOX").ID
		refile := func(r Refiling) (whole bool, err error) {
			r.Mailbox = box
			err = f.db.Write(ctx, func(tx *db.Tx) (err error) {
				whole, err = a.RefileTx(tx, r)
				return err
			})
			return whole, err
		}
		for name, open := range map[string]bool{"closed": false, "open": true} { // whether the list is in memory
			var v *View
			if open {
				v = f.view(a, "INBOX")
			}
			other := f.prepare(letter("other", 200))
			whole, err := refile(Refiling{UID: 1, Add: []string{`\Flagged`, name, `\Nonsense`}, Remove: []string{"old"},
				Copies: []Copy{{Role: `\Junk`, Flags: []string{"x"}}, {Mailbox: "New/Box", Create: true}, {Mailbox: "Archive", Prepared: other}}})
			if err != nil || !whole {
				t.Fatal(whole, err)
			}
			lying, err := a.Lying(ctx, box, 1)
			if err != nil || !slices.Contains(lying.Flags, name) || !slices.Contains(lying.Flags, `\Flagged`) || slices.Contains(lying.Flags, "old") || lying.Mailbox != "INBOX" {
				t.Errorf("it lies as %+v, %v", lying, err)
			}
			if open {
				if u := f.sync(v); !slices.Equal(u.Changed, []uint32{1}) {
					t.Errorf("a view is told %+v", u)
				}
			}
		}
		for mailbox, want := range map[string]string{"Junk": "one", "New/Box": "one", "Archive": "other"} {
			v := f.view(a, mailbox)
			if v.Len() != 2 || !strings.Contains(f.body(v, 1), "Subject: "+want) {
				t.Errorf("%s holds %d", mailbox, v.Len())
			}
			if n := strings.Join(v.FlagNames(1<<firstKeyword), ""); mailbox == "Junk" && n != "x" {
				t.Errorf("the flag is %q", n)
			}
		}
		if len(j.told) > 0 {
			t.Errorf("the journal is told %v", j.told)
		}
		if want := []string{`>\Junk`, `>`, `>\Archive`, `>\Junk`, `>`, `>\Archive`}; !slices.Equal(l.filed, want) {
			t.Errorf("the listener is told %v", l.filed)
		}
		if _, err := refile(Refiling{UID: 9}); !errors.Is(err, ErrGone) {
			t.Errorf("of a message that is not there: %v", err)
		}
		f.db.Write(ctx, func(tx *db.Tx) error { return f.SetQuotaTx(tx, 1, 1, 0) })
		if whole, err := refile(Refiling{UID: 1, Add: []string{`\Deleted`, "tried"}, Copies: []Copy{{Mailbox: "Trash"}}}); whole || err != nil {
			t.Errorf("without room: %v, %v", whole, err)
		}
		if lying, _ := a.Lying(ctx, box, 1); slices.Contains(lying.Flags, `\Deleted`) || !slices.Contains(lying.Flags, "tried") {
			t.Errorf("without room it lies as %+v", lying)
		}
	})
}

func TestAnnotationsAreKeptAndGoWithTheirMailbox(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		f.account(2)
		binary := []byte("a\x00\xff")
		set := func(mailbox string, changes ...Annotation) error { return a.Annotate(ctx, mailbox, changes) }
		if err := errors.Join(set("Archive", Annotation{"/Shared/Comment", binary}, Annotation{"/private/empty", []byte{}}), set("", Annotation{"/shared/comment", []byte("mine")})); err != nil {
			t.Fatal(err)
		}
		f.reopen()
		a = f.Account(1)
		b := f.Account(2)
		check := func(of *Account, mailbox, entry string, want []byte, there bool) {
			t.Helper()
			got, ok, err := of.Annotation(ctx, mailbox, entry)
			if ok != there || !bytes.Equal(got, want) || err != nil {
				t.Errorf("%s of %q is %q, %v, %v", entry, mailbox, got, ok, err)
			}
		}
		check(a, "Archive", "/SHARED/comment", binary, true)
		check(a, "Archive", "/private/empty", nil, true)
		check(a, "", "/shared/comment", []byte("mine"), true)
		check(a, "INBOX", "/shared/comment", nil, false)
		check(b, "", "/shared/comment", nil, false)
		for _, bad := range []string{"/shared", "/shared/", "/other/x", "/shared//x", "/shared/*", "/private/ä", "comment"} {
			if err := a.Annotate(ctx, "INBOX", []Annotation{{bad, []byte("x")}}); !errors.Is(err, ErrBadAnnotation) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if _, _, err := a.Annotation(ctx, "Nowhere", "/shared/comment"); !errors.Is(err, ErrNoMailbox) {
			t.Errorf("of no mailbox: %v", err)
		}
		if err := a.DeleteMailbox(ctx, "Archive"); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := f.db.QueryRow(ctx, `SELECT COUNT(*) FROM annotations`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d are left, %v", n, err)
		}
	})
}
