package learn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"postern/antispam/bayes"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
)

// Everyone is the account of the model that all accounts teach together.
const Everyone int64 = 0

// Class is what a message is taught as.
type Class int64

// The classes. Their numbers are stored.
const (
	Spam Class = 1
	Ham  Class = 2
)

// String is the word for the class: spam or ham.
func (c Class) String() string {
	switch c {
	case Spam:
		return "spam"
	case Ham:
		return "ham"
	}
	return "nothing"
}

// Options of [Open].
type Options struct {
	DB       *db.DB
	Settings *settings.Settings
	Clock    clock.Clock
	Log      *slog.Logger
	// CacheBytes bounds the models in memory; 0 means 64 MiB.
	CacheBytes int64
	// Gone tells that there is no such account any more, so that what it taught is removed; nil: all are there.
	Gone func(account int64) bool
}

// Models are what the accounts taught. Its methods may be called from any goroutine.
type Models struct {
	db       *db.DB
	settings *settings.Settings
	clock    clock.Clock
	log      *slog.Logger
	budget   int64
	gone     func(account int64) bool
	bounds   bounds

	mu     sync.Mutex
	heads  map[int64]head // of the models in use, by account
	stale  bool           // heads may have parted from the database
	cached map[int64]*cachedModel
	used   int64 // bytes of what is cached
	uses   int64 // a clock of uses
	loads  map[int64]*load

	sweeper *sweeper
}

// head is a row of learn_models.
type head struct {
	id                    int64
	spam, ham             int64
	sharedSpam, sharedHam int64
	tokens, keys          int64
}

func (h head) totals() bayes.Count { return bayes.Count{Spam: uint32(h.spam), Ham: uint32(h.ham)} }

type cachedModel struct {
	*model
	bytes   int64
	lastUse int64
}

// load is a reading of a model. What is committed meanwhile is kept and applied behind it.
type load struct {
	done    chan struct{}
	changes []change
	dropped bool // the model was given up
}

// change is the new count of a token.
type change struct {
	token bayes.Token
	count bayes.Count
}

// Open reads which accounts taught something, and removes in the background what is out of use; end with Close.
func Open(ctx context.Context, o Options) (*Models, error) {
	if o.DB == nil || o.Settings == nil {
		return nil, errors.New("learn: needs a database and settings")
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Gone == nil {
		o.Gone = func(int64) bool { return false }
	}
	m := &Models{db: o.DB, settings: o.Settings, clock: o.Clock, log: o.Log, budget: o.CacheBytes, gone: o.Gone, bounds: usualBounds,
		cached: map[int64]*cachedModel{}, loads: map[int64]*load{}}
	if err := m.giveUpOld(ctx); err != nil {
		return nil, fmt.Errorf("learn: %w", err)
	}
	var err error
	if m.heads, err = m.readHeads(ctx); err != nil {
		return nil, fmt.Errorf("learn: %w", err)
	}
	o.DB.OnUncertain(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.stale = true
	})
	m.sweeper = startSweeper(m)
	return m, nil
}

// Close ends what runs in the background.
func (m *Models) Close() error {
	m.sweeper.stop()
	return nil
}

// Of gives the model of an account. One that taught nothing has an empty model, which costs nothing; so has [Everyone]
// before anybody taught. A model goes on being up to date while it is held, at least until the memory is needed for others.
func (m *Models) Of(ctx context.Context, account int64) (bayes.Model, error) {
	for {
		found, wait, h, err := m.recall(ctx, account)
		switch {
		case err != nil:
			return nil, fmt.Errorf("learn: %w", err)
		case found != nil:
			return found, nil
		case wait == nil:
			if err := m.load(ctx, account, h); err != nil {
				return nil, fmt.Errorf("learn: %w", err)
			}
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// recall finds a model in memory; or tells for whose reading to wait; or, with neither, that the caller is to read it.
func (m *Models) recall(ctx context.Context, account int64) (bayes.Model, <-chan struct{}, head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale {
		if err := m.refresh(ctx); err != nil {
			return nil, nil, head{}, err
		}
	}
	h, taught := m.heads[account]
	if !taught || h.spam == 0 && h.ham == 0 {
		return untaught{}, nil, h, nil
	}
	if c := m.cached[account]; c != nil {
		m.uses++
		c.lastUse = m.uses
		return c.model, nil, h, nil
	}
	if l := m.loads[account]; l != nil {
		return nil, l.done, h, nil
	}
	m.loads[account] = &load{done: make(chan struct{})}
	return nil, nil, h, nil
}

// refresh reads everything anew after a commit of which nobody knows whether it was kept. The caller holds mu.
func (m *Models) refresh(ctx context.Context) error {
	heads, err := m.readHeads(ctx)
	if err != nil {
		return err
	}
	m.heads, m.stale, m.used = heads, false, 0
	clear(m.cached)
	for _, l := range m.loads {
		l.dropped = true
	}
	return nil
}

// load reads a model that recall told the caller to read.
func (m *Models) load(ctx context.Context, account int64, h head) error {
	read, err := m.readModel(ctx, h)
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.loads[account]
	delete(m.loads, account)
	defer close(l.done)
	if err != nil || l.dropped {
		return err
	}
	for _, c := range l.changes {
		read.set(c.token, c.count)
	}
	read.totals.Store(pack(m.heads[account].totals()))
	m.uses++
	m.cached[account] = &cachedModel{model: read, bytes: read.bytes(), lastUse: m.uses}
	m.used += read.bytes()
	m.evict(account)
	return nil
}

// evict drops models, the one not used for longest first, until the rest fits the budget. keep stays. The caller holds mu.
func (m *Models) evict(keep int64) {
	for m.used > m.budget {
		oldest, found := int64(0), false
		for account, c := range m.cached {
			if account != keep && (!found || c.lastUse < m.cached[oldest].lastUse) {
				oldest, found = account, true
			}
		}
		if !found {
			return
		}
		m.used -= m.cached[oldest].bytes
		delete(m.cached, oldest)
	}
}

// publish shows what a transaction did to a model. It runs on the committer, in the order of the commits.
func (m *Models) publish(account int64, h head, changes []change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heads[account] = h
	if l := m.loads[account]; l != nil {
		l.changes = append(l.changes, changes...)
	}
	c := m.cached[account]
	if c == nil {
		return
	}
	for _, ch := range changes {
		c.set(ch.token, ch.count)
	}
	c.totals.Store(pack(h.totals()))
	m.used += c.model.bytes() - c.bytes
	c.bytes = c.model.bytes()
	m.evict(account)
}

// drop takes a model out of use in memory.
func (m *Models) drop(account int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.heads, account)
	if l := m.loads[account]; l != nil {
		l.dropped = true
	}
	if c := m.cached[account]; c != nil {
		m.used -= c.bytes
		delete(m.cached, account)
	}
}

// Learned is how much an account has taught.
type Learned struct {
	Spam, Ham int64 // messages
	Tokens    int64 // different words and other features
}

// Learned tells how much an account, or [Everyone], has taught. It asks memory only.
func (m *Models) Learned(account int64) Learned {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.heads[account]
	return Learned{Spam: h.spam, Ham: h.ham, Tokens: h.tokens}
}
