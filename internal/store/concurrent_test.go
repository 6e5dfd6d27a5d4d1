package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/testdisk"
)

func TestManySessionsOnTheSameMailboxesAgreeInTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.account(1)
		f.account(2)
		steps := 60
		if f.db.Dialect() == db.PostgreSQL {
			steps = 25
		}
		var wg sync.WaitGroup
		for n := range 12 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s := session{f: f, r: rand.New(rand.NewPCG(uint64(n), 9)), n: n, account: f.Account(AccountID(n%2 + 1))}
				for i := range steps {
					if err := s.step(i); err != nil {
						t.Errorf("session %d: %v", n, err)
						return
					}
				}
				if s.view != nil {
					s.view.Close()
				}
			}()
		}
		wg.Wait()
		for id := range AccountID(2) {
			for _, name := range []string{Inbox, "Archive"} {
				v := f.view(f.Account(id+1), name)
				seen := map[string]uint32{}
				err := v.EachMeta(ctx, nil, func(m Message, meta message.Meta) bool {
					if len(meta) == 0 {
						t.Errorf("UID %d has no meta", m.UID)
					}
					return true
				})
				if err != nil {
					t.Error(err)
				}
				for _, uid := range v.UIDs() {
					text := f.body(v, uid)
					seen[text]++
				}
				if int(v.Mailbox().Messages) != v.Len() {
					t.Errorf("%d messages, counter %d", v.Len(), v.Mailbox().Messages)
				}
			}
		}
	})
}

// session does what a client does, on mailboxes that others change too.
type session struct {
	f       *fixture
	r       *rand.Rand
	n       int
	account *Account
	view    *View
	known   int
}

func (s *session) step(i int) error {
	if s.view == nil || s.r.IntN(20) == 0 {
		if s.view != nil {
			s.view.Close()
		}
		v, err := s.account.Select(ctx, []string{Inbox, "Archive"}[s.r.IntN(2)], SelectOptions{})
		if err != nil {
			return err
		}
		v.Notify(func() {})
		s.view, s.known = v, v.Len()
	}
	var uids []uint32
	for _, uid := range s.view.UIDs() {
		if s.r.IntN(4) == 0 {
			uids = append(uids, uid)
		}
	}
	var err error
	switch s.r.IntN(8) {
	case 0, 1, 2:
		p, err := prepare(s.f.Store, letter(fmt.Sprint("session ", s.n, " ", i), 400))
		if err != nil {
			return err
		}
		defer p.Discard()
		_, err = s.f.Deliver(ctx, p, []Target{{Account: 1}, {Account: 2, Mailbox: "Archive"}})
		return err
	case 3:
		_, err = s.view.Store(ctx, StoreOp{UIDs: uids, Mode: Add, Flags: []string{`\Seen`, fmt.Sprint("k", s.n)}, Silent: s.r.IntN(2) == 0})
	case 4:
		_, err = s.view.Copy(ctx, uids[:min(5, len(uids))], "Archive")
	case 5:
		_, err = s.view.Move(ctx, uids, Inbox)
	case 6:
		if _, err = s.view.Store(ctx, StoreOp{UIDs: uids, Mode: Add, Flags: []string{`\Deleted`}}); err == nil {
			_, _, err = s.view.Expunge(ctx, nil)
		}
	default:
		for _, uid := range uids[:min(5, len(uids))] {
			if _, err := body(s.view, uid); err != nil {
				return fmt.Errorf("reading UID %d: %w", uid, err)
			}
		}
	}
	if err != nil {
		return err
	}
	return s.sync()
}

// sync checks that the numbers a client is told add up.
func (s *session) sync() error {
	u, err := s.view.Sync(s.r.IntN(2) == 0)
	if err != nil {
		return err
	}
	s.known -= len(u.Expunged)
	if u.Exists >= 0 {
		if u.Exists <= s.known {
			return fmt.Errorf("EXISTS %d after %d", u.Exists, s.known)
		}
		s.known = u.Exists
	}
	if s.known != s.view.Len() {
		return fmt.Errorf("the client counts %d, the view holds %d", s.known, s.view.Len())
	}
	return nil
}

func TestAFullDiskLosesNothingAndIsSaid(t *testing.T) {
	disk := testdisk.New(t, 48<<20)
	f := newFixture(t, "sqlite:"+disk.Path()+"/postern.db", disk.Path())
	a := f.account(1)
	f.account(2)
	kept := map[string]int{}
	var mu sync.Mutex
	for round := range 8 {
		release, err := disk.Fill(rand.Int64N(600 << 10))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; ; i++ {
					text := noise(fmt.Sprint("full ", round, " ", worker, " ", i), []int{800, 9 << 10, 150 << 10}[i%3])
					err := deliverBoth(f, text)
					if err == nil {
						mu.Lock()
						kept[string(text)]++
						mu.Unlock()
						continue
					}
					if !errors.Is(err, db.ErrFull) || reply.From(err).Code != 452 {
						t.Errorf("round %d: %v", round, err)
					}
					return
				}
			}()
		}
		wg.Wait()
		v := f.view(a, Inbox)
		if len(v.UIDs()) > 0 {
			f.body(v, v.UIDs()[0]) // what is there can be read while the disk is full
		}
		v.Close()
		release()
		text := letter(fmt.Sprint("room again ", round), 2000)
		if err := deliverBoth(f, text); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		kept[string(text)]++
		f.checkKept(kept)
		if round%2 == 1 {
			f.emptyBoth()
			clear(kept)
			f.reopen()
			a = f.Account(1)
		}
	}
}

func deliverBoth(f *fixture, text []byte) error {
	p, err := prepare(f.Store, text)
	if err != nil {
		return err
	}
	defer p.Discard()
	_, err = f.Deliver(ctx, p, []Target{{Account: 1}, {Account: 2}})
	return err
}

// checkKept compares what is in both mailboxes with what was acknowledged.
func (f *fixture) checkKept(kept map[string]int) {
	f.t.Helper()
	for id := range AccountID(2) {
		v := f.view(f.Account(id+1), Inbox)
		found := map[string]int{}
		for _, uid := range v.UIDs() {
			found[f.body(v, uid)]++
		}
		v.Close()
		if len(found) != len(kept) {
			f.t.Errorf("%d messages instead of %d", len(found), len(kept))
		}
		for text, n := range kept {
			if found[text] != n {
				f.t.Errorf("a message is there %d times instead of %d", found[text], n)
			}
		}
	}
}

func (f *fixture) emptyBoth() {
	f.t.Helper()
	for id := range AccountID(2) {
		v := f.view(f.Account(id+1), Inbox)
		if _, err := v.Store(ctx, StoreOp{UIDs: v.UIDs(), Mode: Add, Flags: []string{`\Deleted`}}); err != nil {
			f.t.Fatal(err)
		}
		if _, _, err := v.Expunge(ctx, nil); err != nil {
			f.t.Fatal(err)
		}
		v.Close()
	}
	f.reap()
}
