package store

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// Separator stands between the levels of a mailbox name.
	Separator = "/"
	// Inbox is the mailbox that every account has.
	Inbox          = "INBOX"
	maxNameBytes   = 1000
	maxNameLevels  = 50
	maxMailboxes   = 10_000
	maxSubscribed  = 10_000
	maxSpecialUses = 4
)

// specialUses are the attributes that a mailbox can be given (RFC 6154 2, RFC 8457), in the spelling that is kept. Read-only.
var specialUses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Important`, `\Junk`, `\Sent`, `\Trash`}

// cleanName gives the one form of a mailbox name under which the store knows it: NFC, INBOX in capitals.
func cleanName(name string) (string, error) {
	if !utf8.ValidString(name) || len(name) > maxNameBytes {
		return "", fmt.Errorf("%w: too long or not UTF-8", ErrBadName)
	}
	name = norm.NFC.String(name)
	if name == "" || len(name) > maxNameBytes {
		return "", fmt.Errorf("%w: empty or too long", ErrBadName)
	}
	for _, r := range name {
		// RFC 9051 5.1: no control characters; and RFC 5198 2 no line or paragraph separators.
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return "", fmt.Errorf("%w: control character", ErrBadName)
		}
	}
	levels := strings.Split(name, Separator)
	if len(levels) > maxNameLevels {
		return "", fmt.Errorf("%w: more than %d levels", ErrBadName, maxNameLevels)
	}
	for _, level := range levels {
		if level == "" {
			return "", fmt.Errorf("%w: empty level", ErrBadName)
		}
	}
	if strings.EqualFold(levels[0], Inbox) {
		// RFC 9051 5.1: INBOX is known in any case.
		levels[0] = Inbox
	}
	return strings.Join(levels, Separator), nil
}

// parents gives the names above name, topmost first.
func parents(name string) []string {
	var above []string
	for i := 0; i < len(name); i++ {
		if name[i] == Separator[0] {
			above = append(above, name[:i])
		}
	}
	return above
}

// cleanSpecialUse gives the kept spelling of special uses, several separated by spaces.
func cleanSpecialUse(s string) (string, error) {
	fields := strings.Fields(s)
	if len(fields) > maxSpecialUses {
		return "", fmt.Errorf("%w: too many special uses", ErrBadName)
	}
	for i, f := range fields {
		known := ""
		for _, u := range specialUses {
			if strings.EqualFold(u, f) {
				known = u
			}
		}
		if known == "" {
			return "", fmt.Errorf("%w: unknown special use %q", ErrBadName, f)
		}
		fields[i] = known
	}
	return strings.Join(fields, " "), nil
}

// hasSpecialUse tells whether the kept attributes name the use.
func hasSpecialUse(attributes, use string) bool {
	for _, f := range strings.Fields(attributes) {
		if strings.EqualFold(f, use) {
			return true
		}
	}
	return false
}
