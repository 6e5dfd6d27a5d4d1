package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/reply"
	"postern/internal/settings"
	"postern/internal/testdb"
)

const password = "Secret-Garden-7"

// mail stands in for the store and notes what it was told.
type mail struct{ quotas map[int64]int64 }

func (m *mail) CreateAccountTx(tx *db.Tx, id int64) error {
	tx.OnCommit(func() { m.quotas[id] = 0 })
	return nil
}

func (m *mail) RemoveAccountTx(tx *db.Tx, id int64) error {
	tx.OnCommit(func() { delete(m.quotas, id) })
	return nil
}

func (m *mail) SetQuotaTx(tx *db.Tx, id, bytes int64) error {
	tx.OnCommit(func() { m.quotas[id] = bytes })
	return nil
}

// house is a directory on a real database, with passwords that cost little.
type house struct {
	*Directory
	t    testing.TB
	base *db.DB
	s    *settings.Settings
	mail *mail
	// closed is set by a test that closed the database itself.
	closed bool
}

// cheap are rounds for tests.
func cheap() rounds { return rounds{verifier: 1000, scram: 500} }

// testKey is the secret key of every house that does not lose it.
var testKey = bytes.Repeat([]byte("k"), KeySize)

func openHouse(t testing.TB, url string) *house {
	t.Helper()
	return openHouseWith(t, url, testKey, slog.New(slog.DiscardHandler))
}

