package mailflow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"slices"
	"strings"

	"postern/internal/message"
	"postern/internal/spool"
)

const (
	// maxEdited is how many forms of one message scripts may make by what they do to its header, and maxEditedBytes how much these
	// may take together: each is a message of its own in the store.
	maxEdited      = 64
	maxEditedBytes = 128 << 20
	// maxFront is how much may stand before the fields of a copy without being a message of its own, in bytes.
	maxFront = 4 << 10
)

// edited is the message with a header that scripts changed (RFC 5293), and the body as it came. What was judged are the bytes as they
// came, which stay what they are; this is another message.
type edited struct {
	content *spool.Content
	parsed  *message.Message
}

// editions are the forms of a parcel's message that scripts made of it, each once whoever gets it.
type editions struct {
	known map[[sha256.Size]byte]*edited
	bytes int64
}

// as is the parcel with the message in the form that scripts gave it; nil is as it came.
func (p *parcel) as(e *edited) *parcel {
	if e == nil {
		return p
	}
	q := *p
	q.content, q.parsed = e.content, e.parsed
	return &q
}

// tooManyEdits says that a copy has the header that it came with.
const tooManyEdits = "; there are too many forms of the message already, so its header stays as it was"

// edition makes the message with another header, or finds that it was made. It streams: what is large is never in memory. Nil
// is that no more can be made.
func (x *sifting) edition(head []byte) (*edited, error) {
	all := &x.p.editions
	key := sha256.Sum256(head)
	if e := all.known[key]; e != nil {
		return e, nil
	}
	begin := int64(0) // of the empty line before the body
	for _, f := range x.p.parsed.Header.Fields {
		begin += int64(len(f.Raw))
	}
	size := int64(len(head)) + x.p.content.Size() - begin
	if len(all.known) >= maxEdited || all.bytes+size > maxEditedBytes {
		return nil, nil
	}
	w := x.Spool.NewWriter()
	defer w.Abort()
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, io.NewSectionReader(x.p.content, begin, x.p.content.Size()-begin)); err != nil {
		return nil, err
	}
	content, err := w.Finish()
	if err != nil {
		return nil, err
	}
	parsed, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		content.Close()
		return nil, err
	}
	if all.known == nil {
		all.known = map[[sha256.Size]byte]*edited{}
	}
	e := &edited{content, parsed}
	all.known[key] = e
	all.bytes += size
	return e, nil
}

// drop gives back what the forms take.
func (all *editions) drop() {
	for _, e := range all.known {
		e.content.Close()
	}
}

// changed is a header that a script changed, in its parts.
type changed struct {
	// front are fields that the script put before all others; own, those of ours that stand before the message in the copy, without what
	// the script took out; head, the message's own fields.
	front, own, head []byte
	// cut tells that of ours some were taken out.
	cut bool
}

// parts takes a changed header apart. Scripts add fields at its ends and take some out, so ours follow each other. One of them is the
// Return-Path, which no script adds or takes out; those before it are what a script put there when the message came.
func parts(header, prefix []byte) changed {
	fields, ours := message.ParseHeader(header).Fields, message.ParseHeader(prefix).Fields
	same := func(i, k int) bool { return bytes.Equal(ours[i].Raw, fields[k].Raw) }
	path := slices.IndexFunc(ours, func(f message.Field) bool { return strings.EqualFold(f.Name, "Return-Path") })
	begin := 0 // of the Return-Path among the fields
	for path >= 0 && begin < len(fields) && !same(path, begin) {
		begin++
	}
	var c changed
	first := begin // of what a script put there when the message came
	for i := path - 1; i >= 0; i-- {
		if first > 0 && same(i, first-1) {
			first--
		} else {
			c.cut = true
		}
	}
	for k := range first {
		c.front = append(c.front, fields[k].Raw...)
	}
	for k := first; k < begin; k++ {
		c.own = append(c.own, fields[k].Raw...)
	}
	k := begin
	for i := max(path, 0); i < len(ours); i++ {
		if k < len(fields) && same(i, k) {
			c.own = append(c.own, fields[k].Raw...)
			k++
		} else {
			c.cut = true
		}
	}
	for ; k < len(fields); k++ {
		c.head = append(c.head, fields[k].Raw...)
	}
	return c
}

