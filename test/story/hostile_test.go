package story_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/testmail"
	"postern/test/lab"
)

const (
	// hostileSize is how long hostile messages are, in bytes; those that are made of one line come once more in a size
	// whose lines are taken.
	hostileSize, hostileLine = 1 << 20, 50_000
	// A hostile message may cost as much of the processor as so many ordinary ones of its size, and hostileTicks more.
	hostileRatio = 10
	hostileTicks = 30 // hundredths of a second
	// hostileMemory is what the server may occupy at most, whatever it is sent.
	hostileMemory = 256 << 20
	// So many clients send hostile mail at once.
	hostileClients = 16
)

// hostileMail is every class: messages, documents in a message, and an archive that unpacks to much.
func hostileMail(t *testing.T) []testmail.Class {
	list := testmail.Messages()
	for _, c := range testmail.HTML() {
		list = append(list, testmail.Class{Name: "HTML: " + c.Name, Text: func(n int) string {
			return "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + c.Text(n)
		}})
		list = append(list, testmail.Class{Name: "HTML in base64: " + c.Name, Text: func(n int) string {
			return "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64Lines([]byte(c.Text(n*3/4)))
		}})
	}
	bomb := zipBomb(t)
	return append(list,
		testmail.Class{Name: "a zip bomb", Text: func(int) string {
			return "Content-Type: application/zip; name=bomb.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64Lines(bomb)
		}},
		testmail.Class{Name: "DKIM signatures", Text: func(n int) string {
			const one = "DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=s; h=from:from:from; bh=AAAA; b=AAAA\r\n"
			return strings.Repeat(one, min(n/len(one), 4900)) + "\r\nx\r\n"
		}},
		testmail.Class{Name: "ARC sets", Text: func(n int) string {
			var b strings.Builder
			for i := 1; b.Len() < n && i < 1600; i++ {
				fmt.Fprintf(&b, "ARC-Seal: i=%d; a=rsa-sha256; cv=pass; d=sender.example; s=s; b=AAAA\r\nARC-Message-Signature: i=%[1]d; a=rsa-sha256; d=sender.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"+
					"ARC-Authentication-Results: i=%[1]d; x; none\r\n", i)
			}
			return b.String() + "\r\nx\r\n"
		}},
		testmail.Class{Name: "Authentication-Results of ours", Text: func(n int) string {
			return strings.Repeat("Authentication-Results: ((mail)).example.test; none\r\n", min(n/53, 4900)) + "\r\nx\r\n"
		}},
		testmail.Class{Name: "domains in links", Text: func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "https://www.host%d.example/%d\r\n", i, i)
			}
			return "\r\n" + b.String()
		}},
		testmail.Class{Name: "words without end", Text: func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "word%d %x\r\n", i, i*7919)
			}
			return "\r\n" + b.String()
		}})
}

func base64Lines(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(text) > 76 {
		out.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	return out.String() + text + "\r\n"
}

func zipBomb(t *testing.T) []byte {
	t.Helper()
	var bomb bytes.Buffer
	w := zip.NewWriter(&bomb)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, 9) })
	f, err := w.Create("zeros")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 100 {
		f.Write(zeros)
	}
	w.Close()
	return bomb.Bytes()
}

