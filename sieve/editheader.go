package sieve

import (
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/internal/message"
)

// editWords are of editheader (RFC 5293).
var editWords = []word{
	{name: "addheader", from: "editheader", tags: []tag{{name: "last"}}, args: []parameter{{aText, "field name"}, {aText, "value"}},
		command: compileAddHeader},
	{name: "deleteheader", from: "editheader", tags: with(matchTags, []tag{{name: "index", takes: aNumber}, {name: "last"}}),
		args: []parameter{{aText, "field name"}, {aList, "value patterns"}}, lastOptional: true, command: compileDeleteHeader},
}

// EditPolicy says what editheader may do. The zero value is the usual policy.
type EditPolicy struct {
	// FieldSize is the most that a value has that is added, in bytes; 4 KiB if it is not positive.
	FieldSize int
	// NoAdd and NoDelete are names of fields that are not added, or not deleted; what asks for it is passed over, with a warning. One
	// that ends in * stands for all names that begin so.
	// Received and Auto-Submitted are never deleted, Subject may always be changed (RFC 5293 6).
	NoAdd, NoDelete []string
}

func (p *EditPolicy) fieldSize() int {
	if p.FieldSize > 0 {
		return p.FieldSize
	}
	return 4 << 10
}

func (p *EditPolicy) refusesAdd(name string) bool { return isListed(p.NoAdd, name) }

func (p *EditPolicy) refusesDelete(name string) bool {
	return isSameASCII(name, "received") || isSameASCII(name, "auto-submitted") || isListed(p.NoDelete, name)
}

func isListed(names []string, name string) bool {
	return !isSameASCII(name, "subject") && slices.ContainsFunc(names, func(n string) bool {
		begin, many := strings.CutSuffix(n, "*")
		return isSameASCII(n, name) || many && len(name) >= len(begin) && isSameASCII(begin, name[:len(begin)])
	})
}

// maxAdded is what all that scripts add to a header may take together, in bytes.
const maxAdded = 64 << 10

// checkFieldToEdit tells of a name that no field can have.
func (c *compiler) checkFieldToEdit(v *value) {
	if t := v.text(); t.isFixed() && !isFieldName(t.literal) {
		c.problem(v.Position, "the field name \"%s\" is invalid; it has no colon, no spaces, and letters of ASCII only", t.literal)
	}
}

func compileAddHeader(c *compiler, u *use) func(*machine) error {
	c.checkFieldToEdit(&u.args[0])
	name, value, last := u.args[0].text(), u.args[1].text(), u.has("last")
	if value.isFixed() {
		if why := badFieldValue(value.literal, c.options.Edits.fieldSize()); why != "" {
			c.problem(u.args[1].Position, "the value \"%s\" is invalid: %s", clipText(value.literal, 40), why)
		}
	}
	if name.isFixed() && c.options.Edits.refusesAdd(name.literal) {
		c.warn(u.args[0].Position, "the field '%s' is protected and will not be added", name.literal)
	}
	return func(m *machine) error {
		name, value := name.in(m), value.in(m)
		if !isFieldName(name) {
			return m.wrong("the field name \"%s\" is invalid", clipText(name, 60))
		}
		if why := badFieldValue(value, m.edits.fieldSize()); why != "" {
			return m.wrong("the value \"%s\" is invalid: %s", clipText(value, 40), why)
		}
		if m.edits.refusesAdd(name) {
			m.warn("the field '%s' is protected and was not added", name)
			return nil
		}
		return m.addField(name, value, last)
	}
}

// badFieldValue says why a text cannot be the value of a field, "" if it can. Lines may end in it; they are folded.
func badFieldValue(s string, most int) string {
	switch {
	case len(s) > most:
		return "it is too long"
	case !utf8.ValidString(s):
		return "it is not UTF-8"
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f }):
		return "it has control characters"
	}
	return ""
}

