package sieve

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
)

// lab is a mail server that lives for one test script: mailboxes in memory, an outbox, and settings that the script changes. It is
// the host of the scripts, and does what they want done.
type lab struct {
	dir string // of the test script
	// mustFail: the cases are those that others' engines once broke on; each has to fail, in peace.
	mustFail bool
	t        *testing.T // of the case that runs
	left     []string   // cases that did not run yet
	wrong    int

	config, pending map[string]string
	mailboxes       map[string][]labMail
	metadata        map[[2]string]string
	seen            map[string]time.Time
	uses            map[string][]string // mailboxes by their special use, in lower case
	outbox          []labMail
	message         labMail // that is looked at
	compiled        *Script
	errors          []string
	executed        []Action
}

// labMail is a message that lies somewhere.
type labMail struct {
	content  []byte
	envelope Envelope
	flags    []string
}

const firstMessage = "From: sender@example.com\r\nTo: recipient@example.org\r\nSubject: Frop!\r\n\r\nFriep!\r\n"

func newLab(path string) *lab {
	l := &lab{dir: filepath.Dir(path), config: map[string]string{}, pending: map[string]string{}, metadata: map[[2]string]string{},
		seen: map[string]time.Time{}, uses: map[string][]string{}, mailboxes: map[string][]labMail{inbox: {}}}
	l.mustFail = filepath.Base(l.dir) == "failures"
	return l
}

// compile compiles a script with the words of the test suite.
func (l *lab) compile(path string, source []byte) (*Script, error) {
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return Compile(source, Options{Name: name, Edits: l.edits(), extra: l.words(), more: []string{suiteExtension, "vnd.dovecot.debug"},
		constants: map[string]string{"tst.path": l.dir}, Include: l.include, MustInclude: true,
		Includes: l.number("sieve_include_max_includes", 255), Depth: l.number("sieve_include_max_nesting_depth", 10)})
}

// machine is one that runs a script with the message that is looked at.
func (l *lab) machine() *machine {
	if l.message.content == nil {
		l.message = labMail{content: []byte(firstMessage)}
		l.message.envelope = headerEnvelope(l.message.content)
	}
	j, err := l.job()
	if err != nil {
		panic(err) // memory is read
	}
	m, err := newMachine(context.Background(), j)
	if err != nil {
		panic(err)
	}
	l.configure(m)
	return m
}

// job is what a script is run for.
func (l *lab) job() (Job, error) {
	content := bytes.NewReader(l.message.content)
	parsed, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return Job{}, err
	}
	return Job{Message: Message{Parsed: parsed, Content: content, Size: content.Size(), Flags: l.message.flags}, Envelope: l.message.envelope, Host: l}, nil
}

// configure gives the settings to a machine.
func (l *lab) configure(m *machine) {
	m.delimiters = l.setting("recipient_delimiter", "+")
	m.edits = l.edits()
	m.budget.Actions, m.budget.Redirects = l.number("sieve_max_actions", 32), l.number("sieve_max_redirects", 4)
	m.budget.Value = l.bytes("sieve_variables_max_variable_size", 4<<10)
}

// edits is what editheader may do.
func (l *lab) edits() EditPolicy {
	protected := strings.Fields(l.setting("sieve_editheader_protected", ""))
	return EditPolicy{FieldSize: l.number("sieve_editheader_max_header_size", 0),
		NoAdd:    append(strings.Fields(l.setting("sieve_editheader_forbid_add", "")), protected...),
		NoDelete: append(strings.Fields(l.setting("sieve_editheader_forbid_delete", "")), protected...)}
}

// setting is the value of a setting, or another where it is not set.
func (l *lab) setting(name, usual string) string {
	if v, ok := l.config[name]; ok {
		return strings.TrimSpace(v)
	}
	return usual
}

