package imaptest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Config says which server is tested with what.
type Config struct {
	Dir            string                   // the folder of the scripts and their .mbox files
	Dial           func() (net.Conn, error) // one more connection, ready for IMAP
	User, Password string                   // an account that may be emptied
	Mailbox        string                   // the name that test mailboxes begin with; "" is imaptest
}

// Result names what came of every script.
type Result struct {
	Passed  []string
	Failed  []string
	Skipped map[string]string // by name, with the reason
}

func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d scripts passed, %d failed, %d not run", len(r.Passed), len(r.Failed), len(r.Skipped))
	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "\n  %s: %s", name, r.Skipped[name])
	}
	return b.String()
}

// Run runs every script of the folder as a subtest. A script that needs what the
// server does not advertise is not run and is named in the Result, as it says the
// language of scripts; the caller decides which of them it expects.
func Run(t *testing.T, c Config) Result {
	t.Helper()
	if c.Mailbox == "" {
		c.Mailbox = "imaptest"
	}
	scripts, err := readScripts(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	before, after, err := c.capabilities()
	if err != nil {
		t.Fatal(err)
	}
	result := Result{Skipped: map[string]string{}}
	for _, s := range scripts {
		caps := after
		if s.state == stateNonAuth {
			caps = before
		}
		if missing := missingFrom(caps, s.capabilities); len(missing) > 0 {
			result.Skipped[s.name] = "the server does not advertise " + strings.Join(missing, " ")
			continue
		}
		if t.Run(s.name, func(t *testing.T) { c.run(t, s) }) {
			result.Passed = append(result.Passed, s.name)
		} else {
			result.Failed = append(result.Failed, s.name)
		}
	}
	if err := c.cleanUp(); err != nil {
		t.Errorf("cleaning up: %v", err)
	}
	t.Log(result)
	return result
}

// readScripts reads all scripts of a folder.
func readScripts(dir string) ([]*script, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var scripts []*script
	for _, e := range entries {
		if e.IsDir() || strings.Contains(e.Name(), ".") {
			continue
		}
		s, err := readScript(filepath.Join(dir, e.Name()), e.Name())
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, s)
	}
	if len(scripts) == 0 {
		return nil, fmt.Errorf("there are no scripts in %s", dir)
	}
	return scripts, nil
}

func missingFrom(caps map[string]bool, wanted []string) []string {
	var missing []string
	for _, w := range wanted {
		if !caps[strings.ToUpper(w)] {
			missing = append(missing, strings.ToUpper(w))
		}
	}
	return missing
}

// capabilities asks the server before and after login.
func (c Config) capabilities() (before, after map[string]bool, err error) {
	k, err := c.dial("C")
	if err != nil {
		return nil, nil, err
	}
	defer k.Close()
	if before, err = k.capabilities(); err != nil {
		return nil, nil, err
	}
	if err = c.login(k); err != nil {
		return nil, nil, err
	}
	after, err = k.capabilities()
	return before, after, err
}

func (c *conn) capabilities() (map[string]bool, error) {
	replies, err := c.command("CAPABILITY")
	if err != nil {
		return nil, err
	}
	caps := map[string]bool{}
	for _, r := range replies {
		if args := parseArgs(r); head(args, 1) == "capability" {
			for _, a := range args[2:] {
				caps[strings.ToUpper(a.text)] = true
			}
		}
	}
	return caps, nil
}

func (c Config) dial(name string) (*conn, error) {
	k, err := c.Dial()
	if err != nil {
		return nil, err
	}
	return newConn(k, name)
}

func (c Config) login(k *conn) error {
	_, err := k.command("LOGIN " + quote(c.User) + " " + quote(c.Password))
	return err
}

// cleanUp deletes the test mailboxes over a connection of its own.
func (c Config) cleanUp() error {
	k, err := c.dial("D")
	if err != nil {
		return err
	}
	defer k.Close()
	if err := c.login(k); err != nil {
		return err
	}
	return c.deleteMailboxes(k)
}

// deleteMailboxes deletes all test mailboxes and their subscriptions, children
// first.
func (c Config) deleteMailboxes(k *conn) error {
	for _, verbs := range [][2]string{{"LSUB", "UNSUBSCRIBE"}, {"LIST", "DELETE"}} {
		replies, err := k.command(verbs[0] + ` "" ` + quote(c.Mailbox+"*"))
		if err != nil {
			return err
		}
		var names []string
		for _, r := range replies {
			if args := parseArgs(r); len(args) > 4 && strings.EqualFold(args[1].text, verbs[0]) {
				names = append(names, args[4].text)
			}
		}
		slices.Sort(names)
		slices.Reverse(names)
		for _, name := range names {
			// A name may stand for what cannot be deleted, such as a level of the hierarchy.
			_, err := k.command(verbs[1] + " " + quote(name))
			if err != nil && !strings.Contains(err.Error(), "answered") {
				return err
			}
		}
	}
	return nil
}

// play is a script being run.
type play struct {
	Config
	*script
	conns []*conn
	vars  map[string]string
	match []*matcher
	mails []mail
	next  int // the mail that is appended next
}

func (c Config) run(t *testing.T, s *script) {
	p := &play{Config: c, script: s}
	defer p.close()
	if err := p.all(); err != nil {
		for i, k := range p.conns {
			t.Logf("connection %d:\n%s", i+1, tail(k.log.String(), 4000))
		}
		t.Error(err)
	}
}

// all prepares the account and plays every group.
func (p *play) all() error {
	if err := p.prepare(); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	for i := range p.groups {
		if err := p.play(&p.groups[i]); err != nil {
			return fmt.Errorf("line %d: %w", p.groups[i].line, err)
		}
	}
	return nil
}

