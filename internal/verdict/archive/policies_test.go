package archive

import (
	"context"
	"errors"
	"strings"
	"testing"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/settings"
	"postern/internal/testdb"
	"postern/internal/verdict"
)

// village is a small directory: the users by id.
type village map[int64]string

func (v village) User(a address.Address) (directory.Account, bool) {
	for id, text := range v {
		if text == a.Key() {
			return directory.Account{ID: id, Address: a}, true
		}
	}
	return directory.Account{}, false
}

func (v village) Account(id int64) (directory.Account, bool) {
	text, ok := v[id]
	if !ok {
		return directory.Account{}, false
	}
	a, err := address.Parse(text)
	if err != nil {
		panic(err)
	}
	return directory.Account{ID: id, Address: a}, true
}

func (village) IsLocalDomain(domain string) bool {
	return domain == "example.org" || domain == "example.com"
}

// policing are policies of their own for one test.
type policing struct {
	*Policies
	t        testing.TB
	db       *db.DB
	settings *settings.Settings
	people   village
	url      string
}

func newPolicing(t testing.TB, url string) *policing {
	t.Helper()
	p := &policing{t: t, url: url, people: village{1: "alice@example.org", 2: "bob@example.org", 3: "carol@example.com"}}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *policing) open() {
	p.t.Helper()
	var err error
	if p.db, err = db.Open(p.t.Context(), db.Options{URL: p.url}); err != nil {
		p.t.Fatal(err)
	}
	if p.settings, err = settings.Open(p.t.Context(), p.db); err != nil {
		p.t.Fatal(err)
	}
	o := PolicyOptions{DB: p.db, Settings: p.settings, People: p.people, Clock: clock.NewManual(epoch)}
	if p.Policies, err = OpenPolicies(p.t.Context(), o); err != nil {
		p.t.Fatal(err)
	}
}

func (p *policing) close() {
	if err := errors.Join(p.Close(), p.db.Close()); err != nil {
		p.t.Error(err)
	}
}

func onBothPolicies(t *testing.T, fn func(t *testing.T, p *policing)) {
	t.Helper()
	testdb.OnBoth(t, func(t *testing.T, url string) { fn(t, newPolicing(t, url)) })
}

