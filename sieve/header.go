package sieve

import (
	"strings"
	"unicode/utf8"

	"postern/internal/message"
)

// headerWords are the tests of what stands in the header and the envelope (RFC 5228 5).
var headerWords = []word{
	{name: "header", tags: with(matchTags, indexTags, mimeTags, mediaTags), args: keyed("header names"), test: compileHeader},
	{name: "address", tags: with(matchTags, partTags, indexTags, mimeTags), args: keyed("header list"), test: compileAddress},
	{name: "envelope", from: "envelope", tags: with(matchTags, partTags), args: keyed("envelope parts"), test: compileEnvelope},
	{name: "exists", tags: mimeTags, args: []parameter{{aList, "header names"}}, test: compileExists},
	{name: "size", tags: []tag{{name: "over", group: "limit"}, {name: "under", group: "limit"}}, args: []parameter{{aNumber, "limit"}}, test: compileSize},
}

// keyed are the arguments of most tests: what is looked at, and the keys.
func keyed(what string) []parameter { return []parameter{{aList, what}, {aList, "key list"}} }

var (
	// indexTags pick one of several fields of a name (RFC 5260 6).
	indexTags = []tag{{name: "index", from: "index", takes: aNumber}, {name: "last", from: "index"}}
	// partTags pick a part of an address (RFC 5228 2.7.4, RFC 5233).
	partTags = []tag{{name: "all", group: "address part"}, {name: "localpart", group: "address part"}, {name: "domain", group: "address part"},
		{name: "user", from: "subaddress", group: "address part"}, {name: "detail", from: "subaddress", group: "address part"}}
)

// selection is which of the fields of a name are looked at: all, or one, counted from the first or the last.
type selection struct {
	index int // from 1; 0 for all
	last  bool
}

func (c *compiler) selection(u *use) (s selection) {
	v := u.tags["index"]
	if v == nil {
		if u.has("last") {
			c.problem(u.Position, "the tag ':last' goes with ':index'")
		}
		return s
	}
	if v.number == 0 || v.number > 1<<20 {
		c.problem(v.Position, "fields are counted from 1 with ':index'")
	}
	return selection{int(min(v.number, 1<<20)), u.has("last")}
}

// of gives the fields that are meant.
func (s selection) of(fields []*field) []*field {
	if s.index == 0 {
		return fields
	}
	at := s.index - 1
	if s.last {
		at = len(fields) - s.index
	}
	if at < 0 || at >= len(fields) {
		return nil
	}
	return fields[at : at+1]
}

// isFieldName: RFC 5322 3.6.8.
func isFieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' })
}

// checkFields warns of names that no field can have. They are no mistakes, they match nothing (RFC 5228 2.4.2.2).
func (c *compiler) checkFields(u *use, v *value) {
	for _, t := range v.texts {
		if t.isFixed() && !isFieldName(t.literal) {
			c.warn(t.Position, "\"%s\" is no name of a header field, so the %s test never finds one; write the name alone, without a colon",
				t.literal, u.word.name)
		}
	}
}

func compileHeader(c *compiler, u *use) func(*machine) (bool, error) {
	c.checkFields(u, &u.args[0])
	if media := c.media(u); media != nil {
		return c.compileMedia(u, media)
	}
	begin := c.fieldTest(u, &u.args[1])
	return func(m *machine) (bool, error) {
		t := begin(m)
		for t.next() {
			t.see(m.decode(t.field))
		}
		return t.result()
	}
}

