package smtp

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/testenv"
)

// falseEnds are sequences that some server takes for the end of data: the published list and more of its kind.
func falseEnds(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(testenv.Testdata(t, "smtp-smuggling"), "end-of-data-sequences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			list = append(list, unescape(t, line))
		}
	}
	if len(list) != 9 {
		t.Fatalf("%d sequences in the list, it had 9", len(list))
	}
	return append(list,
		"\r\n.\n", "\r\n.\r", "\r\n.\rX", "\r\n.\n\r\n", "\r\n.\x00\r\n", "\r\n.\r\x00\n", "\r\n\r.\r\n", "\r\n\n.\r\n",
		"\r\r\n.\r", "\n\r.\r\n", "\n.\n\r\n", "\r.\n\r\n", "\x00\r\n..\r\n", "\n\n.\n\n", "\r", "\n", "\x00", "\r\r\n", "\n\r\n")
}

const smuggled = "MAIL FROM:<smuggled@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n"

const opened = "C: MAIL FROM:<alice@example.test>\nS: 250\nC: RCPT TO:<bob@example.test>\nS: 250\n"

func TestFalseEndsOfDataRefuseTheMessageOnDATA(t *testing.T) {
	ends := falseEnds(t)
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		for _, end := range ends {
			p.talk(t, "# "+fmt.Sprintf("%q", end)+"\n"+opened+"C: DATA\nS: 354")
			p.send(t, "Subject: x\r\n\r\na"+end+smuggled+".\r\n")
			p.talk(t, "S: 554 5.6.0\nC: NOOP\nS: 250 2.0.0")
		}
		if m := s.backend.all(); len(m) != 0 {
			t.Errorf("accepted %+v", m)
		}
	})
}

func TestFalseEndsOfDataRefuseTheMessageOnBDAT(t *testing.T) {
	ends := falseEnds(t)
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		for _, end := range ends {
			text := "Subject: x\r\n\r\na" + end + smuggled
			p.talk(t, opened)
			p.send(t, fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
			p.talk(t, "S: 554 5.6.0\nC: NOOP\nS: 250 2.0.0")
			// The same, cut inside the sequence.
			for cut := 15; cut < 15+len(end); cut++ {
				p.talk(t, opened)
				p.send(t, fmt.Sprintf("BDAT %d\r\n%s", cut, text[:cut]))
				first := p.reply(t)
				p.send(t, fmt.Sprintf("BDAT %d LAST\r\n%s", len(text)-cut, text[cut:]))
				p.talk(t, "S: 554 5.6.0\nC: NOOP\nS: 250 2.0.0")
				if !strings.HasPrefix(first, "250 2.0.0") && !strings.HasPrefix(first, "554 5.6.0") {
					t.Errorf("%q cut at %d: %q", end, cut, first)
				}
			}
		}
		if m := s.backend.all(); len(m) != 0 {
			t.Errorf("accepted %+v", m)
		}
	})
}

func TestMessageThatEndsInABareCRIsRefused(t *testing.T) {
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		// CR CR LF . CR LF holds the true end of data, behind a CR too many.
		p.talk(t, opened+`
			C: DATA
			S: 354
			R: Subject: x\r\n\r\na\r\r\n.\r\n
			S: 554 5.6.0 Message has a bare CR or LF
			`+opened+`
			R: BDAT 16 LAST\r\nSubject: x\r\n\r\na\r
			S: 554 5.6.0 Message has a bare CR or LF
			C: NOOP
			S: 250`)
		if m := s.backend.all(); len(m) != 0 {
			t.Errorf("accepted %+v", m)
		}
	})
}

func TestTrueEndOfDataIsFoundWhereverTheStreamIsCut(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.enter(t, MX)
	stream := "Subject: x\r\n\r\n....\r\nx.\r\n..\r\n.\r\n"
	for cut := 1; cut < len(stream); cut++ {
		p.talk(t, opened+"C: DATA\nS: 354")
		p.send(t, stream[:cut])
		p.send(t, stream[cut:])
		p.talk(t, "S: 250 2.6.0")
	}
	for i, m := range s.backend.all() {
		if m.Text != "Subject: x\r\n\r\n...\r\nx.\r\n.\r\n" {
			t.Errorf("cut at %d: %q", i+1, m.Text)
		}
	}
}
