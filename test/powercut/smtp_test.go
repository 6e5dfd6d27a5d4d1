package powercut_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"postern/test/lab"
)

// answerWithin ends a session that hangs; nothing here is that slow.
const answerWithin = 60 * time.Second

// refusal is an answer that says no.
type refusal struct {
	protocol string // "smtp" or "imap"
	line     string
}

func (r *refusal) Error() string { return r.protocol + " answers " + strconv.Quote(r.line) }

// full reports whether it is the answer of a full disk.
func (r *refusal) full() bool {
	if r.protocol == "smtp" {
		return strings.HasPrefix(r.line, "452 4.3.1 ")
	}
	return strings.HasPrefix(r.line, "NO [UNAVAILABLE] ")
}

// mailer is one SMTP connection.
type mailer struct {
	conn net.Conn
	r    *bufio.Reader
}

// dialMX connects as a server of the world does, some with TLS.
func dialMX(s *lab.Server, trust *tls.Config, secure bool) (*mailer, error) {
	conn, err := net.DialTimeout("tcp", s.Address(25), answerWithin)
	if err != nil {
		return nil, err
	}
	m := &mailer{conn, bufio.NewReader(conn)}
	m.patience()
	err = m.greet()
	if err == nil && secure {
		if err = m.say("STARTTLS\r\n", "220"); err == nil {
			over := tls.Client(conn, trust)
			m.conn, m.r = over, bufio.NewReader(over)
			err = m.say("EHLO sender.example\r\n", "250")
		}
	}
	return m.orClose(err)
}

// dialSubmission connects as a user does.
func dialSubmission(s *lab.Server, trust *tls.Config, p *person) (*mailer, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: answerWithin}, "tcp", s.Address(465), trust)
	if err != nil {
		return nil, err
	}
	m := &mailer{conn, bufio.NewReader(conn)}
	m.patience()
	if err = m.greet(); err == nil {
		token := base64.StdEncoding.EncodeToString([]byte("\x00" + p.address + "\x00" + lab.Password))
		err = m.say("AUTH PLAIN "+token+"\r\n", "235")
	}
	return m.orClose(err)
}

func (m *mailer) orClose(err error) (*mailer, error) {
	if err != nil {
		m.conn.Close()
		return nil, err
	}
	return m, nil
}

func (m *mailer) patience() { _ = m.conn.SetDeadline(time.Now().Add(answerWithin)) }

func (m *mailer) greet() error {
	if err := m.expect("220"); err != nil {
		return err
	}
	return m.say("EHLO sender.example\r\n", "250")
}

