package imap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/store"
)

// panics counts what the server logs of panics.
type panics struct {
	slog.Handler
	seen atomic.Pointer[string]
}

func (p *panics) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "panic" || a.Key == "stack" {
			text := fmt.Sprint(r.Message, " ", a.Value)
			if old := p.seen.Load(); old != nil {
				text = *old + "\n" + text
			}
			p.seen.Store(&text)
		}
		return true
	})
	return nil
}
func (p *panics) Enabled(context.Context, slog.Level) bool { return true }
func (p *panics) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p *panics) WithGroup(string) slog.Handler            { return p }

// The states in which a session is left to the fuzzer.
const (
	fuzzConnected = iota
	fuzzAuthenticated
	fuzzSelected
	fuzzRev2
	fuzzIdle
	fuzzCompressed
	fuzzStates
)

// FuzzSession sends anything to a whole server in each state of a session. The server must not panic, must say only what is
// IMAP, and must end the session when the client leaves.
func FuzzSession(f *testing.F) {
	for state := range byte(fuzzStates) {
		for _, script := range fuzzSeeds {
			f.Add(state, []byte(strings.ReplaceAll(script, "\n", "\r\n")))
		}
	}
	watch := &panics{Handler: slog.DiscardHandler}
	shared := newWorld(f, func(s *Server) {
		s.Log = slog.New(watch)
		s.Limits = func() Limits {
			return Limits{CommandTimeout: 5 * time.Second, MessageBytes: 1 << 20, Errors: 1000, AuthFailures: 1000, ConnectionsAccount: 1000}
		}
	})
	f.Fuzz(func(t *testing.T, state byte, input []byte) {
		if len(input) > 64<<10 {
			t.Skip("too long")
		}
		mine := *shared
		mine.TB = t
		w := &mine
		login := fmt.Sprintf("fuzz%d@example.test", time.Now().UnixNano())
		account := w.addUser(login)
		defer w.db.Write(context.Background(), func(tx *db.Tx) error { return w.store.RemoveAccountTx(tx, account.ID()) })
		for _, text := range []string{hello, mixed} {
			w.deliver(login, "", text)
		}
		c := w.dialRaw()
		defer c.conn.Close()
		c.read()
		fuzzPrepare(c, state%fuzzStates, login)
		c.conn.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			c.conn.Write(input)
			c.conn.CloseWrite()
		}()
		output, err := io.ReadAll(c.r)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the session does not end; it said %q", output)
		}
		if state%fuzzStates != fuzzCompressed && !bytes.Contains(bytes.ToUpper(input), []byte("COMPRESS")) {
			wellFormed(t, output)
		}
		if p := watch.seen.Swap(nil); p != nil {
			t.Fatalf("the server panicked: %s", *p)
		}
		fuzzTruth(t, w, account)
	})
}

func fuzzPrepare(c *client, state byte, login string) {
	steps := [][]string{
		fuzzConnected:     {},
		fuzzAuthenticated: {"LOGIN " + login + " " + password},
		fuzzSelected:      {"LOGIN " + login + " " + password, "SELECT INBOX"},
		fuzzRev2:          {"LOGIN " + login + " " + password, "ENABLE IMAP4rev2 QRESYNC", "SELECT INBOX"},
		fuzzIdle:          {"LOGIN " + login + " " + password, "SELECT INBOX"},
		fuzzCompressed:    {"LOGIN " + login + " " + password, "SELECT INBOX", "COMPRESS DEFLATE"},
	}
	for i, step := range steps[state] {
		tag := "p" + strconv.Itoa(i)
		c.send(tag + " " + step)
		c.until(tag + " OK …")
	}
	if state == fuzzIdle {
		c.send("i IDLE")
		c.want("+ idling")
	}
}

// wellFormed checks that the server's part of a conversation is made of responses, with literals where they are announced.
func wellFormed(t *testing.T, output []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(output))
	for start := true; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return // what a closed connection cuts off
		}
		if !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(strings.TrimSuffix(line, "\r\n"), "\r\x00") {
			t.Fatalf("not a line: %q", line)
		}
		if start {
			if first, _, found := strings.Cut(line, " "); !found || first == "" || first != "*" && first != "+" && strings.ContainsAny(first, "(){%*\"\\+") {
				t.Fatalf("not a response: %q", line)
			}
		}
		line = strings.TrimSuffix(line, "\r\n")
		open := strings.LastIndexByte(line, '{')
		if start = !strings.HasSuffix(line, "}") || open < 0; start {
			continue
		}
		n, err := strconv.ParseInt(line[open+1:len(line)-1], 10, 64)
		if err != nil {
			start = true
			continue
		}
		io.CopyN(io.Discard, r, n)
	}
}