// addField puts a field before all others, or behind them (RFC 5293 4).
func (m *machine) addField(name, value string, last bool) error {
	if m.mail.isFixed {
		m.warn("the header is too large to be changed; the field '%s' was not added", name)
		return nil
	}
	raw := writeField(name, value)
	if m.mail.added += len(raw); m.mail.added > maxAdded {
		return m.failed(ErrBudget, "the script adds more than %d bytes to the header", maxAdded)
	}
	if err := m.spend(flatCost + bytesCost(decodeCost*len(raw)) + len(m.mail.top.fields)/stepsPerField); err != nil {
		return err
	}
	f := &field{Field: message.ParseHeader(raw).Fields[0]}
	fields := m.mail.toEdit()
	if last {
		fields = append(fields, f)
	} else {
		fields = slices.Insert(fields, 0, f)
	}
	m.mail.edit(fields, len(raw))
	return m.take(2*len(raw) + fieldSize)
}

// foldAt is where lines of a header are folded, maxRun how long a word may be that cannot be (RFC 5322 2.1.1).
const (
	foldAt = 78
	maxRun = 900
)

// writeField makes a field. What is not ASCII is written in encoded-words (RFC 2047), and long lines are folded.
func writeField(name, value string) []byte {
	lines := fieldLines(value)
	if text := strings.Join(lines, ""); needsEncoding(text) {
		lines = []string{encodeWords(text)}
	}
	out := append([]byte(name), ": "...)
	begin := 0 // of the line
	for i, line := range lines {
		if i > 0 {
			out = append(out, "\r\n"...)
			begin = len(out)
		}
		for word := range wordsOf(line) {
			if len(out)-begin+len(word) > foldAt && len(out) > begin && word[0] == ' ' {
				out = append(out, "\r\n"...)
				begin = len(out)
			}
			out = append(out, word...)
		}
	}
	return append(out, "\r\n"...)
}

// fieldLines cuts a value at its line ends. All lines but the first begin with a space, none is blank.
func fieldLines(value string) (lines []string) {
	for line := range strings.SplitSeq(value, "\n") {
		line = strings.TrimRight(line, " \t\r")
		line = strings.ReplaceAll(line, "\r", " ")
		switch {
		case strings.TrimLeft(line, " \t") == "":
			continue
		case len(lines) == 0:
			line = strings.TrimLeft(line, " \t")
		case line[0] != ' ' && line[0] != '\t':
			line = " " + line
		}
		lines = append(lines, line)
	}
	return lines
}

// wordsOf cuts a line before its spaces.
func wordsOf(line string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line != "" {
			n := 1
			for n < len(line) && (line[n] != ' ' || line[n-1] == ' ') {
				n++
			}
			if !yield(line[:n]) {
				return
			}
			line = line[n:]
		}
	}
}

// needsEncoding: there are characters that are not of ASCII, what would be read as an encoded-word, or a word that is too long for a
// line.
func needsEncoding(s string) bool {
	run := 0
	for i := range len(s) {
		if run++; s[i] == ' ' {
			run = 0
		}
		if s[i] >= 0x80 || run > maxRun {
			return true
		}
	}
	return false
}

// encodeWords writes a text in encoded-words, in the form that is shorter.
func encodeWords(s string) string {
	odd := 0
	for i := range len(s) {
		if s[i] >= 0x80 {
			odd++
		}
	}
	// A text without a character to encode is left as it is by package mime, so one that is only long is put in base64.
	if odd == 0 {
		return encodeASCII(s)
	}
	if odd > len(s)/4 {
		return mime.BEncoding.Encode("utf-8", s)
	}
	return mime.QEncoding.Encode("utf-8", s)
}

// encodeASCII writes a text of ASCII in encoded-words.
func encodeASCII(s string) string {
	var out strings.Builder
	for s != "" {
		n := min(len(s), 40)
		if out.Len() > 0 {
			out.WriteByte(' ')
		}
		out.WriteString("=?us-ascii?q?")
		for _, c := range []byte(s[:n]) {
			switch {
			case c == ' ':
				out.WriteByte('_')
			case c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9':
				out.WriteByte(c)
			default:
				const hex = "0123456789ABCDEF"
				out.Write([]byte{'=', hex[c>>4], hex[c&15]})
			}
		}
		out.WriteString("?=")
		s = s[n:]
	}
	return out.String()
}