func compileExists(c *compiler, u *use) func(*machine) (bool, error) {
	c.checkFields(u, &u.args[0])
	headers := c.headers(u)
	return func(m *machine) (bool, error) {
		in, err := headers(m)
		if err != nil {
			return false, err
		}
		for i := range u.args[0].texts {
			if ok, err := m.existsIn(in, u.args[0].texts[i].in(m)); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

// existsIn reports whether one of the headers has a field of that name.
func (m *machine) existsIn(headers []*header, name string) (bool, error) {
	for _, h := range headers {
		if list, err := m.named(h, name, selection{}); len(list) > 0 || err != nil {
			return len(list) > 0, err
		}
	}
	return false, nil
}

func compileSize(c *compiler, u *use) func(*machine) (bool, error) {
	over, limit := u.has("over"), u.args[0].number
	if !over && !u.has("under") {
		c.problem(u.Position, "the size test requires the tag ':over' or ':under'")
	}
	return func(m *machine) (bool, error) {
		size := uint64(m.mail.Size + m.mail.grown)
		return over && size > limit || !over && size < limit, nil
	}
}

// isAddressField: fields that hold addresses (RFC 5228 5.1, RFC 2076 and what mail systems write); a test of addresses in others is
// a mistake.
func isAddressField(name string) bool {
	switch strings.ToLower(name) {
	case "from", "to", "cc", "bcc", "sender", "reply-to", "resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender", "resent-reply-to",
		"return-path", "delivered-to", "x-original-to", "x-original-from", "original-recipient", "envelope-to", "x-envelope-to", "x-resent-to",
		"apparently-to", "errors-to", "disposition-notification-to", "return-receipt-to", "return-receipt-requested", "read-receipt-to",
		"x-confirm-reading-to", "registered-mail-reply-requested-by", "mail-followup-to", "mail-reply-to", "abuse-reports-to", "x-report-abuse-to",
		"x-complaints-to", "x-beenthere", "x-admin", "for-approval", "for-handling", "for-comment", "approved-by", "approved":
		return true
	}
	return false
}

func compileAddress(c *compiler, u *use) func(*machine) (bool, error) {
	c.checkFields(u, &u.args[0])
	for _, t := range u.args[0].texts {
		if t.isFixed() && isFieldName(t.literal) && !isAddressField(t.literal) {
			c.problem(t.Position, "the field '%s' holds no addresses; it is not allowed for the address test", t.literal)
			break
		}
	}
	begin, part := c.fieldTest(u, &u.args[1]), c.part(u)
	return func(m *machine) (bool, error) {
		t := begin(m)
		for t.next() {
			m.seeAddresses(&t, part)
		}
		return t.result()
	}
}

// seeAddresses shows the addresses of the field that a test is at.
func (m *machine) seeAddresses(t *fieldTest, part func(*machine, mailbox) (string, bool)) {
	list, err := m.addresses(t.field)
	t.err = err
	for _, a := range list {
		if v, ok := part(m, a); ok && !t.isDecided() {
			t.see(v, nil)
		}
	}
}

// maxAddresses bounds the addresses of one field.
const maxAddresses = 1000

// mailbox is an address by its parts and as a whole. One that is none by the rules has no parts (RFC 5228 2.7.4).
type mailbox struct{ local, host, whole string }

// readAddresses reads the value of a field. Names of groups and comments are no addresses.
func readAddresses(value string) (list []mailbox) {
	parsed := message.ParseAddressList(value, maxAddresses)
	if len(parsed) == 0 {
		return []mailbox{{whole: value}}
	}
	for _, a := range parsed {
		switch {
		case a.Kind != message.IsAddress:
		case a.Local != "" && a.Host != "":
			list = append(list, mailbox{local: a.Local, host: a.Host, whole: a.Local + "@" + a.Host})
		case len(parsed) == 1:
			list = append(list, mailbox{whole: value})
		default:
			list = append(list, mailbox{whole: a.Local + a.Host})
		}
	}
	return list
}

// part gives the function that takes the part of an address that a use asks for; ok is false where the address has none.
func (c *compiler) part(u *use) func(*machine, mailbox) (string, bool) {
	switch {
	case u.has("localpart"):
		return func(_ *machine, a mailbox) (string, bool) { return a.local, a.local != "" }
	case u.has("domain"):
		return func(_ *machine, a mailbox) (string, bool) { return a.host, a.host != "" }
	case u.has("user"):
		return func(m *machine, a mailbox) (string, bool) {
			user, _, _ := m.subaddress(a.local)
			return user, a.local != ""
		}
	case u.has("detail"):
		return func(m *machine, a mailbox) (string, bool) {
			_, detail, ok := m.subaddress(a.local)
			return detail, ok
		}
	}
	return func(_ *machine, a mailbox) (string, bool) {
		return a.whole, true
	}
}

// subaddress parts a local part at the first of the delimiters (RFC 5233 4); ok is false where there is none.
func (m *machine) subaddress(local string) (user, detail string, ok bool) {
	i := strings.IndexAny(local, m.delimiters)
	if i < 0 {
		return local, "", false
	}
	_, n := utf8.DecodeRuneInString(local[i:])
	return local[:i], local[i+n:], true
}

func compileEnvelope(c *compiler, u *use) func(*machine) (bool, error) {
	for _, t := range u.args[0].texts {
		if t.isFixed() && !isEnvelopePart(t.literal) {
			c.problem(t.Position, "there is no envelope part '%s'; there are from, to, orig_to and auth", t.literal)
			break
		}
	}
	match, part := c.matcher(u, &u.args[1]), c.part(u)
	return func(m *machine) (bool, error) {
		if err := m.onlyForNew("the envelope test"); err != nil {
			return false, err
		}
		var values []string
		for _, name := range each(m, u.args[0].texts) {
			values = m.envelope(values, strings.ToLower(name), part)
		}
		return match.any(m, values, u.args[1].texts)
	}
}

func isEnvelopePart(name string) bool {
	switch strings.ToLower(name) {
	case "from", "to", "orig_to", "auth":
		return true
	}
	return false
}

// envelope appends a part of the envelope. The null reverse-path is an empty text for all of it, and has no parts (RFC 5228 5.4).
func (m *machine) envelope(values []string, name string, part func(*machine, mailbox) (string, bool)) []string {
	address := ""
	switch name {
	case "from":
		address = m.mail.From
		if address == "" {
			return append(values, "")
		}
	case "to":
		address = m.mail.To
	case "orig_to":
		address = m.mail.OriginalTo
	case "auth":
		address = m.mail.Auth
	}
	if address == "" {
		return values
	}
	a := mailbox{local: address, whole: address}
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		a.local, a.host = address[:at], address[at+1:]
	}
	if v, ok := part(m, a); ok {
		values = append(values, v)
	}
	return values
}