// TestHostileMailIsTakenOrRefusedAndCostsNoMoreThanOrdinaryMail sends a message of each class to the real server. Each is
// accepted or refused in clear words on a connection that goes on; the processor's time is compared with that of ordinary
// mail of the same size, since machines differ; the memory has a bound of its own.
func TestHostileMailIsTakenOrRefusedAndCostsNoMoreThanOrdinaryMail(t *testing.T) {
	g := openGate(t, "")
	g.set("smtp.max_errors", "1000")
	h := hand(t, g, "127.90.0.1")
	ordinary := strings.Repeat("This is one of many lines of an ordinary text that somebody wrote to somebody else.\r\n", hostileSize/85)
	g.send(t, "127.90.1.1", "jane@sender.example", g.letter("jane@sender.example"), "alice@example.test") // warm
	const samples = 8
	before := ticks(t, g.Server)
	for range samples {
		if got := h.over(g.letter("jane@sender.example") + ordinary); !strings.HasPrefix(got, "250 2.6.0 ") {
			t.Fatalf("an ordinary message: %s", got)
		}
	}
	allowed := float64(ticks(t, g.Server)-before)/samples*hostileRatio + hostileTicks
	classes := hostileMail(t)
	accepted, refused := 0, 0
	try := func(class testmail.Class, n int) (answer string) {
		t.Helper()
		before := ticks(t, g.Server)
		mail := "From: x@sender.example\r\n" + class.Text(n)
		answer = h.over(mail)
		cost := ticks(t, g.Server) - before
		switch {
		case strings.HasPrefix(answer, "250 2.6.0 Accepted as "):
			accepted++
		case len(answer) > 12 && answer[0] == '5' && answer[4:6] == "5.":
			refused++
		default:
			t.Errorf("%s: answered %q", class.Name, answer)
		}
		if float64(cost) > allowed {
			t.Errorf("%s: %d ms of the processor for %d bytes, and %.0f would be allowed", class.Name, cost*10, len(mail), allowed*10)
		}
		if got := h.say("NOOP"); !strings.HasPrefix(got, "250 ") {
			t.Fatalf("%s: the session does not go on: %s", class.Name, got)
		}
		return answer
	}
	for _, class := range classes {
		if strings.Contains(try(class, hostileSize), "a line that is too long") {
			try(class, hostileLine)
		}
	}
	if accepted < len(classes)*3/4 || refused < 10 {
		t.Errorf("of %d classes %d messages were accepted, %d refused", len(classes), accepted, refused)
	}
	flood(t, g, classes)
	if peak := memory(t, g.Server, "VmHWM"); peak > hostileMemory {
		t.Errorf("the server had %d MiB", peak>>20)
	} else {
		t.Logf("%d accepted, %d refused, at most %d MiB", accepted, refused, peak>>20)
	}
	// It goes on serving: what came in can be listed, and another letter arrives.
	r, w := rawIMAP(t, g.Server, "alice@example.test")
	for _, mailbox := range []string{"INBOX", "Junk"} {
		transcript(t, r, w, "SELECT "+mailbox)
		if answer := transcript(t, r, w, "FETCH 1:* (UID RFC822.SIZE ENVELOPE BODYSTRUCTURE)"); !strings.Contains(answer[strings.LastIndex(answer, "\ntag "):], "tag OK") {
			t.Errorf("%s cannot be listed: %s", mailbox, answer[max(0, len(answer)-300):])
		}
	}
	s := g.stranger(t, true)
	if trace, _ := g.arrives(t, s, g.letter(s.author), "alice@example.test"); trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("a letter afterwards: %+v", trace.Recipients[0])
	}
}

// flood has many clients send hostile mail at once.
func flood(t *testing.T, g *gate, classes []testmail.Class) {
	var clients sync.WaitGroup
	for i := range hostileClients {
		h := hand(t, g, fmt.Sprintf("127.90.2.%d", i+1))
		clients.Go(func() {
			for n := i; n < len(classes); n += hostileClients {
				if answer := h.over("From: x@sender.example\r\n" + classes[n].Text(hostileSize)); answer == "" || answer[0] != '2' && answer[0] != '5' {
					t.Errorf("%s among others: %q", classes[n].Name, answer)
				}
			}
		})
	}
	clients.Wait()
}

// postman is a client that sends bytes as they are. It says "" when the connection breaks.
type postman struct {
	conn net.Conn
	r    *bufio.Reader
}

func hand(t *testing.T, g *gate, ip string) *postman {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := d.Dial("tcp", g.Address(25))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &postman{conn, bufio.NewReader(conn)}
	if greeting := p.reply(); !strings.HasPrefix(greeting, "220 ") || !strings.HasPrefix(p.say("EHLO mx.sender.example"), "250 ") {
		t.Fatalf("greeted with %q", greeting)
	}
	return p
}

// reply gives the last line of a reply.
func (p *postman) reply() string {
	p.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return ""
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

func (p *postman) say(line string) string {
	if _, err := io.WriteString(p.conn, line+"\r\n"); err != nil {
		return ""
	}
	return p.reply()
}

// over hands a message to alice over and gives the reply to it, or the one that came before.
func (p *postman) over(mail string) string {
	for _, line := range []string{"MAIL FROM:<x@sender.example>", "RCPT TO:<alice@example.test>", "DATA"} {
		if got := p.say(line); got == "" || got[0] > '3' {
			return got
		}
	}
	stuffed := strings.ReplaceAll("\r\n"+mail, "\r\n.", "\r\n..")[2:]
	if !strings.HasSuffix(stuffed, "\r\n") {
		stuffed += "\r\n"
	}
	return p.say(stuffed + ".")
}

// ticks is the processor's time that a server has used, in hundredths of a second (proc(5), fields 14 and 15 of stat).
func ticks(t *testing.T, s *lab.Server) int64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return user + system
}

// memory is a line of a server's /proc/PID/status, in bytes.
func memory(t *testing.T, s *lab.Server, name string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in\n%s", name, status)
	return 0
}
