package powercut_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"postern/internal/testdns"
)

// place is a mailbox of a person as it was read, by name.
type places map[string]*found

// read reads everything a person has and compares every message with the letter that it is.
func (tr *trial) read(p *person) places {
	tr.t.Helper()
	c, err := dialIMAP(tr.server, tr.trust, p)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer c.conn.Close()
	list, err := c.do(`LIST "" "*"`)
	if err != nil {
		tr.t.Fatal(err)
	}
	there := places{}
	for _, text := range list.texts() {
		if !strings.HasPrefix(text, "* LIST ") {
			continue
		}
		name := strings.Trim(text[strings.LastIndexByte(text, ' ')+1:], `"`)
		f, err := tr.readBox(c, p, name)
		if err != nil {
			tr.t.Fatalf("%s %s: %v", p.address, name, err)
		}
		there[name] = f
	}
	return there
}

func (tr *trial) readBox(c *session, p *person, name string) (*found, error) {
	a, err := c.do("EXAMINE " + name)
	if err != nil {
		return nil, err
	}
	f := &found{validity: uint32(a.number("UIDVALIDITY")), next: uint32(a.number("UIDNEXT")), modseq: a.number("HIGHESTMODSEQ"), mail: map[uint32]kept{}}
	a, err = c.do("UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[])")
	if err != nil {
		return nil, err
	}
	var size int64
	unseen := 0
	for _, m := range a.messages() {
		id, l := tr.ledger.get(m.text)
		switch {
		case l != nil && !l.intact(plain(name, m.text)):
			tr.t.Errorf("%s %s: UID %d is not letter %d as it was sent", p.address, name, m.uid, id)
		case l == nil && (id != 0 || !strings.HasPrefix(string(m.text), "Return-Path: <>")):
			tr.t.Errorf("%s %s: UID %d is no letter of ours: %.200q", p.address, name, m.uid, m.text)
		case m.size != int64(len(m.text)):
			tr.t.Errorf("%s %s: UID %d has RFC822.SIZE %d and %d bytes", p.address, name, m.uid, m.size, len(m.text))
		}
		if _, twice := f.mail[m.uid]; twice || m.uid >= f.next {
			tr.t.Errorf("%s %s: UID %d is there twice or is not below UIDNEXT %d", p.address, name, m.uid, f.next)
		}
		f.mail[m.uid] = kept{id, m.flags}
		size += m.size
		if !slices.Contains(strings.Fields(m.flags), `\Seen`) {
			unseen++
		}
	}
	a, err = c.do("STATUS " + name + " (MESSAGES UNSEEN SIZE UIDNEXT)")
	if err != nil {
		return nil, err
	}
	for _, want := range []string{fmt.Sprint("MESSAGES ", len(f.mail)), fmt.Sprint("UNSEEN ", unseen), fmt.Sprint("SIZE ", size), fmt.Sprint("UIDNEXT ", f.next)} {
		if said := strings.NewReplacer("(", " ", ")", " ").Replace(a.lines[0].text); !strings.Contains(said, " "+want+" ") {
			tr.t.Errorf("%s: %s, but it holds %s", p.address, a.lines[0].text, want)
		}
	}
	return f, nil
}

// check compares the server with what its clients were told, and goes on from what is there. No client is at work.
func (tr *trial) check() {
	tr.t.Helper()
	queued := tr.queued()
	arrived := map[*person]map[int]bool{}
	for _, p := range tr.people {
		there := tr.read(p)
		arrived[p] = map[int]bool{}
		for _, o := range p.owners {
			maps.Copy(arrived[p], o.check(there))
		}
	}
	tr.filtered.check(tr)
	for _, d := range tr.ledger.open() {
		tr.checkDelivery(d, queued, arrived)
	}
	tr.checkQueue(queued)
	tr.verify()
	if tr.t.Failed() {
		tr.t.Fatalf("in round %d, crash %d", tr.round, tr.crashes)
	}
	for _, p := range tr.people {
		for id := range arrived[p] {
			p.owners[0].seen[id] = true
		}
	}
	tr.ledger.close()
}

