package imap

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"postern/imap/grammar"
	"postern/internal/message"
	"postern/internal/store"
)

// append is APPEND and MULTIAPPEND: all messages are stored or none. RFC 9051 6.3.12, RFC 3502
func (s *session) append(c *grammar.Append) answer {
	// What can be refused before the client has sent its messages is.
	box, err := s.account.Mailbox(s.ctx, c.Mailbox)
	switch {
	case err != nil:
		return s.failedOn(err)
	case box.NoSelect:
		return refuse("TRYCREATE", "The name holds no messages")
	}
	s.srv.recent.note(box.ID, box.UIDNext)
	quota, err := s.account.Quota(s.ctx)
	if err != nil {
		return s.failed(err)
	}
	var items []store.AppendItem
	defer func() {
		for _, item := range items {
			item.Prepared.Discard()
		}
	}()
	var size int64
	for {
		item, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.appendLost(err)
		}
		size += item.Size
		switch {
		case item.Size == 0: // RFC 3502 4.2: the client thought better of it
			return refuse("", "APPEND cancelled")
		case quota.LimitBytes > 0 && quota.UsedBytes+size > quota.LimitBytes,
			quota.LimitMessages > 0 && quota.UsedMessages+int64(len(items)) >= quota.LimitMessages:
			return s.failed(store.ErrOverQuota)
		case size > s.limits.AppendBytes:
			return refuse("LIMIT", "The messages of one APPEND are too big together")
		}
		prepared, a := s.receive(item)
		if !a.good() {
			return a
		}
		internal := item.Internal
		if internal.IsZero() {
			internal = s.srv.clock().Now()
		}
		items = append(items, store.AppendItem{Prepared: prepared, Flags: item.Flags, Internal: internal})
	}
	validity, uids, err := s.account.Append(s.ctx, c.Mailbox, items)
	if err != nil {
		return s.failedOn(err)
	}
	return okCode(appendUID(validity, uids), "APPEND completed")
}

// appendUID is the code that tells where messages went. RFC 9051 7.1 (APPENDUID)
func appendUID(validity uint32, uids []uint32) string {
	b := append(make([]byte, 0, 40), "APPENDUID "...)
	b = strconv.AppendUint(b, uint64(validity), 10)
	b = append(b, ' ')
	return string(grammar.AppendNums(b, uids))
}

// appendLost is the answer to a command that could not be read to its end.
func (s *session) appendLost(err error) answer {
	var e *grammar.Error
	if !errors.As(err, &e) {
		s.lost(err)
		return answer{status: "BAD", silent: true}
	}
	a := misuse(e.Text)
	if e.No {
		a = refuse(e.Code, e.Text)
	}
	if e.Fatal {
		s.bye("Closing the connection")
	}
	return a
}

// receive reads one message and prepares it for the store. Its bytes are kept exactly as they come. Bare CR and LF are not
// refused, for what mailboxes hold is copied from server to server; what is sent from here is checked again by the sender.
func (s *session) receive(item *grammar.AppendItem) (*store.Prepared, answer) {
	w := s.srv.Spool.NewWriter()
	defer w.Abort()
	nul, a := s.spool(w, item)
	if !a.good() {
		return nil, a
	}
	switch {
	case nul && item.Binary:
		return nil, refuse("UNKNOWN-CTE", "Messages with NUL are not kept here") // RFC 9051 6.3.12
	case nul:
		return nil, misuse("A message holds no NUL") // RFC 9051 4.3
	}
	content, err := w.Finish()
	if err != nil {
		return nil, s.failed(err)
	}
	defer content.Close()
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return nil, s.failed(err)
	}
	prepared, err := s.srv.Store.Prepare(s.ctx, content, m.Meta())
	if err != nil {
		return nil, s.failed(err)
	}
	return prepared, ok()
}

// spool takes the bytes of one message, and tells whether there is a NUL among them.
func (s *session) spool(w io.Writer, item *grammar.AppendItem) (nul bool, _ answer) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	chunk := (*buf)[:cap(*buf)]
	for {
		n, err := item.Read(chunk)
		nul = nul || bytes.IndexByte(chunk[:n], 0) >= 0
		if _, err := w.Write(chunk[:n]); err != nil {
			return nul, s.failed(err)
		}
		if err == io.EOF {
			return nul, ok()
		}
		if err != nil {
			return nul, s.appendLost(err)
		}
	}
}
