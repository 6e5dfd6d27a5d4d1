package scanner

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// socket is where a scanner listens: TCP, or a Unix socket.
type socket struct{ network, address string }

func (s socket) String() string { return s.address }

// talk connects and lets f speak. The connection breaks when ctx ends, so that nothing waits longer than that.
func (s socket) talk(ctx context.Context, f func(net.Conn) error) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, s.network, s.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return f(conn)
}

// readAll reads an answer to the end of the connection, or finds it endless.
func readAll(r io.Reader, most int64) ([]byte, error) {
	answer, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(answer)) > most {
		return nil, lying("its answer is longer than %d bytes", most)
	}
	if len(answer) == 0 {
		return nil, fmt.Errorf("it ended the connection without an answer: %w", io.ErrUnexpectedEOF)
	}
	return answer, nil
}

// send writes with f and closes the sending half, after which the peer knows that all is said.
func send(conn net.Conn, f func(io.Writer) error) error {
	if err := f(conn); err != nil {
		return err
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