func addr(text string) address.Address {
	a, err := address.Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

func (p *policing) scope(name string) Scope {
	p.t.Helper()
	s, err := p.Scope(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// thresholds reads "tag=1 junk=2.50 …".
func thresholds(text string) (t Thresholds) {
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		var p verdict.Points
		if err := p.UnmarshalJSON([]byte(value)); err != nil {
			panic(err)
		}
		switch name {
		case "tag":
			t.Tag = &p
		case "junk":
			t.Junk = &p
		case "reject":
			t.Reject = &p
		case "greylist":
			t.Greylist = &p
		}
	}
	return t
}

func (p *policing) set(name, change string) {
	p.t.Helper()
	if err := p.SetThresholds(context.Background(), p.scope(name), thresholds(change)); err != nil {
		p.t.Fatal(err)
	}
}

// inForce is a policy in the form "tag junk reject greylist of source".
func (p *policing) inForce(account int64, to string) string {
	policy := p.For(account, addr(to))
	return policy.Tag.String() + " " + policy.Junk.String() + " " + policy.Reject.String() + " " + policy.Greylist.String() + " of " + policy.Source
}

func TestAUsersThresholdsCountBeforeTheDomainsBeforeTheServers(t *testing.T) {
	onBothPolicies(t, func(t *testing.T, p *policing) {
		is := func(account int64, to, want string) {
			t.Helper()
			if got := p.inForce(account, to); got != want {
				t.Errorf("for %d as %s: %s, want %s", account, to, got, want)
			}
		}
		is(1, "alice@example.org", "3.00 5.00 15.00 2.00 of server")
		if policy := p.For(1, addr("alice@example.org")); policy.Virus != verdict.Reject {
			t.Errorf("virus: %s", policy.Virus)
		}
		p.set("example.org", "junk=4 greylist=1")
		p.set("alice@example.org", "tag=2.50 reject=0")
		all := func(when string) {
			t.Log(when)
			is(1, "alice@example.org", "2.50 4.00 0.00 1.00 of alice@example.org")
			is(1, "sales@example.com", "2.50 5.00 0.00 2.00 of alice@example.org")
			is(2, "bob@example.org", "3.00 4.00 15.00 1.00 of example.org")
			is(0, "list@example.org", "3.00 4.00 15.00 1.00 of example.org")
			is(3, "carol@example.com", "3.00 5.00 15.00 2.00 of server")
		}
		all("at once")
		p.close()
		p.open()
		all("after another start")
		p.set("server", "tag=1 junk=6 reject=20")
		is(3, "carol@example.com", "1.00 6.00 20.00 2.00 of server")
		is(2, "bob@example.org", "1.00 4.00 20.00 1.00 of example.org")
		if v, err := p.settings.Get("spam.junk_score"); err != nil || v.Value != "6.00" {
			t.Errorf("%+v, %v", v, err)
		}
		for _, name := range []string{"alice@example.org", "example.org", "server"} {
			if err := p.ResetThresholds(t.Context(), p.scope(name)); err != nil {
				t.Fatal(err)
			}
		}
		is(1, "alice@example.org", "3.00 5.00 15.00 2.00 of server")
		if list := p.Thresholds(); len(list) != 1 || list[0].Name != "server" {
			t.Errorf("%+v", list)
		}
	})
}

func TestThresholdsAreListedWithTheServersFirst(t *testing.T) {
	p := newPolicing(t, testdb.SQLite(t))
	for _, name := range []string{"bob@example.org", "example.org", "alice@example.org", "example.com"} {
		p.set(name, "junk=4")
	}
	var names []string
	for _, own := range p.Thresholds() {
		names = append(names, own.Name)
	}
	same(t, "names", names, []string{"server", "example.com", "example.org", "alice@example.org", "bob@example.org"})
	own, policy := p.InForce(p.scope("bob@example.org"))
	if own.Tag != nil || *own.Junk != 400 || policy.Tag != 300 || policy.Source != "bob@example.org" {
		t.Errorf("%+v %+v", own, policy)
	}
}

func TestARefusedChangeSaysWhyAndChangesNothing(t *testing.T) {
	onBothPolicies(t, func(t *testing.T, p *policing) {
		p.set("example.org", "junk=4")
		p.set("alice@example.org", "junk=8")
		before := p.inForce(1, "alice@example.org") + p.inForce(2, "bob@example.org") + p.inForce(3, "carol@example.com")
		for _, c := range []struct{ scope, change, want string }{
			{"example.org", "tag=6", "for example.org tag 6.00 would lie above junk 4.00, so that it never came to that; change both"},
			{"alice@example.org", "tag=9", "for alice@example.org tag 9.00 would lie above junk 8.00"},
			{"bob@example.org", "junk=16", "for bob@example.org junk 16.00 would lie above reject 15.00"},
			{"bob@example.org", "junk=0 tag=15.01", "tag 15.01 would lie above reject 15.00"},
			{"server", "junk=16", "for server junk 16.00 would lie above reject 15.00"},
			{"example.org", "reject=7", "for alice@example.org junk 8.00 would lie above reject 7.00"},
			{"server", "reject=7", "for alice@example.org junk 8.00 would lie above reject 7.00"},
			{"server", "junk=1000.01", "junk 1000.01 is out of range; give a score from 0.00"},
			{"example.org", "tag=-1", "tag -1.00 is out of range"},
			{"example.org", "", "there is nothing to change; give tag"},
		} {
			err := p.SetThresholds(t.Context(), p.scope(c.scope), thresholds(c.change))
			if !errors.Is(err, directory.ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "; ") {
				t.Errorf("%s %s: %v, want %s", c.scope, c.change, err, c.want)
			}
		}
		if after := p.inForce(1, "alice@example.org") + p.inForce(2, "bob@example.org") + p.inForce(3, "carol@example.com"); after != before {
			t.Errorf("%s, and then %s", before, after)
		}
		if err := p.ResetThresholds(t.Context(), p.scope("alice@example.org")); err != nil {
			t.Fatal(err)
		}
		p.set("server", "tag=4 junk=0 reject=4") // equal, and never, are no disorder
		p.set("example.com", "tag=0 junk=0 reject=1")
		for name, want := range map[string]struct {
			kind error
			text string
		}{
			"dave@example.org":     {directory.ErrNotFound, "there is no user dave@example.org; `postern user list`"},
			"dave@":                {directory.ErrInvalid, "is not an address"},
			"elsewhere.example":    {directory.ErrNotFound, "the domain elsewhere.example is not served here; `postern domain list`"},
			"not a domain":         {directory.ErrInvalid, "is neither an address nor a domain; write one such as"},
			"alice@example.net":    {directory.ErrNotFound, "there is no user"},
			"sub.example.org":      {directory.ErrNotFound, "is not served here"},
			strings.Repeat("x", 9): {directory.ErrNotFound, "is not served here"},
		} {
			if _, err := p.Scope(name); !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
		delete(p.people, 2)
		if err := p.SetThresholds(t.Context(), Scope{Account: 2}, thresholds("junk=4")); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("for a user who is gone: %v", err)
		}
	})
}

func TestAResetThatBringsDisorderToSomebodyWithinIsRefused(t *testing.T) {
	onBothPolicies(t, func(t *testing.T, p *policing) {
		reset := func(name, want string) {
			t.Helper()
			err := p.ResetThresholds(t.Context(), p.scope(name))
			if want == "" && err != nil || want != "" && (!errors.Is(err, directory.ErrInvalid) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		p.set("server", "tag=1 junk=2 reject=20")
		p.set("example.org", "tag=0.5 junk=1")
		p.set("alice@example.org", "reject=1.50")
		reset("example.org", "for alice@example.org junk 2.00 would lie above reject 1.50")
		p.set("alice@example.org", "reject=2.50")
		reset("example.org", "")
		reset("server", "for alice@example.org junk 5.00 would lie above reject 2.50")
		if got := p.inForce(1, "alice@example.org"); got != "1.00 2.00 2.50 2.00 of alice@example.org" {
			t.Error(got)
		}
		reset("alice@example.org", "")
		reset("server", "")
	})
}

func TestWhatIsAUsersGoesWithTheUserAndADomainsWithTheDomain(t *testing.T) {
	onBothPolicies(t, func(t *testing.T, p *policing) {
		p.set("alice@example.org", "junk=4")
		p.set("example.org", "junk=4.50")
		p.list(Block, "alice@example.org", "spam.example")
		p.list(Block, "example.org", "spam.example")
		p.list(Block, "server", "spam.example")
		refused := errors.New("the last administrator")
		err := p.db.Write(t.Context(), func(tx *db.Tx) error { return errors.Join(p.RemoveAccountTx(tx, 1), refused) })
		if !errors.Is(err, refused) || p.inForce(1, "alice@example.org") != "3.00 4.00 15.00 2.00 of alice@example.org" {
			t.Errorf("%v; a removal that was rolled back: %s", err, p.inForce(1, "alice@example.org"))
		}
		if err := p.db.Write(t.Context(), func(tx *db.Tx) error { return p.RemoveAccountTx(tx, 1) }); err != nil {
			t.Fatal(err)
		}
		if got := p.inForce(1, "alice@example.org"); got != "3.00 4.50 15.00 2.00 of example.org" {
			t.Errorf("after the user: %s", got)
		}
		if _, scope, _ := p.Sender(1, addr("alice@example.org"), addr("x@spam.example")); scope != "example.org" {
			t.Errorf("after the user, the list of %s", scope)
		}
		if err := p.db.Write(t.Context(), func(tx *db.Tx) error { return p.RemoveDomainTx(tx, "example.org") }); err != nil {
			t.Fatal(err)
		}
		if got := p.inForce(1, "alice@example.org"); got != "3.00 5.00 15.00 2.00 of server" {
			t.Errorf("after the domain: %s", got)
		}
		if _, scope, _ := p.Sender(1, addr("alice@example.org"), addr("x@spam.example")); scope != "server" {
			t.Errorf("after the domain, the list of %s", scope)
		}
		// Who went by another way leaves nothing for a namesake to find.
		p.set("bob@example.org", "junk=1 tag=0")
		p.list(Allow, "bob@example.org", "spam.example")
		p.close()
		delete(p.people, 2)
		p.open()
		var left int64
		if err := p.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM spam_policies) + (SELECT count(*) FROM spam_senders)`).Scan(&left); err != nil || left != 1 {
			t.Errorf("%v, %d rows left of the server's one", err, left)
		}
	})
}

func (p *policing) list(kind Kind, scope, pattern string) {
	p.t.Helper()
	if _, err := p.ListSender(context.Background(), p.scope(scope), pattern, kind); err != nil {
		p.t.Fatal(err)
	}
}

func TestTheNarrowestListAndPatternTellOfASender(t *testing.T) {
	onBothPolicies(t, func(t *testing.T, p *policing) {
		if kind, _, _ := p.Sender(1, addr("alice@example.org"), addr("x@y.example")); kind != "" {
			t.Errorf("without lists: %s", kind)
		}
		p.list(Block, "server", "spam.example")
		p.list(Allow, "server", "@good.spam.example")
		p.list(Block, "server", "Bad@Good.Spam.Example")
		p.list(Allow, "example.org", "friend@spam.example")
		p.list(Block, "example.org", "example")
		p.list(Allow, "alice@example.org", "spam.example")
		p.list(Block, "alice@example.org", "@shop.example")
		p.list(Block, "alice@example.org", "bücher.example")
		check := func(when string) {
			t.Helper()
			for _, c := range []struct {
				account          int64
				to, sender, want string
			}{
				{1, "alice@example.org", "x@spam.example", "allow alice@example.org spam.example"},
				{1, "alice@example.org", "x@deep.in.spam.example", "allow alice@example.org spam.example"},
				{1, "alice@example.org", "x@notspam.example", "block example.org example"},
				{1, "alice@example.org", "x@shop.example", "block alice@example.org @shop.example"},
				{1, "alice@example.org", "x@www.shop.example", "block example.org example"},
				{1, "alice@example.org", "x@xn--bcher-kva.example", "block alice@example.org xn--bcher-kva.example"},
				{1, "sales@example.com", "x@spam.example", "allow alice@example.org spam.example"},
				{2, "bob@example.org", "FRIEND@spam.example", "allow example.org friend@spam.example"},
				{2, "bob@example.org", "other@spam.example", "block example.org example"},
				{3, "carol@example.com", "x@spam.example", "block server spam.example"},
				{3, "carol@example.com", "x@good.spam.example", "allow server @good.spam.example"},
				{3, "carol@example.com", "bad@good.spam.example", "block server bad@good.spam.example"},
				{3, "carol@example.com", "x@even.good.spam.example", "block server spam.example"},
				{3, "carol@example.com", "friend@elsewhere.example", "  "},
				{0, "list@example.org", "friend@spam.example", "allow example.org friend@spam.example"},
				{0, "list@example.com", "x@spam.example", "block server spam.example"},
			} {
				kind, scope, pattern := p.Sender(c.account, addr(c.to), addr(c.sender))
				if got := string(kind) + " " + scope + " " + pattern; got != c.want {
					t.Errorf("%s: %s to %s: %q, want %q", when, c.sender, c.to, got, c.want)
				}
			}
			if kind, _, _ := p.Sender(1, addr("alice@example.org"), address.Address{}); kind != "" {
				t.Errorf("%s: the null sender: %s", when, kind)
			}
		}
		check("at once")
		p.close()
		p.open()
		check("after another start")

		p.list(Allow, "server", "spam.example") // moves
		if kind, _, _ := p.Sender(3, addr("carol@example.com"), addr("x@spam.example")); kind != Allow {
			t.Errorf("moved: %s", kind)
		}
		if _, err := p.UnlistSender(t.Context(), Scope{}, "spam.example", Block); !errors.Is(err, directory.ErrNotFound) || !strings.Contains(err.Error(), "`postern spam block list`") {
			t.Errorf("taken out of the list it left: %v", err)
		}
		if _, err := p.UnlistSender(t.Context(), Scope{}, "SPAM.example", Allow); err != nil {
			t.Error(err)
		}
		if kind, _, _ := p.Sender(3, addr("carol@example.com"), addr("x@spam.example")); kind != "" {
			t.Errorf("taken out: %s", kind)
		}
		of := p.scope("alice@example.org")
		list, err := p.Senders(t.Context(), Block, &of)
		if err != nil || len(list) != 2 || list[0].Pattern != "@shop.example" || list[1].Name != "alice@example.org" || !list[0].Created.Equal(epoch) {
			t.Errorf("%+v, %v", list, err)
		}
		if list, err = p.Senders(t.Context(), Allow, nil); err != nil || len(list) != 3 || list[0].Name != "example.org" && list[0].Name != "server" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestWhatIsNoSenderIsRefused(t *testing.T) {
	p := newPolicing(t, testdb.SQLite(t))
	for _, pattern := range []string{"", "@", "a b@example.com", "x@", "*.example.com", "exa mple", "a@b@", "[192.0.2.1", strings.Repeat("x", 64) + ".example"} {
		if kept, err := p.ListSender(t.Context(), Scope{}, pattern, Block); !errors.Is(err, directory.ErrInvalid) || !strings.Contains(err.Error(), "; write alice@example.com") {
			t.Errorf("%q is kept as %q, %v", pattern, kept, err)
		}
	}
	for pattern, mend := range map[string]string{
		"*@example.com": "; write @example.com for all of the domain", "news*@example.com": "; write @example.com", "*@": "; write ",
		"192.0.2.1": "the setting dnsbl.allow", "2001:db8::/32": "the setting dnsbl.allow",
	} {
		if kept, err := p.ListSender(t.Context(), Scope{}, pattern, Allow); !errors.Is(err, directory.ErrInvalid) || !strings.Contains(err.Error(), mend) {
			t.Errorf("%q is kept as %q, %v", pattern, kept, err)
		}
	}
	if kept, err := p.ListSender(t.Context(), Scope{}, "a@[192.0.2.1]", Allow); err != nil {
		t.Errorf("an address at a client is kept as %q, %v", kept, err)
	}
	if _, err := p.ListSender(t.Context(), Scope{}, "a.example", "deny"); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := p.ListSender(t.Context(), Scope{Account: 9}, "a.example", Block); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func FuzzPattern(f *testing.F) {
	for _, text := range []string{"alice@example.com", "@example.com", "example.com", `"a@b"@example.com`, "@", "bücher.example", "x@[192.0.2.1]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pattern, err := Pattern(text)
		if err != nil {
			return
		}
		list, key := newSenders().of(pattern)
		list[key] = Block
		if again, err := Pattern(pattern); err == nil && again != pattern {
			t.Errorf("%q is kept as %q and then %q", text, pattern, again)
		}
	})
}

func TestTheAdministratorsWordOnDMARC(t *testing.T) {
	p := newPolicing(t, testdb.SQLite(t))
	if _, _, ok := p.DMARC("example.net"); ok {
		t.Error("there is something without a setting")
	}
	set := func(name, value string) {
		t.Helper()
		if err := p.settings.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("dmarc.override", "Example.net=none, mail.example.net=reject, example.com=quarantine")
	check := func(domain, want string) {
		t.Helper()
		policy, source, ok := p.DMARC(domain)
		if got := strings.TrimSpace(policy + " " + source); got != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", domain, got, want)
		}
	}
	check("example.net", "none override for example.net")
	check("a.b.example.net", "none override for example.net")
	check("a.mail.example.net", "reject override for mail.example.net")
	check("notexample.net", "")
	check("net", "")
	check("", "")
	set("dmarc.override", "*=none,example.com=reject")
	check("example.net", "none override for all domains")
	check("www.example.com", "reject override for example.com")
}

func TestAnOverrideInULabelsIsFound(t *testing.T) {
	o, err := ParseOverrides([]string{"Bücher.example=none"})
	if policy, source, ok := o.For("www.xn--bcher-kva.example"); err != nil || !ok || policy != "none" || source != "override for xn--bcher-kva.example" {
		t.Errorf("%q %q %v, %v", policy, source, ok, err)
	}
}

func BenchmarkPolicies(b *testing.B) {
	p := newPolicing(b, testdb.SQLite(b))
	alice, carol, sender := addr("alice@example.org"), addr("carol@example.com"), addr("someone@mail.shop.far.example")
	for range 2 {
		b.Run("For the server", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.For(3, carol)
			}
		})
		p.set("example.org", "junk=4")
		p.set("alice@example.org", "reject=9")
	}
	b.Run("For a user", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.For(1, alice)
		}
	})
	p.list(Block, "alice@example.org", "spam.example")
	p.list(Block, "example.org", "x@spam.example")
	snap := p.now.Load().clone()
	many := newSenders()
	for n := range 10_000 {
		many.suffixes[typical(n).MessageID] = Block
	}
	snap.senders[Scope{}] = many
	p.now.Store(snap)
	b.Run("Sender among 10,000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Sender(1, alice, sender)
		}
	})
}
