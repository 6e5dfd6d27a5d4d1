package client_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/internal/reply"
	"postern/internal/testenv"
	"postern/smtp/client"
)

// script runs a server that plays its lines: "S: " is sent, "C: " must come, "C* " takes lines up to the final dot, "X"
// closes. What came behind "C* " is given back by the function.
func script(t *testing.T, lines string) (net.Conn, func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	body, done := new(strings.Builder), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		l.Close()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(conn)
		for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
			if !play(t, conn, r, strings.TrimLeft(line, "\t "), body) {
				return
			}
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); <-done })
	return conn, func() string { <-done; return body.String() }
}

func play(t *testing.T, conn net.Conn, r *bufio.Reader, line string, body *strings.Builder) bool {
	switch what, rest, _ := strings.Cut(line, " "); what {
	case "S:":
		_, err := io.WriteString(conn, rest+"\r\n")
		return err == nil
	case "C:":
		got, err := r.ReadString('\n')
		if err != nil || got != rest+"\r\n" {
			t.Errorf("the client said %q (%v), want %q", got, err, rest)
			return false
		}
	case "C*":
		for {
			got, err := r.ReadString('\n')
			if err != nil {
				t.Errorf("in the message: %v", err)
				return false
			}
			if got == ".\r\n" {
				return true
			}
			body.WriteString(got)
		}
	case "C?": // the client must go
		if b, err := r.ReadByte(); err == nil {
			t.Errorf("the client said %q, it should be gone", b)
		}
		return false
	case "X":
		return false
	}
	return true
}

func options() client.Options {
	d := 2 * time.Second
	return client.Options{Hostname: "us.test", Timeouts: client.Timeouts{Greeting: d, Command: d, TLS: d, DataStart: d, DataBlock: d, DataEnd: d, Quit: 200 * time.Millisecond}}
}

func connect(t *testing.T, conn net.Conn) *client.Client {
	t.Helper()
	c, err := client.New(t.Context(), conn, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const content = "From: a@us.test\r\n\r\n.dot\r\n..\r\nend\r\n"

func mail(to ...string) *client.Mail {
	m := &client.Mail{From: "a@us.test", Size: int64(len(content))}
	for _, a := range to {
		m.Recipients = append(m.Recipients, client.Recipient{Address: a})
	}
	return m
}

func codeOf(err error) string {
	var e *client.Error
	var own *reply.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &own):
		return own.EnhancedString()
	case errors.As(err, &e) && e.Err == nil:
		return fmt.Sprintf("%s %d", e.Phase, e.Reply.Code)
	default:
		return "lost"
	}
}

func codes(r client.Result) string {
	var list []string
	for _, e := range r.Recipients {
		list = append(list, codeOf(e))
	}
	return strings.Join(list, ", ")
}

