package mailflow

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"postern/internal/db"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/smtp"
)

// A sender that did not see our 250 sends the message again (RFC 5321 4.1.1.4, RFC 1047), and the reader should not find it
// twice. A delivery therefore leaves a key in the store, in its own transaction. The key counts only where the 250 can
// have been lost: when the session ended without another word after the message, or when we ourselves went down. A
// client that goes on after the 250 has seen it; its key is dropped, and the same bytes sent again are a second message.

// receiptKey names a delivery: same bytes, same sender, same client.
type receiptKey [sha256.Size]byte

func newReceiptKey(s *smtp.Session, e *smtp.Envelope, c *spool.Content) receiptKey {
	h := sha256.New()
	sum := c.SHA256()
	h.Write(sum[:])
	h.Write([]byte(e.From.Key() + "\x00" + s.Remote.Addr().String()))
	return receiptKey(h.Sum(nil))
}

// of is the key for one copy, in the nth of its places.
func (k receiptKey) of(c copyFor, nth int) []byte {
	h := sha256.New()
	h.Write(k[:])
	h.Write([]byte(c.to.Key()))
	if nth > 0 {
		fmt.Fprintf(h, "\x00%d", nth)
	}
	return h.Sum(nil)
}

// stored is one copy's key.
type stored struct {
	account int64
	key     []byte
}

// keys are those of all the places where a parcel is stored.
func (k receiptKey) keys(p *parcel) []stored {
	list := make([]stored, 0, len(p.places()))
	for _, place := range p.places() {
		c := p.plan.accounts[place.copy]
		list = append(list, stored{c.account, k.of(c, place.nth)})
	}
	return list
}

// receipt is one delivery that may or may not have been seen by its sender.
type receipt struct {
	key    receiptKey
	copies []stored
	// elsewhere: there is a key for what was queued too.
	elsewhere bool
}

// receipts knows the state of the keys that this process gave.
type receipts struct {
	mu sync.Mutex
	// live keys are of deliveries whose session still runs, or whose answer was seen and whose key waits to be dropped. The
	// same key again is no second try then.
	live map[receiptKey]bool
	seen []receipt // to be dropped with the next commit
}

// begin says whether a delivery with this key shall look for an earlier one.
func (r *receipts) begin(key receiptKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live[key] {
		return false
	}
	if r.live == nil {
		r.live = map[receiptKey]bool{}
	}
	r.live[key] = true
	return true
}

// forget takes begin back: nothing was stored.
func (r *receipts) forget(key receiptKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, key)
}

// end tells whether the sender has shown to have seen the answer.
func (r *receipts) end(rec *receipt, seen bool) {
	if rec == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if seen {
		r.seen = append(r.seen, *rec)
	} else {
		delete(r.live, rec.key)
	}
}

// take gives the keys to be dropped; whoever takes them says by dropped what came of it.
func (r *receipts) take() []receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// dropped ends what take began: with an error of the transaction that was to drop them the keys wait for the next.
func (r *receipts) dropped(seen []receipt, err error) {
	if len(seen) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.seen = append(slices.Clip(seen), r.seen...)
		return
	}
	for _, rec := range seen {
		delete(r.live, rec.key)
	}
}

// dropTx drops the keys of deliveries that were seen.
func (f *Flow) dropTx(tx *db.Tx, seen []receipt) error {
	for _, rec := range seen {
		if rec.elsewhere {
			if err := f.Store.ForgetClaimTx(tx, rec.key[:]); err != nil {
				return err
			}
		}
		for _, c := range rec.copies {
			if err := f.Store.ForgetOnceTx(tx, store.AccountID(c.account), c.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush drops what was seen by its senders and not yet dropped; for a clean end.
func (in *In) Flush(ctx context.Context) error {
	seen := in.receipts.take()
	if len(seen) == 0 {
		return nil
	}
	err := in.DB.Write(ctx, func(tx *db.Tx) error { return in.dropTx(tx, seen) })
	in.receipts.dropped(seen, err)
	return err
}