// number is the value of a setting that is one; "none" and what is no number are the usual one.
func (l *lab) number(name string, usual int) int {
	if n, err := strconv.Atoi(l.setting(name, "")); err == nil {
		return n
	}
	return usual
}

// bytes is the value of a setting that is a size, such as 4k.
func (l *lab) bytes(name string, usual int) int {
	value := strings.ToLower(l.setting(name, ""))
	digits := strings.TrimRight(value, "kmb")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil:
		return usual
	case strings.HasPrefix(value[len(digits):], "k"):
		return n << 10
	case strings.HasPrefix(value[len(digits):], "m"):
		return n << 20
	}
	return n
}

// show puts a message before the script. Where it says nothing of its envelope, that is read from its header.
func (l *lab) show(m *machine, mail labMail) error {
	if mail.envelope == (Envelope{}) {
		mail.envelope = headerEnvelope(mail.content)
	}
	l.message = mail
	return l.fresh(m)
}

// fresh forgets what was changed in the message's header.
func (l *lab) fresh(m *machine) error {
	j, err := l.job()
	if err != nil {
		return err
	}
	m.mail, err = newMail(j.Message, j.Envelope)
	return err
}

// reset forgets the actions, and what was sent.
func (l *lab) reset(m *machine) {
	m.result, l.executed, l.outbox = &result{}, nil, nil
	if err := l.fresh(m); err != nil {
		l.t.Fatal(err)
	}
}

// headerEnvelope is the envelope that a message without one is taken to have.
func headerEnvelope(content []byte) Envelope {
	header := message.ParseHeader(content)
	first := func(usual string, names ...string) string {
		for _, name := range names {
			for _, a := range message.ParseAddressList(header.Get(name), 1) {
				if a.Kind == message.IsAddress && a.Local != "" && a.Host != "" {
					return a.Address()
				}
			}
		}
		return usual
	}
	to := first("recipient@example.com", "Envelope-To", "To")
	return Envelope{From: first("sender@example.com", "Return-Path", "Sender", "From"), To: to, OriginalTo: to}
}

var pathForm = regexp.MustCompile(`^(?:@[^.,:@<>\s]+(?:\.[^.,:@<>\s]+)*(?:,@[^.,:@<>\s]+(?:\.[^.,:@<>\s]+)*)*:)?` +
	`("(?:[^"\\]|\\.)*"|[^"@<>:,\s]+)@([\w-]+(?:\.[\w-]+)*)$`)

// envelopePath reads a path of SMTP, with or without its brackets, as loosely as Dovecot does; ok is false for what is none.
func envelopePath(s string) (address string, ok bool) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		s = s[1 : len(s)-1]
	}
	if s == "" || !strings.ContainsAny(s, "@<>:, ") {
		return s, true
	}
	m := pathForm.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	local := m[1]
	if bare := strings.Trim(local, `"`); !strings.ContainsAny(bare, "()<>[]:;@\\,\" ") {
		local = bare
	}
	return local + "@" + m[2], true
}

// mailboxKey is the name under which a mailbox is kept.
func mailboxKey(name string) string {
	if strings.EqualFold(name, inbox) {
		return inbox
	}
	return name
}

var errMailboxName = errors.New("the name is no name of a mailbox")

// create makes a mailbox, if there is none.
func (l *lab) create(name string) error {
	if slices.Contains(strings.Split(name, "/"), "") {
		return errMailboxName
	}
	key := mailboxKey(name)
	if l.mailboxes[key] == nil {
		l.mailboxes[key] = []labMail{}
	}
	return nil
}