func TestDialogues(t *testing.T) {
	const hello = "S: 220 hi\nC: EHLO us.test\nS: 250-peer\n"
	for _, c := range []struct {
		name, script, want, body string
		mail                     *client.Mail
	}{
		{name: "pipelined, one recipient refused", mail: mail("b@p.test", "c@p.test"), want: "ok, RCPT 550", body: ".dot\r\n..\r\nend\r\n",
			script: hello + "S: 250-PIPELINING\nS: 250 SIZE 1000\n" +
				"C: MAIL FROM:<a@us.test> SIZE=" + strconv.Itoa(len(content)) + "\nC: RCPT TO:<b@p.test>\nC: RCPT TO:<c@p.test>\nC: DATA\n" +
				"S: 250 2.1.0 ok\nS: 250 ok\nS: 550 5.1.1 no such user\nS: 354 go\nC* \nS: 250 2.0.0 queued as 77"},
		{name: "one by one", mail: mail("b@p.test", "c@p.test"), want: "RCPT 450, ok", body: ".dot\r\n..\r\nend\r\n",
			script: hello + "S: 250 HELP\nC: MAIL FROM:<a@us.test>\nS: 250 ok\nC: RCPT TO:<b@p.test>\nS: 450 later\nC: RCPT TO:<c@p.test>\nS: 251 will forward\nC: DATA\nS: 354 go\nC* \nS: 250 ok"},
		{name: "a server that knows only HELO", mail: mail("b@p.test"), want: "ok", body: ".dot\r\n..\r\nend\r\n",
			script: "S: 220 hi\nC: EHLO us.test\nS: 502 what\nC: HELO us.test\nS: 250 hello\nC: MAIL FROM:<a@us.test>\nS: 250 ok\nC: RCPT TO:<b@p.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC* \nS: 250 ok"},
		{name: "sender refused", mail: mail("b@p.test", "c@p.test"), want: "MAIL 553, MAIL 553",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: RCPT TO:<c@p.test>\nC: DATA\nS: 553 5.1.8 not you\nS: 503 bad\nS: 503 bad\nS: 503 bad"},
		{name: "sender refused one by one", mail: mail("b@p.test"), want: "MAIL 451",
			script: hello + "S: 250 HELP\nC: MAIL FROM:<a@us.test>\nS: 451 4.3.0 later"},
		{name: "nobody accepted and yet 354", mail: mail("b@p.test"), want: "RCPT 550",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\nC: .\nS: 554 no recipients\nC: RSET\nS: 250 ok"},
		{name: "refused at DATA", mail: mail("b@p.test", "c@p.test"), want: "DATA 451, RCPT 550",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: RCPT TO:<c@p.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 451 4.7.1 greylisted\nC: RSET\nS: 250 ok"},
		{name: "refused at the end", mail: mail("b@p.test", "c@p.test"), want: "end of data 554, RCPT 550", body: ".dot\r\n..\r\nend\r\n",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: RCPT TO:<c@p.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go\nC* \nS: 554-5.7.1 looks\nS: 554 5.7.1 like spam"},
		{name: "421 in the middle", mail: mail("b@p.test", "c@p.test", "d@p.test"), want: "RCPT 421, RCPT 421, RCPT 421",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: RCPT TO:<c@p.test>\nC: RCPT TO:<d@p.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 421 4.3.2 going down\nX"},
		{name: "DSN, 8 bits and UTF-8", want: "ok", body: ".dot\r\n..\r\nend\r\n",
			mail: &client.Mail{From: "ä@us.test", Size: 5, Ret: "HDRS", EnvID: "id+2B", SMTPUTF8: true, Body8Bit: true,
				Recipients: []client.Recipient{{Address: "ö@p.test", Notify: "SUCCESS,DELAY", ORCPT: "utf-8;\\x{F6}@p.test"}}},
			script: hello + "S: 250-PIPELINING\nS: 250-8BITMIME\nS: 250-smtputf8\nS: 250 DSN\n" +
				"C: MAIL FROM:<ä@us.test> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B\nC: RCPT TO:<ö@p.test> NOTIFY=SUCCESS,DELAY ORCPT=utf-8;\\x{F6}@p.test\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC* \nS: 250 ok"},
		{name: "no DSN offered", want: "ok", body: ".dot\r\n..\r\nend\r\n",
			mail:   &client.Mail{From: "", Size: 5, Ret: "FULL", EnvID: "x", Recipients: []client.Recipient{{Address: "b@p.test", Notify: "NEVER"}}},
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<>\nC: RCPT TO:<b@p.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC* \nS: 250 ok"},
		{name: "UTF-8 addresses not taken", mail: &client.Mail{From: "ä@us.test", SMTPUTF8: true, Recipients: []client.Recipient{{Address: "b@p.test"}}}, want: "5.6.7",
			script: hello + "S: 250 PIPELINING\nC?"},
		{name: "UTF-8 headers not taken", mail: &client.Mail{From: "a@us.test", SMTPUTF8: true, Recipients: []client.Recipient{{Address: "b@p.test"}}}, want: "5.6.9",
			script: hello + "S: 250 PIPELINING\nC?"},
		{name: "8 bits not taken", mail: &client.Mail{From: "a@us.test", Body8Bit: true, Recipients: []client.Recipient{{Address: "b@p.test"}}}, want: "5.6.3",
			script: hello + "S: 250 PIPELINING\nC?"},
		{name: "REQUIRETLS not promised", mail: &client.Mail{From: "a@us.test", RequireTLS: true, Recipients: []client.Recipient{{Address: "b@p.test"}}}, want: "5.7.30",
			script: hello + "S: 250 REQUIRETLS\nC?"},
		{name: "too big", mail: &client.Mail{From: "a@us.test", Size: 1001, Recipients: []client.Recipient{{Address: "b@p.test"}}}, want: "5.3.4",
			script: hello + "S: 250 SIZE 1000\nC?"},
		{name: "no size limit", mail: mail("b@p.test"), want: "MAIL 550",
			script: hello + "S: 250 SIZE 0\nC: MAIL FROM:<a@us.test> SIZE=" + strconv.Itoa(len(content)) + "\nS: 550 no"},
		{name: "gone after the message", mail: mail("b@p.test"), want: "lost", body: ".dot\r\n..\r\nend\r\n",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC* \nX"},
		{name: "a malformed reply", mail: mail("b@p.test"), want: "lost",
			script: hello + "S: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: DATA\nS: 250 ok\nS: 2x0 ok\nX"},
		{name: "codes that change in a reply", mail: mail("b@p.test"), want: "lost",
			script: hello + "S: 250 HELP\nC: MAIL FROM:<a@us.test>\nS: 250-ok\nS: 550 no\nX"},
		{name: "an address that would be two commands", mail: mail("b@p.test\r\nRCPT TO:<x@y.test>"), want: "5.1.3",
			script: hello + "S: 250 HELP\nC: MAIL FROM:<a@us.test>\nS: 250 ok\nC: RSET\nS: 250 ok"},
		{name: "parameters that would be two", want: "ok", body: ".dot\r\n..\r\nend\r\n",
			mail:   &client.Mail{From: "a@us.test", EnvID: "x BODY=BINARYMIME", Recipients: []client.Recipient{{Address: "b@p.test", ORCPT: "rfc822;a\r\nDATA"}}},
			script: hello + "S: 250 DSN\nC: MAIL FROM:<a@us.test>\nS: 250 ok\nC: RCPT TO:<b@p.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC* \nS: 250 ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, body := script(t, c.script)
			cl := connect(t, conn)
			r, err := cl.Send(t.Context(), c.mail, strings.NewReader(content))
			got := codes(r)
			if err != nil {
				got = codeOf(err)
			}
			if got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
			cl.Close()
			_, sent, _ := strings.Cut(body(), "\r\n\r\n")
			if want := strings.ReplaceAll(strings.ReplaceAll(c.body, "..\r\n", "...\r\n"), ".dot", "..dot"); sent != want {
				t.Errorf("the message went as %q, want %q", sent, want)
			}
		})
	}
}

func TestManyRecipientsAreSentInWindows(t *testing.T) {
	var to []string
	s := "S: 220 hi\nC: EHLO us.test\nS: 250-peer\nS: 250 PIPELINING\nC: MAIL FROM:<a@us.test>\n"
	for i := range 120 {
		to = append(to, fmt.Sprintf("r%d@p.test", i))
	}
	for i, a := range to {
		s += "C: RCPT TO:<" + a + ">\n"
		if i == 48 { // MAIL and 49 recipients
			s += "S: 250 ok\n" + strings.Repeat("S: 250 ok\n", 49)
		}
		if i == 98 {
			s += strings.Repeat("S: 250 ok\n", 50)
		}
	}
	s += "C: DATA\n" + strings.Repeat("S: 250 ok\n", 21) + "S: 354 go\nC* \nS: 250 ok"
	conn, _ := script(t, s)
	r, err := connect(t, conn).Send(t.Context(), mail(to...), strings.NewReader(content))
	if err != nil || strings.Count(codes(r), "ok") != 120 {
		t.Errorf("%v %v", codes(r), err)
	}
}

func TestAWarmConnectionCarriesSeveralMessages(t *testing.T) {
	one := "C: MAIL FROM:<a@us.test>\nC: RCPT TO:<b@p.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC* \nS: 250 ok\n"
	conn, _ := script(t, "S: 220 hi\nC: EHLO us.test\nS: 250-peer\nS: 250 PIPELINING\n"+one+one+one+"C: QUIT\nS: 221 bye")
	c := connect(t, conn)
	for range 3 {
		if r, err := c.Send(t.Context(), mail("b@p.test"), strings.NewReader(content)); err != nil || codes(r) != "ok" || !c.Usable() {
			t.Fatalf("%v %v", codes(r), err)
		}
	}
	if c.Sent() != 3 {
		t.Errorf("%d messages", c.Sent())
	}
	c.Quit()
	if _, err := c.Send(t.Context(), mail("b@p.test"), strings.NewReader(content)); !errors.Is(err, client.ErrBroken) {
		t.Errorf("after QUIT: %v", err)
	}
}

// Whatever a message holds, what leaves is lines ended by CRLF with dots doubled, or no whole message at all.
func TestSmuggledEndsOfDataNeverLeave(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "smtp-smuggling"), "end-of-data-sequences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	sequences := append(strings.Split(strings.TrimSpace(string(file)), "\n"), `\r\n.\r\n`, `\r\n..\r\n`, `\n`, `\r`, `\x00`, `\r\n\r`, `\n\r`)
	for _, line := range sequences {
		if strings.HasPrefix(line, "#") {
			continue
		}
		sequence, err := strconv.Unquote(`"` + line + `"`)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		tried++
		text := "From: a@us.test\r\n\r\na" + sequence + "MAIL FROM:<evil@us.test>\r\nRCPT TO:<b@p.test>\r\nDATA\r\nx\r\n"
		for _, chunk := range []string{"whole", "byte by byte"} {
			t.Run(line+" "+chunk, func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				got := make(chan []byte, 1)
				go func() {
					conn, err := l.Accept()
					l.Close()
					if err != nil {
						return
					}
					defer conn.Close()
					_, _ = io.WriteString(conn, "220 hi\r\n250-x\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
					all, _ := io.ReadAll(conn)
					got <- all
				}()
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				c := connect(t, conn)
				var body io.Reader = strings.NewReader(text)
				if chunk != "whole" {
					body = iotest.OneByteReader(body)
				}
				r, err := c.Send(t.Context(), mail("b@p.test"), body)
				c.Close()
				if err != nil {
					t.Fatal(err)
				}
				_, sent, _ := bytes.Cut(<-got, []byte("DATA\r\n"))
				bad := strings.ReplaceAll(text, "\r\n", "")
				if strings.ContainsAny(bad, "\r\n\x00") {
					if codes(r) != "5.6.0" || bytes.Contains(sent, []byte("\r\n.\r\n")) || c.Usable() {
						t.Errorf("%s, sent %q", codes(r), sent)
					}
				} else if want := strings.ReplaceAll(text, "\r\n.", "\r\n..") + ".\r\n"; codes(r) != "ok" || string(sent) != want {
					t.Errorf("%s, sent %q, want %q", codes(r), sent, want)
				}
				if rest := strings.ReplaceAll(string(sent), "\r\n", ""); strings.ContainsAny(rest, "\r\n\x00") {
					t.Errorf("bare bytes left: %q", sent)
				}
			})
		}
	}
	if tried < 14 {
		t.Errorf("only %d sequences", tried)
	}
}

func TestAMessageWithoutALastLineEndGetsOne(t *testing.T) {
	for text, want := range map[string]string{"x": "x\r\n", "": "", "x\r\n": "x\r\n", ".": "..\r\n", "a\r\n.": "a\r\n..\r\n"} {
		conn, body := script(t, "S: 220 hi\nC: EHLO us.test\nS: 250 x\nC: MAIL FROM:<a@us.test>\nS: 250 ok\nC: RCPT TO:<b@p.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC* \nS: 250 ok")
		c := connect(t, conn)
		if r, err := c.Send(t.Context(), mail("b@p.test"), strings.NewReader(text)); err != nil || codes(r) != "ok" || body() != want {
			t.Errorf("%q went as %q, %v", text, body(), err)
		}
	}
}

func TestHostileServersAreLeft(t *testing.T) {
	short := options()
	short.Timeouts.Greeting, short.Timeouts.Command = 100*time.Millisecond, 100*time.Millisecond
	for name, serve := range map[string]func(net.Conn){
		"an endless line":    func(c net.Conn) { flood(c, "2") },
		"endless lines":      func(c net.Conn) { flood(c, "220-x\r\n") },
		"a wrong code":       func(c net.Conn) { _, _ = io.WriteString(c, "999 x\r\n"); hold(c) },
		"no code":            func(c net.Conn) { _, _ = io.WriteString(c, "hello\r\n"); hold(c) },
		"HTTP":               func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); hold(c) },
		"a refusal":          func(c net.Conn) { _, _ = io.WriteString(c, "554 5.3.2 go away\r\n"); hold(c) },
		"silence":            hold,
		"silence after 220":  func(c net.Conn) { _, _ = io.WriteString(c, "220 x\r\n"); hold(c) },
		"drips":              drip,
		"gone at once":       func(net.Conn) {},
		"EHLO refused twice": func(c net.Conn) { _, _ = io.WriteString(c, "220 x\r\n550 no\r\n550 no\r\n"); hold(c) },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn, err := l.Accept()
				l.Close()
				if err == nil {
					serve(conn)
					conn.Close()
				}
			}()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			c, err := client.New(t.Context(), conn, short)
			if err == nil {
				c.Close()
				t.Error("taken for a mail server")
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("it held us for %v", took)
			}
			<-done
		})
	}
}