func openHouseWith(t testing.TB, url string, key []byte, log *slog.Logger) *house {
	t.Helper()
	base := testdb.Open(t, url)
	s, err := settings.Open(context.Background(), base)
	if err != nil {
		t.Fatal(err)
	}
	m := &mail{quotas: map[int64]int64{}}
	d, err := Open(context.Background(), Options{DB: base, Mail: m, Settings: s, Key: key, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	d.rounds = cheap
	h := &house{Directory: d, t: t, base: base, s: s, mail: m}
	t.Cleanup(func() {
		if !h.closed {
			h.checkMemory()
		}
		d.Close()
		base.Close()
	})
	return h
}

// newHouse has the domain example.test, the administrator admin@ and the users alice@ and bob@.
func newHouse(t testing.TB) *house {
	h := openHouse(t, databaseURL(t))
	h.must(err1(h.AddDomain(ctx, "example.test")))
	h.add("admin@example.test", true)
	h.add("alice@example.test", false)
	h.add("bob@example.test", false)
	return h
}

var ctx = context.Background()

func err1[T any](_ T, err error) error { return err }

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) add(a string, admin bool) Account {
	h.t.Helper()
	account, err := h.AddUser(ctx, NewUser{Address: addr(a), Password: password, Admin: admin})
	h.must(err)
	return account
}

// checkMemory compares the snapshot, which followed each change, with what the database holds.
func (h *house) checkMemory() {
	h.t.Helper()
	stored, err := h.load(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	if now := h.now.Load(); !reflect.DeepEqual(describe(now), describe(stored)) {
		h.t.Errorf("memory and database differ:\n%s\n%s", describe(now), describe(stored))
	}
}

// describe writes a snapshot out, in order.
func describe(s *snapshot) []string {
	var lines []string
	for name, d := range s.domains {
		lines = append(lines, fmt.Sprint("domain ", name, *d))
	}
	for key, e := range s.addresses {
		lines = append(lines, fmt.Sprint("address ", key, e.kind, e.address, e.title, e.account, e.targets, e.members))
	}
	for id, p := range s.accounts {
		lines = append(lines, fmt.Sprint("account ", id, p.Account, p.verifier.String(), p.scram, p.aliases, p.grants))
	}
	slices.Sort(lines)
	return append(lines, fmt.Sprint("admins ", s.admins))
}

func addr(s string) address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func addrs(list ...string) (out []address.Address) {
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

// resolved is who gets mail for an address, or the reply's codes.
func (h *house) resolved(to string) string {
	h.t.Helper()
	r, err := h.Resolve(ctx, addr(to))
	if err != nil {
		e := reply.From(err)
		return fmt.Sprintf("%d %s", e.Code, e.EnhancedString())
	}
	if !r.LocalDomain {
		return "elsewhere"
	}
	var names []string
	for _, a := range r.Accounts {
		names = append(names, a.Address.Local)
	}
	for _, a := range r.External {
		names = append(names, a.String())
	}
	slices.Sort(names)
	s := r.Via + ": " + strings.Join(names, " ")
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	return s
}

func TestWhoGetsMail(t *testing.T) {
	h := newHouse(t)
	carol := h.add("carol@example.test", false)
	h.must(h.ChangeUser(ctx, carol.Address, UserChange{Disabled: new(true)}))
	h.must(h.AddAlias(ctx, addr("info@example.test"), addrs("alice@example.test", "bob@example.test")))
	h.must(h.AddAlias(ctx, addr("gone@example.test"), addrs("carol@example.test")))
	h.must(h.AddGroup(ctx, addr("staff@example.test"), "All of us", addrs("info@example.test", "alice@example.test", "carol@example.test", "eve@elsewhere.test")))
	h.must(h.AddGroup(ctx, addr("all@example.test"), "", addrs("staff@example.test", "admin@example.test", "eve@elsewhere.test")))
	h.must(h.AddGroup(ctx, addr("empty@example.test"), "", nil))
	for to, want := range map[string]string{
		"alice@example.test":             "account: alice",
		"ALICE@EXAMPLE.TEST":             "account: alice",
		"alice+lists@example.test":       "account: alice (lists)",
		"alice+a+b@example.test":         "account: alice (a+b)",
		`"alice+two words"@example.test`: "account: alice (two words)",
		"alice-lists@example.test":       "550 5.1.1",
		"+alice@example.test":            "550 5.1.1",
		"nobody@example.test":            "550 5.1.1",
		"nobody+x@example.test":          "550 5.1.1",
		"carol@example.test":             "550 5.2.1",
		"gone@example.test":              "550 5.2.1",
		"info@example.test":              "alias: alice bob",
		"info+x@example.test":            "alias: alice bob (x)",
		"staff@example.test":             "group: alice bob eve@elsewhere.test",
		"all@example.test":               "group: admin alice bob eve@elsewhere.test",
		"all+x@example.test":             "group: admin alice bob eve@elsewhere.test (x)",
		"empty@example.test":             "550 5.2.4",
		"postmaster@example.test":        "role: admin",
		"Postmaster@example.test":        "role: admin",
		"abuse+spam@example.test":        "role: admin",
		"alice@elsewhere.test":           "elsewhere",
		"postmaster@[192.0.2.1]":         "elsewhere",
	} {
		if got := h.resolved(to); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
	r, err := h.Resolve(ctx, address.Address{Local: "Postmaster"})
	if err != nil || len(r.Accounts) != 1 || r.Accounts[0].Address.Local != "admin" {
		t.Errorf("the bare Postmaster: %+v, %v", r, err)
	}
	for domain, want := range map[string]bool{"example.test": true, "EXAMPLE.test": true, "elsewhere.test": false, "": false, "test": false} {
		if h.IsLocalDomain(domain) != want {
			t.Errorf("%q is local: %v", domain, !want)
		}
	}
}

func TestADomainChoosesSeparatorAndCatchAll(t *testing.T) {
	h := newHouse(t)
	h.must(h.SetSeparator(ctx, "example.test", "-"))
	h.must(h.SetCatchAll(ctx, "EXAMPLE.test", addr("bob@example.test")))
	for to, want := range map[string]string{
		"alice-lists@example.test": "account: alice (lists)",
		"alice+lists@example.test": "catch-all: bob",
		"nobody@example.test":      "catch-all: bob",
		"postmaster@example.test":  "role: admin",
	} {
		if got := h.resolved(to); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
	h.must(h.SetSeparator(ctx, "example.test", ""))
	h.must(h.AddAlias(ctx, addr("postmaster@example.test"), addrs("alice@example.test")))
	h.must(h.RemoveUser(ctx, addr("bob@example.test"))) // who was the catch-all
	for to, want := range map[string]string{
		"alice-lists@example.test": "550 5.1.1",
		"nobody@example.test":      "550 5.1.1",
		"postmaster@example.test":  "alias: alice",
		"abuse@example.test":       "role: admin",
	} {
		if got := h.resolved(to); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
	for _, bad := range []string{"@", "++", " ", "a", "."} {
		if err := h.SetSeparator(ctx, "example.test", bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("separator %q: %v", bad, err)
		}
	}
}

func TestEntangledGroupsAreUnfoldedOnce(t *testing.T) {
	h := newHouse(t)
	for i := range 10 {
		h.must(h.AddGroup(ctx, addr(fmt.Sprintf("g%d@example.test", i)), "", addrs("alice@example.test")))
	}
	for i := range 9 {
		h.must(h.AddMember(ctx, addr(fmt.Sprintf("g%d@example.test", i)), addr(fmt.Sprintf("g%d@example.test", i+1))))
	}
	if err := h.AddMember(ctx, addr("g9@example.test"), addr("g0@example.test")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "itself a member") {
		t.Errorf("a loop: %v", err)
	}
	if err := h.AddMember(ctx, addr("g9@example.test"), addr("g9@example.test")); !errors.Is(err, ErrInvalid) {
		t.Errorf("a group in itself: %v", err)
	}
	if got := h.resolved("g1@example.test"); got != "group: alice" {
		t.Errorf("eight levels: %s", got)
	}
	if got := h.resolved("g0@example.test"); got != "451 4.2.4" {
		t.Errorf("nine levels: %s", got)
	}
	// A loop that is there all the same ends.
	snap := h.now.Load().clone()
	snap.editEntry("g9@example.test", func(e *entry) { e.members = with(e.members, addr("g5@example.test")) })
	snap.editEntry("g9@example.test", func(e *entry) { e.members = with(e.members, addr("bob@example.test")) })
	u := unfolding{snap: snap, depth: 8, room: 100, seen: map[string]bool{}, out: &Resolution{}}
	if err := u.entry(snap.addresses["g5@example.test"], 0); err != nil || len(u.out.Accounts) != 2 {
		t.Errorf("a loop: %d accounts, %v", len(u.out.Accounts), err)
	}
	h.must(h.s.Set(ctx, "directory.group_recipients", "3"))
	h.must(h.AddGroup(ctx, addr("three@example.test"), "", addrs("a@x.test", "b@x.test", "c@x.test")))
	if err := h.AddMember(ctx, addr("three@example.test"), addr("d@x.test")); !errors.Is(err, ErrInvalid) {
		t.Errorf("a fourth member: %v", err)
	}
	h.must(h.AddGroup(ctx, addr("more@example.test"), "", addrs("d@x.test", "three@example.test")))
	if got := h.resolved("more@example.test"); got != "451 4.2.4" {
		t.Errorf("four recipients: %s", got)
	}
}

func TestWhoMaySendAsWhom(t *testing.T) {
	h := newHouse(t)
	h.must(err1(h.AddDomain(ctx, "other.test")))
	h.must(h.AddAlias(ctx, addr("info@example.test"), addrs("alice@example.test", "bob@example.test")))
	h.must(h.AddAlias(ctx, addr("a@other.test"), addrs("alice@example.test")))
	h.must(h.AddGroup(ctx, addr("staff@example.test"), "", addrs("alice@example.test", "bob@example.test")))
	h.must(h.SetCatchAll(ctx, "example.test", addr("alice@example.test")))
	h.must(h.Grant(ctx, addr("bob@example.test"), addr("staff@example.test")))
	h.must(h.AddAlias(ctx, addr("alice+secret@example.test"), addrs("bob@example.test")))
	id := map[string]int64{}
	for _, u := range h.Users() {
		id[u.Address.Local] = u.ID
	}
	for _, c := range []struct {
		who, as string
		want    bool
	}{
		{"alice", "alice@example.test", true},
		{"alice", "Alice@example.test", true},
		{"alice", "alice+x@example.test", true},
		{"alice", "alice+secret@example.test", false}, // somebody else's alias, though it looks like a subaddress
		{"bob", "alice+secret@example.test", true},
		{"alice", "bob@example.test", false},
		{"alice", "bob+alice@example.test", false},
		{"alice", "info@example.test", true},
		{"alice", "info+x@example.test", true},
		{"bob", "info@example.test", true},
		{"admin", "info@example.test", false},
		{"alice", "a@other.test", true},
		{"bob", "a@other.test", false},
		{"alice", "alice@other.test", false},
		{"alice", "staff@example.test", false},
		{"bob", "staff@example.test", true},
		{"alice", "anything@example.test", false}, // the catch-all is no licence
		{"admin", "alice@example.test", false},    // nor is being administrator
		{"admin", "postmaster@example.test", true},
		{"admin", "abuse@other.test", true},
		{"alice", "postmaster@example.test", false},
		{"alice", "alice@elsewhere.test", false},
	} {
		if got, err := h.MaySendAs(ctx, id[c.who], addr(c.as)); got != c.want || err != nil {
			t.Errorf("%s as %s: %v, %v", c.who, c.as, got, err)
		}
	}
	if ok, _ := h.MaySendAs(ctx, id["alice"], address.Address{}); ok {
		t.Error("alice as the null sender")
	}
	if ok, _ := h.MaySendAs(ctx, 999, addr("alice@example.test")); ok {
		t.Error("an account that is not there")
	}
	if grants := h.Grants(id["bob"]); len(grants) != 1 || grants[0] != addr("staff@example.test") {
		t.Errorf("grants %v", grants)
	}
	h.must(h.Revoke(ctx, addr("bob@example.test"), addr("staff@example.test")))
	h.must(h.ChangeUser(ctx, addr("alice@example.test"), UserChange{Disabled: new(true)}))
	for who, as := range map[string]string{"bob": "staff@example.test", "alice": "alice@example.test"} {
		if ok, _ := h.MaySendAs(ctx, id[who], addr(as)); ok {
			t.Errorf("%s as %s, after it was taken away", who, as)
		}
	}
}

func TestARefusedChangeSaysWhyAndChangesNothing(t *testing.T) {
	h := newHouse(t)
	h.must(h.AddAlias(ctx, addr("info@example.test"), addrs("alice@example.test")))
	h.must(h.AddGroup(ctx, addr("staff@example.test"), "", addrs("alice@example.test")))
	before := describe(h.now.Load())
	for name, c := range map[string]struct {
		err  error
		kind error
		says string
	}{
		"domain again":            {err1(h.AddDomain(ctx, "EXAMPLE.test.")), ErrExists, "example.test is here already"},
		"domain literal":          {err1(h.AddDomain(ctx, "[192.0.2.1]")), ErrInvalid, "write one such as"},
		"domain of one label":     {err1(h.AddDomain(ctx, "localhost")), ErrInvalid, "write one such as"},
		"domain that is none":     {err1(h.AddDomain(ctx, "exa mple.test")), ErrInvalid, "write one such as"},
		"domain with people":      {h.RemoveDomain(ctx, "example.test"), ErrInvalid, "remove its users, aliases and groups first"},
		"unknown domain":          {h.RemoveDomain(ctx, "other.test"), ErrNotFound, "postern domain list"},
		"user again":              {err1(h.AddUser(ctx, NewUser{Address: addr("Alice@example.test"), Password: password})), ErrExists, "taken already"},
		"user with alias's name":  {err1(h.AddUser(ctx, NewUser{Address: addr("info@example.test"), Password: password})), ErrExists, "taken"},
		"user elsewhere":          {err1(h.AddUser(ctx, NewUser{Address: addr("a@other.test"), Password: password})), ErrNotFound, "postern domain add"},
		"user with weak password": {err1(h.AddUser(ctx, NewUser{Address: addr("c@example.test"), Password: "secret"})), ErrInvalid, "an uppercase letter, a number and a symbol"},
		"user with bad name":      {err1(h.AddUser(ctx, NewUser{Address: addr("c@example.test"), Name: "a\r\nb", Password: password})), ErrInvalid, "one line"},
		"address that is long":    {h.AddGroup(ctx, addr(strings.Repeat("a", 65)+"@example.test"), "", nil), ErrInvalid, "at most 64"},
		"user with bad quota":     {err1(h.AddUser(ctx, NewUser{Address: addr("c@example.test"), Quota: -2, Password: password})), ErrInvalid, "quota"},
		"password of nobody":      {h.SetPassword(ctx, addr("c@example.test"), password), ErrNotFound, "no user"},
		"weak new password":       {h.SetPassword(ctx, addr("alice@example.test"), "12345678"), ErrInvalid, "an uppercase letter and a symbol"},
		"remove nobody":           {h.RemoveUser(ctx, addr("c@example.test")), ErrNotFound, "no user"},
		"remove alias as user":    {h.RemoveUser(ctx, addr("info@example.test")), ErrNotFound, "not a user but an alias"},
		"remove last admin":       {h.RemoveUser(ctx, addr("admin@example.test")), ErrInvalid, "make another user administrator"},
		"disable last admin":      {h.ChangeUser(ctx, addr("admin@example.test"), UserChange{Disabled: new(true)}), ErrInvalid, "make another user administrator"},
		"demote last admin":       {h.ChangeUser(ctx, addr("admin@example.test"), UserChange{Admin: new(false)}), ErrInvalid, "make another user administrator"},
		"alias to group":          {h.AddAlias(ctx, addr("x@example.test"), addrs("staff@example.test")), ErrInvalid, "make a group"},
		"alias to outside":        {h.AddAlias(ctx, addr("x@example.test"), addrs("alice@example.test", "eve@elsewhere.test")), ErrInvalid, "make a group"},
		"alias to none":           {h.AddAlias(ctx, addr("x@example.test"), nil), ErrInvalid, "1 to 100"},
		"alias again":             {h.AddAlias(ctx, addr("info@example.test"), addrs("bob@example.test")), ErrExists, "an alias already"},
		"alias changed to none":   {h.SetAlias(ctx, addr("info@example.test"), nil), ErrInvalid, "1 to 100"},
		"group again":             {h.AddGroup(ctx, addr("alice@example.test"), "", nil), ErrExists, "an account already"},
		"group with unknown":      {h.AddGroup(ctx, addr("x@example.test"), "", addrs("alice@example.test", "nobody@example.test")), ErrNotFound, "nobody@example.test"},
		"member of nothing":       {h.AddMember(ctx, addr("x@example.test"), addr("alice@example.test")), ErrNotFound, "no group"},
		"no such member":          {h.RemoveMember(ctx, addr("staff@example.test"), addr("bob@example.test")), ErrNotFound, "not a member"},
		"grant of nothing":        {h.Grant(ctx, addr("alice@example.test"), addr("eve@elsewhere.test")), ErrNotFound, "no user, alias or group"},
		"grant of oneself":        {h.Grant(ctx, addr("alice@example.test"), addr("Alice@example.test")), ErrInvalid, "without a grant"},
		"revoke of nothing":       {h.Revoke(ctx, addr("alice@example.test"), addr("bob@example.test")), ErrNotFound, "no grant"},
		"catch-all to nobody":     {h.SetCatchAll(ctx, "example.test", addr("nobody@example.test")), ErrNotFound, "nobody@example.test"},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: %v, want %q", name, c.err, c.says)
		}
	}
	if after := describe(h.now.Load()); !slices.Equal(before, after) {
		t.Errorf("something changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	h.checkMemory()
}

func TestDomainAndUserInOneTransaction(t *testing.T) {
	h := newHouse(t)
	u, err := h.PrepareUser(ctx, NewUser{Address: addr("first@new.test"), Password: password, Admin: true})
	h.must(err)
	stop := errors.New("stop")
	for _, outcome := range []error{stop, nil} {
		err := h.base.Write(ctx, func(tx *db.Tx) error {
			if _, err := h.AddDomainTx(tx, "new.test"); err != nil {
				return err
			}
			if _, err := h.AddUserTx(tx, u); err != nil {
				return err
			}
			return outcome
		})
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
		if there := h.IsLocalDomain("new.test"); there != (outcome == nil) {
			t.Errorf("outcome %v, domain there: %v", outcome, there)
		}
		h.checkMemory()
	}
	if got := h.resolved("first@new.test"); got != "account: first" {
		t.Error(got)
	}
}

func TestRemovingAUserLeavesNothingBehind(t *testing.T) {
	h := newHouse(t)
	h.must(h.AddAlias(ctx, addr("a@example.test"), addrs("alice@example.test")))
	h.must(h.AddAlias(ctx, addr("ab@example.test"), addrs("alice@example.test", "bob@example.test")))
	h.must(h.AddGroup(ctx, addr("g@example.test"), "", addrs("alice@example.test", "a@example.test", "bob@example.test")))
	h.must(h.Grant(ctx, addr("bob@example.test"), addr("alice@example.test")))
	h.must(h.Grant(ctx, addr("bob@example.test"), addr("a@example.test")))
	h.must(h.Grant(ctx, addr("alice@example.test"), addr("bob@example.test")))
	h.must(h.SetCatchAll(ctx, "example.test", addr("a@example.test")))
	old, _ := h.User(addr("alice@example.test"))
	h.must(h.RemoveUser(ctx, addr("alice@example.test")))
	h.checkMemory()
	if len(h.Aliases()) != 1 || len(h.Groups()[0].Members) != 1 || !h.Domains()[0].CatchAll.IsZero() || len(h.mail.quotas) != 2 {
		t.Errorf("left: %v %v %v %v", h.Aliases(), h.Groups(), h.Domains(), h.mail.quotas)
	}
	bob, _ := h.User(addr("bob@example.test"))
	if g := h.Grants(bob.ID); len(g) != 0 {
		t.Errorf("grants %v", g)
	}
	again := h.add("alice@example.test", false)
	if again.ID <= bob.ID || again.ID == old.ID {
		t.Errorf("the id %d was given again", again.ID)
	}
	h.must(h.RemoveUser(ctx, again.Address))
	if last := h.add("zoe@example.test", false); last.ID <= again.ID {
		t.Errorf("the id %d was given again", last.ID)
	}
}

func TestQuotasReachTheStore(t *testing.T) {
	h := newHouse(t)
	own, err := h.AddUser(ctx, NewUser{Address: addr("own@example.test"), Password: password, Quota: 5 << 20})
	h.must(err)
	none, err := h.AddUser(ctx, NewUser{Address: addr("none@example.test"), Password: password, Quota: NoQuota})
	h.must(err)
	alice, _ := h.User(addr("alice@example.test"))
	h.must(h.s.Set(ctx, "quota.default", "1GiB"))
	h.background.Wait()
	for id, want := range map[int64]int64{alice.ID: 1 << 30, own.ID: 5 << 20, none.ID: 0} {
		if got := h.mail.quotas[id]; got != want {
			t.Errorf("account %d: %d, want %d", id, got, want)
		}
	}
	h.must(h.ChangeUser(ctx, own.Address, UserChange{Quota: new(int64(0)), Name: new("Own")}))
	if got := h.mail.quotas[own.ID]; got != 1<<30 {
		t.Errorf("back to the default: %d", got)
	}
	if a, ok := h.Account(own.ID); !ok || a.Name != "Own" || a.Quota != 0 {
		t.Errorf("%+v", a)
	}
}

func TestTheDirectoryOutlivesTheProcess(t *testing.T) {
	url := databaseURL(t)
	h := openHouse(t, url)
	h.must(err1(h.AddDomain(ctx, "b\u00fccher.test")))
	h.add("\u00dcmit@b\u00fccher.test", true)
	h.must(h.AddGroup(ctx, addr("g@b\u00fccher.test"), "Titel", addrs("eve@elsewhere.test", "\u00dcmit@b\u00fccher.test")))
	before, secret := describe(h.now.Load()), h.secret
	h.Close()
	h.base.Close()
	h.closed = true
	d := openHouse(t, url)
	if after := describe(d.now.Load()); !slices.Equal(before, after) {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if string(secret) != string(d.secret) {
		t.Error("salts of unknown users change with a restart, which tells them from real ones")
	}
	if !d.IsLocalDomain("xn--bcher-kva.test") {
		t.Error("the domain is unknown by its A-label")
	}
}

// Random changes: the snapshot that follows them is always what the database holds.
func TestMemoryFollowsTheDatabase(t *testing.T) {
	h := newHouse(t)
	random := rand.New(rand.NewPCG(1, 2))
	u, err := h.PrepareUser(ctx, NewUser{Address: addr("x@example.test"), Password: password})
	h.must(err)
	pick := func() address.Address {
		return addr(fmt.Sprintf("n%d@d%d.test", random.IntN(8), random.IntN(2)))
	}
	some := func() (list []address.Address) {
		for range random.IntN(4) {
			list = append(list, pick())
		}
		return list
	}
	done := 0
	for i := range 1500 {
		a, b := pick(), pick()
		var err error
		switch random.IntN(14) {
		case 0, 1:
			err = err1(h.AddDomain(ctx, a.Domain))
		case 2, 3, 4:
			u := u
			u.user.Address, u.user.Admin = a, random.IntN(4) == 0
			err = h.base.Write(ctx, func(tx *db.Tx) error { return err1(h.AddUserTx(tx, u)) })
		case 5:
			err = h.RemoveUser(ctx, a)
		case 6:
			err = h.AddAlias(ctx, a, some())
		case 7:
			err = h.AddGroup(ctx, a, "t", some())
		case 8:
			err = h.AddMember(ctx, a, b)
		case 9:
			err = h.Grant(ctx, a, b)
		case 10:
			err = h.SetCatchAll(ctx, a.Domain, b)
		case 11:
			err = errors.Join(h.RemoveAlias(ctx, a), h.RemoveGroup(ctx, b))
		case 12:
			err = h.ChangeUser(ctx, a, UserChange{Admin: new(random.IntN(2) == 0), Disabled: new(random.IntN(3) == 0)})
		case 13:
			err = errors.Join(h.RemoveDomain(ctx, a.Domain), h.RemoveMember(ctx, a, b), h.SetAlias(ctx, b, some()))
		}
		if err == nil {
			done++
		}
		if i%50 == 0 {
			h.checkMemory()
		}
		if _, err := h.Resolve(ctx, a); err != nil && reply.From(err).Cause != nil {
			t.Fatal(err)
		}
	}
	if done < 200 {
		t.Errorf("only %d changes were made", done)
	}
}

// addresses writes out what an account may be written to at.
func (h *house) addresses(a Account) string { return strings.Trim(fmt.Sprint(h.Addresses(a.ID)), "[]") }

func TestAnAccountKnowsItsAddresses(t *testing.T) {
	h := newHouse(t)
	alice, _ := h.User(addr("alice@example.test"))
	bob, _ := h.User(addr("bob@example.test"))
	expect := func(what string, ofAlice, ofBob string) {
		t.Helper()
		if a, b := h.addresses(alice), h.addresses(bob); a != ofAlice || b != ofBob {
			t.Errorf("%s: alice has %q, bob has %q", what, a, b)
		}
		h.checkMemory()
	}
	expect("at first", "alice@example.test", "bob@example.test")
	h.must(h.AddAlias(ctx, addr("Sales@example.test"), addrs("alice@example.test", "bob@example.test")))
	h.must(h.AddAlias(ctx, addr("info@example.test"), addrs("alice@example.test")))
	expect("with aliases", "alice@example.test info@example.test Sales@example.test", "bob@example.test Sales@example.test")
	h.must(h.SetAlias(ctx, addr("sales@example.test"), addrs("bob@example.test")))
	expect("with another target", "alice@example.test info@example.test", "bob@example.test Sales@example.test")
	h.must(h.ChangeUser(ctx, addr("alice@example.test"), UserChange{Name: new("Alice")}))
	expect("with a name", "alice@example.test info@example.test", "bob@example.test Sales@example.test")
	h.must(h.RemoveAlias(ctx, addr("info@example.test")))
	expect("without an alias", "alice@example.test", "bob@example.test Sales@example.test")
	h.must(h.SetAlias(ctx, addr("sales@example.test"), addrs("alice@example.test", "bob@example.test")))
	h.must(h.RemoveUser(ctx, addr("bob@example.test")))
	expect("alone", "alice@example.test Sales@example.test", "")
}

// BenchmarkAddresses is among many aliases of others, which cost nothing.
func BenchmarkAddresses(b *testing.B) {
	h := newHouse(b)
	a, _ := h.User(addr("alice@example.test"))
	h.must(h.AddAlias(ctx, addr("info@example.test"), addrs("alice@example.test")))
	h.must(h.base.Write(ctx, func(tx *db.Tx) error {
		for i := range 1000 {
			if err := h.AddAliasTx(tx, addr(fmt.Sprintf("other%d@example.test", i)), addrs("bob@example.test")); err != nil {
				return err
			}
		}
		return nil
	}))
	b.ReportAllocs()
	for b.Loop() {
		if list := h.Addresses(a.ID); len(list) != 2 {
			b.Fatal(list)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	h := newHouse(b)
	to := addr("alice+lists@example.test")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Resolve(ctx, to); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMaySendAs(b *testing.B) {
	h := newHouse(b)
	a, _ := h.User(addr("alice@example.test"))
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := h.MaySendAs(ctx, a.ID, a.Address); err != nil || !ok {
			b.Fatal(err)
		}
	}
}
