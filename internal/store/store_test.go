package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/db"
)

var ctx = context.Background()

func TestADeliveredMessageIsReadAsItCame(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for _, size := range []int{0, 300, 4 << 10, 200 << 10, 3 << 20} {
			for kind, make := range map[string]func(string, int) []byte{"letter": letter, "noise": noise} {
				b := make(fmt.Sprint(kind, size), size)
				uid := f.deliver(1, "", b)
				v := f.view(a, "INBOX")
				if got := f.body(v, uid); got != "Return-Path: <a@example.test>\r\n"+string(b) {
					t.Fatalf("%s of %d bytes came back as %d bytes", kind, len(b), len(got))
				}
				m, ok := v.Get(uid)
				if !ok || m.Size != int64(len(b))+31 || !m.Internal.Equal(testEpoch) {
					t.Fatalf("message %+v", m)
				}
				c, err := v.Open(ctx, uid)
				if err != nil {
					t.Fatal(err)
				}
				part := make(kind, 0)[:5]
				if _, err := c.ReadAt(part, c.PrefixLen()+int64(len(b))-5); err != nil || string(part) != string(b[len(b)-5:]) {
					t.Fatalf("the end reads %q, %v", part, err)
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestANewAccountHasItsMailboxes(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(7)
		boxes, err := a.Mailboxes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range boxes {
			got = append(got, b.Name+" "+b.SpecialUse)
			if !b.Subscribed || b.UIDNext != 1 || b.UIDValidity == 0 {
				t.Errorf("%+v", b)
			}
		}
		want := []string{`Archive \Archive`, `Drafts \Drafts`, `INBOX `, `Junk \Junk`, `Sent \Sent`, `Trash \Trash`}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestCountersFollowEveryChange(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for i := range 5 {
			f.deliver(1, "INBOX", letter(fmt.Sprint(i), 500))
		}
		v := f.view(a, "INBOX")
		if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{1, 2}, Mode: Add, Flags: []string{`\Seen`, "$Work"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{2, 3}, Mode: Add, Flags: []string{`\Deleted`}}); err != nil {
			t.Fatal(err)
		}
		m := f.mailbox(a, "inbox")
		if m.Messages != 5 || m.Unseen != 3 || m.Deleted != 2 || m.UIDNext != 6 {
			t.Fatalf("%+v", m)
		}
		if _, err := v.Copy(ctx, []uint32{1, 2}, "Archive"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Move(ctx, []uint32{4}, "Archive"); err != nil {
			t.Fatal(err)
		}
		gone, _, err := v.Expunge(ctx, nil)
		if err != nil || !slices.Equal(gone, []uint32{2, 3}) {
			t.Fatal(gone, err)
		}
		m = f.mailbox(a, "INBOX")
		if m.Messages != 2 || m.Unseen != 1 || m.Deleted != 0 {
			t.Fatalf("%+v", m)
		}
		m = f.mailbox(a, "Archive")
		if m.Messages != 3 || m.Unseen != 1 || m.Deleted != 1 || m.UIDNext != 4 {
			t.Fatalf("%+v", m)
		}
		f.reopen()
		if again := f.mailbox(f.Account(1), "Archive"); again != m {
			t.Fatalf("after a restart %+v, before %+v", again, m)
		}
	})
}

func TestAViewKeepsItsPictureUntilItIsSynced(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for i := range 4 {
			f.deliver(1, "", letter(fmt.Sprint(i), 500))
		}
		v, other := f.view(a, "INBOX"), f.view(a, "INBOX")
		woken := make(chan struct{}, 10)
		v.Notify(func() { woken <- struct{}{} })
		if _, err := other.Store(ctx, StoreOp{UIDs: []uint32{2, 3}, Mode: Set, Flags: []string{`\Deleted`, "new"}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := other.Expunge(ctx, []uint32{2}); err != nil {
			t.Fatal(err)
		}
		f.deliver(1, "", letter("five", 500))
		<-woken
		if v.Len() != 4 || f.body(v, 2) == "" {
			t.Fatal("the picture moved")
		}
		u, err := v.Sync(false)
		if err != nil {
			t.Fatal(err)
		}
		want := Update{Exists: 5, Changed: []uint32{3}, FlagsList: true, HighestModSeq: u.HighestModSeq}
		if d := cmp.Diff(want, u); d != "" {
			t.Fatal(d)
		}
		if u.HighestModSeq >= v.Mailbox().HighestModSeq {
			t.Fatal("HIGHESTMODSEQ hides an expunge that was not told")
		}
		f.reap()
		if f.body(v, 2) == "" {
			t.Fatal("an expunged message went before the view was told")
		}
		if u, err = v.Sync(false); err != nil || !u.Empty() {
			t.Fatalf("%+v, %v", u, err)
		}
		u = f.sync(v)
		want = Update{Exists: -1, Expunged: []Expunge{{2, 2}}, Vanished: []uint32{2}, HighestModSeq: v.Mailbox().HighestModSeq}
		if d := cmp.Diff(want, u); d != "" {
			t.Fatal(d)
		}
		if u = f.sync(other); u.HighestModSeq != v.HighestModSeq() {
			t.Fatal("views disagree")
		}
		if _, err := body(v, 2); !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		f.reap()
		var n int
		if err := f.db.QueryRow(ctx, `SELECT count(*) FROM originals`).Scan(&n); err != nil || n != 4 {
			t.Fatalf("%d originals are left, %v", n, err)
		}
	})
}

func TestASilentStoreIsToldOnlyWhereAnotherSessionChangedToo(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for i := range 3 {
			f.deliver(1, "", letter(fmt.Sprint(i), 500))
		}
		v, other := f.view(a, "INBOX"), f.view(a, "INBOX")
		seen := StoreOp{UIDs: []uint32{1, 2, 3}, Mode: Add, Flags: []string{`\Seen`}, Silent: true}
		if _, err := v.Store(ctx, seen); err != nil {
			t.Fatal(err)
		}
		if u := f.sync(v); !u.Empty() {
			t.Fatalf("%+v", u)
		}
		if m, _ := v.Get(1); m.Flags != Seen {
			t.Fatalf("%+v", m)
		}
		if _, err := other.Store(ctx, StoreOp{UIDs: []uint32{2}, Mode: Add, Flags: []string{`\Flagged`}}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{1, 2, 3}, Mode: Add, Flags: []string{`\Answered`}, Silent: true}); err != nil {
			t.Fatal(err)
		}
		if u := f.sync(v); !slices.Equal(u.Changed, []uint32{2}) {
			t.Fatalf("%+v", u)
		}
		if u := f.sync(other); !slices.Equal(u.Changed, []uint32{1, 2, 3}) {
			t.Fatalf("%+v", u)
		}
	})
}

func TestAConditionalStoreLeavesNewerMessagesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for i := range 3 {
			f.deliver(1, "", letter(fmt.Sprint(i), 500))
		}
		v := f.view(a, "INBOX")
		since := v.HighestModSeq()
		if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{2}, Mode: Add, Flags: []string{`\Seen`}}); err != nil {
			t.Fatal(err)
		}
		res, err := v.Store(ctx, StoreOp{UIDs: []uint32{1, 2, 9}, Mode: Add, Flags: []string{`\Flagged`}, Conditional: true, UnchangedSince: since})
		if err != nil {
			t.Fatal(err)
		}
		want := StoreResult{Modified: []uint32{2}, Changed: []uint32{1}, Missing: []uint32{9}, ModSeq: since + 2}
		if d := cmp.Diff(want, res); d != "" {
			t.Fatal(d)
		}
		if res, err = v.Store(ctx, StoreOp{UIDs: []uint32{1}, Mode: Add, Flags: []string{`\Flagged`}}); err != nil || res.ModSeq != 0 {
			t.Fatal("a store that changes nothing gave a modseq", res, err)
		}
	})
}

func TestVanishedSinceFollowsTheTombstones(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for i := range 6 {
			f.deliver(1, "", letter(fmt.Sprint(i), 500))
		}
		v := f.view(a, "INBOX")
		start := v.HighestModSeq()
		expunge := func(uids ...uint32) uint64 {
			t.Helper()
			if _, err := v.Store(ctx, StoreOp{UIDs: uids, Mode: Add, Flags: []string{`\Deleted`}}); err != nil {
				t.Fatal(err)
			}
			_, modseq, err := v.Expunge(ctx, uids)
			if err != nil {
				t.Fatal(err)
			}
			f.sync(v)
			return modseq
		}
		mid := expunge(2, 3)
		expunge(5)
		check := func(since uint64, want ...uint32) {
			t.Helper()
			if got, err := v.VanishedSince(ctx, since); err != nil || !slices.Equal(got, want) {
				t.Fatalf("since %d: %v, %v", since, got, err)
			}
		}
		check(start, 2, 3, 5)
		check(mid, 5)
		check(v.HighestModSeq())
		f.clock.Advance(100 * 24 * time.Hour)
		if err := f.Store.reaper.old(ctx); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := f.db.QueryRow(ctx, `SELECT count(*) FROM tombstones`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d tombstones are left, %v", n, err)
		}
		check(start, 2, 3, 5) // all that is not there, below UIDNEXT
		expunge(1)
		check(start, 1, 2, 3, 5)
	})
}

func TestTheSameDeliveryIsStoredOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.account(1)
		f.account(2)
		p := f.prepare(letter("once", 500))
		to := []Target{{Account: 1, Once: []byte("key")}, {Account: 2, Once: []byte("key")}}
		first, err := f.Deliver(ctx, p, to[:1])
		if err != nil || first[0].Duplicate {
			t.Fatal(first, err)
		}
		again, err := f.Deliver(ctx, f.prepare(letter("once", 500)), to)
		if err != nil || !again[0].Duplicate || again[0].UID != first[0].UID || again[1].Duplicate {
			t.Fatal(again, err)
		}
		if n := f.mailbox(f.Account(1), "INBOX").Messages; n != 1 {
			t.Fatal(n)
		}
		f.clock.Advance(25 * time.Hour)
		if late, err := f.Deliver(ctx, f.prepare(letter("once", 500)), to); err != nil || late[0].Duplicate || late[0].UID != 2 {
			t.Fatal(late, err)
		}
		f.clock.Advance(25 * time.Hour)
		if err := f.Store.reaper.old(ctx); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := f.db.QueryRow(ctx, `SELECT count(*) FROM once_keys`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d keys are left, %v", n, err)
		}
	})
}

func TestAFailedDeliveryIsInNoMailbox(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		f.account(2)
		if err := f.db.Write(ctx, func(tx *db.Tx) error { return f.SetQuotaTx(tx, 2, 100, 0) }); err != nil {
			t.Fatal(err)
		}
		p := f.prepare(letter("big", 500))
		_, err := f.Deliver(ctx, p, []Target{{Account: 1}, {Account: 2}})
		if !errors.Is(err, ErrOverQuota) {
			t.Fatal(err)
		}
		if m := f.mailbox(a, "INBOX"); m.Messages != 0 || m.UIDNext != 1 {
			t.Fatalf("%+v", m)
		}
		if _, err := f.Deliver(ctx, p, []Target{{Account: 1}, {Account: 2, IgnoreQuota: true}}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Deliver(ctx, p, []Target{{Account: 3}}); !errors.Is(err, ErrNoAccount) {
			t.Fatal(err)
		}
		failure := errors.New("the caller changed its mind")
		err = f.db.Write(ctx, func(tx *db.Tx) error {
			if _, err := f.DeliverTx(tx, p, []Target{{Account: 1}}); err != nil {
				return err
			}
			return failure
		})
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if m := f.mailbox(a, "INBOX"); m.Messages != 1 || m.UIDNext != 2 {
			t.Fatalf("%+v", m)
		}
		q, err := a.Quota(ctx)
		if err != nil || q.UsedMessages != 1 || q.UsedBytes != p.Size() {
			t.Fatalf("%+v, %v", q, err)
		}
	})
}

