package smtp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"

	"postern/internal/spool"
)

// BenchmarkAccept is the engine alone: 4 KiB messages over loopback in clear, pipelined, to a backend that does nothing.
func BenchmarkAccept(b *testing.B) {
	for _, connections := range []int{1, 16} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			s := newTestServer(b, MX)
			s.Backend = nothing{}
			s.Log = slog.New(slog.DiscardHandler)
			s.Settings = func() Limits { return Limits{MaxCommands: 1 << 40, MaxMessages: 1 << 40} }
			s.listen(b)
			text := append(bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, again and again.\r\n"), 65), ".\r\n"...)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan error)
			for range connections {
				go func() { done <- sendMany(s.addr, text, &left) }()
			}
			for range connections {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func sendMany(addr string, text []byte, left *atomic.Int64) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	expect := func(replies int) error {
		for replies > 0 {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if line[0] > '3' {
				return fmt.Errorf("server said %q", line)
			}
			if line[3] == ' ' {
				replies--
			}
		}
		return nil
	}
	if err := expect(1); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "EHLO bench.example\r\n"); err != nil {
		return err
	}
	if err := expect(1); err != nil {
		return err
	}
	envelope := []byte("MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
	for left.Add(-1) >= 0 {
		if _, err := conn.Write(envelope); err != nil {
			return err
		}
		if err := expect(3); err != nil {
			return err
		}
		if _, err := conn.Write(text); err != nil {
			return err
		}
		if err := expect(1); err != nil {
			return err
		}
	}
	return nil
}

// nothing is a backend that accepts and forgets.
type nothing struct{}

func (nothing) Connect(context.Context, *Session) error                    { return nil }
func (nothing) Mail(context.Context, *Session, *Envelope) error            { return nil }
func (nothing) Rcpt(context.Context, *Session, *Envelope, Recipient) error { return nil }
func (nothing) Data(context.Context, *Session, *Envelope, *spool.Content) (string, error) {
	return "2.6.0 Queued", nil
}
