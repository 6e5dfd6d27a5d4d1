package scanner_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/antispam/scanner"
	"postern/internal/testscan"
)

// says hears a scanner's client out and gives a fixed answer.
func says(program, answer string) func(net.Conn) {
	return func(conn net.Conn) {
		hearOut(program, conn)
		io.WriteString(conn, answer)
		io.Copy(io.Discard, conn) // until the client has gone, so that no reset takes the answer away
	}
}

// hearOut reads what a client of the program sends.
func hearOut(program string, conn net.Conn) {
	switch program {
	case "spamd":
		testscan.HearSpamc(conn)
	case "rspamd":
		var length int64
		r := bufio.NewReader(conn)
		for line := "x"; line != "\r\n" && line != ""; line, _ = r.ReadString('\n') {
			fmt.Sscanf(line, "Content-Length: %d", &length)
		}
		io.CopyN(io.Discard, r, length)
	case "clamd":
		var heard []byte
		buffer := make([]byte, 4096)
		for !bytes.HasSuffix(heard, []byte{0, 0, 0, 0}) {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			heard = append(heard, buffer[:n]...)
		}
	}
}

// closes is says with the connection closed behind the answer.
func closes(program, answer string) func(net.Conn) {
	return func(conn net.Conn) {
		hearOut(program, conn)
		io.WriteString(conn, answer)
	}
}

func settingFor(program, address string) string {
	if program == "rspamd" {
		address = "http://" + address
	}
	return program + ":" + address
}

// spamdAnswer is an answer of spamd with a content.
func spamdAnswer(verdict, content string) string {
	return fmt.Sprintf("SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: %s\r\n\r\n%s", len(content), verdict, content)
}

// httpAnswer is an answer of rspamd.
func httpAnswer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\nServer: rspamd/3.4\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%s", len(body), body)
}

const plain = `"score":1.5,"required_score":15,"action":"no action","symbols":{}`

