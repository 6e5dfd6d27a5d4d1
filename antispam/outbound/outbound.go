// Package outbound notices an account of ours that somebody else sends with.
//
// A stolen password is used at once and as much as possible: thousands of messages, to people whom the account never wrote
// to, many of whom do not exist, from networks all over the world. Each of these is counted for each account, in counters
// that fade within hours ([Watch.Judge], [Watch.Bounced]), so that a burst counts as much as a long stream. When one
// passes its limit, which is a setting outbound.*, the account is put on hold: what it sends to others is taken and waits in
// the queue, held, so that nothing is lost if it was the owner after all; the administrator is told once, with the commands
// that mend it; and the hold stays, over restarts, until [Watch.Lift].
//
// The package counts and remembers. It sends nothing and holds no message itself: whoever asked puts the message
// into the queue as [Judgement] says.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/verdict"
)

// Submission is a message that an account hands in for people elsewhere.
type Submission struct {
	// Account sent it, Address is the account's own.
	Account int64
	Address string
	// Recipients are those elsewhere; New of them are such as the account never wrote to before.
	Recipients, New int
	// Score is the spam score of the message, 0 when it was not scanned.
	Score verdict.Points
	// Network is where the client is, as throttle.Network gives it; the zero Prefix is not counted.
	Network netip.Prefix
	// At is when; the clock's time when zero.
	At time.Time
}

// Judgement says what is to be done with a message.
type Judgement struct {
	// Hold: it must wait in the queue until it is released.
	Hold bool
	// Reason says why, in a line.
	Reason string
}

// Hold is an account whose outgoing mail waits.
type Hold struct {
	Account int64
	Address string
	Since   time.Time
	Reason  string
}

// Alert tells that an account was put on hold.
type Alert struct {
	Hold
	// Title is a line, Text tells what happened and what to do.
	Title, Text string
}

// Options connect a Watch.
type Options struct {
	DB       *db.DB
	Settings *settings.Settings
	// Alert is told of each hold once. It must not block.
	Alert func(Alert)
	// Lifted is told of each hold that somebody ends. It must not block.
	Lifted func(Hold)
	// Accounts bounds how many are remembered, 100,000 when 0; those that sent longest ago are forgotten first.
	Accounts int
	Clock    clock.Clock
	Log      *slog.Logger
}

// ErrNotHeld means that an account is not on hold.
var ErrNotHeld = errors.New("the account is not on hold")

const defaultAccounts = 100_000

// Watch counts what accounts send. Its methods may be called concurrently.
type Watch struct {
	o    Options
	seed maphash.Seed

	mu    sync.Mutex
	known lru
	holds map[int64]*held
}

// held is a hold, which may wait for the database still.
type held struct {
	Hold
	// writing is held while the database is changed, so that a hold is not stored behind its lifting.
	writing sync.Mutex
	// stored and lifted are guarded by the watch's lock.
	stored, lifted bool
}

// Open reads the holds.
func Open(ctx context.Context, o Options) (*Watch, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Alert == nil {
		o.Alert = func(Alert) {}
	}
	if o.Lifted == nil {
		o.Lifted = func(Hold) {}
	}
	if o.Accounts <= 0 {
		o.Accounts = defaultAccounts
	}
	w := &Watch{o: o, seed: maphash.MakeSeed(), known: newLRU(o.Accounts), holds: map[int64]*held{}}
	list, err := readHolds(ctx, o.DB)
	if err != nil {
		return nil, fmt.Errorf("reading the accounts on hold: %w", err)
	}
	w.take(list)
	o.DB.OnUncertain(w.reload)
	return w, nil
}

// Judge counts a message before it is made durable and says whether it must wait. It costs no database unless the account is
// put on hold by it, which is durable before Judge returns; so it must not be called within a db.DB.Write.
func (w *Watch) Judge(ctx context.Context, s Submission) Judgement {
	if s.At.IsZero() {
		s.At = w.o.Clock.Now()
	}
	w.mu.Lock()
	h := w.holds[s.Account]
	isNew := false
	if h == nil {
		if reason := w.count(s); reason != "" {
			h, isNew = &held{Hold: Hold{s.Account, s.Address, s.At.UTC().Truncate(time.Second), reason}}, true
			w.holds[s.Account] = h
		}
	}
	stored := h == nil || h.stored
	w.mu.Unlock()
	if h == nil {
		return Judgement{}
	}
	if !stored {
		w.store(ctx, h)
	}
	if isNew {
		w.o.Log.Warn("account put on hold", "account", s.Account, "address", s.Address, "reason", h.Reason)
		w.o.Alert(h.Hold.Alert())
	}
	return Judgement{Hold: true, Reason: h.Reason}
}

// Bounced counts a recipient of the account's that was refused by another server.
func (w *Watch) Bounced(account int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holds[account] == nil {
		w.known.get(account, w.o.Clock.Now()).bounced++
	}
}

// store makes a hold durable. While the database cannot, the hold is in memory and each message tries again.
func (w *Watch) store(ctx context.Context, h *held) {
	h.writing.Lock()
	defer h.writing.Unlock()
	w.mu.Lock()
	done := h.stored || h.lifted
	w.mu.Unlock()
	if done {
		return
	}
	if err := writeHold(context.WithoutCancel(ctx), w.o.DB, h.Hold); err != nil {
		w.o.Log.Error("a hold could not be stored; it counts until the server ends", "account", h.Account, "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h.stored = true
}

// Held reports, from memory, whether an account is on hold.
func (w *Watch) Held(account int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.holds[account] != nil
}

// Holds gives the accounts on hold, by address.
func (w *Watch) Holds(context.Context) ([]Hold, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Hold, 0, len(w.holds))
	for _, h := range w.holds {
		list = append(list, h.Hold)
	}
	slices.SortFunc(list, byAddress)
	return list, nil
}

// Lift ends a hold; the account's counters start anew. What waits in the queue stays held until it is released. The error
// is ErrNotHeld when there is no hold.
func (w *Watch) Lift(ctx context.Context, account int64) error {
	w.mu.Lock()
	h := w.holds[account]
	w.mu.Unlock()
	if h == nil {
		return ErrNotHeld
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	if err := deleteHold(ctx, w.o.DB, account); err != nil {
		return fmt.Errorf("lifting the hold: %w", err)
	}
	w.mu.Lock()
	h.lifted = true
	delete(w.holds, account)
	w.known.forget(account)
	w.mu.Unlock()
	w.o.Lifted(h.Hold)
	w.o.Log.Info("hold lifted", "account", account, "address", h.Address)
	return nil
}

// take makes the holds of the database those in force, besides such as wait for the database.
func (w *Watch) take(list []Hold) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := make(map[int64]*held, len(list))
	for account, h := range w.holds {
		if !h.stored {
			next[account] = h
		}
	}
	for _, h := range list {
		next[h.Account] = &held{Hold: h, stored: true}
	}
	w.holds = next
}

// reload reads the holds anew, after a commit of which no one knows whether it happened.
func (w *Watch) reload() {
	list, err := readHolds(context.Background(), w.o.DB)
	if err != nil {
		w.o.Log.Error("the accounts on hold could not be read again after a lost commit", "error", err)
		return
	}
	w.take(list)
}
