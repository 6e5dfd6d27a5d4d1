package powercut_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
)

// letterField carries a letter's number through everything that happens to it.
const letterField = "X-Letter"

// fate is what a client knows of what it asked for.
type fate int

const (
	unknown fate = iota // no answer came, so far
	accepted
	refused
)

// A delivery is what one answer stands for: one message with all its recipients, or the messages of one APPEND. It is
// there whole or not at all.
type delivery struct {
	letters []*letter
	fate    fate
	// from and again are for the world's mail: while there was no answer, the sender is to send it again.
	from  string
	again []byte
}

// A letter is one message with a number of its own.
type letter struct {
	id       int
	delivery *delivery
	size     int
	sum      [32]byte
	// to are the people here in whose INBOX it shall be, with these flags.
	to    []*person
	flags string
	// far and near are its recipients elsewhere: the far one cannot be reached, the near one can.
	far, near string
	// filtered: it is for the person with the script too.
	filtered bool
	// told is where APPEND said that it is.
	told uidKey
}

// ledger has every letter ever written.
type ledger struct {
	mu         sync.Mutex
	seed       uint64
	letters    []*letter // by id
	deliveries []*delivery
	unchecked  []*delivery // those to be looked for at the next check
}

func newLedger(seed uint64) *ledger { return &ledger{seed: seed, letters: []*letter{nil}} }

// write makes a letter and its text. Most are small; some are so large that they become files.
func (l *ledger) write(r *rand.Rand, d *delivery, from string, to ...*person) (*letter, []byte) {
	l.mu.Lock()
	n := &letter{id: len(l.letters), delivery: d, to: to}
	l.letters = append(l.letters, n)
	if len(d.letters) == 0 {
		l.deliveries = append(l.deliveries, d)
		l.unchecked = append(l.unchecked, d)
	}
	d.letters = append(d.letters, n)
	l.mu.Unlock()
	text := letterText(r, l.seed, n.id, from)
	n.size, n.sum = len(text), sha256.Sum256(text)
	return n, text
}

func letterText(r *rand.Rand, seed uint64, id int, from string) []byte {
	size := 300 + r.IntN(3000)
	switch n := r.IntN(100); {
	case n < 4:
		size = 100<<10 + r.IntN(80<<10)
	case n < 25:
		size = 4<<10 + r.IntN(16<<10)
	}
	noise := make([]byte, size*3/4)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	body := base64.StdEncoding.EncodeToString(noise)
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: Somebody <%s>\r\nTo: Everybody:;\r\nSubject: letter %d\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\n"+
		"Message-ID: <%d.%x@powercut.example>\r\n%s: %d\r\n\r\n", from, id, id, seed, letterField, id)
	for i := 0; i < len(body); i += 72 {
		if r.IntN(10) == 0 {
			b.WriteByte('.')
		}
		b.WriteString(body[i:min(i+72, len(body))])
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// get finds the letter that a message is, by its header; 0 and nil for a message that is none.
func (l *ledger) get(message []byte) (int, *letter) {
	header, _, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	_, rest, ok := bytes.Cut(header, []byte("\r\n"+letterField+": "))
	if !ok {
		if rest, ok = bytes.CutPrefix(header, []byte(letterField+": ")); !ok {
			return 0, nil
		}
	}
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	id, err := strconv.Atoi(string(bytes.TrimSpace(value)))
	if err != nil {
		return 0, nil
	}
	return id, l.at(id)
}

func (l *ledger) at(id int) *letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id <= 0 || id >= len(l.letters) {
		return nil
	}
	return l.letters[id]
}

// settle notes what became of a delivery.
func (l *ledger) settle(d *delivery, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.fate = f
	if f != unknown {
		d.again = nil
	}
}

// place notes what APPEND told of a delivery.
func (l *ledger) place(d *delivery, box string, validity uint32, uids []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.fate = accepted
	for i, n := range d.letters {
		n.told = uidKey{box, validity, uids[i]}
	}
}

// toldOf is where APPEND said that a letter is, the zero key while it has not.
func (l *ledger) toldOf(n *letter) uidKey {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n.told
}

// fateOf is the fate of a letter's delivery, so far.
func (l *ledger) fateOf(n *letter) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n.delivery.fate
}

// open lists the deliveries that are to be looked for.
func (l *ledger) open() []*delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unchecked
}

// all lists all deliveries.
func (l *ledger) all() []*delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deliveries[:len(l.deliveries):len(l.deliveries)]
}

// close ends a check: only what has no answer yet is looked for again.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unchecked = slices.DeleteFunc(l.unchecked, func(d *delivery) bool { return d.fate != unknown })
}

// intact reports whether a message ends with the letter's bytes; servers put their own fields before it.
func (n *letter) intact(message []byte) bool {
	return len(message) >= n.size && sha256.Sum256(message[len(message)-n.size:]) == n.sum
}