func (p *play) close() {
	for _, k := range p.conns {
		k.Close()
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// prepare opens the connections and brings the account into the script's state.
func (p *play) prepare() error {
	if err := p.readMails(); err != nil {
		return err
	}
	name, domain, _ := strings.Cut(p.User, "@")
	p.vars = map[string]string{
		"user": p.User, "username": name, "domain": domain, "password": p.Password,
		"mailbox": p.Mailbox, "mailbox_url": "/" + p.Mailbox,
	}
	for i := range p.connections {
		k, err := p.dial(string(rune('A' + i)))
		if err != nil {
			return err
		}
		p.conns = append(p.conns, k)
		m := newMatcher(p.vars)
		p.match = append(p.match, m)
		if p.state < stateAuth {
			continue
		}
		if err := p.login(k); err != nil {
			return err
		}
	}
	first := p.conns[0]
	if p.state >= stateAuth {
		if err := p.deleteMailboxes(first); err != nil {
			return err
		}
	}
	if p.state >= stateCreated {
		if _, err := first.command("CREATE " + quote(p.Mailbox)); err != nil {
			return err
		}
	}
	if p.state >= stateAppended {
		n := p.messages
		if n < 0 {
			n = len(p.mails)
		}
		for range n {
			if _, err := first.do(p.appendMail(quote(p.Mailbox))...); err != nil {
				return err
			}
		}
	}
	if p.state >= stateSelected {
		for _, k := range p.conns {
			if _, err := k.command("SELECT " + quote(p.Mailbox)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readMails reads the script's own mails, or those for all.
func (p *play) readMails() error {
	var err error
	p.mails, err = readMbox(filepath.Join(p.Dir, p.name+".mbox"))
	if os.IsNotExist(err) {
		p.mails, err = readMbox(filepath.Join(p.Dir, "default.mbox"))
	}
	return err
}

// appendMail is an APPEND of the next mail; where says mailbox and flags.
func (p *play) appendMail(where string) text {
	m := p.mails[p.next%len(p.mails)]
	p.next++
	return text{
		{s: "APPEND " + where + m.date.Format(` "02-Jan-2006 15:04:05 -0700" `)},
		{s: string(m.body), literal: true},
		{},
	}
}

// expand makes of a command in a script what is sent. An APPEND without a literal
// appends the next mail; without a mailbox, to the test mailbox.
func (p *play) expand(m *matcher, t text) text {
	out := slices.Clone(t)
	for i := range out {
		if !out[i].literal {
			out[i].s = m.expand(out[i].s)
		}
	}
	word, rest := out.cut()
	if !strings.EqualFold(word, "APPEND") || len(out) > 1 {
		return out
	}
	where := strings.TrimSpace(rest.String())
	if where == "" {
		where = quote(p.Mailbox)
	}
	return p.appendMail(where)
}

// play sends a group and compares what comes back.
func (p *play) play(g *group) error {
	k, m := p.conns[g.conn], p.match[g.conn]
	m.start()
	r := &round{play: p, group: g, matcher: m, found: make([]bool, len(g.replies))}
	for i := range g.commands {
		c := &g.commands[i]
		tag := c.tag
		if tag == "" {
			tag = k.tag()
		}
		r.tags = append(r.tags, tag)
		p.vars["tag"] = tag
	}
	for i, tag := range r.tags {
		if err := k.send(tag, p.expand(m, g.commands[i].text), r.take); err != nil {
			return err
		}
	}
	for r.answered < len(g.commands) && r.err == nil {
		reply, err := k.read()
		if err != nil {
			return fmt.Errorf("waiting for the answer: %w", err)
		}
		r.take(reply)
	}
	if r.err != nil {
		return r.err
	}
	for i, e := range g.replies {
		if e.kind == '*' && !r.found[i] {
			return fmt.Errorf("the reply of line %d did not come: %s\n(variables: %v)", e.line, e.text, p.vars)
		}
	}
	return nil
}

// round is a group whose answers are awaited.
type round struct {
	*play
	group    *group
	matcher  *matcher
	tags     []string
	found    []bool
	answered int
	err      error // the first reply that was wrong
}

// take takes a reply and reports whether it answers a command.
func (r *round) take(reply text) bool {
	word, rest := reply.cut()
	if word == "*" {
		r.untagged(rest)
		return false
	}
	i := slices.Index(r.tags, word)
	if i < 0 {
		return false
	}
	r.tags[i] = ""
	r.answered++
	c := r.group.commands[i]
	status, after := rest.cut()
	if c.status != "" && !strings.EqualFold(status, c.status) || !r.matcher.answer(c.prefix, after) {
		r.fail("%s is answered with %q instead of %q %s", c.text, rest, c.status, c.prefix)
	}
	return true
}

func (r *round) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// untagged finds the expected replies that this one is. It may be several: a server
// may say in one FETCH what a script expects in two.
func (r *round) untagged(got text) {
	known := false
	for i, e := range r.group.replies {
		switch {
		case e.kind == '!':
			if r.matcher.reply(e.text, got) {
				r.fail("the reply %q must not come (line %d)", got, e.line)
			}
		case !r.found[i] && r.matcher.reply(e.text, got):
			r.found[i], known = true, true
		}
	}
	args := parseArgs(got)
	if head(args, 1) == "expunge" {
		if n, err := strconv.Atoi(args[0].text); err == nil {
			r.matcher.expunge(n)
		}
	}
	if r.strict && !known {
		r.fail("the reply %q is not expected", got)
	}
}
