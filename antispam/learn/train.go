package learn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"postern/antispam/bayes"
	"postern/internal/db"
	"postern/internal/settings"
)

// bounds limit what is kept.
type bounds struct {
	perMessage       int   // different tokens of a message
	tokens, everyone int64 // of an account, of Everyone
	keys             int64 // messages that an account's model remembers as learnt
	step             int64 // rows that one transaction removes
}

// usualBounds: a full model of an account takes some 5 MB of memory, Everyone's 13 MB.
var usualBounds = bounds{perMessage: 2000, tokens: 200_000, everyone: 500_000, keys: 200_000, step: 1000}

// lesson is a message to be learnt as a class, or with no class to be taken back.
type lesson struct {
	account int64
	id      [16]byte
	class   Class
	tokens  []bayes.Token // different ones
}

// Train learns a message as a class for an account, and, with the setting spam.share_training, for Everyone. key is what
// the message is known by: the SHA-256 of its bytes. A message that was learnt so already is not learnt again; one that
// was learnt as the other class is taken back first, which needs the same tokens as then. When Train returns it is durable;
// learnt is false if there was nothing to do.
func (m *Models) Train(ctx context.Context, account int64, key []byte, class Class, tokens []bayes.Token) (learnt bool, err error) {
	if class != Spam && class != Ham {
		return false, fmt.Errorf("learn: %d is no class; use Spam or Ham", class)
	}
	return m.teach(ctx, lesson{account, identity(key), class, m.distinct(tokens)})
}

// Untrain takes back what Train did with a message, whatever its class was. It needs the same tokens.
func (m *Models) Untrain(ctx context.Context, account int64, key []byte, tokens []bayes.Token) (was bool, err error) {
	return m.teach(ctx, lesson{account, identity(key), 0, m.distinct(tokens)})
}

