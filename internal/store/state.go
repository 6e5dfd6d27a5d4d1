package store

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"postern/internal/db"
)

// state is one account in memory: what the last commit left. Readers load its pointers; the committer replaces them.
type state struct {
	id         AccountID
	generation uint64
	counters   atomic.Pointer[counters]
	tree       atomic.Pointer[tree]
	scripts    atomic.Pointer[scriptNames]
}

// counters are an account's numbers.
type counters struct {
	modseq          uint64
	lastUIDValidity uint32
	usedBytes       int64
	usedMessages    int64
	limitBytes      int64
	limitMessages   int64
}

// tree is the mailboxes of an account and their names: an immutable value.
type tree struct {
	byName     map[string]*box
	sorted     []string
	subscribed map[string]bool
}

// box is one mailbox for as long as the process lives, under whatever name.
type box struct {
	id      int64
	st      *state
	cur     atomic.Pointer[version]
	loading sync.Mutex // one reader of the list at a time
	lastUse atomic.Int64

	mu    sync.Mutex
	views map[*View]struct{}
}

func newTree(boxes map[string]*box, subscribed map[string]bool) *tree {
	t := &tree{byName: boxes, subscribed: subscribed, sorted: make([]string, 0, len(boxes))}
	for name := range boxes {
		t.sorted = append(t.sorted, name)
	}
	sort.Strings(t.sorted)
	return t
}

// clone gives a tree whose maps may be changed; finish with sort.
func (t *tree) clone() *tree {
	n := &tree{byName: make(map[string]*box, len(t.byName)+1), subscribed: make(map[string]bool, len(t.subscribed)+1)}
	for k, v := range t.byName {
		n.byName[k] = v
	}
	for k := range t.subscribed {
		n.subscribed[k] = true
	}
	return n
}

// hasChildren tells whether any mailbox lies below name.
func (t *tree) hasChildren(name string) bool {
	below := name + Separator
	i := sort.SearchStrings(t.sorted, below)
	return i < len(t.sorted) && strings.HasPrefix(t.sorted[i], below)
}

// withRole finds the mailbox with a special use.
func (t *tree) withRole(use string, version func(*box) *version) *box {
	for _, name := range t.sorted {
		if b := t.byName[name]; hasSpecialUse(version(b).specialUse, use) {
			return b
		}
	}
	return nil
}

// load reads an account from the database, on the committer. Boxes that are already in memory keep their identity.
func (s *Store) load(tx *db.Tx, id AccountID, st *state) (*state, error) {
	c := &counters{}
	err := tx.QueryRow(`SELECT modseq, last_uidvalidity, used_bytes, used_messages, limit_bytes, limit_messages
		FROM store_accounts WHERE id = ?`, int64(id)).
		Scan(&c.modseq, &c.lastUIDValidity, &c.usedBytes, &c.usedMessages, &c.limitBytes, &c.limitMessages)
	if err == db.ErrNoRows {
		return nil, fmt.Errorf("%w: %d", ErrNoAccount, id)
	}
	if err != nil {
		return nil, err
	}
	known := map[int64]*box{}
	if st == nil {
		st = &state{id: id}
	} else {
		for _, b := range st.tree.Load().byName {
			known[b.id] = b
		}
	}
	boxes, err := s.loadBoxes(tx, st, known)
	if err != nil {
		return nil, err
	}
	subscribed, err := loadSubscriptions(tx, id)
	if err != nil {
		return nil, err
	}
	scripts, err := loadScriptNames(tx, id)
	if err != nil {
		return nil, err
	}
	st.counters.Store(c)
	st.tree.Store(newTree(boxes, subscribed))
	st.scripts.Store(&scripts)
	return st, nil
}