func TestMailboxNamesFollowTheProtocol(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		refuse := func(err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("%v instead of %v", err, want)
			}
		}
		create := func(name, use string) error { _, err := a.CreateMailbox(ctx, name, use); return err }
		must(create("Work/2026/March/", ""))
		refuse(create("Work/2026", ""), ErrExists)
		refuse(create("INBOX", ""), ErrExists)
		refuse(create("a//b", ""), ErrBadName)
		refuse(create("a\x01b", ""), ErrBadName)
		refuse(create("", ""), ErrBadName)
		refuse(create("Other", `\Sent`), ErrExists)
		refuse(create("Other", `\Nonsense`), ErrBadName)
		must(create("Stars", `\flagged`))
		refuse(a.DeleteMailbox(ctx, "inbox"), ErrBadName)
		refuse(a.DeleteMailbox(ctx, "nothing"), ErrNoMailbox)
		must(a.DeleteMailbox(ctx, "Work/2026"))
		m := f.mailbox(a, "Work/2026")
		if !m.NoSelect || !m.HasChildren {
			t.Fatalf("%+v", m)
		}
		refuse(a.DeleteMailbox(ctx, "Work/2026"), ErrHasChildren)
		if _, err := a.Select(ctx, "Work/2026", SelectOptions{}); !errors.Is(err, ErrNoMailbox) {
			t.Fatal(err)
		}
		must(a.Subscribe(ctx, "Work/2026/March", true))
		validity := f.mailbox(a, "Work/2026/March").UIDValidity
		must(a.RenameMailbox(ctx, "Work", "Old/Work"))
		if got := f.mailbox(a, "Old/Work/2026/March"); got.UIDValidity != validity || got.Subscribed {
			t.Fatalf("%+v", got)
		}
		refuse(a.RenameMailbox(ctx, "Old", "Old/Work/Deep"), ErrBadName)
		refuse(a.RenameMailbox(ctx, "Old", "Sent"), ErrExists)
		subs, err := a.Subscriptions(ctx)
		must(err)
		if !slices.Contains(subs, "Work/2026/March") {
			t.Fatal(subs)
		}
		must(create("Work", ""))
		if f.mailbox(a, "Work").UIDValidity <= validity {
			t.Fatal("UIDVALIDITY does not grow")
		}
		f.reopen()
		if got := f.mailbox(f.Account(1), "Old/Work/2026/March"); got.UIDValidity != validity {
			t.Fatalf("%+v", got)
		}
	})
}

func TestRenamingInboxMovesItsMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		for i := range 3 {
			f.deliver(1, "", letter(fmt.Sprint(i), 500), "kw")
		}
		v := f.view(a, "INBOX")
		if err := a.RenameMailbox(ctx, "INBOX", "Saved"); err != nil {
			t.Fatal(err)
		}
		if u := f.sync(v); len(u.Expunged) != 3 || v.Len() != 0 {
			t.Fatalf("%+v", u)
		}
		saved := f.view(a, "Saved")
		if saved.Len() != 3 || string(saved.AppendFlags(nil, firstFlags(saved))) != "kw" {
			t.Fatal(saved.Len(), saved.Flags())
		}
		if uid := f.deliver(1, "", letter("next", 500)); uid != 4 {
			t.Fatal(uid)
		}
	})
}

func firstFlags(v *View) (f Flags) {
	_ = v.Each(nil, func(m Message) bool { f = m.Flags; return false })
	return f
}

func TestADeletedMailboxIsGoneForItsViewsAndErasedBehindThem(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		if _, err := a.CreateMailbox(ctx, "Tmp", ""); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			f.deliver(1, "Tmp", letter(fmt.Sprint(i), 500))
		}
		v := f.view(a, "Tmp")
		if err := a.DeleteMailbox(ctx, "Tmp"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Sync(true); !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{1}, Flags: []string{`\Seen`}}); !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		v.Close()
		f.reap()
		for _, table := range []string{"messages", "originals", "blobs", "blob_data", "dead_mailboxes", "ref_log"} {
			var n int
			if err := f.db.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s holds %d, %v", table, n, err)
			}
		}
		if q, err := a.Quota(ctx); err != nil || q.UsedBytes != 0 || q.UsedMessages != 0 {
			t.Fatalf("%+v, %v", q, err)
		}
	})
}

func TestARemovedAccountLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.account(1)
		other := f.account(2)
		b := noise("shared", 300<<10)
		f.deliver(1, "", b)
		f.deliver(2, "", b)
		if err := f.db.Write(ctx, func(tx *db.Tx) error { return f.RemoveAccountTx(tx, 1) }); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Account(1).Mailboxes(ctx); !errors.Is(err, ErrNoAccount) {
			t.Fatal(err)
		}
		f.reap()
		v := f.view(other, "INBOX")
		if got := f.body(v, 1); len(got) < len(b) {
			t.Fatal("a shared blob went with one of its owners")
		}
		v.Close()
		if err := f.db.Write(ctx, func(tx *db.Tx) error { return f.RemoveAccountTx(tx, 2) }); err != nil {
			t.Fatal(err)
		}
		f.reap()
		for _, table := range []string{"store_accounts", "mailboxes", "subscriptions", "messages", "originals", "blobs"} {
			var n int
			if err := f.db.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s holds %d, %v", table, n, err)
			}
		}
		for shard := range 256 {
			if found, _ := f.files.files(byte(shard)); len(found) > 0 {
				t.Fatal("a file is left", found)
			}
		}
	})
}
