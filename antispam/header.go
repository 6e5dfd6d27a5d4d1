package antispam

import (
	"strings"
	"time"
	"unicode/utf8"

	"postern/antispam/bayes"
	"postern/antispam/words"
	"postern/internal/address"
	"postern/internal/message"
)

// headerFacts are about the header as the author's program made it. Fields that only tell of the road are not here.
type headerFacts struct {
	fromName                       string // decoded
	fromLocal, fromDomain, fromOrg string
	fromFree                       bool // at a provider that gives addresses to anybody
	replyDomain, replyOrg          string
	replyFree, replyOther          bool // other: not the author's address
	senderOrg                      string

	subject      string // decoded
	subjectWords words.Stats
	encodedASCII bool // the subject is encoded and had no need of it
	saysReply    bool // the subject begins with "Re:"
	isReply      bool // it names the message that it answers
	subjectNames bool // the subject holds the recipient's address, or its local part

	to          []recipient // whom it is for, as far as that is known; a few at most
	recipients  int         // addresses in To and Cc
	hasTo       bool
	undisclosed bool
	toSelf      bool // the only one it is for is its author

	date      time.Time // zero when there is none that can be read
	arrived   time.Time // zero when nobody knows
	hasDate   bool
	messageID string
	list      bool // it says that it comes from a mailing list
	// brandForged: the author's name is that of a well-known company, and the address is not its; brandNear: the address is
	// made to look like it.
	// brandGenuine: the address is its.
	brandForged, brandNear, brandGenuine bool
	brand                                *brand // whose name it is

	talk         bool // and the list is one on which people talk
	group        bool // it was written on the page of a group, to which answers go
	leave        bool // it tells how to unsubscribe, for programs
	mailer       string
	urgent       bool   // it calls itself important
	script       bool   // a script on a web server says that it sent it
	outlook      bool   // there is a field that Outlook and Exchange add
	signed       bool   // there is a DKIM signature
	signedBy     bool   // a DKIM signature claims to be of the author's organization
	toOrg        string // of the first recipient
	toRecipients bool   // the first is called "Recipients", as a program calls a list of addresses
	sorted       bool   // the recipients are many and in order, as lists of addresses are
	provider     bool   // some hop names the free mail provider that the author is at
}

// recipient is somebody whom a message is for, in lower case.
type recipient struct{ address, local, domain string }

// maxTo bounds the recipients whose addresses are looked for in a message.
const maxTo = 3

func (f *features) readHeader(m *Mail) {
	h, env := &f.header, m.Parsed.Envelope
	h.readAuthors(env)
	h.readRecipients(m, env)
	h.subject = message.DecodeHeader(env.Subject)
	h.encodedASCII = h.subject != env.Subject && isASCII(h.subject) && strings.Contains(env.Subject, "=?")
	h.saysReply = hasPrefixFold(h.subject, "re:")
	h.isReply = env.InReplyTo != "" || env.References != ""
	h.date, h.hasDate, h.messageID = env.Sent, env.HasDate, env.MessageID
	h.readOthers(m)
	h.group = isGroup(env)
	h.subjectNames = h.namesRecipient(env)
	h.readBrand()
	f.readSubjectWords(env.Subject)
}

func (h *headerFacts) readAuthors(env *message.Envelope) {
	if len(env.From) > 0 {
		from := env.From[0]
		h.fromName = message.DecodeHeader(from.Name)
		h.fromLocal, h.fromDomain = strings.ToLower(from.Local), domainOf(from)
		h.fromOrg, h.fromFree = organization(h.fromDomain), isFreeMail(h.fromDomain)
	}
	if len(env.ReplyTo) > 0 {
		reply := env.ReplyTo[0]
		h.replyDomain = domainOf(reply)
		h.replyOrg, h.replyFree = organization(h.replyDomain), isFreeMail(h.replyDomain)
		h.replyOther = h.replyDomain != "" && (h.replyDomain != h.fromDomain || !strings.EqualFold(reply.Local, h.fromLocal))
	}
	if len(env.Sender) > 0 {
		h.senderOrg = organization(domainOf(env.Sender[0]))
	}
}