// edit has a filing store the copy with a header that a script changed. Where fields were only put before it, and none that an envelope
// is made of, they stand beside the stored bytes like those of ours, and the bytes are the same as everybody's. why tells that
// the header stays as it came.
func (y *sifted) edit(place *filing, header []byte) (why string, err error) {
	c := &y.p.plan.accounts[y.i]
	place.edited = c.form
	if header == nil {
		return "", nil
	}
	now, came := parts(header, y.p.prefix(*c)), y.headOf(c.form)
	if now.cut {
		place.own = now.own
	}
	if bytes.Equal(now.head, came) && len(now.front) <= maxFront && !hasEnvelope(now.front) {
		place.front = now.front
		return "", nil
	}
	if !hasEnvelope(now.front) && len(now.front) <= maxFront {
		place.front = now.front
	} else {
		now.head = append(now.front, now.head...)
	}
	e, err := y.edition(now.head)
	if err != nil {
		return "", err
	}
	if e == nil {
		place.front, place.own = nil, nil
		return tooManyEdits, nil
	}
	place.edited = e
	return "", nil
}

// onwardForm is the form in which a copy is sent on that a script changed: fields of ours do not go with it.
func (y *sifted) onwardForm(ctx context.Context, header []byte) (e *edited, why string, err error) {
	c := &y.p.plan.accounts[y.i]
	if header == nil {
		return c.form, "", nil
	}
	now := parts(header, y.p.prefix(*c))
	if len(now.front) == 0 && bytes.Equal(now.head, y.headOf(c.form)) {
		return c.form, "", nil
	}
	if ok, err := y.mayRewrite(ctx); err != nil || !ok {
		return c.form, "; somebody else here wrote the message, so its header stays as it was", err
	}
	if e, err = y.edition(append(now.front, now.head...)); err == nil && e == nil {
		return c.form, tooManyEdits, nil
	}
	return e, "", err
}

// mayRewrite reports whether a changed message may leave with the authors that it has: those here are vouched for by our signature, and
// only they themselves say what they write (MAIL-4).
func (y *sifted) mayRewrite(ctx context.Context) (bool, error) {
	for _, field := range []string{"From", "Sender"} {
		domains, err := claims(y.p.parsed, field)
		if err != nil {
			return false, nil // nobody can say who wrote it
		}
		if !slices.ContainsFunc(domains, y.Directory.IsLocalDomain) {
			continue
		}
		list, err := mailboxes(y.p.parsed, field)
		if err != nil {
			return false, nil
		}
		for _, a := range list {
			if !y.Directory.IsLocalDomain(a.Domain) {
				continue
			}
			if ok, err := y.Directory.MaySendAs(ctx, y.own.ID, a); err != nil || !ok {
				return false, err
			}
		}
	}
	return true, nil
}

// headOf is the header of a form of the message, without the empty line.
func (x *sifting) headOf(e *edited) []byte {
	if e == nil {
		return x.header
	}
	return rawHeader(e.parsed)
}

func rawHeader(m *message.Message) []byte {
	b := []byte{}
	for _, f := range m.Header.Fields {
		b = append(b, f.Raw...)
	}
	return b
}

// envelopeFields are those that IMAP's envelope is made of (RFC 9051 7.5.2), and threads. Two of them stand in one message's bytes, or a
// reader would see one and IMAP tell of the other.
var envelopeFields = []string{"Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID", "References"}

// hasEnvelope tells whether some fields are of the envelope.
func hasEnvelope(fields []byte) bool {
	if len(fields) == 0 {
		return false
	}
	h := message.ParseHeader(fields)
	for _, name := range envelopeFields {
		if h.Count(name) > 0 {
			return true
		}
	}
	return false
}
