package imap

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"postern/imap/grammar"
	"postern/internal/store"
)

// metadataLine is about how much one METADATA response holds.
const metadataLine = 64 << 10

// maxMetadataEntries is how many entries one GETMETADATA may name: each of them is compared with all that there are.
const maxMetadataEntries = 100

// getMetadata is GETMETADATA; the mailbox "" is the server, as the account has annotated it for itself. RFC 5464 4.2
func (s *session) getMetadata(c *grammar.GetMetadata) answer {
	if len(c.Entries) > maxMetadataEntries {
		return refuse("LIMIT", "One GETMETADATA names "+strconv.Itoa(maxMetadataEntries)+" entries at most")
	}
	all, err := s.account.Annotations(s.ctx, c.Mailbox)
	if err != nil {
		return s.failed(err)
	}
	found := map[string][]byte{}
	names := make([]string, 0, len(c.Entries))
	take := func(entry string, value []byte) {
		if _, twice := found[entry]; !twice {
			names = append(names, entry)
		}
		found[entry] = value
	}
	for _, wanted := range c.Entries {
		if c.Depth == grammar.DepthNone {
			take(wanted, nil) // told as NIL unless it is there
		}
		for _, a := range all {
			if within(wanted, a.Entry, c.Depth) {
				take(a.Entry, a.Value)
			}
		}
	}
	longest := 0
	names = deleteLong(names, found, c, &longest)
	s.sayMetadata(c.Mailbox, names, found)
	if longest > 0 { // RFC 5464 4.2.1
		return okCode("METADATA LONGENTRIES "+strconv.Itoa(longest), "Some values are longer than that")
	}
	return ok()
}

// within tells whether an entry is the wanted one, or below it as far as the depth goes.
func within(wanted, entry string, depth grammar.MetadataDepth) bool {
	if entry == wanted {
		return true
	}
	rest, below := strings.CutPrefix(entry, strings.TrimSuffix(wanted, "/")+"/")
	return below && (depth == grammar.DepthInfinity || depth == grammar.DepthOne && !strings.Contains(rest, "/"))
}

// deleteLong leaves out values that the client finds too long, and notes how long the longest is.
func deleteLong(names []string, values map[string][]byte, c *grammar.GetMetadata, longest *int) []string {
	if !c.Limited {
		return names
	}
	short := names[:0]
	for _, name := range names {
		if n := len(values[name]); uint64(n) > c.MaxSize {
			*longest = max(*longest, n)
			continue
		}
		short = append(short, name)
	}
	return short
}

// sayMetadata appends METADATA responses: one, unless it were too long. RFC 5464 4.4.1
func (s *session) sayMetadata(mailbox string, names []string, values map[string][]byte) {
	for len(names) > 0 && s.out.err == nil {
		b := append(s.buffer(), "* METADATA "...)
		b = append(grammar.AppendMailbox(b, mailbox, s.rev2), " ("...)
		for start := len(b); len(names) > 0 && len(b)-start < metadataLine; names = names[1:] {
			if len(b) > start {
				b = append(b, ' ')
			}
			b = grammar.AppendAString(b, names[0], false)
			b = appendMetadataValue(append(b, ' '), values[names[0]])
		}
		s.out.buf = append(b, ")\r\n"...)
		if !s.more() {
			return
		}
	}
}

// appendMetadataValue writes NIL, a string, or what has NUL as a binary literal. RFC 5464 5
func appendMetadataValue(b, value []byte) []byte {
	switch {
	case value == nil:
		return append(b, "NIL"...)
	case bytes.IndexByte(value, 0) >= 0:
		return append(grammar.AppendLiteralHeader(b, int64(len(value)), true), value...)
	}
	return grammar.AppendString(b, string(value), false)
}

// setMetadata is SETMETADATA: all entries are set or none. RFC 5464 4.3
func (s *session) setMetadata(c *grammar.SetMetadata) answer {
	changes := make([]store.Annotation, len(c.Entries))
	for i, e := range c.Entries {
		changes[i] = store.Annotation{Entry: e.Entry, Value: e.Value}
	}
	err := s.account.Annotate(s.ctx, c.Mailbox, changes)
	switch {
	case err == nil:
		return ok()
	case errors.Is(err, store.ErrBadAnnotation):
		return misuse("The name of an entry begins with /shared/ or /private/")
	case errors.Is(err, store.ErrAnnotationSize):
		return refuse("METADATA MAXSIZE "+strconv.Itoa(store.MaxAnnotation), "A value is too long")
	case errors.Is(err, store.ErrAnnotationRoom):
		return refuse("METADATA TOOMANY", "There is no room for more annotations")
	}
	return s.failed(err)
}