func TestLiesAreRefused(t *testing.T) {
	endless := strings.Repeat("x", 8<<20)
	for _, c := range []struct {
		name, program, answer string
		trouble               scanner.Trouble
		because               string
	}{
		{"an answer of another protocol", "spamd", "220 mail.example.org ESMTP\r\n", scanner.Lying, "no answer of spamd"},
		{"no line", "spamd", "SPAMD/1.1 0 EX_OK", scanner.Lying, "no line"},
		{"an answer to another command", "spamd", "SPAMD/1.5 0 PONG\r\n", scanner.Lying, "within the header"},
		{"an answer to TELL", "spamd", "SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\nContent-length: 0\r\n\r\n", scanner.Lying, "another command"},
		{"a refusal", "spamd", "SPAMD/1.0 76 Bad header line: (EOF during headers)\r\n", scanner.Refused, "76 Bad header"},
		{"a negative code", "spamd", "SPAMD/1.1 -1 EX_OK\r\n\r\n", scanner.Lying, "no answer of spamd"},
		{"fewer bytes than told", "spamd", "SPAMD/1.1 0 EX_OK\r\nContent-length: 50\r\nSpam: True ; 9.0 / 5.0\r\n\r\nX-Spam-Flag: YES\r\n", scanner.Lying, "told 50 bytes and sent 18"},
		{"more bytes than told", "spamd", "SPAMD/1.1 0 EX_OK\r\nContent-length: 5\r\nSpam: True ; 9.0 / 5.0\r\n\r\nX-Spam-Flag: YES\r\n", scanner.Lying, "told 5 bytes and sent 18"},
		{"no length", "spamd", "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 9.0 / 5.0\r\n\r\n", scanner.Lying, "told -1"},
		{"a length that is none", "spamd", "SPAMD/1.1 0 EX_OK\r\nContent-length: 0x10\r\nSpam: True ; 9.0 / 5.0\r\n\r\n", scanner.Lying, "length"},
		{"two lengths", "spamd", "SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nContent-length: 0\r\nSpam: True ; 9.0 / 5.0\r\n\r\n", scanner.Lying, "length"},
		{"spam below the threshold", "spamd", spamdAnswer("True ; 1.0 / 5.0", ""), scanner.Lying, "spam true with a score of 1.00"},
		{"ham above it", "spamd", spamdAnswer("False ; 6.0 / 5.0", ""), scanner.Lying, "spam false with a score of 6.00"},
		{"a score that is no number", "spamd", spamdAnswer("True ; NaN / 5.0", ""), scanner.Lying, `"NaN" is not a score`},
		{"an infinite score", "spamd", spamdAnswer("True ; Inf / 5.0", ""), scanner.Lying, `"Inf" is not a score`},
		{"a huge score", "spamd", spamdAnswer("True ; 1e300 / 5.0", ""), scanner.Lying, `"1e300" is not a score`},
		{"a score in hexadecimal", "spamd", spamdAnswer("True ; 0x1p4 / 5.0", ""), scanner.Lying, "not a score"},
		{"no score", "spamd", spamdAnswer("True", ""), scanner.Lying, "not a score"},
		{"no verdict", "spamd", spamdAnswer("Perhaps ; 1.0 / 5.0", ""), scanner.Lying, "no verdict"},
		{"two verdicts", "spamd", spamdAnswer("True ; 9.0 / 5.0\r\nSpam: False ; 1.0 / 5.0", ""), scanner.Lying, "two verdicts"},
		{"a header without an end", "spamd", "SPAMD/1.1 0 EX_OK\r\n" + strings.Repeat("X: y\r\n", 100), scanner.Lying, "does not end"},
		{"an endless answer", "spamd", "SPAMD/1.1 0 EX_OK\r\n" + endless, scanner.Lying, "longer than"},
		{"a bare CR in a field", "spamd", spamdAnswer("True ; 9.0 / 5.0", "X-Spam-Status: Yes\rBcc: x@example.org\r\n"), scanner.Lying, "lines that are not its own"},
		{"a huge field", "spamd", spamdAnswer("True ; 9.0 / 5.0", "X-Spam-Report: "+strings.Repeat("x", 20<<10)+"\r\n"), scanner.Lying, "bytes"},

		{"an answer of another protocol", "rspamd", "220 mail.example.org ESMTP\r\n", scanner.Lying, "not HTTP"},
		{"a web page", "rspamd", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", scanner.Lying, "not JSON"},
		{"a refusal", "rspamd", "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{\"error\":\"unauthorized\"}", scanner.Refused, "403 unauthorized"},
		{"a way to elsewhere", "rspamd", "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://192.0.2.1/checkv2\r\nContent-Length: 0\r\n\r\n", scanner.Refused, "307"},
		{"an HTTP header without an end", "rspamd", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 200), scanner.Lying, "not HTTP"},
		{"no JSON", "rspamd", httpAnswer(`score: 5`), scanner.Lying, "not understood"},
		{"truncated JSON", "rspamd", httpAnswer(`{` + plain), scanner.Lying, "not understood"},
		{"a list", "rspamd", httpAnswer(`[{` + plain + `}]`), scanner.Lying, "not understood"},
		{"two values", "rspamd", httpAnswer(`{` + plain + `}{}`), scanner.Lying, "more than one"},
		{"another command's answer", "rspamd", httpAnswer(`{"scanned":5,"learned":0}`), scanner.Lying, `action ""`},
		{"an unknown action", "rspamd", httpAnswer(`{"score":1,"required_score":15,"action":"bless"}`), scanner.Lying, `action "bless"`},
		{"no score", "rspamd", httpAnswer(`{"required_score":15,"action":"reject"}`), scanner.Lying, "no score"},
		{"a score that is none", "rspamd", httpAnswer(`{"score":null,"required_score":15,"action":"reject"}`), scanner.Lying, "no score"},
		{"a huge score", "rspamd", httpAnswer(`{"score":1e300,"required_score":15,"action":"reject"}`), scanner.Lying, "not a score"},
		{"a huge score of a rule", "rspamd", httpAnswer(`{` + strings.Replace(plain, "{}", `{"X":{"score":-1e99}}`, 1) + `}`), scanner.Lying, "not a score"},
		{"a rule's name in lines", "rspamd", httpAnswer(`{` + strings.Replace(plain, "{}", `{"X\r\nY":{"score":1}}`, 1) + `}`), scanner.Lying, "name of a rule"},
		{"a field within a field", "rspamd", httpAnswer(`{` + plain + `,"milter":{"add_headers":{"X-Spam":{"value":"yes\r\nBcc: x@example.org","order":0}}}}`), scanner.Lying, "not its own"},
		{"a body within a field", "rspamd", httpAnswer(`{` + plain + `,"milter":{"add_headers":{"X-Spam":"yes\n\n\tBuy"}}}`), scanner.Lying, "not its own"},
		{"a field's name that is none", "rspamd", httpAnswer(`{` + plain + `,"milter":{"add_headers":{"X-Spam: yes\r\nBcc":"x"}}}`), scanner.Lying, "not the name"},
		{"a field without a value", "rspamd", httpAnswer(`{` + plain + `,"milter":{"add_headers":{"X-Spam":{"order":1}}}}`), scanner.Lying, "no value"},
		{"an endless answer", "rspamd", httpAnswer(`{"symbols":"` + endless + `"}`), scanner.Lying, "longer than"},
		{"deep JSON", "rspamd", httpAnswer(strings.Repeat(`{"milter":`, 100_000)), scanner.Lying, "not understood"},

		{"an answer of another protocol", "clamd", "220 mail.example.org ESMTP\r\n\x00", scanner.Lying, "no answer to INSTREAM"},
		{"an answer to another command", "clamd", "PONG\x00", scanner.Lying, "no answer to INSTREAM"},
		{"another stream", "clamd", "/etc/passwd: OK\x00", scanner.Lying, "no answer to INSTREAM"},
		{"neither found nor not", "clamd", "stream: PERHAPS\x00", scanner.Lying, "no answer to INSTREAM"},
		{"a name with control bytes", "clamd", "stream: Bad\r\nBcc: x@example.org FOUND\x00", scanner.Lying, "name of a virus"},
		{"no name", "clamd", "stream:  FOUND\x00", scanner.Lying, "name of a virus"},
		{"a long name", "clamd", "stream: " + strings.Repeat("x", 300) + " FOUND\x00", scanner.Lying, "name of a virus"},
		{"an endless answer", "clamd", "stream: " + endless, scanner.Lying, "longer than"},
		{"a failure", "clamd", "stream: Can't allocate memory ERROR\x00", scanner.Refused, "allocate"},
		{"a limit", "clamd", "INSTREAM size limit exceeded. ERROR\x00", scanner.TooLarge, "StreamMaxLength"},
		{"an unknown command", "clamd", "UNKNOWN COMMAND\x00", scanner.Refused, "UNKNOWN"},
	} {
		t.Run(c.program+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			how := closes
			if c.program == "clamd" || c.program == "rspamd" && strings.Contains(c.answer, "Content-Length") {
				how = says // the answer says itself where it ends
			}
			s := parse(t, settingFor(c.program, testscan.Liar(t, how(c.program, c.answer))))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, err := s.Scan(ctx, mail("Lunch", "Tuesday?"))
			var e *scanner.Error
			if !errors.As(err, &e) {
				t.Fatalf("believed: %+v, %v", r, err)
			}
			if e.Trouble != c.trouble || !strings.Contains(err.Error(), c.because) {
				t.Errorf("%s, wanted %s because of %q: %v", e.Trouble, c.trouble, c.because, err)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00") || len(err.Error()) > 600 {
				t.Errorf("the error cannot be shown: %q", err)
			}
			if c := e.Check(); c.Result != "unavailable" {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A scanner that breaks off is down, wherever it does.
func TestAScannerThatBreaksOffIsDown(t *testing.T) {
	for _, program := range []string{"spamd", "rspamd", "clamd"} {
		for name, f := range map[string]func(net.Conn){
			"at once":                  func(net.Conn) {},
			"within the message":       func(conn net.Conn) { io.CopyN(io.Discard, conn, 20) },
			"instead of answering":     closes(program, ""),
			"within the answer's body": closes("rspamd", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"),
		} {
			if name == "within the answer's body" && program != "rspamd" {
				continue
			}
			s := parse(t, settingFor(program, testscan.Liar(t, f)))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := s.Scan(ctx, mail("large", strings.Repeat("And so on.\r\n", 50_000)))
			cancel()
			var e *scanner.Error
			if !errors.As(err, &e) || e.Trouble != scanner.Down {
				t.Errorf("%s %s: %v", program, name, err)
			}
		}
	}
}

// What a scanner says before it has heard the message is no verdict on it.
func TestAVerdictOnWhatWasNotHeardIsRefused(t *testing.T) {
	for program, answer := range map[string]string{
		"spamd": spamdAnswer("False ; 0.0 / 5.0", ""), "rspamd": httpAnswer(`{` + plain + `}`), "clamd": "stream: OK\x00",
	} {
		s := parse(t, settingFor(program, testscan.Liar(t, func(conn net.Conn) {
			io.CopyN(io.Discard, conn, 100)
			io.WriteString(conn, answer)
		})))
		if s, ok := s.(*scanner.Spamd); ok {
			s.MaxSize = 100 << 20 // more than lies on the way
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, err := s.Scan(ctx, mail("large", strings.Repeat("And so on.\r\n", 1_000_000)))
		cancel()
		var e *scanner.Error
		if !errors.As(err, &e) || e.Trouble != scanner.Down && e.Trouble != scanner.Lying {
			t.Errorf("%s is believed: %+v, %v", program, r, err)
		}
	}
}

// One that says nothing, drips, or takes nothing is slow when its time is over.
func TestAScannerThatDripsIsSlow(t *testing.T) {
	drip := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 1)) // an answer before the question is another fault
			io.WriteString(conn, text)
			io.Copy(io.Discard, conn)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
			}
		}
	}
	deaf := make(chan struct{})
	defer close(deaf)
	for _, program := range []string{"spamd", "rspamd", "clamd"} {
		for name, f := range map[string]func(net.Conn){
			"says nothing":  func(conn net.Conn) { io.Copy(io.Discard, conn); <-deaf },
			"drips":         drip(map[string]string{"spamd": "SPAMD/1.1 0 EX_OK\r\n", "rspamd": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "clamd": "stream: "}[program]),
			"takes nothing": func(net.Conn) { <-deaf },
		} {
			s := parse(t, settingFor(program, testscan.Liar(t, f)))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			_, err := s.Scan(ctx, mail("large", strings.Repeat("And so on.\r\n", 1_000_000)))
			cancel()
			var e *scanner.Error
			if !errors.As(err, &e) || e.Trouble != scanner.Slow {
				t.Errorf("%s %s: %v", program, name, err)
			}
		}
	}
}

func TestFieldsThatAScannerHasNoSayInAreLeftOut(t *testing.T) {
	body := `{` + plain + `,"milter":{"add_headers":{"Authentication-Results":"mail.example.test; dkim=pass","Bcc":"x@example.org","Subject":"yes","x-postern-verdict":"id=1",
		"x-spam":[{"value":"one"},"two\r\n\tlines",{"value":"zwölf\u0001"}]},"remove_headers":{"X-Spam":0,"From":1}}}`
	s := parse(t, settingFor("rspamd", testscan.Liar(t, says("rspamd", httpAnswer(body)))))
	r := scan(t, s, mail("Lunch", "Tuesday?"))
	var got []string
	for _, f := range r.Headers {
		got = append(got, f.Name+"="+f.Value)
	}
	if strings.Join(got, "|") != "x-spam=one|x-spam=two lines|x-spam==?utf-8?q?zw=C3=B6lf=3F?=" {
		t.Errorf("%q", got)
	}
}

// Each field may be long, but they stand before the copy of every recipient.
func TestTheFieldsOfAScannerAreBoundedTogether(t *testing.T) {
	value := strings.Repeat("long ", 2000)
	body := `{` + plain + `,"milter":{"add_headers":{"X-Spamd-Result":["` + strings.Join(slices.Repeat([]string{value}, 60), `","`) + `"],"X-Short":"x"}}}`
	spamd := spamdAnswer("False ; 0.0 / 5.0", "X-Spam-Status: No\r\nX-Spam-A: "+value+"\r\nX-Spam-B: "+value+"\r\nX-Spam-C: "+value+"\r\nX-Spam-D: "+value+"\r\n")
	for program, answer := range map[string]string{"rspamd": httpAnswer(body), "spamd": spamd} {
		r := scan(t, parse(t, settingFor(program, testscan.Liar(t, says(program, answer)))), mail("Lunch", "Tuesday?"))
		size := 0
		for _, f := range r.Headers {
			size += len(f.Append(nil))
		}
		if size < 20<<10 || size > 34<<10 {
			t.Errorf("%s: %d fields of %d bytes", program, len(r.Headers), size)
		}
	}
}

// What cannot be read from our own disk is not the scanner's fault, and nothing is taken for judged.
func TestAMessageThatCannotBeReadIsNotTheScannersFault(t *testing.T) {
	for _, program := range []string{"spamd", "rspamd", "clamd"} {
		answer := map[string]string{"spamd": spamdAnswer("False ; 0.0 / 5.0", ""), "rspamd": httpAnswer(`{` + plain + `}`), "clamd": "stream: OK\x00"}[program]
		s := parse(t, settingFor(program, testscan.Liar(t, says(program, answer))))
		m := mail("short", "x")
		m.Size += 100_000
		alerts := 0
		g := scanner.NewGuard(s, scanner.Options{Failures: 1, Alert: func(scanner.Alert) { alerts++ }})
		for range 3 {
			_, err := g.Scan(t.Context(), m)
			var e *scanner.Error
			if !errors.As(err, &e) || e.Trouble != scanner.Unreadable {
				t.Errorf("%s: %v", program, err)
			}
		}
		if alerts > 0 {
			t.Errorf("%s: %d alerts", program, alerts)
		}
	}
}
