package sieve

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// notifyWords are of enotify (RFC 5435). The only method is mail (RFC 5436).
var notifyWords = []word{
	{name: "notify", from: "enotify", tags: []tag{{name: "from", takes: aText}, {name: "importance", takes: aText}, {name: "options", takes: aList},
		{name: "message", takes: aText}}, args: []parameter{{aText, "method"}}, command: compileNotify},
	{name: "valid_notify_method", from: "enotify", args: []parameter{{aList, "methods"}}, test: compileValidMethod},
	{name: "notify_method_capability", from: "enotify", tags: matchTags, args: []parameter{{aText, "method"}, {aText, "capability"}, {aList, "key list"}},
		test: compileMethodCapability},
}

// Notice is a message by which notify wants somebody told of the message that came (RFC 5435, RFC 5436).
type Notice struct {
	// Silence is why nothing is to be sent after all, "" if it is. It stands here for whoever asks why.
	Silence string `json:"silence,omitempty"`
	// Method is the URI.
	Method string `json:"method"`
	// To, Cc and Bcc are addresses, of which those of Bcc stand in no field.
	To  []string `json:"to,omitempty"`
	Cc  []string `json:"cc,omitempty"`
	Bcc []string `json:"bcc,omitempty"`
	// From is the address in whose name the notice is, Name what stands before it.
	From string `json:"from"`
	Name string `json:"name,omitempty"`
	// Subject is one line.
	Subject string `json:"subject"`
	Text    string `json:"text"`
	// Importance is 1, 2 or 3, from high to low.
	Importance int `json:"importance"`
	// Fields are others of the header, names and values.
	Fields [][2]string `json:"fields,omitempty"`
}

// same: one of the two notices is enough.
func (n *Notice) same(other *Notice) bool { return reflect.DeepEqual(n, other) }

func compileNotify(c *compiler, u *use) func(*machine) error {
	c.checkFrom(u)
	method := u.args[0].text()
	if method.isFixed() {
		c.checkMethod(u, method.literal)
	}
	if v := u.tags["importance"]; v != nil && v.text().isFixed() && importance(v.text().literal) == 0 {
		c.problem(v.Position, "\"%s\" is no importance; there are \"1\" for high, \"2\" and \"3\" for low", v.text().literal)
	}
	if v := u.tags["options"]; v != nil {
		c.warn(v.Position, "notices by mail know no options; these are not heeded")
	}
	return func(m *machine) error {
		n := &Notice{Method: method.in(m), Importance: 2}
		to, err := parseMailto(n.Method)
		if err != nil {
			return m.wrong("cannot notify by \"%s\": %s", strings.ToValidUTF8(clipText(n.Method, 60), "?"), err)
		}
		if v := u.tags["importance"]; v != nil {
			if n.Importance = importance(v.text().in(m)); n.Importance == 0 {
				return m.wrong("\"%s\" is no importance; there are \"1\", \"2\" and \"3\"", clipText(v.text().in(m), 60))
			}
		}
		return m.notify(u, n, to)
	}
}

// checkMethod tells what is wrong with a method, and warns of what is not heeded.
func (c *compiler) checkMethod(u *use, method string) {
	m, err := parseMailto(method)
	if err != nil {
		c.problem(u.args[0].Position, "cannot notify by \"%s\": %s", strings.ToValidUTF8(method, "?"), err)
		return
	}
	for _, name := range m.ignored {
		c.warn(u.args[0].Position, "the field '%s' of the URI is not heeded; a notice has none, or one of its own", name)
	}
}

// importance reads the value of :importance (RFC 5435 3.4), 0 for what is none.
func importance(s string) int {
	return 1 + slices.Index([]string{"1", "2", "3"}, s)
}

// notify adds the action, once for the same notice.
func (m *machine) notify(u *use, n *Notice, to *mailto) (err error) {
	n.To, n.Cc, n.Bcc, n.Fields = to.to, to.cc, to.bcc, to.fields
	if n.From, n.Name, err = m.sender(u); err != nil {
		return err
	}
	if n.From == "" {
		n.From = m.owner()
	}
	if n.Silence, err = m.mayNotify(); err != nil {
		return err
	}
	if err := m.noticeText(u, n, to); err != nil {
		return err
	}
	before := len(m.result.actions)
	if err := m.do(Action{Kind: Notify, Notice: n}); err != nil || len(m.result.actions) == before {
		return err
	}
	if m.result.notices += len(n.To) + len(n.Cc) + len(n.Bcc); m.result.notices > m.budget.Notices {
		return m.failed(ErrBudget, "notices go to more than %d addresses", m.budget.Notices)
	}
	return m.take(len(n.Text) + len(n.Subject))
}