// execute does what is wanted and was not done yet. It is false where something cannot be done; the message is kept then.
func (l *lab) execute(m *machine) bool {
	l.errors = nil
	for _, a := range m.result.actions {
		if l.wasExecuted(&a) {
			continue
		}
		if err := l.do(m, &a); err != nil {
			l.errors = append(l.errors, err.Error())
			l.store(inbox, nil, nil)
			return false
		}
		l.executed = append(l.executed, a)
	}
	for _, s := range m.result.sightings {
		l.seen[s.Key] = l.Now().Add(s.For)
	}
	keep := Action{Kind: Keep, home: true, Flags: addFlags(m.result.kept, m.flagsNow()), Header: m.mail.header()}
	if m.result.cancelled || l.wasExecuted(&keep) {
		return true
	}
	l.store(inbox, keep.Header, keep.Flags)
	l.executed = append(l.executed, keep)
	return true
}

func (l *lab) wasExecuted(a *Action) bool {
	return slices.ContainsFunc(l.executed, func(b Action) bool {
		return a.sameAs(&b) || a.Reply != nil && a.Reply == b.Reply
	})
}

// do does one action.
func (l *lab) do(m *machine, a *Action) error {
	switch a.Kind {
	case Keep, FileInto:
		return l.file(m, a)
	case Redirect:
		l.redirect(m, a)
	case Reject, EReject:
		l.reject(m, a)
	case Vacation:
		l.reply(a.Reply)
	case Notify:
		l.notify(m, a.Notice)
	}
	return nil
}

// file puts the message into a mailbox.
func (l *lab) file(m *machine, a *Action) error {
	name := a.Mailbox
	if a.home {
		name = inbox
	}
	if a.Use != "" {
		if list, err := l.SpecialUse(m.ctx, a.Use); err == nil && len(list) > 0 {
			name = list[0]
		}
	}
	var err error
	if a.Create || strings.Contains(name, "//") {
		err = l.create(name)
	}
	if err == nil && l.mailboxes[mailboxKey(name)] == nil {
		err = errors.New("it does not exist")
	}
	if err != nil {
		return fmt.Errorf("failed to store into mailbox '%s': %w", name, err)
	}
	l.store(name, a.Header, a.Flags)
	return nil
}

// store puts the message into a mailbox that there is, with the keyword that this server gives.
func (l *lab) store(name string, header []byte, flags []string) {
	key := mailboxKey(name)
	keyword := "$HasNoAttachment"
	if bytes.Contains(bytes.ToLower(l.message.content), []byte("content-disposition: attachment")) {
		keyword = "$HasAttachment"
	}
	l.mailboxes[key] = append(l.mailboxes[key], labMail{content: l.content(header), flags: append(slices.Clone(flags), keyword)})
}

// content is the message with another header, if there is one.
func (l *lab) content(header []byte) []byte {
	if header == nil {
		return bytes.Clone(l.message.content)
	}
	_, body, _ := bytes.Cut(l.message.content, []byte("\r\n\r\n"))
	return slices.Concat(header, body)
}

// redirectedFrom is the field by which redirects that go round in a circle are found.
const redirectedFrom = "X-Sieve-Redirected-From"

// redirect sends the message on.
func (l *lab) redirect(m *machine, a *Action) {
	own := m.mail.To
	if user := l.setting("sieve_user_email", ""); user != "" {
		own = user
	}
	for _, f := range m.mail.named(redirectedFrom) {
		if strings.EqualFold(f.Value(), own) || strings.EqualFold(f.Value(), m.mail.To) {
			return
		}
	}
	content := append([]byte(redirectedFrom+": "+own+"\r\n"), l.content(a.Header)...)
	l.outbox = append(l.outbox, labMail{content: content, envelope: Envelope{From: l.sender("sieve_redirect_envelope_from", m, own), To: a.Address}})
}

// sender is the reverse-path of what is sent on, as the setting of a name says.
func (l *lab) sender(setting string, m *machine, own string) string {
	if m.mail.From == "" {
		return ""
	}
	switch how := l.setting(setting, "sender"); how {
	case "sender":
		return m.mail.From
	case "recipient":
		return m.mail.To
	case "postmaster":
		return l.setting("postmaster_address", "postmaster@example.com")
	case "orig_recipient":
		return m.mail.OriginalTo
	case "user_email":
		return own
	default:
		address, _ := envelopePath(how)
		return address
	}
}