// say sends commands and expects the codes.
func (m *mailer) say(commands string, codes ...string) error {
	if _, err := m.conn.Write([]byte(commands)); err != nil {
		return err
	}
	var first error
	for _, code := range codes {
		err := m.expect(code)
		if _, ok := err.(*refusal); err != nil && !ok {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (m *mailer) expect(code string) error {
	for {
		line, err := m.r.ReadString('\n')
		if err != nil {
			return err
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, code) {
			return &refusal{"smtp", strings.TrimSpace(line)}
		}
		return nil
	}
}

// send gives one message and tells what became of it.
func (m *mailer) send(from string, to []string, text []byte) (fate, error) {
	if err := m.envelope(from, to, len(text)); err != nil {
		return refused, err
	}
	err := m.say(stuffed(text), "250")
	if err == nil {
		return accepted, nil
	}
	if _, ok := err.(*refusal); ok {
		return refused, err
	}
	return unknown, err
}

// abandon gives one message and goes away before the answer.
func (m *mailer) abandon(from string, to []string, text []byte) error {
	if err := m.envelope(from, to, len(text)); err != nil {
		return err
	}
	_, err := io.WriteString(m.conn, stuffed(text))
	return errors.Join(err, m.conn.Close())
}

// stuffed is a text as it follows DATA. RFC 5321 4.5.2
func stuffed(text []byte) string {
	return string(bytes.ReplaceAll(text, []byte("\r\n."), []byte("\r\n.."))) + ".\r\n"
}

// envelope comes as far as DATA.
func (m *mailer) envelope(from string, to []string, size int) error {
	m.patience()
	var b bytes.Buffer
	codes := []string{"250"}
	fmt.Fprintf(&b, "MAIL FROM:<%s> SIZE=%d\r\n", from, size)
	for _, a := range to {
		fmt.Fprintf(&b, "RCPT TO:<%s>\r\n", a)
		codes = append(codes, "250")
	}
	err := m.say(b.String(), codes...)
	if err == nil {
		err = m.say("DATA\r\n", "354")
	}
	if _, no := err.(*refusal); no {
		_ = m.say("RSET\r\n", "250")
	}
	return err
}

// world sends mail from elsewhere to our people.
type world struct {
	tr     *trial
	r      *rand.Rand
	secure bool
	m      *mailer
}

func (w *world) name() string { return "smtp" }

func (w *world) connect() (err error) {
	w.m, err = dialMX(w.tr.server, w.tr.trust, w.secure)
	return err
}

func (w *world) close() {
	if w.m != nil {
		w.m.conn.Close()
	}
}

func (w *world) step() error {
	to := w.tr.somePeople(w.r)
	d := &delivery{from: "someone@sender.example"}
	l, text := w.tr.ledger.write(w.r, d, d.from, to...)
	l.filtered = w.r.IntN(4) == 0
	d.again = text
	if w.tr.doomed && w.r.IntN(15) == 0 {
		w.tr.count("smtp left without an answer")
		return errors.Join(w.m.abandon(d.from, l.recipients(), text), w.connect())
	}
	return w.tr.send(w.m, l, d.from, text)
}

// submitter sends mail as a user: to people here, to where it waits, and to where it goes.
type submitter struct {
	tr *trial
	r  *rand.Rand
	p  *person
	m  *mailer
}

func (s *submitter) name() string { return "submission" }

func (s *submitter) connect() (err error) {
	s.m, err = dialSubmission(s.tr.server, s.tr.trust, s.p)
	return err
}

func (s *submitter) close() {
	if s.m != nil {
		s.m.conn.Close()
	}
}

func (s *submitter) step() error {
	kind := s.r.IntN(10)
	var to []*person
	if kind < 7 {
		to = s.tr.somePeople(s.r)
	}
	l, text := s.tr.ledger.write(s.r, &delivery{}, s.p.address, to...)
	l.filtered = s.r.IntN(4) == 0
	if kind >= 5 {
		l.far = fmt.Sprintf("m%d@%s", l.id, farDomain)
	}
	if kind >= 9 || kind == 4 {
		l.near = fmt.Sprintf("m%d@%s", l.id, nearDomain)
	}
	return s.tr.send(s.m, l, s.p.address, text)
}

// send sends a letter to all its recipients.
func (tr *trial) send(m *mailer, l *letter, from string, text []byte) error {
	asked := tr.disk.Load()
	f, err := m.send(from, l.recipients(), text)
	if doubt := tr.believe(asked); doubt != nil {
		return doubt
	}
	tr.conclude(l.delivery, f)
	return err
}

func (n *letter) recipients() []string {
	var to []string
	for _, p := range n.to {
		to = append(to, p.address)
	}
	for _, a := range []string{n.far, n.near} {
		if a != "" {
			to = append(to, a)
		}
	}
	if n.filtered {
		to = append(to, "dave@example.test")
	}
	return to
}

// conclude notes the fate of a delivery. On a dead disk a no says nothing: what could not be flushed may have been
// written all the same.
func (tr *trial) conclude(d *delivery, f fate) {
	if f == refused && tr.crashing.Load() {
		f = unknown
	}
	tr.ledger.settle(d, f)
}
