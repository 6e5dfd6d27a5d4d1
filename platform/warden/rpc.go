package warden

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// maxMessage bounds a message in bytes: the largest is a certificate chain in base64.
const maxMessage = 2 << 20

// maxCalls bounds the calls of the other side that are being answered.
const maxCalls = 16

// message is one line on the socket pair: a call, or the answer to one.
type message struct {
	ID     uint64          `json:"id"`
	Call   string          `json:"call,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// handler answers a call by its name. Calls take no arguments: there is nothing that the other side could get wrong.
type handler func(ctx context.Context, call string) (any, error)

// line is one end of the socket pair; both ends may call.
type line struct {
	conn   net.Conn
	handle handler

	writing sync.Mutex
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan message
	broken  error
	done    chan struct{}
}

func newLine(conn net.Conn, handle handler) *line {
	return &line{conn: conn, handle: handle, waiting: make(map[uint64]chan message), done: make(chan struct{})}
}

// run reads until the line breaks, which it does when the other side ends.
func (l *line) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, maxCalls)
	scanner := bufio.NewScanner(l.conn)
	scanner.Buffer(make([]byte, 4096), maxMessage)
	for scanner.Scan() {
		var m message
		if err := json.Unmarshal(scanner.Bytes(), &m); err != nil {
			l.breaks(fmt.Errorf("a message that is none: %w", err))
			return l.broken
		}
		if m.Call == "" {
			l.answered(m)
			continue
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			l.answer(ctx, m)
		}()
	}
	err := scanner.Err()
	if err == nil {
		err = io.EOF
	}
	l.breaks(err)
	return err
}

func (l *line) breaks(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = err
		close(l.done)
		l.conn.Close()
	}
}

func (l *line) answered(m message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.waiting[m.ID]; c != nil {
		delete(l.waiting, m.ID)
		c <- m
	}
}

func (l *line) answer(ctx context.Context, call message) {
	reply := message{ID: call.ID}
	result, err := l.handle(ctx, call.Call)
	if err == nil {
		reply.Result, err = json.Marshal(result)
	}
	if err != nil {
		reply.Result, reply.Error = nil, err.Error()
	}
	if err := l.write(reply); err != nil {
		l.breaks(err)
	}
}

func (l *line) write(m message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) >= maxMessage {
		return errors.New("the message is too large")
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err = l.conn.Write(append(b, '\n'))
	return err
}

// call asks the other side and decodes its answer into out, which may be nil.
func (l *line) call(ctx context.Context, name string, out any) error {
	c := make(chan message, 1)
	l.mu.Lock()
	if l.broken != nil {
		l.mu.Unlock()
		return fmt.Errorf("the line between server and warden is cut: %w", l.broken)
	}
	l.next++
	id := l.next
	l.waiting[id] = c
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, id)
		l.mu.Unlock()
	}()
	if err := l.write(message{ID: id, Call: name}); err != nil {
		return err
	}
	select {
	case m := <-c:
		if m.Error != "" {
			return errors.New(m.Error)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(m.Result, out)
	case <-l.done:
		return fmt.Errorf("the line between server and warden is cut: %w", l.broken)
	case <-ctx.Done():
		return ctx.Err()
	}
}