func flood(c net.Conn, piece string) {
	block := []byte(strings.Repeat(piece, 4096/len(piece)))
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// drip sends a byte now and then: the time is for the whole reply.
func drip(c net.Conn) {
	gone := make(chan struct{})
	go func() { hold(c); close(gone) }()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-gone:
			tick.Stop()
			return
		case <-tick.C:
			_, _ = io.WriteString(c, "2")
		}
	}
}

func TestAnEndOfTheContextEndsTheSession(t *testing.T) {
	conn, _ := script(t, "S: 220 hi\nC: EHLO us.test\nS: 250 x\nC: MAIL FROM:<a@us.test>\nC?")
	c := connect(t, conn)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(30*time.Millisecond, cancel)
	if _, err := c.Send(ctx, mail("b@p.test"), strings.NewReader(content)); !errors.Is(err, context.Canceled) || c.Usable() {
		t.Errorf("%v", err)
	}
}

func TestAServersWordsAreRepeatedSafely(t *testing.T) {
	conn, _ := script(t, "S: 220 hi\nC: EHLO us.test\nS: 250 x\nC: MAIL FROM:<a@us.test>\nS: 550 5.7.1 bad\x1b[31m\x00 words \x7f "+strings.Repeat("x", 3000))
	r, err := connect(t, conn).Send(t.Context(), mail("b@p.test"), strings.NewReader(content))
	var e *client.Error
	if err != nil || !errors.As(r.Recipients[0], &e) {
		t.Fatalf("%v %v", r, err)
	}
	if s := e.Reply.String(); !strings.HasPrefix(s, "550 5.7.1 bad [31m words xxx") || len(s) > 600 || strings.ContainsAny(s, "\x00\x1b\r\n") {
		t.Errorf("%q", s)
	}
}

func TestAMessageThatCannotBeReadIsNotSentInPart(t *testing.T) {
	conn, _ := script(t, "S: 220 hi\nC: EHLO us.test\nS: 250 x\nC: MAIL FROM:<a@us.test>\nS: 250 ok\nC: RCPT TO:<b@p.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC?")
	c := connect(t, conn)
	body := io.MultiReader(strings.NewReader("From: x\r\n"), iotest.ErrReader(errors.New("disk on fire")))
	r, err := c.Send(t.Context(), mail("b@p.test"), body)
	var own *reply.Error
	if err != nil || !errors.As(r.Recipients[0], &own) || !own.Temporary() || c.Usable() {
		t.Errorf("%v, %v", r, err)
	}
}