// fuzzTruth checks that the counters of an account's mailboxes are those of their messages.
func fuzzTruth(t *testing.T, w *world, account *store.Account) {
	t.Helper()
	ctx := context.Background()
	mailboxes, err := account.Mailboxes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mailboxes {
		if m.NoSelect {
			continue
		}
		view, err := account.Select(ctx, m.Name, store.SelectOptions{ReadOnly: true})
		if err != nil {
			t.Fatalf("%q: %v", m.Name, err)
		}
		var size int64
		var unseen, deleted uint32
		view.Each(nil, func(m store.Message) bool {
			size += m.Size
			if m.Flags&store.Seen == 0 {
				unseen++
			}
			if m.Flags&store.Deleted != 0 {
				deleted++
			}
			return true
		})
		if int(m.Messages) != view.Len() || m.Size != size || m.Unseen != unseen || m.Deleted != deleted {
			t.Errorf("%q: the counters say %+v; there are %d messages of %d bytes, %d unseen, %d deleted", m.Name, m, view.Len(), size, unseen, deleted)
		}
		view.Close()
	}
}

var fuzzSeeds = []string{
	"1 SETMETADATA INBOX (/shared/comment {3+}\na\nb /private/x \"y\")\n2 GETMETADATA (MAXSIZE 2 DEPTH infinity) INBOX /shared\n3 SETMETADATA \"\" (/shared/comment NIL)\n4 GETMETADATA \"\" (/shared/comment /private/x)\n",
	"1 CAPABILITY\n2 NOOP\n3 ID NIL\n4 LOGOUT\n",
	"1 LOGIN a b\n2 LOGIN {1+}\na {1+}\nb\n3 AUTHENTICATE PLAIN\n*\n4 AUTHENTICATE SCRAM-SHA-256 biwsbj1hLHI9Yg==\nxxx\n",
	"1 SELECT INBOX\n2 FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE MODSEQ)\n3 FETCH 2 (BODY[] BODY[1] BODY[4.HEADER] BINARY[2]<1.2> BINARY.SIZE[1] BODY[HEADER.FIELDS (Subject)])\n",
	"1 STORE 1 +FLAGS (\\Deleted $x)\n2 EXPUNGE\n3 UID STORE 1:* (UNCHANGEDSINCE 1) -FLAGS.SILENT (\\Seen)\n4 CLOSE\n",
	"1 SEARCH RETURN (MIN MAX COUNT SAVE) OR SEEN NOT (SUBJECT hello BODY x) LARGER 1\n2 UID SEARCH UID $\n3 FETCH $ FLAGS\n4 SEARCH CHARSET UTF-8 TEXT x SENTSINCE 1-Jan-2020\n",
	"1 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (* %/%) RETURN (CHILDREN STATUS (MESSAGES SIZE))\n2 LSUB \"\" %\n3 STATUS INBOX (MESSAGES RECENT UNSEEN HIGHESTMODSEQ DELETED-STORAGE)\n4 NAMESPACE\n5 GETQUOTAROOT INBOX\n",
	"1 CREATE a/b\n2 RENAME a c\n3 SUBSCRIBE c/b\n4 DELETE c\n5 RENAME INBOX old\n6 CREATE X (USE (\\Archive))\n7 DELETE INBOX\n",
	"1 APPEND INBOX (\\Seen) \"01-Jan-2024 00:00:00 +0000\" {12+}\nSubject: x\n\n {3+}\na\n\n2 APPEND INBOX ~{2+}\nxx\n3 NOOP\n",
	"1 COPY 1:* Archive\n2 MOVE 1 Trash\n3 UID COPY 1:* INBOX\n4 UID MOVE * INBOX\n5 UNSELECT\n",
	"1 ENABLE CONDSTORE QRESYNC IMAP4rev2\n2 SELECT INBOX (QRESYNC (1 1 1:5 (1 1)))\n3 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)\n",
	"DONE\n1 NOOP\n2 IDLE\nDONE\n3 CHECK\n4 EXAMINE INBOX\n",
	"1 COMPRESS DEFLATE\n2 NOOP\n",
}
