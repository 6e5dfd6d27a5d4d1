package scanner

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"

	"postern/internal/verdict"
)

const (
	// spamdSize is how much of a message spamd is given unless said otherwise. Its rules look at the beginning, and
	// its time grows with the size.
	spamdSize = 512 << 10
	// spamdAnswer is what an answer may have beside the message's own header, which comes back in it.
	spamdAnswer = 256 << 10
)

// Spamd is SpamAssassin's daemon, spoken to by the SPAMC protocol, version 1.5. Each message is a connection with one HEADERS
// command, whose answer holds verdict, score and the X-Spam fields, and in these the rules that matched.
type Spamd struct {
	// Network is "tcp" or "unix", Address a host with its port or a path.
	Network, Address string
	// MaxSize is how many bytes of a message are scanned, 512 KiB when 0.
	MaxSize int64
}

// Name is "spamd".
func (*Spamd) Name() string { return "spamd" }

// String is the setting that names it.
func (s *Spamd) String() string { return "spamd:" + s.Address }

func (s *Spamd) peer() peer { return peer{"spamd", s.Address, verdict.CheckScanner} }

// Scan is [Scanner].
func (s *Spamd) Scan(ctx context.Context, m Message) (Result, error) {
	limit := s.MaxSize
	if limit <= 0 {
		limit = spamdSize
	}
	content, scanned, total := m.open(limit)
	var answer []byte
	err := socket{s.Network, s.Address}.talk(ctx, func(conn net.Conn) error {
		sent := send(conn, func(w io.Writer) error { return spamcHeaders(w, content, scanned) })
		return content.answered(sent, func() (err error) { answer, err = readAll(conn, scanned+spamdAnswer); return err })
	})
	var r Result
	if err == nil {
		r, err = parseSpamd(answer)
	}
	err = cmp.Or(err, content.heard())
	if err != nil {
		return Result{Name: "spamd"}, s.peer().failed(ctx, content.err, err)
	}
	r.Scanned, r.Total = scanned, total
	return r, nil
}

// spamcHeaders writes the request. No user is named in it, since a message has many recipients and spamd one set of preferences
// for each user.
func spamcHeaders(w io.Writer, content io.Reader, size int64) error {
	if _, err := fmt.Fprintf(w, "HEADERS SPAMC/1.5\r\nContent-length: %d\r\n\r\n", size); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}
