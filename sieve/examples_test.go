package sieve

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reader is the host of somebody who uses the example scripts.
type reader struct {
	*lab
	now   time.Time
	seen  bool
	score int
}

func (r *reader) Now() time.Time                                  { return r.now }
func (r *reader) Addresses() []string                             { return []string{"alice@example.org", "info@example.org"} }
func (r *reader) Owns(context.Context, string) (bool, error)      { return true, nil }
func (r *reader) Duplicate(context.Context, string) (bool, error) { return r.seen, nil }
func (r *reader) Spam() (score, percent int, tested bool)         { return r.score, r.score * 10, r.score > 0 }
func (r *reader) HasMailbox(_ context.Context, name string) (bool, error) {
	return name == "INBOX" || name == "travel", nil
}

// The examples in docs/sieve do what their first lines say.
func TestTheExampleScriptsDoWhatTheySay(t *testing.T) {
	const plain = "From: Bob <bob@example.com>\r\nTo: alice@example.org\r\nSubject: Hello\r\n"
	var cases = []struct {
		script, header, body string
		host                 reader
		to                   string
		change               *Change
		want                 string
		edited               string // the header after the script, if that changed it
	}{
		{script: "lists", header: plain + "List-Id: Gardeners <Garden.example.com>\r\n", want: "fileinto Lists/garden"},
		{script: "lists", header: plain, want: "implicit"},
		{script: "subaddress", header: plain, to: "alice+travel@example.org", want: "fileinto travel"},
		{script: "subaddress", header: plain, to: "alice+other@example.org", want: "implicit"},
		{script: "subaddress", header: plain, to: "alice@example.org", want: "implicit"},
		{script: "newsletters", header: plain + "List-Unsubscribe: <https://example.com/leave>\r\n", want: `fileinto Newsletters (\Seen)`},
		{script: "newsletters", header: plain + "List-Unsubscribe: <https://example.com/leave>\r\nList-Post: <mailto:garden@example.com>\r\n", want: "implicit"},
		{script: "spam", header: plain, host: reader{score: 10}, want: "discard"},
		{script: "spam", header: plain, host: reader{score: 6}, want: "fileinto Junk"},
		{script: "spam", header: plain, host: reader{score: 2}, want: "implicit"},
		{script: "important", header: strings.Replace(plain, "bob@example.com", "boss@example.com", 1) + "Cc: team@example.org\r\n", want: `implicit (\Flagged)`},
		{script: "important", header: plain, want: `implicit (\Flagged)`},
		{script: "important", header: plain + "Cc: team@example.org\r\n", want: "implicit"},
		{script: "duplicates", header: plain + "Message-ID: <1@example.com>\r\n", host: reader{seen: true}, want: "discard"},
		{script: "duplicates", header: plain + "Message-ID: <1@example.com>\r\n", want: "implicit"},
		{script: "archive", header: strings.Replace(plain, "Hello", "Your invoice 17", 1), want: "fileinto Bills/2026"},
		{script: "archive", header: plain, want: "implicit"},
		{script: "away", header: plain, want: "vacation, implicit"},
		{script: "away", header: plain, host: reader{now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}, want: "implicit"},
		{script: "copies", header: strings.Replace(plain, "Hello", "An order", 1), want: "redirect shop@example.net, implicit"},
		{script: "copies", header: plain, want: "implicit"},
		{script: "attachments", header: plain + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
			body: "--b\r\nContent-Type: text/plain\r\n\r\nLook!\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"photo.EXE\"\r\n\r\nMZ\r\n--b--\r\n",
			want: "fileinto Programs"},
		{script: "attachments", header: plain, body: "Look!\r\n", want: "implicit"},
		{script: "large", header: plain, body: strings.Repeat("much to read\r\n", 1600<<10), want: "reject I take no mail over 20 MB. Please put the file somewhere and send me a link."},
		{script: "large", header: plain, want: "implicit"},
		{script: "robots", header: plain + "Auto-Submitted: auto-generated\r\n", want: `fileinto Reports (\Seen)`},
		{script: "robots", header: strings.Replace(plain, "Hello", "Backup FAILED", 1) + "Auto-Submitted: auto-generated\r\n", want: "implicit"},
		{script: "notify", header: strings.Replace(plain, "bob@example.com", "family@example.net", 1),
			want: "Mail from the family: Hello (to alice.phone@example.net), notify, implicit"},
		{script: "notify", header: "From: school@example.com\r\n",
			want: "Mail from the family: a message without a subject (to alice.phone@example.net), notify, implicit"},
		{script: "notify", header: plain, want: "implicit"},
		{script: "labels", header: plain, want: "implicit", edited: "X-Customer: yes\r\n" + plain},
		{script: "labels", header: strings.Replace(plain, "example.com", "example.edu", 1) + "X-Customer: no\r\n", want: "implicit",
			edited: strings.Replace(plain, "example.com", "example.edu", 1)},
		{script: "labels", header: strings.Replace(plain, "example.com", "example.edu", 1), want: "implicit"},
		{script: "tasks", header: plain, change: &Change{Cause: "APPEND", Flags: []string{`\Seen`, "work"}}, want: `implicit (work \Flagged)`},
		{script: "tasks", header: plain, change: &Change{Cause: "COPY"}, want: `implicit (\Flagged)`},
		{script: "tasks", header: plain, change: &Change{Cause: "FLAG", Flags: []string{`\Answered`, `\Flagged`}}, want: `implicit (\Answered)`},
		{script: "tasks", header: plain, change: &Change{Cause: "FLAG", Flags: []string{`\Seen`, `\Flagged`}}, want: `implicit (\Seen \Flagged)`},
	}
	tried := map[string]bool{}
	for _, c := range cases {
		tried[c.script] = true
		host := c.host
		if host.lab = newLab("x"); host.now.IsZero() {
			host.now = time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)
		}
		job := jobFor(t, c.header+"\r\n"+c.body)
		job.Host, job.Envelope = &host, Envelope{From: "bob@example.com", To: c.to}
		if c.to == "" {
			job.Envelope.To = "alice@example.org"
		}
		if job.Change = c.change; c.change != nil {
			job.Message.Flags = c.change.Flags // all that the message has
		}
		o := example(t, c.script).Run(context.Background(), job)
		if got := told(o) + done(o); got != c.want || o.Err != nil {
			t.Errorf("%s: %q with\n%s\ngives %s, not %s (%v)", c.script, c.to, c.header, got, c.want, o.Err)
		}
		if got := strings.TrimSuffix(string(o.Header), "\r\n\r\n"); got != strings.TrimSuffix(c.edited, "\r\n") {
			t.Errorf("%s: the header is\n%s\nnot\n%s", c.script, got, c.edited)
		}
	}
	files, err := filepath.Glob(filepath.Join("..", "docs", "sieve", "*.sieve"))
	if err != nil || len(files) == 0 {
		t.Fatal("there are no examples", err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".sieve"); !tried[name] {
			t.Errorf("%s is not tried", name)
		}
	}
}

// told is what the notices say, and whom they are for.
func told(o Outcome) string {
	text := ""
	for _, a := range o.Actions {
		if a.Notice != nil {
			text += a.Notice.Subject + " (to " + strings.Join(a.Notice.To, " ") + "), "
		}
	}
	return text
}

// example is one of the scripts, which must have neither mistakes nor warnings.
func example(t *testing.T, name string) *Script {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "docs", "sieve", name+".sieve"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Compile(source, Options{Name: name})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, w := range s.Warnings {
		t.Errorf("%s: %s", name, w.Error())
	}
	return s
}