func compileDeleteHeader(c *compiler, u *use) func(*machine) error {
	before := len(c.problems)
	pick := c.selection(u)
	if len(c.problems) > before {
		return nil
	}
	c.checkFieldToEdit(&u.args[0])
	name, match, patterns := u.args[0].text(), c.matcher(u, &u.args[1]), u.args[1]
	match.leaves = false
	if name.isFixed() && c.options.Edits.refusesDelete(name.literal) {
		c.warn(u.args[0].Position, "the field '%s' is protected and will not be deleted", name.literal)
	}
	return func(m *machine) error {
		name := name.in(m)
		switch {
		case !isFieldName(name):
			return m.wrong("the field name \"%s\" is invalid", clipText(name, 60))
		case m.edits.refusesDelete(name):
			m.warn("the field '%s' is protected and was not deleted", name)
			return nil
		case m.mail.isFixed:
			m.warn("the header is too large to be changed; the field '%s' was not deleted", name)
			return nil
		}
		found, err := m.named(&m.mail.top, name, pick)
		if err != nil || len(found) == 0 {
			return err
		}
		unwanted, err := m.unwanted(found, match, &patterns)
		if err != nil || len(unwanted) == 0 {
			return err
		}
		return m.deleteFields(unwanted)
	}
}

// unwanted are the fields whose values match; without patterns that is all of them. With :count all are, or none (RFC 5231 4.2).
func (m *machine) unwanted(found []*field, match *matcher, patterns *value) (map[*field]bool, error) {
	list := map[*field]bool{}
	for _, f := range found {
		list[f] = !patterns.given
	}
	if !patterns.given {
		return list, nil
	}
	test, err := match.begin(m, patterns.texts)
	if err != nil {
		return nil, err
	}
	if match.kind == "count" {
		ok, err := match.count(m, len(found), patterns.texts)
		for f := range list {
			list[f] = ok
		}
		return list, err
	}
	for _, f := range found {
		v, err := m.decode(f)
		if err != nil {
			return nil, err
		}
		if list[f], err = test.see(v); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// deleteFields takes fields out of the header.
func (m *machine) deleteFields(unwanted map[*field]bool) error {
	if err := m.spend(flatCost + len(m.mail.top.fields)/stepsPerField + len(unwanted)); err != nil {
		return err
	}
	grown := 0
	fields := slices.DeleteFunc(m.mail.toEdit(), func(f *field) bool {
		if unwanted[f] {
			grown -= len(f.Raw)
		}
		return unwanted[f]
	})
	if grown != 0 {
		m.mail.edit(fields, grown)
	}
	return nil
}

// header gives the changed header for an action, nil where it did not change.
func (m *machine) header() ([]byte, error) {
	if !m.mail.changed || m.mail.written != nil {
		return m.mail.written, nil
	}
	b := m.mail.header()
	if err := m.spend(bytesCost(len(b))); err != nil {
		return nil, err
	}
	return b, m.take(len(b))
}

// edits are the changes of a header as they were at some time.
type edits struct {
	fields  []*field
	changed bool
	grown   int64
}

// edits remembers what the header is like now.
func (m *mail) edits() edits {
	m.shared = true
	return edits{m.top.fields, m.changed, m.grown}
}

// restore takes back the changes since.
func (m *mail) restore(e edits) {
	if m.shared {
		return // there were none
	}
	m.top.change(e.fields)
	m.changed, m.grown, m.written = e.changed, e.grown, nil
}

// toEdit gives the fields for changing; those that somebody remembers stay as they are.
func (m *mail) toEdit() []*field {
	if m.shared {
		m.shared = false
		return slices.Clone(m.top.fields)
	}
	return m.top.fields
}

// edit puts changed fields in the place of those that toEdit gave.
func (m *mail) edit(fields []*field, grown int) {
	m.top.change(fields)
	m.changed, m.written = true, nil
	m.grown += int64(grown)
}
