package admin

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// TraceFilter chooses judgements; all that is set must hold.
type TraceFilter struct {
	To     string         `json:"to,omitempty" doc:"A recipient's address; a user's stands for all mail of theirs."`
	From   string         `json:"from,omitempty" doc:"An address of the envelope or the From field, or a domain with its subdomains."`
	Action verdict.Action `json:"action,omitempty" doc:"What was done with some recipient's copy."`
	Since  time.Time      `json:"since,omitzero"`
	Until  time.Time      `json:"until,omitzero"`
	After  string         `json:"after,omitempty" doc:"Page on: the last page's next."`
	Limit  int            `json:"limit,omitempty" doc:"At most this many; 100 unless said, 1,000 at most."`
}

// TracePage is a part of the list, latest first.
type TracePage struct {
	Traces  []TraceSummary `json:"traces"`
	Next    string         `json:"next,omitempty" doc:"Where the next page begins; absent at the end. A page may be empty and have one."`
	Damaged int            `json:"damaged,omitempty" doc:"How many could not be read."`
}

// TraceSummary is a judgement in a list.
type TraceSummary struct {
	ID         string           `json:"id" doc:"The transaction's, as in the Received field."`
	At         time.Time        `json:"at"`
	Client     string           `json:"client"`
	From       string           `json:"from" doc:"The reverse-path."`
	Author     string           `json:"author" doc:"The address in the From field."`
	MessageID  string           `json:"message_id"`
	Recipients []RecipientsTurn `json:"recipients"`
}

// RecipientsTurn is what was done with a recipient's copy.
type RecipientsTurn struct {
	Address string         `json:"address"`
	Score   verdict.Points `json:"score"`
	Action  verdict.Action `json:"action"`
	Rule    string         `json:"rule" doc:"The line of the policy that decided."`
}

// query reads a filter.
func (b *Backend) query(r request, in TraceFilter) (q archive.Query, err error) {
	q = archive.Query{Action: in.Action, Since: in.Since, Until: in.Until, Limit: in.Limit}
	if in.Limit < 0 || in.Limit > 1000 {
		return q, invalid("give a limit from 1 to 1000, and page on with after", "%d is no limit", in.Limit)
	}
	if actions := enums()[reflect.TypeFor[verdict.Action]()]; !slices.Contains(actions, string(in.Action)) {
		return q, invalid("write one of "+strings.Join(actions[1:], ", "), "%q is no action", in.Action)
	}
	if in.After != "" {
		if q.Before, err = strconv.ParseInt(in.After, 10, 64); err != nil || q.Before <= 0 {
			return q, invalid("give the last page's next", "%q is no place in the list", in.After)
		}
	}
	if q.From, err = sender(in.From); err != nil {
		return q, err
	}
	if in.To != "" {
		err = b.recipient(r, in.To, &q)
	}
	return q, err
}

// sender normalises an address or a domain; it may be any, as it stood in a message.
func sender(text string) (string, error) {
	if text == "" || strings.Contains(strings.TrimPrefix(text, "@"), "@") {
		return text, nil
	}
	domain, err := address.NormalizeDomain(strings.TrimSuffix(strings.TrimPrefix(text, "@"), "."))
	if err != nil {
		return "", invalid("write one such as news@example.com or example.com", "%q is neither an address nor a domain", text)
	}
	return domain, nil
}

// recipient finds whose traces an address leads to. A user's own stands for all mail of theirs, another for what came to it.
func (b *Backend) recipient(r request, text string, q *archive.Query) error {
	a, err := parse(text)
	if err != nil {
		return err
	}
	if u, ok := b.Directory.User(a); ok {
		q.Accounts = []int64{u.ID}
		return nil
	}
	q.Address = a.String()
	if found, err := b.Directory.Resolve(r, a); err == nil { // whom nobody has now may have been somebody's
		for _, account := range found.Accounts {
			q.Accounts = append(q.Accounts, account.ID)
		}
	}
	return nil
}

func (b *Backend) listTraces(r request, in TraceFilter) (TracePage, error) {
	q, err := b.query(r, in)
	if err != nil {
		return TracePage{}, err
	}
	page, err := b.Archive.Find(r, q)
	if err != nil {
		return TracePage{}, err
	}
	list := TracePage{Traces: make([]TraceSummary, len(page.Entries)), Damaged: page.Damaged}
	for i, e := range page.Entries {
		list.Traces[i] = summary(e.Trace)
	}
	if page.Next > 0 {
		list.Next = strconv.FormatInt(page.Next, 10)
	}
	return list, nil
}

func summary(t *verdict.Trace) TraceSummary {
	s := TraceSummary{ID: t.ID, At: t.At, Client: t.Client, From: t.From, Author: t.Author, MessageID: t.MessageID, Recipients: make([]RecipientsTurn, len(t.Recipients))}
	for i, r := range t.Recipients {
		s.Recipients[i] = RecipientsTurn{r.Address, r.Verdict.Score, r.Verdict.Action, r.Verdict.Rule}
	}
	return s
}

// tracesAtMost bounds the judgements of one id: a Message-ID may be anybody's.
const tracesAtMost = 20

// traces finds judgements by the id of a transaction, and else by a Message-ID.
func (b *Backend) traces(r request, id string) ([]archive.Entry, error) {
	for _, q := range []archive.Query{{ID: id, Limit: tracesAtMost}, {MessageID: id, Limit: tracesAtMost}} {
		page, err := b.Archive.Find(r, q)
		if err != nil || len(page.Entries) > 0 {
			return page.Entries, err
		}
		if page.Damaged > 0 {
			return nil, &Error{"internal", "the judgement of " + id + " is damaged", "`postern verify` names all damage"}
		}
	}
	return nil, &Error{"not_found", "no judgement of " + id + " is kept", "`postern spam list` shows those that are; spam.trace_keep says for how long"}
}

func (b *Backend) getTraces(r request) ([]verdict.Trace, error) {
	entries, err := b.traces(r, r.path("id"))
	list := make([]verdict.Trace, len(entries))
	for i, e := range entries {
		list[i] = *e.Trace
		list[i].Checks = orEmpty(list[i].Checks)
		list[i].Recipients = orEmpty(list[i].Recipients)
	}
	return list, err
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