func (m *Models) teach(ctx context.Context, l lesson) (changed bool, err error) {
	err = m.db.Write(ctx, func(tx *db.Tx) error {
		n, err := m.apply(tx, []lesson{l})
		changed = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("learn: %w", err)
	}
	return changed, nil
}

// identity shortens a key.
func identity(key []byte) [16]byte {
	if len(key) >= 16 {
		return [16]byte(key)
	}
	sum := sha256.Sum256(key)
	return [16]byte(sum[:])
}

// distinct gives the first tokens of a message that differ, up to the bound.
func (m *Models) distinct(tokens []bayes.Token) []bayes.Token {
	seen := make(map[bayes.Token]struct{}, min(len(tokens), m.bounds.perMessage))
	out := make([]bayes.Token, 0, min(len(tokens), m.bounds.perMessage))
	for _, token := range tokens {
		if len(out) == m.bounds.perMessage {
			break
		}
		if _, known := seen[token]; !known {
			seen[token] = struct{}{}
			out = append(out, token)
		}
	}
	return out
}

// apply learns lessons within a transaction and tells how many changed something.
func (m *Models) apply(tx *db.Tx, lessons []lesson) (changed int, err error) {
	w := work{m: m, tx: tx, staged: map[int64]*stagedModel{}, day: m.today()}
	for _, l := range lessons {
		did, err := w.learn(l)
		if err != nil {
			return 0, err
		}
		if did {
			changed++
		}
	}
	return changed, w.write()
}

func (m *Models) today() int64 { return m.clock.Now().Unix() / int64(24*time.Hour/time.Second) }

// work is a number of lessons on their way into the models.
type work struct {
	m      *Models
	tx     *db.Tx
	staged map[int64]*stagedModel // by account
	day    int64
}

// stagedModel is a model as the lessons so far have left it.
type stagedModel struct {
	head
	deltas map[bayes.Token]delta
}

// delta is how a token's counts change.
type delta struct{ spam, ham int64 }

// stage finds the model of an account. Without one it is made, or if not asked for is nil.
func (w *work) stage(account int64, make bool) (*stagedModel, error) {
	if s := w.staged[account]; s != nil {
		return s, nil
	}
	var h head
	err := w.tx.QueryRow(`SELECT `+headColumns+` FROM learn_models WHERE account = ? AND state = ? AND version = ?`,
		account, inUse, bayes.Version).Scan(h.fields()...)
	switch {
	case errors.Is(err, db.ErrNoRows) && !make:
		return nil, nil
	case errors.Is(err, db.ErrNoRows):
		err = w.tx.QueryRow(`INSERT INTO learn_models (account, version, state, spam, ham, shared_spam, shared_ham, token_number, key_number)
			VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0) RETURNING id`, account, bayes.Version, inUse).Scan(&h.id)
	}
	if err != nil {
		return nil, err
	}
	s := &stagedModel{head: h, deltas: map[bayes.Token]delta{}}
	w.staged[account] = s
	return s, nil
}

// learn takes one lesson and tells whether it was new.
func (w *work) learn(l lesson) (bool, error) {
	s, err := w.stage(l.account, l.class != 0)
	if s == nil || err != nil {
		return false, err
	}
	var was Class
	var wasShared int64 // the model of Everyone that counts it too, 0 for none
	err = w.tx.QueryRow(`SELECT class, shared FROM learn_messages WHERE model = ? AND id = ?`, s.id, l.id[:]).Scan(&was, &wasShared)
	if err != nil && !errors.Is(err, db.ErrNoRows) || was == l.class {
		return false, ignoreNoRows(err)
	}
	if was != 0 {
		if err := w.takeBack(s, was, wasShared, l.tokens); err != nil {
			return false, err
		}
	}
	if l.class == 0 {
		s.keys--
		_, err := w.tx.Exec(`DELETE FROM learn_messages WHERE model = ? AND id = ?`, s.id, l.id[:])
		return true, err
	}
	if was == 0 {
		s.keys++
	}
	shared, err := w.count(s, l)
	if err != nil {
		return false, err
	}
	_, err = w.tx.Exec(`INSERT INTO learn_messages (model, id, class, shared, day) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (model, id) DO UPDATE SET class = excluded.class, shared = excluded.shared, day = excluded.day`,
		s.id, l.id[:], int64(l.class), shared, w.day)
	return true, err
}

func ignoreNoRows(err error) error {
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	return err
}

// count adds a message to a model, and to Everyone's if it is to be shared; shared is that model's number then.
func (w *work) count(s *stagedModel, l lesson) (shared int64, err error) {
	s.add(l.class, l.tokens, 1)
	if l.account == Everyone || !settings.SpamShareTraining.Get(w.m.settings) {
		return 0, nil
	}
	everyone, err := w.stage(Everyone, true)
	if err != nil {
		return 0, err
	}
	everyone.add(l.class, l.tokens, 1)
	s.share(l.class, 1)
	return everyone.id, nil
}

// takeBack undoes count. What an Everyone that was given up meanwhile had learnt needs not be taken back.
func (w *work) takeBack(s *stagedModel, class Class, shared int64, tokens []bayes.Token) error {
	s.add(class, tokens, -1)
	if shared == 0 {
		return nil
	}
	everyone, err := w.stage(Everyone, false)
	if everyone == nil || everyone.id != shared || err != nil {
		return err
	}
	everyone.add(class, tokens, -1)
	s.share(class, -1)
	return nil
}

func deltaOf(class Class, by int64) delta {
	if class == Spam {
		return delta{spam: by}
	}
	return delta{ham: by}
}

// share counts what of a model Everyone's has too.
func (s *stagedModel) share(class Class, by int64) {
	d := deltaOf(class, by)
	s.sharedSpam, s.sharedHam = max(s.sharedSpam+d.spam, 0), max(s.sharedHam+d.ham, 0)
}

func (s *stagedModel) add(class Class, tokens []bayes.Token, by int64) {
	d := deltaOf(class, by)
	s.spam, s.ham = max(s.spam+d.spam, 0), max(s.ham+d.ham, 0)
	for _, token := range tokens {
		sum := s.deltas[token]
		sum.spam += d.spam
		sum.ham += d.ham
		s.deltas[token] = sum
	}
}

// write stores what the lessons changed and has it published.
func (w *work) write() error {
	for account, s := range w.staged {
		changes, err := w.writeModel(account, s)
		if err != nil {
			return err
		}
		h := s.head
		w.tx.OnCommit(func() { w.m.publish(account, h, changes) })
	}
	return nil
}

func (w *work) writeModel(account int64, s *stagedModel) ([]change, error) {
	changes, gone, err := w.merge(s)
	if err != nil {
		return nil, err
	}
	if err := writeTokens(w.tx, s.id, changes, w.day); err != nil {
		return nil, err
	}
	less, err := w.makeRoom(account, s)
	if err != nil {
		return nil, err
	}
	for _, token := range append(gone, less...) {
		changes = append(changes, change{token: token})
	}
	_, err = w.tx.Exec(`UPDATE learn_models SET spam = ?, ham = ?, shared_spam = ?, shared_ham = ?, token_number = ?, key_number = ?
		WHERE id = ?`, s.spam, s.ham, s.sharedSpam, s.sharedHam, s.tokens, s.keys, s.id)
	return changes, err
}

// merge gives the new counts of tokens, and removes those that count nothing any more.
func (w *work) merge(s *stagedModel) (changes []change, gone []bayes.Token, err error) {
	tokens := make([]bayes.Token, 0, len(s.deltas))
	for token, d := range s.deltas {
		if d != (delta{}) {
			tokens = append(tokens, token)
		}
	}
	// In the order in which they lie, so that a page is visited once.
	slices.SortFunc(tokens, func(x, y bayes.Token) int {
		if int64(x) < int64(y) {
			return -1
		}
		return 1
	})
	known, err := readTokens(w.tx, s.id, tokens)
	if err != nil {
		return nil, nil, err
	}
	changes = make([]change, 0, len(tokens))
	for _, token := range tokens {
		old, had := known[token]
		d := s.deltas[token]
		now := bayes.Count{Spam: plus(old.Spam, d.spam), Ham: plus(old.Ham, d.ham)}
		switch {
		case now != (bayes.Count{}):
			changes = append(changes, change{token, now})
			if !had {
				s.tokens++
			}
		case had:
			gone = append(gone, token)
		}
	}
	n, err := deleteTokens(w.tx, s.id, gone)
	s.tokens -= n
	return changes, gone, err
}

// plus adds within the bounds of a count.
func plus(count uint32, d int64) uint32 {
	return uint32(min(max(int64(count)+d, 0), math.MaxUint32))
}

// makeRoom removes tokens and keys above the bounds: not more at once than others can wait for, but more than came.
func (w *work) makeRoom(account int64, s *stagedModel) (gone []bayes.Token, err error) {
	b := w.m.bounds
	most := b.tokens
	if account == Everyone {
		most = b.everyone
	}
	if excess := s.tokens - most; excess > 0 {
		gone, err = queryTokens(w.tx, `SELECT token FROM learn_tokens WHERE model = ? ORDER BY worth, token LIMIT ?`, s.id, min(excess, max(b.step, int64(len(s.deltas)))))
		if err != nil {
			return nil, err
		}
		n, err := deleteTokens(w.tx, s.id, gone)
		if err != nil {
			return nil, err
		}
		s.tokens -= n
	}
	if excess := s.keys - b.keys; excess > 0 {
		n, err := w.tx.Exec(`DELETE FROM learn_messages WHERE model = ? AND id IN (SELECT id FROM learn_messages WHERE model = ? ORDER BY day, id LIMIT ?)`,
			s.id, s.id, min(excess, b.step))
		if err != nil {
			return nil, err
		}
		s.keys -= n
	}
	return gone, nil
}