// check finds out whether the change that had no answer happened, whole or not at all, and that nothing else did. It
// gives the letters that arrived in INBOX.
func (o *owner) check(there places) (arrived map[int]bool) {
	o.tr.t.Helper()
	arrived, err := o.match(o.boxes, there)
	if c := o.pending; c != nil && err == nil {
		o.tr.count("without an answer, not done")
	} else if c != nil {
		after := o.boxes.clone()
		c.apply(after, nil)
		var again error
		if arrived, again = o.match(after, there); again != nil {
			err = fmt.Errorf("%w; and with %s: %w", err, c, again)
		} else {
			err = nil
			o.tr.count("without an answer, done")
		}
	}
	if err != nil {
		o.tr.t.Fatalf("%s, mailboxes of %s: %v", o.p.address, o.prefix, err)
	}
	o.pending = nil
	o.adopt(there)
	return arrived
}

// match compares all of the owner's mailboxes and gives the letters that are new in INBOX.
func (o *owner) match(want boxes, there places) (arrived map[int]bool, err error) {
	arrived = map[int]bool{}
	for name := range there {
		if o.owns(name) && want[name] == nil {
			return nil, fmt.Errorf("%s is there", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		f := there[name]
		if f == nil {
			return nil, fmt.Errorf("%s is not there", name)
		}
		more, err := want[name].compare(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, uid := range more {
			id := f.mail[uid].letter
			if name != "INBOX" {
				return nil, fmt.Errorf("%s: UID %d, letter %d, is more than should be there", name, uid, id)
			}
			l := o.tr.ledger.at(id)
			if err := o.mayArrive(l, uidKey{name, f.validity, uid}, f.mail[uid].flags); err != nil {
				return nil, fmt.Errorf("INBOX: UID %d, letter %d: %w", uid, id, err)
			}
			if l != nil && arrived[id] {
				return nil, fmt.Errorf("INBOX: letter %d is there twice", id)
			}
			arrived[id] = true
		}
	}
	return arrived, nil
}

// adopt takes what is there as what is to be there.
func (o *owner) adopt(there places) {
	o.boxes = boxes{}
	for name, f := range there {
		if !o.owns(name) {
			continue
		}
		o.boxes[name] = &box{validity: f.validity, next: f.next, modseq: f.modseq, mail: maps.Clone(f.mail)}
		if least := o.nexts[uidKey{box: name, validity: f.validity}]; f.next < least {
			o.tr.t.Errorf("%s %s: UIDNEXT %d was %d", o.p.address, name, f.next, least)
		}
		o.reach(name, f.validity, f.next)
		for uid, k := range f.mail {
			o.note(name, f.validity, uid, k.letter)
		}
	}
}

// checkDelivery finds a delivery everywhere or nowhere, as its client was told.
func (tr *trial) checkDelivery(d *delivery, queued map[string]int, arrived map[*person]map[int]bool) {
	tr.t.Helper()
	var here, missing []string
	look := func(there bool, format string, args ...any) {
		if where := fmt.Sprintf(format, args...); there {
			here = append(here, where)
		} else {
			missing = append(missing, where)
		}
	}
	for _, l := range d.letters {
		for _, p := range l.to {
			look(arrived[p][l.id] || p.owners[0].seen[l.id], "letter %d at %s", l.id, p.address)
		}
		if l.far != "" {
			look(queued[l.far] > 0, "%s in the queue", l.far)
		}
		if l.filtered {
			for _, name := range filteredInto {
				look(tr.filtered.seen[name][l.id], "letter %d in %s of %s", l.id, name, tr.filtered.address)
			}
			look(queued[l.onward()] > 0, "%s in the queue", l.onward())
		}
		if l.near != "" {
			look(queued[l.near] > 0 || tr.near.times(l.id) > 0, "%s in the queue or gone", l.near)
		}
	}
	switch {
	case len(here) > 0 && len(missing) > 0:
		tr.t.Errorf("a delivery is half there: found %v, not %v", here, missing)
	case d.fate == accepted && len(missing) > 0:
		tr.t.Errorf("accepted and lost: %v", missing)
	case d.fate == refused && len(here) > 0:
		tr.t.Errorf("refused and there: %v", here)
	case d.fate == unknown && d.again == nil && len(here) > 0:
		tr.ledger.settle(d, accepted)
	case d.fate == unknown && d.again == nil && len(missing) > 0:
		tr.ledger.settle(d, refused)
	}
	tr.count("deliveries checked")
}

// checkQueue finds all that waits for the far domain, of this round and before, once.
func (tr *trial) checkQueue(queued map[string]int) {
	tr.t.Helper()
	for _, d := range tr.ledger.all() {
		for _, l := range d.letters {
			want := 0
			if l.far != "" && d.fate == accepted {
				want = 1
			}
			if l.far != "" && queued[l.far] != want {
				tr.t.Errorf("%s is in the queue %d times instead of %d", l.far, queued[l.far], want)
			}
			if l.near != "" && queued[l.near] > 1 {
				tr.t.Errorf("%s is in the queue %d times", l.near, queued[l.near])
			}
			sentOn := queued[l.onward()]
			mayBe := d.fate == unknown && d.again != nil && sentOn == 1 // it will be sent again, and shall not leave twice
			if l.filtered && !mayBe && (sentOn == 1) != (d.fate == accepted) || sentOn > 1 {
				tr.t.Errorf("%s is in the queue %d times", l.onward(), sentOn)
			}
			delete(queued, l.onward())
			delete(queued, l.far)
			delete(queued, l.near)
		}
	}
	if len(queued) > 0 {
		tr.t.Errorf("the queue holds what nobody sent: %v", queued)
	}
}

// queued counts the recipients in the queue.
func (tr *trial) queued() map[string]int {
	tr.t.Helper()
	var list []struct{ To string }
	out := tr.server.Postern("queue", "list", "--json", "--limit", "10000")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		tr.t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range list {
		count[e.To]++
	}
	return count
}

// verify has the server read everything it stores. A file whose message was never stored is swept away soon after the
// start; until then it counts as damage.
func (tr *trial) verify() {
	tr.t.Helper()
	var out string
	tr.until("verify", func() bool {
		b, err := tr.server.Command("verify", "--json").Output()
		out = string(b)
		if err == nil {
			return true
		}
		if !strings.Contains(out, "no message names it") {
			tr.t.Errorf("verify: %v: %s", err, out)
			return true
		}
		tr.count("verify again")
		return false
	})
}

// finish lets the far domain be found, and waits until everything that was accepted has left: whole, and once but for
// what was on its way at a crash.
func (tr *trial) finish() {
	tr.t.Helper()
	tr.check()
	tr.dns.SetFailure(farDomain, testdns.Failure{})
	tr.dns.Set(tr.t, farDomain+". 5 IN MX 10 mx.near.example.\n")
	tr.server.Stop() // what it knows of the domain is to be forgotten
	tr.server.Run()
	tr.server.Postern("queue", "retry", "--all")
	tr.until("the queue is empty", func() bool { return len(tr.queued()) == 0 })
	twice := 0
	for _, d := range tr.ledger.all() {
		for _, l := range d.letters {
			want := 0
			for _, a := range []string{l.far, l.near, l.onward()} {
				if a != "" && d.fate == accepted {
					want++
				}
			}
			if times := tr.near.times(l.id); times < want || times > want && want == 0 {
				tr.t.Errorf("letter %d left %d times instead of %d", l.id, times, want)
			} else {
				twice += times - want
			}
			tr.counts["letters that left"] += want
		}
	}
	if atOnce := 5; twice > atOnce*tr.crashes { // queue.per_domain
		tr.t.Errorf("%d letters left more than once, though not more than %d at a time were on their way in %d crashes", twice, atOnce, tr.crashes)
	}
	tr.counts["letters that left again after a crash"] = twice
	tr.verify()
}
