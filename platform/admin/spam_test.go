package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/server"
	"postern/internal/verdict"
	"postern/platform/admin"
)

// judge stores the judgement of a message for users of ours, and decides it first.
func judge(t *testing.T, s *server.Server, id string, score verdict.Points, change func(*verdict.Trace), recipients ...string) {
	t.Helper()
	trace := &verdict.Trace{Version: verdict.TraceVersion, ID: id, At: time.Now().UTC(), Client: "192.0.2.1", Helo: "mx.example.net", From: "news@example.net",
		Author: "news@example.net", MessageID: "<" + id + "/x@example.net>", Size: 1234, Engine: "1", Reply: "250 2.6.0 Accepted as " + id,
		Checks: []verdict.Check{{Name: verdict.CheckDMARC, Result: "fail"}, {Name: verdict.CheckRules, Result: "matched", Points: score, Parts: []verdict.Part{{Name: "HTML_ONLY", Points: score}}}}}
	for _, text := range recipients {
		r := verdict.Recipient{Address: text, Policy: s.Policies.For(0, parsed(t, text))}
		if found, err := s.Directory.Resolve(t.Context(), parsed(t, text)); err == nil && len(found.Accounts) > 0 {
			r.Account = found.Accounts[0].ID
		}
		trace.Recipients = append(trace.Recipients, r)
	}
	trace.Decide()
	if change != nil {
		change(trace)
	}
	encoded, err := s.Archive.Encode(trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DB.Write(context.Background(), func(tx *db.Tx) error { return s.Archive.StoreTx(tx, trace, encoded) }); err != nil {
		t.Fatal(err)
	}
}

// village makes a server with alice and bob, and sales@ for both, and a client of its administration.
func village(t *testing.T) (*server.Server, *admin.Client) {
	t.Helper()
	s, b := open(t)
	client := admin.Direct(b.Handler())
	if _, err := client.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob"} {
		if _, err := client.AddUser(t.Context(), admin.NewUser{Address: name + "@example.test", Password: password, Admin: name == "bob"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.AddAlias(t.Context(), "sales@example.test", []string{"alice@example.test"}); err != nil {
		t.Fatal(err)
	}
	return s, client
}

func TestJudgementsAreFoundByWhomTheyAreAboutUntilTheUserGoes(t *testing.T) {
	s, client := village(t)
	judge(t, s, "A-1", 100, nil, "alice@example.test")
	judge(t, s, "B-1", 700, nil, "bob@example.test", "sales@example.test")
	judge(t, s, "C-1", 2000, nil, "gone@example.test")
	list := func(f admin.TraceFilter) string {
		t.Helper()
		page, err := client.Traces(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, one := range page.Traces {
			ids = append(ids, one.ID)
		}
		return strings.Join(ids, " ")
	}
	for _, c := range []struct {
		f    admin.TraceFilter
		want string
	}{
		{admin.TraceFilter{}, "C-1 B-1 A-1"},
		{admin.TraceFilter{To: "alice@example.test"}, "B-1 A-1"},
		{admin.TraceFilter{To: "Sales@example.test"}, "B-1"},
		{admin.TraceFilter{To: "gone@example.test"}, "C-1"},
		{admin.TraceFilter{To: "bob@example.test", Action: verdict.Junk}, "B-1"},
		{admin.TraceFilter{To: "bob@example.test", Action: verdict.Reject}, ""},
		{admin.TraceFilter{From: "@EXAMPLE.net", Action: verdict.Reject}, "C-1"},
		{admin.TraceFilter{From: "news@example.net", Since: time.Now().Add(-time.Hour)}, "C-1 B-1 A-1"},
		{admin.TraceFilter{Until: time.Now().Add(-time.Hour)}, ""},
	} {
		if got := list(c.f); got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
	page, err := client.Traces(t.Context(), admin.TraceFilter{Limit: 2})
	if err != nil || len(page.Traces) != 2 || list(admin.TraceFilter{After: page.Next}) != "A-1" {
		t.Errorf("%+v, %v", page, err)
	}
	traces, err := client.Trace(t.Context(), "<B-1/x@example.net>")
	if err != nil || len(traces) != 1 || len(traces[0].Recipients) != 2 {
		t.Errorf("%+v, %v", traces, err)
	}
	if _, same := traces[0].Replay(); !same {
		t.Error("what came over the wire decides otherwise")
	}
	if _, err := client.SetSpamPolicy(t.Context(), "alice@example.test", admin.ThresholdChange{Junk: points(400)}); err != nil {
		t.Fatal(err)
	}
	if err := client.RemoveUser(t.Context(), "alice@example.test"); err != nil {
		t.Fatal(err)
	}
	if got := list(admin.TraceFilter{}); got != "C-1 B-1" {
		t.Errorf("after alice went: %q", got)
	}
	if traces, err = client.Trace(t.Context(), "B-1"); err != nil || len(traces[0].Recipients) != 1 || traces[0].Recipients[0].Address != "bob@example.test" {
		t.Errorf("%+v, %v", traces, err)
	}
	var refused *admin.Error
	if _, err := client.Trace(t.Context(), "A-1"); !errors.As(err, &refused) || refused.Code != "not_found" {
		t.Errorf("%v", err)
	}
	if policies, err := client.SpamPolicies(t.Context()); err != nil || len(policies) != 1 {
		t.Errorf("her thresholds stayed: %+v, %v", policies, err)
	}
}

func TestADomainThatComesBackDoesNotFindItsFormerPolicy(t *testing.T) {
	_, client := village(t)
	for range 2 {
		if _, err := client.AddDomain(t.Context(), "example.org"); err != nil {
			t.Fatal(err)
		}
		p, err := client.SpamPolicy(t.Context(), "example.org")
		if err != nil || p.Junk != nil || p.InForce.Source != "server" {
			t.Fatalf("%+v, %v", p, err)
		}
		if list, err := client.Senders(t.Context(), admin.SenderFilter{Kind: "block"}); err != nil || len(list) != 0 {
			t.Fatalf("%+v, %v", list, err)
		}
		if _, err := client.SetSpamPolicy(t.Context(), "example.org", admin.ThresholdChange{Junk: points(400)}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.AddSender(t.Context(), admin.SenderEntry{Scope: "example.org", Kind: "block", Pattern: "spam.example"}); err != nil {
			t.Fatal(err)
		}
		if err := client.RemoveDomain(t.Context(), "example.org"); err != nil {
			t.Fatal(err)
		}
	}
}

func points(p verdict.Points) *verdict.Points { return &p }

func TestReplayTellsWhatDiffersAndWhatWouldBeOtherwise(t *testing.T) {
	s, client := village(t)
	judge(t, s, "A-1", 420, nil, "alice@example.test", "bob@example.test")
	judge(t, s, "B-1", 700, nil, "alice@example.test")
	judge(t, s, "C-1", 0, func(t *verdict.Trace) {
		t.Recipients[0].Policy.DMARC = "reject"
		t.Decide()
	}, "alice@example.test")
	replay := func(in admin.ReplayRequest) admin.ReplayReport {
		t.Helper()
		report, err := client.Replay(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if r := replay(admin.ReplayRequest{}); r.Messages != 3 || r.Copies != 4 || r.Different != 0 || len(r.Listed) != 0 {
		t.Errorf("all: %+v", r)
	}
	if r := replay(admin.ReplayRequest{ID: "A-1"}); r.Messages != 1 || len(r.Listed) != 2 || !r.Listed[0].Same || r.Listed[0].Was != r.Listed[0].Is {
		t.Errorf("one: %+v", r)
	}
	r := replay(admin.ReplayRequest{WhatIf: admin.WhatIf{Junk: points(400)}})
	if r.Different != 2 || !slices.Equal(r.Turns, []admin.ReplayTurn{{Was: verdict.Tag, Is: verdict.Junk, Copies: 2}}) || r.Listed[0].Is.Rule != "score 4.20 reaches junk 4.00 of what if" {
		t.Errorf("junk from 4: %+v", r)
	}
	r = replay(admin.ReplayRequest{WhatIf: admin.WhatIf{DMARCOverride: []string{"*=none"}}})
	if !slices.Equal(r.Turns, []admin.ReplayTurn{{Was: verdict.Reject, Is: verdict.Inbox, Copies: 1}}) || r.Listed[0].ID != "C-1" {
		t.Errorf("without DMARC: %+v", r)
	}
	r = replay(admin.ReplayRequest{WhatIf: admin.WhatIf{DMARCOverride: []string{"example.net=reject"}, Tag: points(0)}})
	if r.Different != 3 {
		t.Errorf("with it: %+v", r)
	}
	judge(t, s, "D-1", 100, func(t *verdict.Trace) { t.Recipients[0].Verdict.Rule += "!" }, "alice@example.test")
	if r := replay(admin.ReplayRequest{Since: time.Now().Add(-time.Hour)}); r.Different != 1 || r.Listed[0].ID != "D-1" {
		t.Errorf("one that was decided otherwise: %+v", r)
	}
	if r := replay(admin.ReplayRequest{Since: time.Now().Add(time.Hour)}); r.Messages != 0 {
		t.Errorf("since a time to come: %+v", r)
	}
}

func TestAServerWithoutJudgementsIsRightToo(t *testing.T) {
	_, client := village(t)
	if page, err := client.Traces(t.Context(), admin.TraceFilter{}); err != nil || page.Traces == nil || len(page.Traces) != 0 || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	if r, err := client.Replay(t.Context(), admin.ReplayRequest{}, nil); err != nil || r.Messages != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