// owner is the address that the message came for, or else one of the account's (RFC 5436 2.7).
func (m *machine) owner() string {
	if own := m.host.Addresses(); m.mail.To == "" && len(own) > 0 {
		return own[0]
	}
	return m.mail.To
}

// mayNotify says why no notice of the message may be sent: machines that tell each other of their messages never end (RFC 5436 2.7).
func (m *machine) mayNotify() (silence string, err error) {
	came, err := m.asItCame()
	if err != nil {
		return "", err
	}
	for _, f := range came.Header.All("Auto-Submitted") {
		value, _, _ := strings.Cut(f.Value(), ";")
		if value, _, _ = strings.Cut(value, "("); !strings.EqualFold(strings.TrimSpace(value), "no") {
			return "the message was sent by a machine: Auto-Submitted: " + oneLine(value), nil
		}
	}
	return "", nil
}

const (
	// noticeCost is how many steps writing a notice costs, plainCost how much more than looking at it making a text plain.
	noticeCost = 200
	plainCost  = 8
)

// noticeText says what the script says, or else the URI, or what came from whom (RFC 5436 2.6, 2.7, RFC 5435 3.6).
func (m *machine) noticeText(u *use, n *Notice, to *mailto) error {
	said := ""
	if v := u.tags["message"]; v != nil {
		said = plainText(v.text().in(m))
	}
	if err := m.spend(noticeCost + bytesCost(plainCost*len(said))); err != nil {
		return err
	}
	subject, _, err := m.firstValue("Subject")
	if err != nil {
		return err
	}
	from, _, err := m.firstValue("From")
	if err != nil {
		return err
	}
	n.Subject = cmp.Or(oneLine(said), to.subject, oneLine(subject), "A message has come")
	n.Text = cmp.Or(to.body, said, "A message has come.\n\nFrom: "+oneLine(from)+"\nSubject: "+oneLine(subject)+"\n")
	return nil
}

// compileValidMethod is true if a notice can be sent by all the methods (RFC 5435 4).
func compileValidMethod(_ *compiler, u *use) func(*machine) (bool, error) {
	return func(m *machine) (bool, error) {
		for _, method := range each(m, u.args[0].texts) {
			if err := m.spend(bytesCost(plainCost * len(method))); err != nil {
				return false, err
			}
			if _, err := parseMailto(method); err != nil {
				return false, nil
			}
		}
		return true, nil
	}
}

// compileMethodCapability compares what is known of a method: only whether somebody is there to read it, which for mail is never known
// (RFC 5435 5, RFC 5436 2.2).
func compileMethodCapability(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[2])
	return func(m *machine) (bool, error) {
		method := u.args[0].text().in(m)
		if err := m.spend(bytesCost(plainCost * len(method))); err != nil {
			return false, err
		}
		if _, err := parseMailto(method); err != nil || !strings.EqualFold(u.args[1].text().in(m), "online") {
			return false, nil
		}
		return match.any(m, []string{"maybe"}, u.args[2].texts)
	}
}

// Message writes the notice. id is its own Message-ID, with brackets; owner the address of whose mail it tells.
func (n *Notice) Message(now time.Time, id, owner string) []byte {
	var l letter
	l.from(n.From, n.Name)
	l.field("To", addressList(n.To))
	l.field("Cc", addressList(n.Cc))
	l.words("Subject", n.Subject)
	l.field("Date", now.Format(dateForm))
	l.field("Message-ID", id)
	if !strings.ContainsAny(owner, "\"\\\r\n") {
		owner = `; owner-email="` + owner + `"`
	} else {
		owner = ""
	}
	l.field("Auto-Submitted", "auto-notified"+owner) // RFC 5436 2.7.1
	if n.Importance != 2 {
		l.field("Importance", map[int]string{1: "high", 3: "low"}[n.Importance]) // RFC 5436 2.4
	}
	for _, f := range n.Fields {
		l.words(f[0], f[1])
	}
	l.text(n.Text)
	return l.Bytes()
}

func addressList(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "<" + strings.Join(list, ">,\r\n <") + ">"
}
