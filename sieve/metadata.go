package sieve

import (
	"context"
	"strings"
)

// metadataWords ask for annotations of mailboxes and of the server (RFC 5490 4 and 5).
var metadataWords = []word{
	{name: "metadata", from: "mboxmetadata", tags: matchTags, args: []parameter{{aText, "mailbox"}, {aText, "annotation"}, {aList, "key list"}},
		test: compileMetadata},
	{name: "metadataexists", from: "mboxmetadata", args: []parameter{{aText, "mailbox"}, {aList, "annotations"}}, test: compileMetadataExists},
	{name: "servermetadata", from: "servermetadata", tags: matchTags, args: []parameter{{aText, "annotation"}, {aList, "key list"}},
		test: compileMetadata},
	{name: "servermetadataexists", from: "servermetadata", args: []parameter{{aList, "annotations"}}, test: compileMetadataExists},
}

// annotated reads whose annotations are meant: those of the mailbox that the first argument names, or of the server, which has the
// name "". The rest are the other arguments.
func (c *compiler) annotated(u *use) (mailbox func(*machine) string, rest []value) {
	if len(u.word.args) == 0 || u.word.args[0].what != "mailbox" {
		return func(*machine) string { return "" }, u.args
	}
	name := u.args[0].text()
	c.warnMailbox(name)
	return name.in, u.args[1:]
}

// warnAnnotation warns of an annotation that cannot be there.
func (c *compiler) warnAnnotation(t text) {
	if why := badAnnotation(t.literal); t.isFixed() && why != "" {
		c.warn(t.Position, "there is never an annotation \"%s\": %s", strings.ToValidUTF8(t.literal, "?"), why)
	}
}

// badAnnotation says what is wrong with the name of an annotation (RFC 5464 4.1), "" for nothing.
func badAnnotation(name string) string {
	lower := strings.ToLower(name)
	switch {
	case !strings.HasPrefix(lower, "/shared/") && !strings.HasPrefix(lower, "/private/"):
		return "its name begins with /shared/ or /private/"
	case strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		return "a part of its name is empty"
	case len(name) > 1000:
		return "its name is longer than 1000 bytes"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '*' || r == '%' }):
		return "its name has characters that none has"
	}
	return ""
}

// annotation asks the host for one; names have no case.
func (m *machine) annotation(mailbox, entry string) (value string, ok bool, err error) {
	if badAnnotation(entry) != "" {
		return "", false, nil
	}
	ok, err = ask(m, func(ctx context.Context) (bool, error) {
		value, ok, err = m.host.Metadata(ctx, mailbox, strings.ToLower(entry))
		return ok, err
	})
	return value, ok, err
}

// compileMetadata compares an annotation. One that is not there matches nothing.
func compileMetadata(c *compiler, u *use) func(*machine) (bool, error) {
	mailbox, rest := c.annotated(u)
	entry := rest[0].text()
	c.warnAnnotation(entry)
	match := c.matcher(u, &rest[1])
	return func(m *machine) (bool, error) {
		value, ok, err := m.annotation(mailbox(m), entry.in(m))
		if !ok || err != nil {
			return false, err
		}
		if err := m.spend(bytesCost(len(value))); err != nil {
			return false, err
		}
		return match.any(m, []string{value}, rest[1].texts)
	}
}

// compileMetadataExists is true if all the annotations are there.
func compileMetadataExists(c *compiler, u *use) func(*machine) (bool, error) {
	mailbox, rest := c.annotated(u)
	entries := rest[0].texts
	for _, t := range entries {
		c.warnAnnotation(t)
	}
	return func(m *machine) (bool, error) {
		name := mailbox(m)
		for _, entry := range each(m, entries) {
			if _, ok, err := m.annotation(name, entry); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}
