package admin

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"postern/internal/scripts"
	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// StoryFilter chooses messages that scripts ran for: one, or the last.
type StoryFilter struct {
	ID   string `json:"id,omitempty" doc:"The id of a transaction, or a Message-ID."`
	Last int    `json:"last,omitempty" doc:"The last so many for which scripts ran; 1,000 at most."`
	User string `json:"user,omitempty" doc:"Only those of this user."`
}

// ScriptStory is what scripts did with one recipient's copy of a message.
type ScriptStory struct {
	ID        string    `json:"id" doc:"The transaction's, as in the Received field."`
	At        time.Time `json:"at"`
	From      string    `json:"from" doc:"The reverse-path."`
	MessageID string    `json:"message_id"`
	Recipient string    `json:"recipient"`
	Mailbox   string    `json:"mailbox,omitempty" doc:"Where the copy went; several have commas between them. Absent when it was not stored here."`
	FiledBy   string    `json:"filed_by,omitempty" doc:"What said so: a line of a script, default or spam."`
	// Actions are what was done, in words.
	Actions []string       `json:"actions" doc:"What was done, one by one, with the script and line that wanted it."`
	Scripts []StoredAsThen `json:"scripts" doc:"The scripts that took part, those that were included as well; none if none ran."`
	Steps   []StoryStep    `json:"steps" doc:"The commands and tests in the order in which they ran, as they were written down then."`
	More    int            `json:"more,omitempty" doc:"How many steps followed that were not kept."`
	Cost    int            `json:"cost" doc:"Steps of the budget."`
}

// StoredAsThen is a script that took part, and whether it is still the same.
type StoredAsThen struct {
	ScriptName
	Version string `json:"version" doc:"The beginning of the SHA-256 of its content then."`
	Now     string `json:"now" doc:"same, changed or gone: lines are shown only of one that is the same."`
}

// StoryStep is a command that ran, or a test with its result.
type StoryStep struct {
	Script int    `json:"script" doc:"Its place among the scripts."`
	Line   int    `json:"line"`
	Name   string `json:"name"`
	Test   bool   `json:"test,omitempty"`
	Holds  bool   `json:"holds,omitempty"`
	Source string `json:"source,omitempty" doc:"The line, where the script is the same."`
}

func storyRoutes() []route {
	return []route{
		in("POST", "/v1/sieve/trace", "traceScripts", "What scripts did with a message, or with the last ones, test by test; latest first.", http.StatusOK, (*Backend).traceScripts),
	}
}

func (b *Backend) traceScripts(r request, in StoryFilter) ([]ScriptStory, error) {
	if (in.ID == "") == (in.Last == 0) || in.Last < 0 || in.Last > 1000 {
		return nil, invalid("give an id, or last from 1 to 1000", "it is either one message or the last ones")
	}
	var account int64
	if in.User != "" {
		u, err := b.user(in.User)
		if err != nil {
			return nil, err
		}
		account = u.ID
	}
	t := &storyteller{b: b, ctx: r, account: account, shelf: map[scripts.Owner]map[string]*scripts.Script{}, list: []ScriptStory{}}
	if in.ID != "" {
		entries, err := b.traces(r, in.ID)
		if err != nil {
			return nil, err
		}
		return t.one(entries, in)
	}
	return t.list, t.last(in.Last)
}

// storyteller turns judgements into stories.
type storyteller struct {
	b       *Backend
	ctx     context.Context
	account int64 // of whom alone, 0 for all
	// shelf are the scripts that were looked at; nil for one that is not there.
	shelf map[scripts.Owner]map[string]*scripts.Script
	list  []ScriptStory
}

