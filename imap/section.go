package imap

import (
	"errors"
	"io"
	"slices"
	"strconv"

	"postern/imap/grammar"
	"postern/internal/message"
	"postern/internal/store"
)

// headerBytes bounds a header that is filtered in memory; the parser lets none grow larger.
const headerBytes = 2 << 20

// source is one message being read.
type source struct {
	content store.MessageContent
	prefix  int64        // length of the trace fields in front of what meta speaks of
	meta    message.Meta // nil when only the whole message is asked for
	sent    bool         // a part of the response may be with the client already
}

// fetchBytes appends an item that is bytes of the message: BODY[…], BINARY[…] and the RFC822 family.
func (s *session) fetchBytes(i *fetchItem, src *source) answer {
	switch i.Kind {
	case grammar.FetchBinary, grammar.FetchBinarySize:
		return s.fetchBinary(i, src)
	}
	switch i.Section.Spec {
	case grammar.SectionFields, grammar.SectionFieldsNot:
		return s.fetchFields(i, src)
	}
	start, end, err := src.section(i.Section)
	if errors.Is(err, message.ErrNoPart) {
		s.out.buf = append(append(s.out.buf, i.name...), "NIL"...)
		return ok()
	}
	if err != nil {
		return s.failed(err)
	}
	start, end = i.part(start, end)
	s.out.buf = grammar.AppendLiteralHeader(append(s.out.buf, i.name...), end-start, false)
	if err := s.stream(src, src.content, start, end-start); err != nil {
		return s.failed(err)
	}
	return ok()
}

// section gives the range of a section in the message as the client sees it, trace fields included.
func (src *source) section(section grammar.Section) (start, end int64, err error) {
	if len(section.Part) == 0 && section.Spec == grammar.SectionAll {
		return 0, src.content.Size(), nil
	}
	start, end, err = src.meta.Section(section.Part, sectionKind(section.Spec))
	if err != nil {
		return 0, 0, err
	}
	start, end = start+src.prefix, end+src.prefix
	if len(section.Part) == 0 && section.Spec != grammar.SectionText {
		start = 0 // the trace fields are the beginning of the message's own header
	}
	return start, min(end, src.content.Size()), nil
}

func sectionKind(spec grammar.SectionSpec) message.SectionKind {
	switch spec {
	case grammar.SectionHeader, grammar.SectionFields, grammar.SectionFieldsNot:
		return message.SectionHeader
	case grammar.SectionText:
		return message.SectionText
	case grammar.SectionMIME:
		return message.SectionMIME
	}
	return message.SectionBody
}

// part cuts a range to the partial that was asked for. What lies behind the end is empty. RFC 9051 6.4.5.1
func (i *fetchItem) part(start, end int64) (int64, int64) {
	if !i.Partial {
		return start, end
	}
	start = min(start+int64(i.Offset), end)
	return start, min(start+int64(i.Length), end)
}

