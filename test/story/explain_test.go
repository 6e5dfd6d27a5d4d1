package story_test

import (
	"encoding/json"
	"strings"
	"testing"

	"postern/internal/verdict"
	"postern/platform/admin"
)

// TestEveryJudgementIsFoundExplainedAndReplayed has a letter, a doubtful message, Junk and a refusal judged, and asks the
// command about them in every way.
func TestEveryJudgementIsFoundExplainedAndReplayed(t *testing.T) {
	g := openGate(t, "")
	const alice, bob = "alice@example.test", "bob@example.test"
	g.Postern("alias", "add", "sales@example.test", alice)
	var strangers []stranger
	var ids []string
	for _, write := range []func(string, ...string) string{g.letter, g.doubtful, g.spam} {
		s := g.stranger(t, true)
		trace, raw := g.arrives(t, s, write("Jane <"+s.author+">"), alice)
		if told := field(t, raw, "X-Postern-Verdict"); !strings.Contains(told, "id="+trace.ID+";") || !strings.Contains(field(t, raw, "Received"), "id "+trace.ID) {
			t.Errorf("the fields do not lead to %s:\n%s", trace.ID, raw)
		}
		if again := g.trace(t, trace.MessageID); again.ID != trace.ID {
			t.Errorf("%s is that of %s, not of %s", trace.MessageID, again.ID, trace.ID)
		}
		strangers, ids = append(strangers, s), append(ids, trace.ID)
	}
	refusing := g.stranger(t, true)
	bad := g.compose(refusing.author, nil, gtube)
	if _, refused := g.send(t, refusing.ip, refusing.author, bad, "sales@example.test", bob); refused == nil {
		t.Fatal("GTUBE was taken")
	}
	refused := g.trace(t, strings.Trim(field(t, bad, "Message-ID"), "<>"))

	explained := g.Postern("spam", "explain", refused.ID)
	for _, want := range []string{"for sales@example.test: refused", "for bob@example.test: refused", "answered   550 5.7.1 The message looks like spam (" + refused.ID, "GTUBE", "because  score 9", "reaches reject 15.00 of server", "without rules"} {
		if !strings.Contains(explained, want) {
			t.Errorf("the refusal is not explained by %q:\n%s", want, explained)
		}
	}
	if one := g.Postern("spam", "explain", refused.ID, "--for", bob); strings.Contains(one, "sales@") || !strings.Contains(one, "for bob@example.test: refused") {
		t.Errorf("for bob alone:\n%s", one)
	}
	if one := g.Postern("spam", "explain", ids[2]); !strings.Contains(one, "for alice@example.test: junk, into Junk by spam") || !strings.Contains(one, "answered   250 2.6.0 Accepted as "+ids[2]) {
		t.Errorf("Junk:\n%s", one)
	}

	g.mustList(t, []string{refused.ID, ids[2], ids[1], ids[0]})
	g.mustList(t, []string{ids[2]}, "--action", "junk")
	g.mustList(t, []string{refused.ID}, "--action", "reject")
	g.mustList(t, []string{ids[1]}, "--from", strangers[1].author)
	g.mustList(t, []string{ids[0]}, "--from", strangers[0].domain, "--since", "1h")
	g.mustList(t, []string{refused.ID}, "--to", bob)
	g.mustList(t, []string{refused.ID}, "--to", "sales@example.test")
	g.mustList(t, []string{refused.ID, ids[2]}, "--to", alice, "--limit", "2")

	if out := g.Postern("spam", "replay", ids[1]); !strings.Contains(out, "1 messages, 1 copies decided anew: 1 same, 0 different.") {
		t.Errorf("one anew: %s", out)
	}
	if out := g.Postern("spam", "replay", "--all"); !strings.Contains(out, "4 messages, 5 copies decided anew: 5 same, 0 different.") {
		t.Errorf("all anew: %s", out)
	}
	// What another policy would do, and nothing is done.
	out := g.Postern("spam", "replay", "--all", "--tag", "1", "--junk", "2")
	if !strings.Contains(out, "5 copies decided anew: 1 would go elsewhere.") || !strings.Contains(out, "1 from tag to junk") {
		t.Errorf("by another policy: %s", out)
	}
	if mailbox, _ := g.copyOf(t, alice, strings.Trim(g.trace(t, ids[1]).MessageID, "<>")); mailbox != "INBOX" {
		t.Errorf("the doubtful one is in %q", mailbox)
	}
	g.Server.Stop()
	g.Server.Run()
	if again := g.trace(t, refused.ID); again.Recipients[0].Verdict.Action != verdict.Reject {
		t.Errorf("after a restart: %+v", again.Recipients)
	}
}

// mustList wants `postern spam list` to give these judgements.
func (g *gate) mustList(t *testing.T, want []string, flags ...string) {
	t.Helper()
	var page admin.TracePage
	if err := json.Unmarshal([]byte(g.Postern(append([]string{"spam", "list", "--json"}, flags...)...)), &page); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range page.Traces {
		got = append(got, one.ID)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%v lists %v, not %v", flags, got, want)
	}
}
