package powercut_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// person is somebody with mailboxes here.
type person struct {
	address string
	owners  []*owner
}

// An owner is a client that has some of a person's mailboxes to itself, so that it knows what must be in them. The first
// owner has INBOX too, where mail arrives besides.
type owner struct {
	tr     *trial
	r      *rand.Rand
	p      *person
	prefix string // of the names that the owner makes
	c      *session

	boxes boxes
	// pending is the change that has no answer yet.
	pending *change
	// seen are the letters that have been in INBOX.
	seen map[int]bool
	// used tells which letter each UID was ever given to, nexts the UIDNEXT that must be reached.
	used  map[uidKey]int
	nexts map[uidKey]uint32
}

func newOwner(tr *trial, p *person, prefix string) *owner {
	return &owner{tr: tr, p: p, prefix: prefix, boxes: boxes{}, seen: map[int]bool{}, used: map[uidKey]int{}, nexts: map[uidKey]uint32{}}
}

// owns reports whether a mailbox of the person is this owner's.
func (o *owner) owns(name string) bool {
	second := strings.HasPrefix(name, "B")
	return second == (o.prefix == "B")
}

func (o *owner) name() string { return "imap" }

func (o *owner) connect() (err error) {
	o.c, err = dialIMAP(o.tr.server, o.tr.trust, o.p)
	return err
}

func (o *owner) close() {
	if o.c != nil {
		o.c.conn.Close()
	}
}

// note holds a mailbox to what was said of it before: a UID names one message for ever.
func (o *owner) note(name string, validity, uid uint32, letter int) {
	key := uidKey{name, validity, uid}
	if before, ok := o.used[key]; ok && before != letter {
		o.tr.t.Errorf("%s %s: UID %d of UIDVALIDITY %d was letter %d and is letter %d", o.p.address, name, uid, validity, before, letter)
	}
	o.used[key] = letter
	o.reach(name, validity, uid+1)
}

// reach notes what UIDNEXT is at least, for as long as the mailbox has this name and UIDVALIDITY.
func (o *owner) reach(name string, validity, next uint32) {
	key := uidKey{box: name, validity: validity}
	o.nexts[key] = max(o.nexts[key], next)
}

// step does one operation.
func (o *owner) step() error {
	if inbox := o.boxes["INBOX"]; inbox != nil && o.r.IntN(3) == 0 {
		if err := o.look(inbox); err != nil {
			return fmt.Errorf("reading: %v", err) // which is never refused
		}
	}
	c := o.draw()
	if err := o.open(c); err != nil {
		return fmt.Errorf("reading: %v", err)
	}
	o.pending = c
	asked := o.tr.disk.Load()
	placed, err := o.perform(c)
	if doubt := o.tr.believe(asked); doubt != nil {
		return doubt
	}
	if _, no := err.(*refusal); no && !o.tr.crashing.Load() {
		if c.delivery != nil {
			o.tr.conclude(c.delivery, refused)
		}
		o.pending = nil
		return err
	}
	if err != nil {
		return err
	}
	o.pending = nil
	if c.delivery != nil {
		o.tr.conclude(c.delivery, accepted)
	}
	c.apply(o.boxes, placed)
	if len(placed) > 0 {
		name, to := c.destination(), o.boxes[c.destination()]
		for _, uid := range placed {
			o.note(name, to.validity, uid, to.mail[uid].letter)
		}
	}
	return nil
}

func (c *change) destination() string {
	if c.dest != "" {
		return c.dest
	}
	return c.box
}

// look learns what has arrived in INBOX. What has been seen once is there to stay.
func (o *owner) look(inbox *box) error {
	if err := o.choose("INBOX"); err != nil {
		return err
	}
	if _, err := o.c.do("NOOP"); err != nil {
		return err
	}
	a, err := o.c.do(fmt.Sprintf("UID FETCH %d:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (%s)])", max(inbox.next, 1), letterField))
	if err != nil {
		return err
	}
	if doubt := o.tr.believe(alive); doubt != nil {
		return doubt
	}
	for _, m := range a.messages() {
		if _, known := inbox.mail[m.uid]; known || m.uid < inbox.next {
			continue // n:* names the last message in any case
		}
		id, l := o.tr.ledger.get(m.text)
		if err := o.mayArrive(l, uidKey{"INBOX", inbox.validity, m.uid}, m.flags); err != nil {
			o.tr.t.Errorf("%s INBOX: UID %d, letter %d: %v", o.p.address, m.uid, id, err)
		}
		o.seen[id] = true
		o.note("INBOX", inbox.validity, m.uid, id)
		inbox.mail[m.uid] = kept{id, m.flags}
	}
	for uid := range inbox.mail {
		inbox.next = max(inbox.next, uid+1)
	}
	return nil
}

// mayArrive checks a letter that nobody has seen in this INBOX before.
func (o *owner) mayArrive(l *letter, at uidKey, flags string) error {
	switch {
	case l == nil:
		return nil // the server's own
	case !slices.Contains(l.to, o.p):
		return fmt.Errorf("it is not for them")
	case o.seen[l.id]:
		return fmt.Errorf("it has been there before")
	case o.tr.ledger.fateOf(l) == refused:
		return fmt.Errorf("it was refused")
	case flags != l.flags:
		return fmt.Errorf("its flags are (%s) instead of (%s)", flags, l.flags)
	}
	if told := o.tr.ledger.toldOf(l); told != (uidKey{}) && told != at {
		return fmt.Errorf("APPEND said that it is UID %d of UIDVALIDITY %d", told.uid, told.validity)
	}
	return nil
}