// stream appends n bytes of r from off on, and sends them as they gather: a body of any size takes one buffer.
func (s *session) stream(src *source, r io.ReaderAt, off, n int64) error {
	for n > 0 {
		if len(s.out.buf) >= flushBytes {
			src.sent = true
			s.flush()
		}
		if s.out.err != nil {
			return nil // the client is gone, and with it who could miss the bytes
		}
		chunk := int(min(n, int64(flushBytes)))
		at := len(s.out.buf)
		s.out.buf = slices.Grow(s.out.buf, chunk)[:at+chunk]
		got, err := r.ReadAt(s.out.buf[at:], off)
		if got < chunk {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		off += int64(chunk)
		n -= int64(chunk)
	}
	return nil
}

// fetchFields is HEADER.FIELDS and HEADER.FIELDS.NOT. RFC 9051 6.4.5.1
func (s *session) fetchFields(i *fetchItem, src *source) answer {
	start, end, err := src.section(i.Section)
	if errors.Is(err, message.ErrNoPart) {
		s.out.buf = append(append(s.out.buf, i.name...), "NIL"...)
		return ok()
	}
	if err != nil {
		return s.failed(err)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	size := int(min(end-start, headerBytes))
	header := slices.Grow((*buf)[:0], size)[:size]
	if n, err := src.content.ReadAt(header, start); n < size && err != nil {
		return s.failed(err)
	}
	filtered := message.FilterHeader(nil, header, i.Section.Fields, i.Section.Spec == grammar.SectionFieldsNot)
	from, to := i.part(0, int64(len(filtered)))
	s.out.buf = grammar.AppendLiteralHeader(append(s.out.buf, i.name...), to-from, false)
	s.out.buf = append(s.out.buf, filtered[from:to]...)
	return ok()
}

// fetchBinary is BINARY[…] and BINARY.SIZE[…]: a part with its transfer encoding undone. RFC 9051 6.4.5, RFC 3516 4
//
// The size must be known before the first byte is sent, so the part is decoded twice, and never kept.
func (s *session) fetchBinary(i *fetchItem, src *source) answer {
	body := io.NewSectionReader(src.content, src.prefix, max(src.content.Size()-src.prefix, 0))
	if len(i.Section.Part) == 0 {
		return s.wholeBinary(i, src) // the message as it is: its parts' encodings are its own business
	}
	part, err := src.meta.Find(i.Section.Part)
	if errors.Is(err, message.ErrNoPart) {
		s.out.buf = append(s.out.buf, i.name...)
		if i.Kind == grammar.FetchBinarySize {
			s.out.buf = append(s.out.buf, '0')
		} else {
			s.out.buf = append(s.out.buf, "NIL"...)
		}
		return ok()
	}
	if err != nil {
		return s.failed(err)
	}
	if !part.KnownEncoding() {
		return refuse("UNKNOWN-CTE", "A part has an unknown encoding") // RFC 3516 4.3
	}
	size, nul, err := measure(message.DecodePart(part, body))
	if err != nil {
		return s.failed(err)
	}
	s.out.buf = append(s.out.buf, i.name...)
	if i.Kind == grammar.FetchBinarySize {
		s.out.buf = strconv.AppendInt(s.out.buf, size, 10)
		return ok()
	}
	start, end := i.part(0, size)
	s.out.buf = grammar.AppendLiteralHeader(s.out.buf, end-start, nul)
	r := message.DecodePart(part, body)
	if _, err := io.CopyN(io.Discard, r, start); err != nil {
		return s.failed(err)
	}
	if err := s.stream(src, &sequential{r: r}, 0, end-start); err != nil {
		return s.failed(err)
	}
	return ok()
}

// wholeBinary is BINARY[] and BINARY.SIZE[].
func (s *session) wholeBinary(i *fetchItem, src *source) answer {
	s.out.buf = append(s.out.buf, i.name...)
	start, end := i.part(0, src.content.Size())
	if i.Kind == grammar.FetchBinarySize {
		s.out.buf = strconv.AppendInt(s.out.buf, end-start, 10)
		return ok()
	}
	s.out.buf = grammar.AppendLiteralHeader(s.out.buf, end-start, false)
	if err := s.stream(src, src.content, start, end-start); err != nil {
		return s.failed(err)
	}
	return ok()
}

// measure reads to the end, and tells how much there was and whether there was a NUL, for which a literal8 is needed.
func measure(r io.Reader) (size int64, nul bool, err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	chunk := (*buf)[:cap(*buf)]
	for {
		n, err := r.Read(chunk)
		size += int64(n)
		nul = nul || slices.Contains(chunk[:n], 0)
		if err == io.EOF {
			return size, nul, nil
		}
		if err != nil {
			return size, nul, err
		}
	}
}

// sequential reads a stream in order where a ReaderAt is wanted that is only read in order.
type sequential struct{ r io.Reader }

func (q *sequential) ReadAt(p []byte, _ int64) (int, error) { return io.ReadFull(q.r, p) }
