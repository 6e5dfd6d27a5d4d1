package imaptest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// script is one file of commands and expected replies.
type script struct {
	name         string
	capabilities []string
	connections  int
	messages     int // to append before the script, -1: as many as there are
	state        state
	strict       bool // untagged replies that are not expected are errors
	groups       []group
}

// state is how far the account is prepared; each includes those before it.
type state int

const (
	stateNonAuth state = iota
	stateAuth
	stateCreated
	stateAppended
	stateSelected
)

var states = map[string]state{
	"nonauth": stateNonAuth, "auth": stateAuth, "created": stateCreated, "appended": stateAppended, "selected": stateSelected,
}

// group is what is sent at once on one connection and what must come back before
// the next group is sent.
type group struct {
	line     int
	conn     int // from 0
	commands []command
	replies  []reply
}

// command is one command of a group and its tagged answer.
type command struct {
	tag    string // "" lets the runner choose
	text   text
	status string // "ok", "no", "bad", or "" for any
	prefix text   // how the text of the answer must begin
	done   bool   // the expected answer was given in the script
}

// reply is an untagged reply: '*' must come, '!' must not, '?' may.
type reply struct {
	line int
	kind byte
	text text
}

// text is a line in the protocol's sense: pieces between and in literals.
type text []piece

type piece struct {
	s       string
	literal bool
}

func (t text) String() string {
	var b strings.Builder
	for _, p := range t {
		if p.literal {
			fmt.Fprintf(&b, "{%d}\r\n", len(p.s))
		}
		b.WriteString(p.s)
	}
	return b.String()
}

// commandNames begin a command without a tag; any other first word is a tag.
var commandNames = func() map[string]bool {
	names := map[string]bool{}
	for _, n := range strings.Fields(`append authenticate cancelupdate capability check close compress copy create delete
		deleteacl enable esearch examine expunge fetch genurlauth getacl getmetadata getquota getquotaroot id idle list
		listrights login logout lsub move myrights namespace noop notify rename replace resetkey search select setacl
		setmetadata setquota sort starttls status store subscribe thread uid unauthenticate unselect unsubscribe urlfetch x-state`) {
		names[n] = true
	}
	return names
}()

