package dkim

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
)

// maxHeader bounds the header of a message that is signed or verified, in bytes.
const maxHeader = 1 << 20

var (
	// ErrHeaderTooBig: the header is larger than 1 MiB.
	ErrHeaderTooBig = errors.New("dkim: the message header is too big")
	// ErrBareNewline: the message holds a CR or LF alone; it would not arrive as it was signed.
	ErrBareNewline = errors.New("dkim: the message holds a bare CR or LF")
	// ErrHeaderFields: there is no From field, or more fields of the kinds that are signed than a signature can name.
	ErrHeaderFields = errors.New("dkim: no From field, or too many header fields of the kinds that are signed")
)

// field is one header field as it stands in the message, folds and line ends included.
type field struct {
	name string // lower case
	raw  []byte
}

// header are a message's fields in their order.
type header []field

// readHeader reads up to and including the empty line, or to the end of a message without a body.
func readHeader(r *bufio.Reader) (header, error) {
	var buf []byte
	var starts []int
	for {
		at := len(buf)
		for {
			part, err := r.ReadSlice('\n')
			buf = append(buf, part...)
			if len(buf) > maxHeader {
				return nil, ErrHeaderTooBig
			}
			if err == nil {
				break
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				return split(buf, appendStart(starts, buf, at)), nil
			}
			return nil, err
		}
		if line := buf[at:]; len(line) == 1 || string(line) == "\r\n" {
			return split(buf[:at], starts), nil
		}
		starts = appendStart(starts, buf, at)
	}
}

// appendStart notes where a field starts; a line that begins with white space continues the one before.
func appendStart(starts []int, buf []byte, at int) []int {
	if at == len(buf) || (len(starts) > 0 && (buf[at] == ' ' || buf[at] == '\t')) {
		return starts
	}
	return append(starts, at)
}

func split(buf []byte, starts []int) header {
	h := make(header, 0, len(starts))
	for i, at := range starts {
		end := len(buf)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		raw := buf[at:end:end]
		name, _, ok := bytes.Cut(raw, []byte{':'})
		f := field{raw: raw}
		if ok {
			f.name = strings.ToLower(string(bytes.TrimRight(name, " \t")))
		}
		h = append(h, f)
	}
	return h
}

// value is what stands after the colon, folds included.
func (f field) value() string {
	_, v, _ := bytes.Cut(f.raw, []byte{':'})
	return string(v)
}

// bare reports whether a CR or LF stands alone in the header, or its last line has no end.
func (h header) bare() bool {
	for _, f := range h {
		if bytes.Count(f.raw, []byte("\r\n")) != bytes.Count(f.raw, []byte{'\n'}) ||
			bytes.Count(f.raw, []byte{'\r'}) != bytes.Count(f.raw, []byte{'\n'}) || !bytes.HasSuffix(f.raw, []byte("\r\n")) {
			return true
		}
	}
	return false
}

// picker gives the fields of a name from the last to the first, each once (RFC 6376 5.4.2).
type picker map[string][]int

func (h header) picker() picker {
	p := make(picker)
	for i, f := range h {
		if f.name != "" {
			p[f.name] = append(p[f.name], i)
		}
	}
	return p
}

// pick gives the place of the next field of a name, -1 when there is none left.
func (p picker) pick(name string) int {
	list := p[name]
	if len(list) == 0 {
		return -1
	}
	p[name] = list[:len(list)-1]
	return list[len(list)-1]
}

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}
	chunks  = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
)

// copyBody reads the rest of a message into the hashes.
func copyBody(r io.Reader, hashes []*bodyHash) error {
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for {
		n, err := r.Read(*buf)
		for _, h := range hashes {
			_, _ = h.Write((*buf)[:n])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
