package powercut_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/test/lab"
)

// session is an IMAP connection of a client that does nothing but what it is told.
type session struct {
	conn     net.Conn
	r        *bufio.Reader
	tag      int
	selected string
}

func dialIMAP(s *lab.Server, trust *tls.Config, p *person) (*session, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: answerWithin}, "tcp", s.Address(993), trust)
	if err != nil {
		return nil, err
	}
	c := &session{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	greeting, err := c.line()
	if err == nil && !strings.HasPrefix(greeting.text, "* OK") {
		err = &refusal{"imap", greeting.text}
	}
	if err == nil {
		_, err = c.do("LOGIN " + p.address + " " + lab.Password)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// line is a response: its text, in which each literal's bytes are left out, and the literals.
type line struct {
	text     string
	literals [][]byte
}

func (c *session) line() (line, error) {
	var l line
	for {
		text, err := c.r.ReadString('\n')
		if err != nil {
			return l, err
		}
		l.text += strings.TrimRight(text, "\r\n")
		open := strings.LastIndexByte(l.text, '{')
		if open < 0 || !strings.HasSuffix(l.text, "}") {
			return l, nil
		}
		n, err := strconv.Atoi(l.text[open+1 : len(l.text)-1])
		if err != nil {
			return l, nil
		}
		literal := make([]byte, n)
		if _, err := io.ReadFull(c.r, literal); err != nil {
			return l, err
		}
		l.literals = append(l.literals, literal)
	}
}

// answer is everything that came for a command.
type answer struct {
	lines  []line
	tagged string // after the tag, such as "OK [APPENDUID 1 2] done"
}

// do sends a command and reads its answer, which shall be OK.
func (c *session) do(command string) (answer, error) {
	var a answer
	c.tag++
	tag := "P" + strconv.Itoa(c.tag) + " "
	_ = c.conn.SetDeadline(time.Now().Add(answerWithin))
	if _, err := io.WriteString(c.conn, tag+command+"\r\n"); err != nil {
		return a, err
	}
	for {
		l, err := c.line()
		if err != nil {
			return a, err
		}
		tagged, ok := strings.CutPrefix(l.text, tag)
		if !ok {
			a.lines = append(a.lines, l)
			continue
		}
		a.tagged = tagged
		if !strings.HasPrefix(tagged, "OK") {
			return a, &refusal{"imap", tagged}
		}
		return a, nil
	}
}

// code finds a response code, such as UIDNEXT, in any of the answer's lines and gives what it says.
func (a answer) code(name string) (string, bool) {
	for _, text := range append(a.texts(), a.tagged) {
		if _, rest, ok := strings.Cut(text, "OK ["+name+" "); ok {
			value, _, _ := strings.Cut(rest, "]")
			return value, true
		}
	}
	return "", false
}

func (a answer) texts() []string {
	texts := make([]string, len(a.lines))
	for i, l := range a.lines {
		texts[i] = l.text
	}
	return texts
}

// number is a code that is a number, 0 when it is not there.
func (a answer) number(name string) uint64 {
	value, _ := a.code(name)
	n, _ := strconv.ParseUint(value, 10, 64)
	return n
}

// placed reads APPENDUID and COPYUID: the destination's UIDVALIDITY and, of the last two sets, the UIDs.
func (a answer) placed(name string) (validity uint32, from, to []uint32, err error) {
	value, ok := a.code(name)
	fields := strings.Fields(value)
	if !ok || len(fields) < 2 {
		return 0, nil, nil, fmt.Errorf("no %s in %q", name, a.tagged)
	}
	n, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil {
		return 0, nil, nil, err
	}
	if from, err = uidSet(fields[len(fields)-2]); err == nil || len(fields) == 2 {
		to, err = uidSet(fields[len(fields)-1])
	}
	return uint32(n), from, to, err
}

// uidSet expands "1:3,7".
func uidSet(s string) ([]uint32, error) {
	var uids []uint32
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, ":")
		if !isRange {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 32)
		if err != nil {
			return nil, err
		}
		b, err := strconv.ParseUint(last, 10, 32)
		if err != nil || b < a || b-a > 100000 {
			return nil, fmt.Errorf("bad set %q", s)
		}
		for ; a <= b; a++ {
			uids = append(uids, uint32(a))
		}
	}
	return uids, nil
}

func formatUIDs(uids []uint32) string {
	var b []byte
	for i, uid := range uids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(uid), 10)
	}
	return string(b)
}

// fetched is one message of a FETCH answer.
type fetched struct {
	uid   uint32
	flags string // in order, without \Recent
	size  int64
	text  []byte
}

var (
	fetchUID   = regexp.MustCompile(`[( ]UID (\d+)`)
	fetchFlags = regexp.MustCompile(`[( ]FLAGS \(([^)]*)\)`)
	fetchSize  = regexp.MustCompile(`[( ]RFC822\.SIZE (\d+)`)
	fetchLine  = regexp.MustCompile(`^\* \d+ FETCH \(`)
)

// messages reads the FETCH responses that carry bytes.
func (a answer) messages() []fetched {
	var all []fetched
	for _, l := range a.lines {
		if !fetchLine.MatchString(l.text) || len(l.literals) == 0 {
			continue
		}
		m := fetched{text: l.literals[len(l.literals)-1]}
		if v := fetchUID.FindStringSubmatch(l.text); v != nil {
			n, _ := strconv.ParseUint(v[1], 10, 32)
			m.uid = uint32(n)
		}
		if v := fetchFlags.FindStringSubmatch(l.text); v != nil {
			m.flags = canonical(strings.Fields(v[1]))
		}
		if v := fetchSize.FindStringSubmatch(l.text); v != nil {
			m.size, _ = strconv.ParseInt(v[1], 10, 64)
		}
		all = append(all, m)
	}
	return all
}

// canonical is the one form in which flags are compared.
func canonical(flags []string) string {
	flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == `\Recent` })
	slices.Sort(flags)
	return strings.Join(slices.Compact(flags), " ")
}

// appendCommand is APPEND, or MULTIAPPEND when there are several texts.
func appendCommand(mailbox, flags string, texts [][]byte) string {
	var b bytes.Buffer
	b.WriteString("APPEND " + mailbox)
	for _, text := range texts {
		if flags != "" {
			b.WriteString(" (" + flags + ")")
		}
		fmt.Fprintf(&b, " {%d+}\r\n", len(text))
		b.Write(text)
	}
	return b.String()
}
