package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/antispam/bayes"
	"postern/internal/db"
)

// Forget drops what an account taught, from this moment on; the rows leave the database in the background. What the
// account shared is taken out of Everyone's model as well, and withdrawn is true, unless the setting spam.share_training
// was off for a part of it: then nobody knows any more which words those were, and Everyone's model stays as it is.
func (m *Models) Forget(ctx context.Context, account int64) (withdrawn bool, err error) {
	err = m.db.Write(ctx, func(tx *db.Tx) error {
		withdrawn, err = m.giveUp(tx, account, true)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("learn: %w", err)
	}
	m.sweeper.wake()
	return withdrawn, nil
}

// giveUp takes an account's model out of use.
func (m *Models) giveUp(tx *db.Tx, account int64, take bool) (withdrawn bool, err error) {
	w := work{m: m, tx: tx, staged: map[int64]*stagedModel{}}
	s, err := w.stage(account, false)
	if s == nil || err != nil {
		return false, err
	}
	state := givenUp
	if withdrawn = take && s.sharedSpam+s.sharedHam > 0 && s.sharedSpam == s.spam && s.sharedHam == s.ham; withdrawn {
		state = withdraw
	}
	if _, err := tx.Exec(`UPDATE learn_models SET state = ? WHERE id = ?`, state, s.id); err != nil {
		return false, err
	}
	if account == Everyone {
		// What the accounts shared with it is shared with nobody now.
		if _, err := tx.Exec(`UPDATE learn_models SET shared_spam = 0, shared_ham = 0`); err != nil {
			return false, err
		}
	}
	tx.OnCommit(func() { m.drop(account) })
	return withdrawn, nil
}

// sweepEvery is how often accounts that are gone are looked for.
const sweepEvery = time.Hour

// sweeper removes in the background what was given up. All its work is found again after a crash.
type sweeper struct {
	m      *Models
	signal chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

func startSweeper(m *Models) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{m: m, signal: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	go s.run(ctx)
	return s
}

func (s *sweeper) stop() {
	s.cancel()
	<-s.done
}

// wake asks for a round soon. It never blocks.
func (s *sweeper) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

func (s *sweeper) run(ctx context.Context) {
	defer close(s.done)
	timer := s.m.clock.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		if err := errors.Join(s.m.forgetGone(ctx), s.m.sweep(ctx)); err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			s.m.log.Warn("what was given up could not be removed; it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.signal:
		case <-timer.C():
			timer.Reset(sweepEvery)
		}
	}
}

// forgetGone gives up the models of accounts that are gone. What they shared stays: it is nobody's any more.
func (m *Models) forgetGone(ctx context.Context) error {
	m.mu.Lock()
	var gone []int64
	for account := range m.heads {
		if account != Everyone && m.gone(account) {
			gone = append(gone, account)
		}
	}
	m.mu.Unlock()
	for _, account := range gone {
		err := m.db.Write(ctx, func(tx *db.Tx) error {
			_, err := m.giveUp(tx, account, false)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep removes everything that was given up.
func (m *Models) sweep(ctx context.Context) error {
	for {
		var id, state, version int64
		err := m.db.QueryRow(ctx, `SELECT id, state, version FROM learn_models WHERE state <> ? ORDER BY id LIMIT 1`, inUse).Scan(&id, &state, &version)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		take := state == withdraw && version == bayes.Version
		if err := m.db.Write(ctx, func(tx *db.Tx) error { return m.sweepStep(tx, id, take) }); err != nil {
			return err
		}
	}
}

// sweepStep removes some rows of a model: its tokens, then its messages, then itself.
func (m *Models) sweepStep(tx *db.Tx, id int64, take bool) error {
	w := work{m: m, tx: tx, staged: map[int64]*stagedModel{}, day: m.today()}
	tokens, err := queryTokens(tx, `SELECT token FROM learn_tokens WHERE model = ? ORDER BY token LIMIT ?`, id, m.bounds.step)
	if err != nil {
		return err
	}
	if len(tokens) > 0 {
		if take {
			if err := w.withdraw(id, tokens); err != nil {
				return err
			}
		}
		_, err := deleteTokens(tx, id, tokens)
		return err
	}
	n, err := tx.Exec(`DELETE FROM learn_messages WHERE model = ? AND id IN (SELECT id FROM learn_messages WHERE model = ? ORDER BY id LIMIT ?)`,
		id, id, m.bounds.step)
	if err != nil || n > 0 {
		return err
	}
	if take {
		if err := w.withdrawTotals(id); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`DELETE FROM learn_models WHERE id = ?`, id)
	return err
}

// withdraw takes the counts of a model's tokens out of Everyone's.
func (w *work) withdraw(id int64, tokens []bayes.Token) error {
	everyone, err := w.stage(Everyone, false)
	if everyone == nil || err != nil {
		return err
	}
	counts, err := readTokens(w.tx, id, tokens)
	if err != nil {
		return err
	}
	for token, c := range counts {
		everyone.deltas[token] = delta{spam: -int64(c.Spam), ham: -int64(c.Ham)}
	}
	return w.write()
}

// withdrawTotals takes the number of a model's messages out of Everyone's.
func (w *work) withdrawTotals(id int64) error {
	everyone, err := w.stage(Everyone, false)
	if everyone == nil || err != nil {
		return err
	}
	var spam, ham int64
	if err := w.tx.QueryRow(`SELECT shared_spam, shared_ham FROM learn_models WHERE id = ?`, id).Scan(&spam, &ham); err != nil {
		return err
	}
	everyone.spam, everyone.ham = max(everyone.spam-spam, 0), max(everyone.ham-ham, 0)
	return w.write()
}
