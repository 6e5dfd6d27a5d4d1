package reputation

import (
	"context"
	"fmt"
	"math"
	"time"

	"postern/internal/settings"
)

const (
	// one is what a message counts: the table holds thousandths.
	one = 1000
	// nothing is from when on a row is not worth its place: a twentieth of a message.
	nothing = one / 20
	// maxKeys bounds one message's keys.
	maxKeys = 64
)

// Standing is how much mail of each class is known of a key: a message counts 1 when it comes, half of that after the
// setting spam.reputation_half_life, a quarter after twice the time, and so on.
type Standing struct{ Ham, Spam float64 }

// Senders count where mail comes from. Its methods may be called from any goroutine.
type Senders struct {
	ledger *ledger
	hasher hasher
	half   func() time.Duration
}

// OpenSenders reads how much there is, and starts to write in the background; end with Close.
func OpenSenders(ctx context.Context, o Options) (*Senders, error) {
	o, err := o.ready()
	if err != nil {
		return nil, err
	}
	s := &Senders{hasher: hasher{o.Secret}, half: func() time.Duration { return settings.SpamReputationHalfLife.Get(o.Settings) }}
	s.ledger, err = openLedger(ctx, schema{table: "reputation", a: "ham", b: "spam", join: s.join, merge: s.merge,
		limit: func() int64 { return settings.SpamReputationMax.Get(o.Settings) }}, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close writes what waits to be written.
func (s *Senders) Close() error { return s.ledger.close() }

// Look fills out, which is as long as keys, with what is known of each now. It asks the database at most once for sixteen
// keys, and not at all when all of them were asked for lately. Keys are 64 at most.
func (s *Senders) Look(ctx context.Context, keys []Key, out []Standing) error {
	if len(keys) > maxKeys || len(out) != len(keys) {
		return fmt.Errorf("reputation: %d keys and room for %d standings; give up to %d of each", len(keys), len(out), maxKeys)
	}
	var ids [maxKeys]int64
	var rows [maxKeys]row
	for i, k := range keys {
		ids[i] = s.hasher.of(k.Kind, k.Name)
	}
	if err := s.ledger.get(ctx, ids[:len(keys)], rows[:len(keys)]); err != nil {
		return err
	}
	now := s.ledger.clock.Now().Unix()
	for i, r := range rows[:len(keys)] {
		r = s.aged(r, now)
		out[i] = Standing{Ham: float64(r.a) / one, Spam: float64(r.b) / one}
	}
	return nil
}

// Note counts a message under its keys. It asks nothing and writes later.
func (s *Senders) Note(keys []Key, spam bool) { s.count(keys, spam, one) }

// Unnote takes back what Note counted at a time, for instance because the recipient said otherwise; Note the other class
// then. Counts do not fall below nothing.
func (s *Senders) Unnote(keys []Key, spam bool, noted time.Time) {
	now := s.ledger.clock.Now()
	s.count(keys, spam, -int64(math.Round(one*s.left(now.Unix()-noted.Unix()))))
}

func (s *Senders) count(keys []Key, spam bool, amount int64) {
	r := row{at: s.ledger.clock.Now().Unix()}
	if spam {
		r.b = amount
	} else {
		r.a = amount
	}
	r.expires = s.fades(r)
	for _, k := range keys {
		s.ledger.note(s.hasher.of(k.Kind, k.Name), r)
	}
}

// Forget drops all that is known of keys.
func (s *Senders) Forget(ctx context.Context, keys []Key) error {
	ids := make([]int64, len(keys))
	for i, k := range keys {
		ids[i] = s.hasher.of(k.Kind, k.Name)
	}
	return s.ledger.forget(ctx, ids)
}

// left is what is left of 1 after some seconds.
func (s *Senders) left(seconds int64) float64 {
	if seconds <= 0 {
		return 1
	}
	return math.Exp2(-float64(seconds) / s.half().Seconds())
}

// aged is the row as it stands at a later time.
func (s *Senders) aged(r row, now int64) row {
	if now <= r.at || r.a == 0 && r.b == 0 {
		return r
	}
	left := s.left(now - r.at)
	r.a, r.b = int64(math.Round(float64(r.a)*left)), int64(math.Round(float64(r.b)*left))
	r.at = now
	return r
}

// join adds two rows as of the later of their times.
func (s *Senders) join(x, y row) row {
	at := max(x.at, y.at)
	x, y = s.aged(x, at), s.aged(y, at)
	sum := row{a: x.a + y.a, b: x.b + y.b, at: at}
	sum.expires = s.fades(sum)
	return sum
}

func (s *Senders) merge(stored, noted row) row {
	sum := s.join(stored, noted)
	sum.a, sum.b = max(sum.a, 0), max(sum.b, 0)
	sum.expires = s.fades(sum)
	// A row that would merely stay a little longer keeps its place in the index; it is worth a tenth of a message at most
	// when it leaves.
	if later := sum.expires - stored.expires; later > 0 && later < int64(s.half().Seconds()) {
		sum.expires = stored.expires
	}
	return sum
}

// fades is when a row has decayed to nothing.
func (s *Senders) fades(r row) int64 {
	total := max(r.a, 0) + max(r.b, 0)
	if total <= nothing {
		return r.at
	}
	return r.at + int64(s.half().Seconds()*math.Log2(float64(total)/nothing))
}