// domainOf is the domain of an address in lower-case A-labels, as far as it is one.
func domainOf(m message.Mailbox) string {
	if domain, err := address.NormalizeDomain(strings.TrimSuffix(m.Host, ".")); err == nil {
		return domain
	}
	return strings.ToLower(m.Host)
}

func (h *headerFacts) readRecipients(m *Mail, env *message.Envelope) {
	h.hasTo = m.Parsed.Header.Count("To")+m.Parsed.Header.Count("Cc") > 0
	self := 0
	for _, list := range [][]message.Mailbox{env.To, env.Cc} {
		for _, to := range list {
			switch {
			case to.Kind != message.IsAddress:
				h.undisclosed = h.undisclosed || strings.Contains(strings.ToLower(to.Local), "undisclosed")
			case to.Host != "":
				h.recipients++
				if strings.EqualFold(to.Local, h.fromLocal) && domainOf(to) == h.fromDomain {
					self++
				}
				h.undisclosed = h.undisclosed || hasPrefixFold(to.Local, "undisclosed")
			}
		}
	}
	h.toSelf = self > 0 && self == h.recipients
	h.readTo(m, env)
	if len(env.To) > 0 {
		h.toOrg = organization(domainOf(env.To[0]))
		h.toRecipients = env.To[0].Name == "Recipients"
	}
	h.sorted = isSorted(env.To) || isSorted(env.Cc)
}

// readTo notes whom the message is for: by its envelope if that is known, else by its header.
func (h *headerFacts) readTo(m *Mail, env *message.Envelope) {
	add := func(local, domain string) {
		if local != "" && domain != "" && len(local)+len(domain) < 200 {
			local, domain = strings.ToLower(local), strings.ToLower(domain)
			h.to = append(h.to, recipient{local + "@" + domain, local, domain})
		}
	}
	for _, a := range m.Recipients[:min(len(m.Recipients), maxTo)] {
		add(a.Local, a.Domain)
	}
	if len(m.Recipients) == 0 {
		for _, a := range env.To[:min(len(env.To), maxTo)] {
			add(a.Local, a.Host)
		}
	}
}

// isSorted: five addresses or more of which each begins as the next does and stands before it: a page of a list.
func isSorted(list []message.Mailbox) bool {
	if len(list) < 5 {
		return false
	}
	for i := 1; i < len(list); i++ {
		a, b := strings.ToLower(list[i-1].Local), strings.ToLower(list[i].Local)
		if len(a) < 2 || len(b) < 2 || a[0] != b[0] || a > b {
			return false
		}
	}
	return true
}

// signingOrg is the organization of a signature's d= tag.
func signingOrg(value string) string {
	for tag := range strings.SplitSeq(value, ";") {
		if name, domain, ok := strings.Cut(tag, "="); ok && strings.TrimSpace(name) == "d" {
			return organization(strings.ToLower(strings.TrimSpace(domain)))
		}
	}
	return ""
}

// namesRecipient: programs that write to lists of addresses fill them into the subject.
func (h *headerFacts) namesRecipient(env *message.Envelope) bool {
	if h.list || h.isReply {
		return false
	}
	subject := strings.ToLower(h.subject)
	for _, to := range env.To[:min(len(env.To), 3)] {
		if len(to.Local) >= 5 && to.Host != "" && strings.Contains(subject, strings.ToLower(to.Local)) {
			return true
		}
	}
	return false
}