// reject tells the sender that the message is not taken.
func (l *lab) reject(m *machine, a *Action) {
	if m.mail.From == "" {
		return
	}
	text := "From: Postmaster <" + l.setting("postmaster_address", "postmaster@example.com") + ">\r\nTo: <" + m.mail.From + ">\r\nSubject: Rejected\r\nAuto-Submitted: auto-replied\r\n\r\n" + a.Reason + "\r\n"
	l.outbox = append(l.outbox, labMail{content: []byte(text), envelope: Envelope{To: m.mail.From}})
}

// reply answers for vacation.
func (l *lab) reply(r *Reply) {
	if r.Silence == "" {
		l.outbox = append(l.outbox, labMail{content: r.Message(l.Now(), "<reply@example.com>"), envelope: Envelope{To: r.To}})
	}
}

// notify tells somebody.
func (l *lab) notify(m *machine, n *Notice) {
	if n.Silence != "" {
		return
	}
	from := ""
	switch _, told := l.config["sieve_notify_mailto_envelope_from"]; {
	case told:
		from = l.sender("sieve_notify_mailto_envelope_from", m, cmp.Or(l.setting("sieve_user_email", ""), m.mail.To))
	case m.mail.From != "":
		from = n.From
	}
	for _, to := range slices.Concat(n.To, n.Cc, n.Bcc) {
		l.outbox = append(l.outbox, labMail{content: n.Message(l.Now(), "<notice@example.com>", n.From), envelope: Envelope{From: from, To: to}})
	}
}

// Now is the host's clock.
func (l *lab) Now() time.Time { return time.Now() }

// Item is an item of the environment.
func (l *lab) Item(name string) (string, bool) {
	host, err := os.Hostname()
	value, ok := map[string]string{"name": "Pigeonhole Sieve", "version": "1", "location": "MS", "phase": "during", "domain": "example.com", "host": host,
		"remote-host": "", "remote-ip": ""}[name]
	return value, ok && err == nil
}

// Addresses are those that the settings give the account.
func (l *lab) Addresses() (own []string) {
	if user := l.setting("sieve_user_email", ""); user != "" {
		own = append(own, user)
	}
	if l.setting("sieve_vacation_use_original_recipient", "no") == "yes" {
		own = append(own, l.message.envelope.OriginalTo)
	}
	if l.setting("sieve_vacation_check_recipient", "yes") == "no" {
		for _, a := range message.ParseAddressList(message.ParseHeader(l.message.content).Get("To"), 1) {
			own = append(own, a.Address())
		}
	}
	return own
}

// Owns lets everybody write in any name.
func (l *lab) Owns(context.Context, string) (bool, error) { return true, nil }

// HasMailbox reports whether there is a mailbox.
func (l *lab) HasMailbox(_ context.Context, name string) (bool, error) {
	return l.mailboxes[mailboxKey(name)] != nil, nil
}

// SpecialUse finds a mailbox by its special use.
func (l *lab) SpecialUse(_ context.Context, use string) ([]string, error) {
	return l.uses[strings.ToLower(use)], nil
}

// Metadata is an annotation.
func (l *lab) Metadata(_ context.Context, mailbox, entry string) (string, bool, error) {
	v, ok := l.metadata[[2]string{mailboxKey(mailbox), strings.ToLower(entry)}]
	return v, ok, nil
}

// include gives a script that lies beside the test script.
func (l *lab) include(name string, global bool) ([]byte, error) {
	folder := "included"
	if global {
		folder = "included-global"
	}
	return os.ReadFile(filepath.Join(l.dir, folder, name+".sieve"))
}

// Duplicate reports what was seen.
func (l *lab) Duplicate(_ context.Context, key string) (bool, error) {
	return l.Now().Before(l.seen[key]), nil
}