// choose selects a mailbox and compares what the server says of it with what is known.
func (o *owner) choose(name string) error {
	if o.c.selected == name {
		return nil
	}
	o.c.selected = "" // RFC 9051 6.3.2: a SELECT that fails leaves none selected
	a, err := o.c.do("SELECT " + name)
	if err != nil {
		return err
	}
	o.c.selected = name
	if doubt := o.tr.believe(alive); doubt != nil {
		return doubt
	}
	b := o.boxes[name]
	validity, next := uint32(a.number("UIDVALIDITY")), uint32(a.number("UIDNEXT"))
	if b.validity == 0 {
		b.validity = validity
	}
	if validity != b.validity || next < b.next || next < o.nexts[uidKey{box: name, validity: validity}] {
		o.tr.t.Errorf("%s %s: UIDVALIDITY %d and UIDNEXT %d were %d and %d", o.p.address, name, validity, next, b.validity, b.next)
	}
	exists := fmt.Sprintf("* %d EXISTS", len(b.mail))
	if name != "INBOX" && !slices.Contains(a.texts(), exists) {
		o.tr.t.Errorf("%s %s: SELECT does not say %q but %q", o.p.address, name, exists, a.texts())
	}
	o.reach(name, validity, next)
	b.modseq = max(b.modseq, a.number("HIGHESTMODSEQ"))
	return nil
}

// open selects what the change needs to have selected.
func (o *owner) open(c *change) error {
	switch c.verb {
	case "append", "create":
		return nil
	case "rename", "delete":
		if o.c.selected != c.box {
			return nil
		}
		o.c.selected = ""
		_, err := o.c.do("UNSELECT")
		return err
	}
	return o.choose(c.box)
}

// perform sends the change's command.
func (o *owner) perform(c *change) (placed []uint32, err error) {
	set := formatUIDs(c.uids)
	flags := strings.Join(c.flags, " ")
	switch c.verb {
	case "append":
		return o.append(c, flags)
	case "add":
		_, err = o.c.do("UID STORE " + set + " +FLAGS.SILENT (" + flags + ")")
	case "remove":
		_, err = o.c.do("UID STORE " + set + " -FLAGS (" + flags + ")")
	case "set":
		_, err = o.c.do("UID STORE " + set + " FLAGS (" + flags + ")")
	case "copy", "move":
		return o.transfer(c, set)
	case "expunge":
		_, err = o.c.do("UID EXPUNGE " + set)
	case "create", "delete":
		_, err = o.c.do(strings.ToUpper(c.verb) + " " + c.box)
	case "rename":
		_, err = o.c.do("RENAME " + c.box + " " + c.dest)
	}
	return nil, err
}

func (o *owner) append(c *change, flags string) ([]uint32, error) {
	c.delivery = &delivery{}
	var texts [][]byte
	for range 1 + o.r.IntN(4)*o.r.IntN(2) {
		_, text := o.tr.ledger.write(o.r, c.delivery, "owner@example.test")
		texts = append(texts, text)
	}
	a, err := o.c.do(appendCommand(c.box, flags, texts))
	if err != nil {
		return nil, err
	}
	validity, _, placed, err := a.placed("APPENDUID")
	if err == nil && len(placed) != len(texts) {
		err = fmt.Errorf("APPENDUID for %d messages: %s", len(texts), a.tagged)
	}
	return placed, o.learn(c.box, validity, err)
}

func (o *owner) transfer(c *change, set string) ([]uint32, error) {
	a, err := o.c.do("UID " + strings.ToUpper(c.verb) + " " + set + " " + c.dest)
	if err != nil {
		return nil, err
	}
	validity, from, to, err := a.placed("COPYUID")
	if err == nil && (!slices.Equal(from, c.uids) || len(to) != len(from)) {
		err = fmt.Errorf("COPYUID is not for %s: %q", set, a.texts())
	}
	return to, o.learn(c.dest, validity, err)
}

// learn takes a UIDVALIDITY that came with UIDs.
func (o *owner) learn(name string, validity uint32, err error) error {
	if err != nil {
		return err
	}
	b := o.boxes[name]
	if b.validity == 0 {
		b.validity = validity
	}
	if b.validity != validity {
		o.tr.t.Errorf("%s %s: UIDVALIDITY %d was %d", o.p.address, name, validity, b.validity)
	}
	return nil
}

// appender puts messages into an INBOX that another client looks after.
type appender struct {
	tr *trial
	r  *rand.Rand
	p  *person
	c  *session
}

func (w *appender) name() string { return "append" }

func (w *appender) connect() (err error) {
	w.c, err = dialIMAP(w.tr.server, w.tr.trust, w.p)
	return err
}

func (w *appender) close() {
	if w.c != nil {
		w.c.conn.Close()
	}
}

func (w *appender) step() error {
	d := &delivery{}
	flags := someFlags(w.r)
	var texts [][]byte
	for range 1 + w.r.IntN(5)*w.r.IntN(2) {
		l, text := w.tr.ledger.write(w.r, d, "owner@example.test", w.p)
		l.flags = canonical(flags)
		texts = append(texts, text)
	}
	asked := w.tr.disk.Load()
	a, err := w.c.do(appendCommand("INBOX", strings.Join(flags, " "), texts))
	if doubt := w.tr.believe(asked); doubt != nil {
		return doubt
	}
	if _, no := err.(*refusal); no {
		w.tr.conclude(d, refused) // RFC 3502: all or none
		return err
	}
	if err != nil {
		return err
	}
	validity, _, placed, err := a.placed("APPENDUID")
	if err != nil || len(placed) != len(texts) {
		return fmt.Errorf("APPENDUID for %d messages: %s", len(texts), a.tagged)
	}
	w.tr.ledger.place(d, "INBOX", validity, placed)
	return nil
}
