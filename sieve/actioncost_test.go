package sieve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestActionsByTheThousandEndWithinTheBudget(t *testing.T) {
	many := func(n int, line string) string { return strings.Repeat(line+"\n", n) }
	var flags strings.Builder
	for i := range maxFlags {
		fmt.Fprintf(&flags, "flag%d ", i)
	}
	long := strings.Repeat("x", 15_000)
	head := `require ["imap4flags", "variables", "enotify", "duplicate", "mailbox", "mboxmetadata", "spamtest", "vacation"];` + "\n" +
		`set "flags" "` + flags.String() + `"; set "long" "` + long + `"; set "short" "` + strings.Repeat("a ", 7000) + `"; set "uri" "mailto:a@b.example?body=` +
		strings.Repeat("%20", 5000) + "\";\n"
	mail := "To: " + strings.Repeat("a@example.com, ", 3000) + "bob@example.com\r\nSubject: " + long + "\r\nReferences: " + strings.Repeat("<a@b> ", 9000) +
		"\r\nMessage-ID: <" + strings.Repeat("y", 200) + "@b>\r\n" + strings.Repeat("X-More: 1\r\n", 1000) + "\r\nText\r\n"
	for name, script := range map[string]string{
		"flags added and taken": many(4000, `addflag "${flags}"; removeflag "${flags}";`),
		"flags asked for":       `addflag "${flags}";` + many(4000, `if hasflag ["${flags}", "${long}"] { }`),
		"flags matched":         `addflag "${flags}";` + many(4000, `if hasflag :matches "*a*b*c*" { }`),
		"flags in a variable":   many(4000, `addflag "w" "${short}";`),
		"the same notice":       many(4000, `notify "mailto:a@b.example";`),
		"notices that say much": many(4000, `notify :message "${long}" "mailto:a@b.example";`),
		"methods":               many(300, `if valid_notify_method ["${uri}", "${uri}", "${uri}"] { }`),
		"ids":                   many(4000, `if duplicate :handle "${long}" :uniqueid "${long}" { }`),
		"mailboxes":             many(4000, `if mailboxexists "INBOX" { }`),
		"annotations":           many(4000, `if metadataexists "INBOX" "/shared/comment" { }`),
		"scores":                many(4000, `if spamtest :matches "*1*0*" { }`),
		"an answer":             `vacation :subject "${long}" "${long}";`,
		"redirects to oneself":  many(4000, `redirect "bob@example.com";`),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Compile([]byte(head+script), Options{})
			if err != nil {
				t.Fatal(err)
			}
			j := jobFor(t, mail)
			j.Host = newAccount()
			o := s.Run(context.Background(), j)
			limit := Budget{}.orDefaults()
			if o.Cost.Steps > limit.Steps+limit.Steps/10 || o.Cost.Memory > limit.Memory+1<<20 || len(o.Actions) > limit.Actions || len(o.Warnings) > 20 {
				t.Errorf("it cost %+v, %d actions, %d warnings", o.Cost, len(o.Actions), len(o.Warnings))
			}
			if o.Err != nil && !errors.Is(o.Err, ErrBudget) {
				t.Error(o.Err)
			}
			t.Logf("%d steps, %d bytes", o.Cost.Steps, o.Cost.Memory)
		})
	}
}