// readOthers walks the fields once for all that the envelope does not hold.
func (h *headerFacts) readOthers(m *Mail) {
	h.arrived = m.At
	for i := range m.Parsed.Header.Fields {
		field := &m.Parsed.Header.Fields[i]
		switch name := field.Name; {
		case len(name) < 4:
		case strings.EqualFold(name, "Received"):
			value := clip(field.Value(), 2000)
			if h.arrived.IsZero() {
				h.arrived = receivedAt(value)
			}
			h.provider = h.provider || h.fromFree && namesProvider(h.fromDomain, value)
		case strings.EqualFold(name, "DKIM-Signature"):
			h.signed = true
			h.signedBy = h.signedBy || h.fromOrg != "" && signingOrg(field.Value()) == h.fromOrg
		case strings.EqualFold(name, "X-MimeOLE"), strings.EqualFold(name, "Thread-Index"), hasPrefixFold(name, "X-MS-"):
			h.outlook = true
		case hasPrefixFold(name, "List-"), strings.EqualFold(name, "Mailing-List"):
			h.readListField(name, field)
		case strings.EqualFold(name, "X-Mailman-Version"), strings.EqualFold(name, "X-BeenThere"):
			h.list, h.talk = true, true
		case strings.EqualFold(name, "X-Mailer"), strings.EqualFold(name, "User-Agent"):
			h.mailer = clip(field.Value(), 200)
		case strings.EqualFold(name, "X-Priority"), strings.EqualFold(name, "X-MSMail-Priority"), strings.EqualFold(name, "Importance"), strings.EqualFold(name, "Priority"):
			value := strings.ToLower(clip(field.Value(), 20))
			h.urgent = h.urgent || strings.HasPrefix(value, "1") || strings.HasPrefix(value, "high") || strings.HasPrefix(value, "urgent")
		case hasPrefixFold(name, "X-PHP-"):
			h.script = true
		}
	}
}

func (h *headerFacts) readListField(name string, field *message.Field) {
	switch {
	case strings.EqualFold(name, "List-Id"):
		h.list = true
	case strings.EqualFold(name, "List-Post"):
		h.list = true
		h.talk = h.talk || strings.Contains(field.Value(), "mailto:")
	case strings.EqualFold(name, "Mailing-List"):
		h.list, h.talk = true, true
	case strings.EqualFold(name, "List-Unsubscribe"):
		h.leave = true
	}
}

// isGroup: the message was written on the page of a group and came from there. Answers go to the group, which it is addressed
// to, and the Message-ID was made by the group's host itself. That is no mailbox at a provider: what anybody can write into an
// identifier must not excuse answers that go there.
func isGroup(env *message.Envelope) bool {
	if len(env.ReplyTo) != 1 || len(env.To) != 1 {
		return false
	}
	group := env.To[0]
	_, host, ok := strings.Cut(strings.Trim(env.MessageID, "<> "), "@")
	return ok && group.Host != "" && strings.EqualFold(host, group.Host) && strings.EqualFold(env.ReplyTo[0].Host, group.Host) &&
		strings.EqualFold(env.ReplyTo[0].Local, group.Local) && hosts[domainOf(group)]&freeMail == 0
}

// receivedAt is the time in a Received field, zero when it cannot be read.
func receivedAt(value string) time.Time {
	i := strings.LastIndexByte(value, ';')
	if i < 0 {
		return time.Time{}
	}
	t, err := message.ParseDate(strings.TrimSpace(value[i+1:]))
	if err != nil {
		return time.Time{}
	}
	return t
}

var (
	inSubject = bayes.Of("subject:")
	inFrom    = bayes.Of("from:")
	traitFrom = bayes.Of("trait:from")
	traitAddr = bayes.Of("trait:address")
	traitList = bayes.Of("trait:list")
	traitMail = bayes.Of("trait:mailer")
)

func (f *features) readSubjectWords(rawSubject string) {
	h := &f.header
	words.Split([]byte(clip(h.subject, 1000)), &h.subjectWords, func(w *words.Word) bool {
		f.phrases.Word(w)
		f.text.speaksOf(w.Hash)
		if len(w.Text) > 1 {
			f.words.Add(bayes.Within(inSubject, w.Hash))
		}
		return true
	})
	f.phrases.End()
	if !utf8.ValidString(rawSubject) {
		h.subjectWords.Disguised = 0 // bytes of a charset that nobody named
	}
	words.Split([]byte(clip(h.fromName, 200)), new(words.Stats), func(w *words.Word) bool {
		f.words.Add(bayes.Within(inFrom, w.Hash))
		return true
	})
	if h.fromDomain != "" {
		f.traits.Add(bayes.Within(traitFrom, words.Hash(h.fromDomain)))
		f.traits.Add(bayes.Within(traitAddr, words.Hash(h.fromLocal+"@"+h.fromDomain)))
	}
	if h.mailer != "" {
		f.traits.Add(bayes.Within(traitMail, words.Hash(h.mailer)))
	}
	if h.list {
		f.traits.Add(traitList)
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// clip bounds a text by bytes.
func clip(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}