// one tells the latest judgement of a message.
func (t *storyteller) one(entries []archive.Entry, in StoryFilter) ([]ScriptStory, error) {
	for _, e := range entries {
		for i := range e.Trace.Recipients {
			if rec := &e.Trace.Recipients[i]; t.account == 0 || rec.Account == t.account {
				if err := t.tell(e.Trace, rec); err != nil {
					return nil, err
				}
			}
		}
		if len(t.list) > 0 {
			return t.list, nil
		}
	}
	return nil, &Error{"not_found", "the message " + in.ID + " did not come for " + or(in.User, "anybody"), "`postern spam explain` tells whom it came for"}
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// scanAtMost is how many judgements are looked at for the last that scripts ran for.
const scanAtMost = 20_000

// last tells the last messages that scripts ran for.
func (t *storyteller) last(n int) error {
	q := archive.Query{Limit: 200}
	if t.account != 0 {
		q.Accounts = []int64{t.account}
	}
	messages := 0
	for looked := 0; looked < scanAtMost; looked += q.Limit {
		page, err := t.b.Archive.Find(t.ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			before := len(t.list)
			for i := range e.Trace.Recipients {
				rec := &e.Trace.Recipients[i]
				if rec.Run == nil || t.account != 0 && rec.Account != t.account {
					continue
				}
				if err := t.tell(e.Trace, rec); err != nil {
					return err
				}
			}
			if len(t.list) > before {
				messages++
			}
			if messages == n {
				return nil
			}
		}
		if q.Before = page.Next; page.Next == 0 {
			return nil
		}
	}
	return nil
}

// tell adds a copy's story.
func (t *storyteller) tell(trace *verdict.Trace, rec *verdict.Recipient) error {
	s := ScriptStory{ID: trace.ID, At: trace.At, From: trace.From, MessageID: trace.MessageID, Recipient: rec.Address, Mailbox: rec.Mailbox,
		FiledBy: rec.FiledBy, Actions: orEmpty(rec.Scripts), Scripts: []StoredAsThen{}, Steps: []StoryStep{}}
	if rec.Run == nil {
		t.list = append(t.list, s)
		return nil
	}
	s.More, s.Cost = rec.Run.More, rec.Run.Cost
	lines := make([][][]byte, len(rec.Run.Scripts))
	for i, then := range rec.Run.Scripts {
		one, content, err := t.asThen(then, rec.Account)
		if err != nil {
			return err
		}
		s.Scripts = append(s.Scripts, one)
		lines[i] = bytes.Split(content, []byte("\n"))
	}
	for step := range rec.Run.Each {
		out := StoryStep{Script: step.Script, Line: step.Line, Name: step.Name, Test: step.Test, Holds: step.Holds}
		if text := lines[step.Script]; step.Line > 0 && step.Line <= len(text) {
			out.Source = sourceLine(text[step.Line-1])
		}
		s.Steps = append(s.Steps, out)
	}
	t.list = append(t.list, s)
	return nil
}

// sourceLine is a line of a script as it is shown.
func sourceLine(line []byte) string {
	const atMost = 200
	text := strings.ToValidUTF8(string(bytes.TrimSpace(line)), "?")
	if len(text) > atMost {
		text = strings.ToValidUTF8(text[:atMost], "") + "…"
	}
	return text
}

// asThen says whether a script is as it was, and gives its content if it is.
func (t *storyteller) asThen(then verdict.RunScript, account int64) (StoredAsThen, []byte, error) {
	o := scripts.Of(account)
	if then.Owner != "" {
		o = scripts.Owner{Domain: then.Owner, Role: roleNames()[then.Role]}
		if then.Owner == "server" {
			o.Domain = ""
		}
	}
	out := StoredAsThen{ScriptName: ScriptName{t.b.named(o), then.Name}, Version: then.Version, Now: "gone"}
	now, err := t.stored(o, then.Name)
	if err != nil || now == nil {
		return out, nil, err
	}
	v := scripts.VersionOf(now.Content)
	if !strings.HasPrefix(hex.EncodeToString(v[:]), then.Version) {
		out.Now = "changed"
		return out, nil, nil
	}
	out.Now = "same"
	return out, now.Content, nil
}

// stored reads a script once; nil if it is not there, or damaged.
func (t *storyteller) stored(o scripts.Owner, name string) (*scripts.Script, error) {
	if s, known := t.shelf[o][name]; known {
		return s, nil
	}
	if t.shelf[o] == nil {
		t.shelf[o] = map[string]*scripts.Script{}
	}
	s, err := t.b.Scripts.Get(t.ctx, o, name)
	switch {
	case errors.Is(err, scripts.ErrNotFound) || errors.Is(err, scripts.ErrName) || errors.Is(err, scripts.ErrDamaged):
		t.shelf[o][name] = nil
		return nil, nil
	case err != nil:
		return nil, err
	}
	t.shelf[o][name] = &s
	return &s, nil
}

// ScriptStories tells what scripts did with a message, or the last ones; latest first.
func (c *Client) ScriptStories(ctx context.Context, f StoryFilter) ([]ScriptStory, error) {
	return call[[]ScriptStory](ctx, c, "POST", f, "/v1/sieve/trace")
}
