package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/internal/message"
)

// secret stands in everything that A has.
const secret = "Zirkonium"

func TestNothingOfAIsSeenByB(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a, b := f.account(1), f.account(2)
		busy(t, f, a)
		shared := letter("both have it", 900)
		f.deliver(1, "", shared)
		f.deliver(2, "", shared)

		var seen strings.Builder
		note := func(v any, err error) {
			t.Helper()
			if err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrNoMailbox) {
				t.Errorf("%v", err)
			}
			fmt.Fprintf(&seen, "%+v\n", v)
		}
		boxes, err := b.Mailboxes(ctx)
		note(boxes, err)
		note(b.Subscriptions(ctx))
		note(b.Quota(ctx))
		note(b.Mailbox(ctx, secret))
		theirs, err := a.Mailboxes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, box := range boxes {
			v := f.view(b, box.Name)
			total += v.Len()
			note(v.Mailbox(), nil)
			note(v.Flags(), nil)
			note(v.ChangedSince(ctx, 0, nil))
			vanished, err := v.VanishedSince(ctx, 0)
			note(vanished, err)
			if len(vanished) > 0 {
				t.Errorf("%s: UIDs of another's vanished: %v", box.Name, vanished)
			}
			// UIDs that A has, and ids that the database has.
			for uid := range uint32(60) {
				text, err := body(v, uid)
				note(text, err)
				meta, err := v.Meta(ctx, uid)
				note(string(meta), err)
			}
			note("", v.EachMeta(ctx, nil, func(m Message, meta message.Meta) bool {
				fmt.Fprintf(&seen, "%+v %s %v\n", m, meta, v.FlagNames(m.Flags))
				return true
			}))
			if slices.ContainsFunc(theirs, func(m Mailbox) bool { return m.ID == box.ID }) {
				t.Errorf("%s is shared", box.Name)
			}
		}
		if total != 1 {
			t.Errorf("B has %d messages", total)
		}
		for id := range int64(400) {
			c, err := f.openOriginal(ctx, b.ID(), id)
			if err == nil {
				text := make([]byte, c.Size())
				_, err = c.ReadAt(text, 0)
				note(string(text), err)
				note("", c.Close())
			}
		}
		if strings.Contains(seen.String(), secret) {
			t.Error("B sees what is A's")
		}
		if !strings.Contains(seen.String(), "both have it") {
			t.Error("B does not see its own")
		}
	})
}

// busy leaves A's secret in every kind of record.
func busy(t *testing.T, f *fixture, a *Account) {
	t.Helper()
	if _, err := a.CreateMailbox(ctx, secret+"/deep", `\All`); err != nil {
		t.Fatal(err)
	}
	if err := a.Subscribe(ctx, secret+"-gone", true); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		size := 500
		if i == 7 {
			size = 400 << 10
		}
		p := f.prepare(noise(fmt.Sprint(secret, i), size))
		if _, err := f.Deliver(ctx, p, []Target{{Account: a.ID(), Flags: []string{secret}, Prefix: []byte("X-" + secret + ": 1\r\n"), Once: []byte(secret + fmt.Sprint(i))}}); err != nil {
			t.Fatal(err)
		}
	}
	v := f.view(a, Inbox)
	if _, err := v.Copy(ctx, []uint32{1, 2, 3}, secret); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Move(ctx, []uint32{4, 5}, "Sent"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{6, 7}, Mode: Add, Flags: []string{`\Deleted`}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Expunge(ctx, nil); err != nil {
		t.Fatal(err)
	}
}

func TestWatchersHearOfTheirAccountOnly(t *testing.T) {
	f := onSQLite(t)
	a, b := f.account(1), f.account(2)
	var events []string
	cancel := b.Watch(func(e Event) { events = append(events, fmt.Sprint(e.Kind, " ", e.Mailbox.Name, " ", e.OldName)) })
	busy(t, f, a)
	if len(events) > 0 {
		t.Fatal(events)
	}
	if _, err := b.CreateMailbox(ctx, "One", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.RenameMailbox(ctx, "One", "Two"); err != nil {
		t.Fatal(err)
	}
	f.deliver(2, "Two", letter("x", 300))
	if err := b.Subscribe(ctx, "Two", true); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteMailbox(ctx, "Two"); err != nil {
		t.Fatal(err)
	}
	cancel()
	f.deliver(2, "", letter("y", 300))
	want := []string{fmt.Sprint(MailboxCreated, " One "), fmt.Sprint(MailboxRenamed, " Two One"), fmt.Sprint(MailboxChanged, " Two "),
		fmt.Sprint(SubscriptionChanged, " Two "), fmt.Sprint(MailboxDeleted, " Two ")}
	if !slices.Equal(events, want) {
		t.Fatalf("%q", events)
	}
}
