package client

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// FuzzReply: whatever a server sends, reading a reply ends, within bounds, and its words are safe to repeat.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "550 5.1.1 no\r\n", "421\r\n", "250-a\n250\n", "2", "354 \xff\x00\x1b[m\r\n", "250 9.9999.1 x\r\n", strings.Repeat("250-x\r\n", 200)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(in), maxReplyLine)
		for {
			reply, err := readReply(r)
			if err != nil {
				return
			}
			if reply.Code < 200 || reply.Code > 599 || len(reply.Lines) == 0 || len(reply.Lines) > maxReplyLines {
				t.Fatalf("%+v", reply)
			}
			if e := reply.Enhanced; e[0] != 0 && e[0] != reply.Code/100 {
				t.Fatalf("%+v", reply)
			}
			if s := reply.String(); len(s) > maxShown+40 || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
				t.Fatalf("%q", s)
			}
		}
	})
}

// FuzzDots: a receiver that takes only CRLF.CRLF for the end gets exactly the message, or the message is refused.
func FuzzDots(f *testing.F) {
	for _, s := range []string{"", ".", "a\r\n.\r\nb", "\r\n.\n", "\n.\r\n", "a\r", "\r\r\n", "x\x00", "..\r\n."} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, message []byte, step int) {
		step = max(1, step%20)
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		d := dotWriter{w: w, start: true}
		var err error
		for rest := message; len(rest) > 0 && err == nil; rest = rest[min(step, len(rest)):] {
			err = d.write(rest[:min(step, len(rest))])
		}
		if err == nil {
			err = d.end()
		}
		_ = w.Flush()
		bare := strings.ContainsAny(strings.ReplaceAll(string(message), "\r\n", ""), "\r\n\x00")
		if bare != (err != nil) {
			t.Fatalf("%q: %v", message, err)
		}
		text := "\r\n" + out.String()
		if bare {
			if strings.Contains(text, "\r\n.\r\n") {
				t.Fatalf("%q was refused and yet ended: %q", message, text)
			}
			return
		}
		body, rest, ok := strings.Cut(text, "\r\n.\r\n")
		if !ok || rest != "" {
			t.Fatalf("%q: the end is not the end: %q", message, text)
		}
		got := strings.TrimPrefix(strings.ReplaceAll(body+"\r\n", "\r\n..", "\r\n."), "\r\n")
		want := string(message)
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if got != want {
			t.Fatalf("%q arrives as %q", want, got)
		}
	})
}
