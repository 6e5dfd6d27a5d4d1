package scanner

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"

	"postern/internal/oneline"
	"postern/internal/verdict"
)

const (
	// clamdSize is how much of a message clamd is given unless said otherwise: StreamMaxLength of Debian's clamd.conf.
	clamdSize   = 25 << 20
	clamdChunk  = 32 << 10
	clamdAnswer = 1 << 10
)

// Clamd is ClamAV's daemon. Each message is a connection with one INSTREAM command.
type Clamd struct {
	// Network is "tcp" or "unix", Address a host with its port or a path.
	Network, Address string
	// MaxSize is how many bytes of a message are scanned, 25 MiB when 0. More than StreamMaxLength in clamd.conf is refused by
	// clamd, which is [TooLarge].
	MaxSize int64
}

// Name is "clamd".
func (*Clamd) Name() string { return "clamd" }

// String is the setting that names it.
func (c *Clamd) String() string { return "clamd:" + c.Address }

func (c *Clamd) peer() peer { return peer{"clamd", c.Address, verdict.CheckVirus} }

// Scan is [Scanner]. Our trace fields are left out, so that what is scanned is what came.
func (c *Clamd) Scan(ctx context.Context, m Message) (Result, error) {
	limit := c.MaxSize
	if limit <= 0 {
		limit = clamdSize
	}
	m.Received = nil
	content, scanned, total := m.open(limit)
	var answer string
	err := socket{c.Network, c.Address}.talk(ctx, func(conn net.Conn) error {
		sent := instream(conn, content)
		return content.answered(sent, func() (err error) { answer, err = clamdLine(conn); return err })
	})
	var r Result
	if err == nil {
		r, err = parseClamd(answer)
	}
	if r.Kind != Infected { // a virus can be seen before the end
		err = cmp.Or(err, content.heard())
	}
	if err != nil {
		return Result{Name: "clamd"}, c.peer().failed(ctx, content.err, err)
	}
	r.Scanned, r.Total = scanned, total
	return r, nil
}

// instream sends the message in pieces, each behind its length, with an empty one at the end.
func instream(w io.Writer, content io.Reader) error {
	if _, err := io.WriteString(w, "zINSTREAM\x00"); err != nil {
		return err
	}
	chunk := make([]byte, 4+clamdChunk)
	for {
		n, failed := content.Read(chunk[4:])
		if failed != nil && failed != io.EOF {
			return failed
		}
		if n > 0 {
			binary.BigEndian.PutUint32(chunk, uint32(n))
			if _, err := w.Write(chunk[:4+n]); err != nil {
				return err
			}
		}
		if failed == io.EOF {
			_, err := w.Write([]byte{0, 0, 0, 0})
			return err
		}
	}
}

// clamdLine reads the answer up to its NUL.
func clamdLine(r io.Reader) (string, error) {
	answer, err := bufio.NewReaderSize(r, clamdAnswer).ReadSlice(0)
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", lying("its answer is longer than %d bytes", clamdAnswer)
	}
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(answer, []byte{0})), nil
}

// parseClamd reads "stream: OK", "stream: NAME FOUND" or an error.
func parseClamd(answer string) (Result, error) {
	if text, ok := strings.CutSuffix(answer, " ERROR"); ok || answer == "UNKNOWN COMMAND" || answer == "COMMAND READ TIMED OUT" {
		if strings.Contains(text, "size limit exceeded") {
			return Result{}, refusal{"it takes no message of that size; raise StreamMaxLength in clamd.conf", TooLarge}
		}
		return Result{}, refusal{"it answers " + oneline.Text(answer, 200), Refused}
	}
	found, ok := strings.CutPrefix(answer, "stream: ")
	if !ok {
		return Result{}, lying("%q is no answer to INSTREAM", cut(answer, 80))
	}
	if found == "OK" {
		return Result{Name: "clamd", Kind: Clean}, nil
	}
	name, ok := strings.CutSuffix(found, " FOUND")
	if !ok {
		return Result{}, lying("%q is no answer to INSTREAM", cut(answer, 80))
	}
	if name == "" || len(name) > 256 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return Result{}, lying("%q is not the name of a virus", cut(name, 80))
	}
	return Result{Name: "clamd", Kind: Infected, Virus: name}, nil
}