// readScript reads a script from a file.
func readScript(path, name string) (*script, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := parseScript(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.name = name
	return s, nil
}

// source gives the lines of a script, those in switched-off blocks apart.
type source struct {
	rest []byte
	line int
	off  []bool // a value for each open !ifenv: whether its lines are dropped
}

// raw gives the next line of the file without its newline.
func (s *source) raw() (string, bool) {
	if len(s.rest) == 0 {
		return "", false
	}
	line, rest, _ := bytes.Cut(s.rest, []byte("\n"))
	s.rest = rest
	s.line++
	return string(line), true
}

// next gives the next line that counts, with its literals, and its number.
func (s *source) next() (text, int, error) {
	for {
		line, ok := s.raw()
		if !ok {
			if len(s.off) > 0 {
				return nil, s.line, fmt.Errorf("an !ifenv is not closed")
			}
			return nil, s.line, nil
		}
		if s.condition(line) || len(s.off) > 0 && s.off[len(s.off)-1] {
			continue
		}
		line = strings.TrimSuffix(line, "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		first := s.line
		t, err := s.literals(line)
		return t, first, err
	}
}

// condition takes !ifenv, !ifnenv, !else and !endif.
func (s *source) condition(line string) bool {
	f := strings.Fields(line)
	if len(f) == 0 {
		return false
	}
	outer := len(s.off) > 0 && s.off[len(s.off)-1]
	switch {
	case f[0] == "!ifenv" && len(f) == 2, f[0] == "!ifnenv" && len(f) == 2:
		_, set := os.LookupEnv(f[1])
		s.off = append(s.off, outer || set != (f[0] == "!ifenv"))
	case f[0] == "!else" && len(s.off) > 0:
		above := len(s.off) > 1 && s.off[len(s.off)-2]
		s.off[len(s.off)-1] = above || !s.off[len(s.off)-1]
	case f[0] == "!endif" && len(s.off) > 0:
		s.off = s.off[:len(s.off)-1]
	default:
		return false
	}
	return true
}

// literals takes the literals that a line opens with {{{, whose lines end with
// CRLF, or ~{{{, whose bytes are as they are. The newline before }}} is not theirs.
func (s *source) literals(line string) (text, error) {
	var t text
	for {
		before, open := strings.CutSuffix(line, "{{{")
		if !open {
			return append(t, piece{s: line}), nil
		}
		before, raw := strings.CutSuffix(before, "~")
		end := "\r\n"
		if raw {
			end = "\n"
		}
		var lines []string
		for {
			l, ok := s.raw()
			if !ok {
				return nil, fmt.Errorf("line %d: a literal is not closed", s.line)
			}
			if after, closed := strings.CutPrefix(l, "}}}"); closed {
				line = after
				break
			}
			lines = append(lines, l)
		}
		t = append(t, piece{s: before}, piece{s: strings.Join(lines, end), literal: true})
	}
}

// parseScript reads header and commands.
func parseScript(b []byte) (*script, error) {
	s := &script{connections: 1, messages: -1, state: stateSelected}
	header, body := splitHeader(b)
	for _, line := range strings.Split(header, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if err := s.headerLine(line); err != nil {
			return nil, err
		}
	}
	src := &source{rest: body, line: bytes.Count(b[:len(b)-len(body)], []byte("\n"))}
	for {
		t, line, err := src.next()
		if err != nil {
			return nil, err
		}
		if t == nil {
			break
		}
		if err := s.bodyLine(t, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	for _, g := range s.groups {
		for _, c := range g.commands {
			if !c.done {
				return nil, fmt.Errorf("line %d: the answer of a command is missing", g.line)
			}
		}
	}
	return s, nil
}

// splitHeader divides at the first empty line. A script without a header begins
// with it, or with a comment or a command.
func splitHeader(b []byte) (string, []byte) {
	first, _, _ := bytes.Cut(b, []byte("\n"))
	name, _, ok := bytes.Cut(first, []byte(":"))
	if !ok || !headerNames[string(name)] {
		return "", b
	}
	header, body, _ := bytes.Cut(b, []byte("\n\n"))
	return string(header), body
}

var headerNames = map[string]bool{
	"capabilities": true, "connections": true, "messages": true, "state": true, "ignore_extra_untagged": true,
}

func (s *script) headerLine(line string) error {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	var err error
	switch name {
	case "capabilities":
		s.capabilities = strings.Fields(value)
	case "connections":
		s.connections, err = strconv.Atoi(value)
	case "messages":
		if value != "all" {
			s.messages, err = strconv.Atoi(value)
		}
	case "state":
		var ok bool
		if s.state, ok = states[value]; !ok {
			err = fmt.Errorf("state %q is not known", value)
		}
	case "ignore_extra_untagged":
		s.strict = value == "no"
	default:
		err = fmt.Errorf("header %q is not known", name)
	}
	return err
}

// bodyLine takes a command, an expected reply, or the answer of a command.
func (s *script) bodyLine(t text, line int) error {
	word, rest := t.cut()
	if len(word) == 1 && strings.Contains("*!?", word) {
		g := s.last()
		if g == nil {
			return fmt.Errorf("a reply without a command")
		}
		g.replies = append(g.replies, reply{line: line, kind: word[0], text: rest})
		return nil
	}
	conn := 0
	if s.connections > 1 {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > s.connections {
			return fmt.Errorf("the number of a connection is missing")
		}
		conn = n - 1
		t = rest
		word, rest = t.cut()
	}
	open := s.open("")
	status, isStatus := statusOf(word)
	switch {
	case isStatus && open != nil: // method 2, the end
		open.status, open.prefix, open.done = status, rest, true
	case isStatus: // method 1
		s.groups = append(s.groups, group{line: line, conn: conn, commands: []command{{text: rest, status: status, done: true}}})
	case commandNames[strings.ToLower(word)]: // method 2
		s.groups = append(s.groups, group{line: line, conn: conn, commands: []command{{text: t}}})
	default:
		return s.taggedLine(word, rest, conn, line)
	}
	return nil
}

// taggedLine takes a command with a tag or its answer, method 3.
func (s *script) taggedLine(tag string, rest text, conn, line int) error {
	word, after := rest.cut()
	if status, ok := statusOf(word); ok {
		c := s.open(tag)
		if c == nil {
			return fmt.Errorf("no command has the tag %q", tag)
		}
		c.status, c.prefix, c.done = status, after, true
		return nil
	}
	if g := s.last(); g == nil || g.finished() {
		s.groups = append(s.groups, group{line: line, conn: conn})
	}
	g := s.last()
	if g.conn != conn {
		return fmt.Errorf("a pipeline uses two connections")
	}
	g.commands = append(g.commands, command{tag: tag, text: rest})
	return nil
}

func statusOf(word string) (string, bool) {
	switch w := strings.ToLower(word); w {
	case "ok", "no", "bad":
		return w, true
	case `""`:
		return "", true
	}
	return "", false
}

func (s *script) last() *group {
	if len(s.groups) == 0 {
		return nil
	}
	return &s.groups[len(s.groups)-1]
}

func (g *group) finished() bool {
	for _, c := range g.commands {
		if !c.done {
			return false
		}
	}
	return true
}

// open is the command of the last group with the tag that has no answer yet.
func (s *script) open(tag string) *command {
	g := s.last()
	if g == nil {
		return nil
	}
	for i := range g.commands {
		if c := &g.commands[i]; !c.done && c.tag == tag {
			return c
		}
	}
	return nil
}

// cut divides a text at its first space.
func (t text) cut() (string, text) {
	if len(t) == 0 || t[0].literal {
		return "", t
	}
	word, rest, _ := strings.Cut(t[0].s, " ")
	out := append(text{{s: rest}}, t[1:]...)
	return word, out
}
