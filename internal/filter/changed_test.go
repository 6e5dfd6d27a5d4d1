package filter

import (
	"strings"
	"testing"

	"postern/internal/message"
	"postern/internal/scripts"
	"postern/internal/testdb"
	"postern/sieve"
)

func TestScriptsForWhatIsDoneInMailboxes(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	if plan, err := f.ForChange(t.Context(), 1, "example.test", ""); plan != nil || err != nil || f.WatchesMailboxes("example.test") {
		t.Fatalf("without scripts there is %v, %v", plan, err)
	}
	if plan, err := f.ForChange(t.Context(), 1, "example.test", "none"); plan != nil || err != nil {
		t.Fatalf("for a name without a script there is %v, %v", plan, err)
	}
	const text = `require ["imapsieve", "environment", "variables", "fileinto", "imap4flags"];
		if environment :matches "imap.cause" "*" { set "cause" "${1}"; }`
	for name, o := range map[string]scripts.Owner{
		"c": scripts.Of(1), "b": {Domain: "example.test", Role: scripts.Changed}, "a": {Role: scripts.Changed},
		"x": {Role: scripts.Before}, "y": {Domain: "example.org", Role: scripts.Changed},
	} {
		if err := f.Scripts.Put(t.Context(), o, name, []byte(text+` fileinto "`+name+`/${cause}"; keep;`)); err != nil {
			t.Fatal(err)
		}
		if o.Account == 0 {
			if err := f.Scripts.SetActive(t.Context(), o, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !f.WatchesMailboxes("example.test") || !f.WatchesMailboxes("example.com") {
		t.Error("the scripts for everybody do not watch")
	}
	plan, err := f.ForChange(t.Context(), 1, "example.test", "c")
	if err != nil || plan == nil {
		t.Fatal(plan, err)
	}
	content := strings.NewReader("Subject: hello\r\n\r\nHello.\r\n")
	parsed, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	r := plan.Run(t.Context(), &Mail{Parsed: parsed, Content: content, Size: content.Size(), Change: &sieve.Change{Cause: "COPY"}, Flags: []string{`\Seen`}})
	var done []string
	for _, a := range r.Actions {
		done = append(done, a.Script+": "+a.Mailbox+strings.Join(a.Flags, " "))
	}
	want := `a (changes in everybody's mailboxes): a/COPY\Seen, b (changes in mailboxes of example.test): b/COPY\Seen, c: c/COPY\Seen, c: \Seen`
	if got := strings.Join(done, ", "); got != want || r.Failures != nil {
		t.Errorf("%s; %v", got, r.Failures)
	}
}
