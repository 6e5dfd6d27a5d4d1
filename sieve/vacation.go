package sieve

import (
	"slices"
	"time"

	"postern/internal/address"
	"postern/internal/autoreply"
	"postern/internal/message"
)

// vacationWords are of vacation (RFC 5230) and vacation-seconds (RFC 6131).
var vacationWords = []word{
	{name: "vacation", from: "vacation", tags: []tag{{name: "days", takes: aNumber, group: "period"},
		{name: "seconds", from: "vacation-seconds", takes: aNumber, group: "period"}, {name: "subject", takes: aText}, {name: "from", takes: aText},
		{name: "addresses", takes: aList}, {name: "mime"}, {name: "handle", takes: aText}}, args: []parameter{{aText, "reason"}}, command: compileVacation},
}

// How long a sender is not answered again (RFC 5230 4.1, RFC 6131 2): if the script says nothing, at least and at most.
const (
	usualSilence   = 7 * 24 * time.Hour
	leastSilence   = time.Minute
	longestSilence = 365 * 24 * time.Hour
)

// maxOwnAddresses is how many addresses of one's own a script may name.
const maxOwnAddresses = 64

// Reply is an answer that vacation wants sent (RFC 5230), to the reverse-path of the message and with none itself.
type Reply struct {
	// Silence is why nothing is to be sent after all, "" if it is (RFC 5230 4.5, 4.6). It stands here for whoever asks why.
	Silence string `json:"silence,omitempty"`
	To      string `json:"to,omitempty"`
	// From is the address in whose name the answer is, Name what stands before it.
	From string `json:"from,omitempty"`
	Name string `json:"name,omitempty"`
	// Subject is one line.
	Subject string `json:"subject"`
	// Handle and To tell whether the sender was answered already: a digest, 64 hexadecimal digits. Every is how long that counts.
	Handle string        `json:"handle"`
	Every  time.Duration `json:"every"`
	// MIME tells that the text begins with header fields of its own.
	MIME bool   `json:"mime,omitempty"`
	Text string `json:"text"`
	// InReplyTo and References are what the fields of these names have (RFC 5230 5.8).
	InReplyTo  string   `json:"in_reply_to,omitempty"`
	References []string `json:"references,omitempty"`
}

func compileVacation(c *compiler, u *use) func(*machine) error {
	every := c.silence(u)
	c.checkFrom(u)
	c.checkOwn(u)
	reason := u.args[0].text()
	if u.has("mime") && reason.isFixed() && !isEntity(reason.literal) {
		c.problem(u.args[0].Position, "with ':mime' the text begins with header fields, such as \"Content-Type: text/html\", and an empty line")
	}
	handle := defaultHandle(u)
	return func(m *machine) error {
		if err := m.onlyForNew("vacation"); err != nil {
			return err
		}
		r := Reply{To: m.mail.From, Every: every, Handle: handle, MIME: u.has("mime"), Text: plainText(reason.in(m))}
		if v := u.tags["handle"]; v != nil {
			r.Handle = digest("handle", v.text().in(m))
		}
		if r.MIME && !isEntity(r.Text) {
			return m.wrong("with ':mime' the text begins with header fields, such as \"Content-Type: text/html\", and an empty line")
		}
		return m.answer(u, &r)
	}
}

// silence is how long the same sender is not answered again, within bounds.
func (c *compiler) silence(u *use) time.Duration {
	every, unit := usualSilence, 24*time.Hour
	v, name := u.tags["days"], "days"
	if v == nil {
		v, name, unit = u.tags["seconds"], "seconds", time.Second
	}
	if v == nil {
		return every
	}
	least := max(leastSilence, unit)
	every = max(time.Duration(min(v.number, uint64(longestSilence/unit)))*unit, least)
	if uint64(every/unit) != v.number {
		c.warn(v.Position, "':%s %d' is taken as %d; from %d to %d can be had", name, v.number, every/unit, least/unit, longestSilence/unit)
	}
	return every
}

// checkOwn tells that one of the :addresses is none.
func (c *compiler) checkOwn(u *use) {
	v := u.tags["addresses"]
	if v == nil {
		return
	}
	if len(v.texts) > maxOwnAddresses {
		c.problem(v.Position, "there are %d addresses; %d are the most", len(v.texts), maxOwnAddresses)
	}
	for _, t := range v.texts {
		if t.isFixed() && outAddress(t.literal) == "" {
			c.problem(t.Position, "\"%s\" is no mail address", t.literal)
		}
	}
}