func (s *Store) loadBoxes(tx *db.Tx, st *state, known map[int64]*box) (map[string]*box, error) {
	rows, err := tx.Query(`SELECT id, name, uidvalidity, special_use, uidnext, highest_modseq, vanished_floor, messages, unseen,
		deleted, size, keywords FROM mailboxes WHERE account = ?`, int64(st.id))
	if err != nil {
		return nil, err
	}
	var versions []*version
	for rows.Next() {
		v := &version{account: int64(st.id), rowIsFresh: true}
		var words string
		if err := rows.Scan(&v.id, &v.name, &v.uidvalidity, &v.specialUse, &v.uidnext, &v.highest, &v.floor, &v.messages, &v.unseen,
			&v.deleted, &v.size, &words); err != nil {
			rows.Close()
			return nil, err
		}
		v.words = parseDictionary(words)
		versions = append(versions, v)
	}
	if err := closeRows(rows); err != nil {
		return nil, err
	}
	boxes := map[string]*box{}
	for _, v := range versions {
		b := known[v.id]
		if b == nil {
			b = &box{id: v.id, st: st, views: map[*View]struct{}{}}
		} else if old := b.cur.Load(); old.list != nil {
			if v.list, err = readList(tx, v, 0, nil); err != nil {
				return nil, err
			}
			v.shuffles = old.shuffles + 1
		}
		delete(known, v.id)
		b.publish(v)
		boxes[v.name] = b
	}
	for _, b := range known {
		dead := *b.cur.Load()
		dead.gone, dead.list = true, nil
		b.publish(&dead)
	}
	return boxes, nil
}

func loadSubscriptions(tx *db.Tx, id AccountID) (map[string]bool, error) {
	rows, err := tx.Query(`SELECT name FROM subscriptions WHERE account = ?`, int64(id))
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			rows.Close()
			return nil, err
		}
		names[name] = true
	}
	return names, closeRows(rows)
}

// publish makes v what readers see and tells the views.
func (b *box) publish(v *version) {
	b.cur.Store(v)
	b.mu.Lock()
	defer b.mu.Unlock()
	for view := range b.views {
		view.wake()
	}
}

// staging is what the works of one transaction have changed in memory's stead; it becomes visible after the commit.
type staging struct {
	s        *Store
	tx       *db.Tx
	firstID  int64 // the store's next id when the transaction began
	accounts map[AccountID]*stagedAccount
	order    []*stagedAccount
}

// stagedAccount is one account as the works so far have left it.
type stagedAccount struct {
	g       *staging
	st      *state
	num     counters
	numWork int // the work that last saved num for its undo
	numNew  bool
	tree    *tree
	scripts scriptNames
	boxes   map[*box]stagedBox
	events  []Event
	removed bool
	created bool
}

type stagedBox struct {
	v    *version
	work int // the work that made v and may change it in place
}

// stage finds the staging of the transaction, and has it flushed and published with it.
func (s *Store) stage(tx *db.Tx) *staging {
	g, _ := tx.Local(s).(*staging)
	if g == nil {
		g = &staging{s: s, tx: tx, firstID: s.nextID, accounts: map[AccountID]*stagedAccount{}}
		tx.SetLocal(s, g)
	}
	tx.BeforeCommit(s, g.flush)
	return g
}

// account stages an account.
func (g *staging) account(id AccountID) (*stagedAccount, error) {
	if sa := g.accounts[id]; sa != nil {
		if sa.removed {
			return nil, fmt.Errorf("%w: %d", ErrNoAccount, id)
		}
		return sa, nil
	}
	s := g.s
	s.mu.RLock()
	st := s.accounts[id]
	s.mu.RUnlock()
	if generation := s.generation.Load(); st == nil || st.generation != generation {
		var err error
		if st, err = s.load(g.tx, id, st); err != nil {
			return nil, err
		}
		s.mu.Lock()
		st.generation = generation
		s.accounts[id] = st
		s.mu.Unlock()
	}
	return g.add(&stagedAccount{st: st, num: *st.counters.Load(), tree: st.tree.Load(), scripts: *st.scripts.Load()}), nil
}

func (g *staging) add(sa *stagedAccount) *stagedAccount {
	sa.g, sa.boxes = g, map[*box]stagedBox{}
	g.accounts[sa.st.id] = sa
	g.order = append(g.order, sa)
	return sa
}

// version is the box as it stands now in this transaction; not to be changed.
func (sa *stagedAccount) version(b *box) *version {
	if e, ok := sa.boxes[b]; ok {
		return e.v
	}
	return b.cur.Load()
}

// edit gives the box's version for the present work to change.
func (sa *stagedAccount) edit(b *box) *version {
	old, staged := sa.boxes[b]
	if staged && old.work == sa.g.tx.Work() {
		return old.v
	}
	v := *sa.version(b)
	v.rowIsFresh = false
	sa.boxes[b] = stagedBox{&v, sa.g.tx.Work()}
	sa.g.tx.OnRollback(func() {
		if staged {
			sa.boxes[b] = old
		} else {
			delete(sa.boxes, b)
		}
	})
	return &v
}

