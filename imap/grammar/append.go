package grammar

import "io"

// Next is the next message of an APPEND, io.EOF after the last one. What was
// not read of the message before is dropped. An *Error is the result of the
// command. RFC 9051 6.3.12, RFC 3502 6.3.11
func (a *Append) Next() (*AppendItem, error) {
	r := a.reader
	if a.err != nil || r.append != a {
		return nil, a.fail(io.EOF)
	}
	if a.item == nil {
		a.item = a.first
		a.first = nil
		return a.item, nil
	}
	if err := a.item.finish(); err != nil {
		return nil, a.fail(err)
	}
	if r.atEnd() {
		r.finishLine()
		return nil, a.fail(io.EOF)
	}
	a.count++
	if a.count >= r.lim.AppendItems {
		return nil, a.fail(refused("LIMIT", "Too many messages in one command"))
	}
	r.used, r.elements = 0, 0
	a.item = r.appendItem(a)
	if r.err != nil {
		return nil, a.fail(r.err)
	}
	return a.item, nil
}

// fail keeps the first error, io.EOF included, for every later call.
func (a *Append) fail(err error) error {
	if a.err == nil {
		if err != io.EOF {
			err = a.reader.classify(err)
		}
		a.err = err
	}
	return a.err
}

// Read reads the message; io.EOF comes after exactly Size bytes.
func (i *AppendItem) Read(p []byte) (int, error) {
	a := i.append
	if a.item != i || a.reader.append != a {
		return 0, io.ErrClosedPipe
	}
	if a.err != nil {
		return 0, a.err
	}
	if !i.open {
		if err := a.reader.openLiteral(i.header, true); err != nil {
			return 0, a.fail(err)
		}
		i.open = true
	}
	if a.reader.phase != inLiteral {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := a.reader.readLiteral(p)
	if err != nil && err != io.EOF {
		return n, a.fail(err)
	}
	return n, err
}

// finish takes the rest of the message and what follows it up to the next one.
func (i *AppendItem) finish() error {
	r := i.append.reader
	if !i.open {
		if err := r.openLiteral(i.header, true); err != nil {
			return err
		}
		i.open = true
	}
	if err := r.discardLiteral(); err != nil {
		return err
	}
	if err := r.readLine(); err != nil {
		return err
	}
	if i.UTF8 {
		r.expect(')', "The message of UTF8 must be followed by )")
	}
	return r.err
}

// appendCommand reads APPEND up to its first message.
func (r *Reader) appendCommand() Command {
	a := &Append{reader: r, Mailbox: r.spMailbox()}
	a.first = r.appendItem(a)
	return a
}

// appendItem reads what stands before one message, its literal's size included.
func (r *Reader) appendItem(a *Append) *AppendItem {
	i := &AppendItem{append: a}
	r.space()
	if r.peek() == '(' {
		i.Flags = r.flagList()
		r.space()
	}
	if r.peek() == '"' {
		i.Internal = r.dateTime()
		r.space()
	}
	if r.acceptWord("UTF8") {
		i.UTF8 = true
		r.space()
		r.expect('(', "UTF8 must be followed by ( and a literal8")
	}
	if r.err != nil {
		return nil
	}
	h, ok := literalAtEnd(r.buf[r.pos:r.eol])
	switch {
	case !ok || h.start != 0 || i.UTF8 && !h.binary:
		r.fail(bad("The message must be sent as a literal"))
		return nil
	case r.lim.Message == 0:
		r.fail(bad("APPEND is not possible in this state"))
		return nil
	case h.size > r.lim.Message:
		r.fail(refused("TOOBIG", "The message is too big"))
		return nil
	}
	i.header, i.Size, i.Sync, i.Binary = h, h.size, h.sync, h.binary
	return i
}