// defaultHandle tells apart answers of which the script does not say what they have in common (RFC 5230 4.2). It is made of what the
// script says, not of what stands in its variables when it runs: else each message could be answered.
func defaultHandle(u *use) string {
	said := []string{"default", u.args[0].text().written(), "", "", ""}
	for i, name := range []string{"subject", "from"} {
		if v := u.tags[name]; v != nil {
			said[2+i] = v.text().written()
		}
	}
	if u.has("mime") {
		said[4] = "mime"
	}
	return digest(said...)
}

// answer adds the action. A script answers once (RFC 5230 4.7); that an earlier one did so is enough.
func (m *machine) answer(u *use, r *Reply) error {
	for i := range m.result.actions {
		switch a := &m.result.actions[i]; {
		case a.Kind != Vacation || i < m.result.settled && a.Reply.Silence != "":
			continue
		case i < m.result.settled:
			return nil
		}
		return m.wrong("vacation was done already; a script can answer once")
	}
	own, err := m.ownAddresses(u)
	if err != nil {
		return err
	}
	if r.Silence, r.From, err = m.mayAnswer(own); err != nil {
		return err
	}
	from, name, err := m.sender(u)
	if err != nil {
		return err
	}
	if from != "" {
		r.From, r.Name = from, name
	}
	if err := m.replySubject(u, r); err != nil {
		return err
	}
	if err := m.thread(r); err != nil {
		return err
	}
	if err := m.spend(bytesCost(plainCost * len(r.Text))); err != nil {
		return err
	}
	if err := m.take(len(r.Text) + len(r.Subject)); err != nil {
		return err
	}
	return m.do(Action{Kind: Vacation, Reply: r})
}

// ownAddresses are those of the account, the one that the message came for, and what the script says (RFC 5230 4.5).
func (m *machine) ownAddresses(u *use) (own []address.Address, err error) {
	list := append(slices.Clone(m.host.Addresses()), m.mail.To)
	if v := u.tags["addresses"]; v != nil {
		for _, s := range each(m, v.texts) {
			a := outAddress(s)
			if a == "" {
				return nil, m.wrong("\"%s\" is no mail address", clipText(s, 60))
			}
			list = append(list, a)
		}
	}
	for _, s := range list {
		if a, err := address.Parse(s); err == nil && !a.IsZero() {
			own = append(own, a)
		}
	}
	return own, m.spend(len(list))
}

// answerCost is how many steps looking at the message costs, to know whether a person wrote it.
const answerCost = 20_000

// mayAnswer decides whether the message may be answered, and says why not, or in the name of which address: that which it was
// written to (RFC 5230 4.5, 4.6, 5.4). Who was answered lately is for others to know.
func (m *machine) mayAnswer(own []address.Address) (silence, as string, err error) {
	if err := m.spend(answerCost); err != nil {
		return "", "", err
	}
	if len(own) > 0 {
		as = own[0].String()
	}
	sender := address.Address{}
	if m.mail.From != "" {
		if sender, err = address.Parse(m.mail.From); err != nil {
			return "the reverse-path is no address that can be answered", as, nil
		}
	}
	for _, a := range own {
		if a.Key() == sender.Key() {
			return "the message comes from an address of the account itself", as, nil
		}
	}
	came, err := m.asItCame()
	if err != nil {
		return "", "", err
	}
	if ok, why := autoreply.May(came, sender, autoreply.Options{Person: own, Content: m.mail.Content}); !ok {
		return why, as, nil
	}
	if len(own) == 0 {
		return "no address of the account is known", "", nil
	}
	if a, ok := autoreply.AddressedTo(came, own); ok {
		as = a.String()
	}
	return "", as, nil
}

// asItCame is the message with the header that it came with, whatever a script did to it.
func (m *machine) asItCame() (*message.Message, error) {
	switch parsed := m.mail.Parsed; {
	case m.mail.came != nil:
	case len(parsed.Header.Fields) > 0:
		m.mail.came = parsed
	default:
		header, err := readHeader(m.mail.Message)
		if err != nil {
			return nil, m.failed(err, "the message could not be read: %v", err)
		}
		came := *parsed
		came.Header = header
		m.mail.came = &came
	}
	return m.mail.came, m.spend(1 + len(m.mail.came.Header.Fields)/16)
}