// numbers gives the account's counters for the present work to change.
func (sa *stagedAccount) numbers() *counters {
	if sa.numWork != sa.g.tx.Work() {
		saved, savedWork, savedNew := sa.num, sa.numWork, sa.numNew
		sa.g.tx.OnRollback(func() { sa.num, sa.numWork, sa.numNew = saved, savedWork, savedNew })
		sa.numWork, sa.numNew = sa.g.tx.Work(), true
	}
	return &sa.num
}

// nextModSeq gives a new modseq (RFC 7162 3.1: strictly increasing).
func (sa *stagedAccount) nextModSeq() uint64 {
	n := sa.numbers()
	n.modseq++
	return n.modseq
}

// setTree replaces the names.
func (sa *stagedAccount) setTree(t *tree) {
	old := sa.tree
	sa.g.tx.OnRollback(func() { sa.tree = old })
	sa.tree = t
}

// tell keeps an event for the watchers.
func (sa *stagedAccount) tell(kind EventKind, b *box, oldName string) {
	n := len(sa.events)
	sa.g.tx.OnRollback(func() { sa.events = sa.events[:min(n, len(sa.events))] })
	sa.events = append(sa.events, Event{Kind: kind, box: b, OldName: oldName})
}

// flush writes the counters that the works changed, one UPDATE for each row however many works there were.
func (g *staging) flush(tx *db.Tx) error {
	for _, sa := range g.order {
		if sa.numNew && !sa.removed {
			n := &sa.num
			if _, err := tx.Exec(`UPDATE store_accounts SET modseq = ?, last_uidvalidity = ?, used_bytes = ?, used_messages = ?,
				limit_bytes = ?, limit_messages = ? WHERE id = ?`, int64(n.modseq), int64(n.lastUIDValidity), n.usedBytes,
				n.usedMessages, n.limitBytes, n.limitMessages, int64(sa.st.id)); err != nil {
				return err
			}
		}
		for _, e := range sa.boxes {
			if err := flushBox(tx, e.v); err != nil {
				return err
			}
		}
	}
	if g.s.nextID != g.firstID {
		if _, err := tx.Exec(`UPDATE store_state SET next_id = ? WHERE one = 1`, g.s.nextID); err != nil {
			return err
		}
	}
	tx.OnCommit(g.publish)
	return nil
}

func flushBox(tx *db.Tx, v *version) error {
	if v.rowIsFresh || v.gone {
		return nil
	}
	v.rowIsFresh = true
	_, err := tx.Exec(`UPDATE mailboxes SET uidnext = ?, highest_modseq = ?, vanished_floor = ?, messages = ?, unseen = ?, deleted = ?,
		size = ?, keywords = ? WHERE id = ?`, int64(v.uidnext), int64(v.highest), int64(v.floor), int64(v.messages), int64(v.unseen),
		int64(v.deleted), v.size, v.words.column(), v.id)
	return err
}

// publish shows the committed state to readers, and tells views and watchers.
func (g *staging) publish() {
	for _, sa := range g.order {
		if sa.created || sa.removed {
			g.s.mu.Lock()
			if sa.removed {
				delete(g.s.accounts, sa.st.id)
			} else {
				sa.st.generation = g.s.generation.Load()
				g.s.accounts[sa.st.id] = sa.st
			}
			g.s.mu.Unlock()
		}
		sa.st.tree.Store(sa.tree)
		scripts := sa.scripts
		sa.st.scripts.Store(&scripts)
		for b, e := range sa.boxes {
			old := b.cur.Load()
			b.publish(e.v)
			if old != nil && !e.v.gone && (old.highest != e.v.highest || old.uidnext != e.v.uidnext) {
				sa.events = append(sa.events, Event{Kind: MailboxChanged, box: b})
			}
			if e.v.list != nil {
				g.s.loaded[b] = struct{}{}
			} else {
				delete(g.s.loaded, b)
			}
		}
		// The modseq last: who reads it first sees everything up to it.
		num := sa.num
		sa.st.counters.Store(&num)
		g.s.tellWatchers(sa.st, sa.events)
	}
}

// sortedNames lists a map's names in order.
func sortedNames(m map[string]bool) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
