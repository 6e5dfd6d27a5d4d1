package scripts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shelf is a store of scripts for one test.
type shelf struct {
	*Store
	t        testing.TB
	url      string
	settings *settings.Settings
	clock    *clock.Manual
	exists   func(Owner) bool
}

func newShelf(t testing.TB, url string) *shelf {
	t.Helper()
	s := &shelf{t: t, url: url, settings: settings.Defaults(), clock: clock.NewManual(epoch)}
	s.open()
	return s
}

func (s *shelf) open() {
	s.t.Helper()
	var err error
	s.Store, err = Open(s.t.Context(), Options{DB: testdb.Open(s.t, s.url), Settings: s.settings, Exists: s.exists, Clock: s.clock})
	if err != nil {
		s.t.Fatal(err)
	}
}

// reopen closes the database and opens all of it again.
func (s *shelf) reopen() {
	s.t.Helper()
	if err := s.db.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

// limit changes a setting.
func (s *shelf) limit(name, value string) {
	s.t.Helper()
	if err := s.settings.Set(s.t.Context(), name, value); err != nil {
		s.t.Fatal(err)
	}
}

// put puts a script that must be taken.
func (s *shelf) put(o Owner, name, content string) {
	s.t.Helper()
	if err := s.Put(s.t.Context(), o, name, []byte(content)); err != nil {
		s.t.Fatalf("putting %q: %v", name, err)
	}
}

func (s *shelf) activate(o Owner, name string) {
	s.t.Helper()
	if err := s.SetActive(s.t.Context(), o, name); err != nil {
		s.t.Fatalf("activating %q: %v", name, err)
	}
}

// wantList compares an owner's scripts with names, the active one marked by a star.
func (s *shelf) wantList(o Owner, want ...string) {
	s.t.Helper()
	list, err := s.List(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	var got []string
	for _, info := range list {
		name := info.Name
		if info.Active {
			name += "*"
		}
		got = append(got, name)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s has %q, want %q", o, got, want)
	}
}

// wantActive compares what is run for an owner; "" is nothing.
func (s *shelf) wantActive(o Owner, name, content string) Version {
	s.t.Helper()
	a, ok, err := s.Active(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	if ok != (name != "") || a.Name != name || string(a.Content) != content {
		s.t.Errorf("active for %s: %q %q %v, want %q %q", o, a.Name, a.Content, ok, name, content)
	}
	return a.Version
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, s *shelf)) {
	testdb.OnBoth(t, func(t *testing.T, url string) { test(t, newShelf(t, url)) })
}

func TestScriptsAreKeptAsTheyWerePut(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		alice := Of(1)
		for name, content := range map[string]string{
			"main":           "keep;\r\n",
			"binary \u00e9":  "a\x00b\xff\r\n.\r\n",
			"empty":          "",
			"a/b \\ \"c\" %": strings.Repeat("# long\r\n", 1000),
		} {
			s.put(alice, name, content)
			s.clock.Advance(time.Second)
		}
		s.reopen()
		s.wantList(alice, "a/b \\ \"c\" %", "binary \u00e9", "empty", "main")
		for _, info := range must(s.List(t.Context(), alice)) {
			got, err := s.Get(t.Context(), alice, info.Name)
			if err != nil {
				t.Fatal(err)
			}
			if got.Info != info || int64(len(got.Content)) != info.Size || info.Changed.Before(epoch) {
				t.Errorf("%+v, listed %+v", got.Info, info)
			}
		}
		if got := must(s.Get(t.Context(), alice, "binary e\u0301")); string(got.Content) != "a\x00b\xff\r\n.\r\n" {
			t.Errorf("by its decomposed name: %q", got.Content)
		}
	})
}

func TestPutReplacesAndLeavesTheActiveOneActive(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		alice := Of(1)
		s.put(alice, "main", "keep;")
		s.wantActive(alice, "", "")
		s.activate(alice, "main")
		first := s.wantActive(alice, "main", "keep;")
		s.put(alice, "main", "stop;")
		if second := s.wantActive(alice, "main", "stop;"); second == first {
			t.Error("two contents have one version")
		}
		s.put(alice, "main", "keep;")
		if third := s.wantActive(alice, "main", "keep;"); third != first {
			t.Error("the same content has two versions")
		}
		s.wantList(alice, "main*")
		s.reopen()
		s.wantActive(alice, "main", "keep;")
	})
}

func TestOneScriptIsActive(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		alice := Of(1)
		s.put(alice, "a", "keep;")
		s.put(alice, "b", "stop;")
		s.activate(alice, "a")
		s.activate(alice, "b")
		s.activate(alice, "b")
		s.wantList(alice, "a", "b*")
		s.wantActive(alice, "b", "stop;")
		s.reopen()
		s.wantActive(alice, "b", "stop;")
		wantRefusal(t, s.SetActive(t.Context(), alice, "c"), ErrNotFound)
		s.wantList(alice, "a", "b*")
		s.activate(alice, "")
		s.activate(alice, "")
		s.wantList(alice, "a", "b")
		s.wantActive(alice, "", "")
	})
}

func TestRenameAndDelete(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		ctx, alice := t.Context(), Of(1)
		s.put(alice, "a", "keep;")
		s.put(alice, "b", "stop;")
		s.activate(alice, "a")
		wantRefusal(t, s.Rename(ctx, alice, "a", "b"), ErrExists)
		wantRefusal(t, s.Rename(ctx, alice, "a", "a"), ErrExists)
		wantRefusal(t, s.Rename(ctx, alice, "x", "y"), ErrNotFound)
		wantRefusal(t, s.Rename(ctx, alice, "a", ""), ErrName)
		if err := s.Rename(ctx, alice, "a", "c"); err != nil {
			t.Fatal(err)
		}
		s.wantList(alice, "b", "c*")
		s.wantActive(alice, "c", "keep;")
		wantRefusal(t, s.Delete(ctx, alice, "c"), ErrActive)
		wantRefusal(t, s.Delete(ctx, alice, "a"), ErrNotFound)
		if err := s.Delete(ctx, alice, "b"); err != nil {
			t.Fatal(err)
		}
		s.activate(alice, "")
		if err := s.Delete(ctx, alice, "c"); err != nil {
			t.Fatal(err)
		}
		s.wantList(alice)
		if _, err := s.Get(ctx, alice, "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("reading what was deleted: %v", err)
		}
	})
}

func TestQuotas(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		ctx, alice := t.Context(), Of(1)
		s.limit("sieve.max_scripts", "3")
		s.limit("sieve.max_script_size", "2KiB")
		s.limit("sieve.max_storage", "4KiB")
		half := strings.Repeat("#", 2048)
		for _, step := range []struct {
			name string
			size int
			want error
		}{
			{"a", 2049, ErrTooLarge},
			{"a", 2048, nil},
			{"b", 2000, nil},
			{"c", 49, ErrNoSpace},
			{"b", 2048, nil},
			{"c", 1, ErrNoSpace},
			{"c", 0, nil},
			{"d", 0, ErrTooMany},
			{"a", 2048, nil},
			{"a", 0, nil},
			{"c", 2048, nil},
		} {
			wantRefusal(t, s.HaveSpace(ctx, alice, step.name, int64(step.size)), step.want)
			wantRefusal(t, s.Put(ctx, alice, step.name, bytes.Repeat([]byte("#"), step.size)), step.want)
		}
		s.wantList(alice, "a", "b", "c")
		s.put(Of(2), "a", half)
	})
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"main":                            "main",
		"\u00fc":                          "\u00fc",
		"u\u0308":                         "\u00fc",
		strings.Repeat("x", 128):          strings.Repeat("x", 128),
		strings.Repeat("\U0001F4E8", 128): strings.Repeat("\U0001F4E8", 128),
		" a b ":                           " a b ",
		"":                                "",
		"a\nb":                            "",
		"a\x7fb":                          "",
		"a\u0085b":                        "",
		"a\u2028b":                        "",
		"a\u2029b":                        "",
		"a\x00":                           "",
		"\xff":                            "",
		strings.Repeat("x", 129):          "",
		strings.Repeat("x", 100000):       "",
	} {
		got, err := CleanName(name)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%.40q: %.40q, %v; want %.40q", name, got, err, want)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, name := range []string{"", "main", "u\u0308", "\xff", "a\x00", strings.Repeat("\u0344", 128)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := CleanName(name)
		if err != nil {
			return
		}
		if again, err := CleanName(clean); err != nil || again != clean {
			t.Errorf("%q becomes %q, which becomes %q, %v", name, clean, again, err)
		}
		if strings.ContainsAny(clean, "\r\n\x00") || len(clean) > 512 || clean == "" {
			t.Errorf("%q becomes %q", name, clean)
		}
	})
}

func TestOwnersSeeNothingOfEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		owners := []Owner{
			Of(1), Of(2), {Account: 1, Role: Before}, {Domain: "example.org"}, {Domain: "example.org", Role: Before},
			{Domain: "example.com", Role: Before}, {Role: Before}, {Role: After}, {},
		}
		for i, o := range owners {
			s.put(o, "main", fmt.Sprint("# ", i))
			s.put(o, "spare", "keep;")
			s.activate(o, "main")
		}
		s.reopen()
		for i, o := range owners {
			s.wantList(o, "main*", "spare")
			s.wantActive(o, "main", fmt.Sprint("# ", i))
		}
		s.activate(owners[0], "")
		for i, o := range owners[1:] {
			s.wantActive(o, "main", fmt.Sprint("# ", i+1))
		}
	})
}

func TestScriptsGoWithTheirOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		ctx := t.Context()
		owners := []Owner{Of(1), Of(2), {Domain: "example.org", Role: Before}, {Domain: "example.com", Role: After}, {Role: After}}
		for _, o := range owners {
			s.put(o, "main", "keep;")
			s.activate(o, "main")
		}
		undone := errors.New("undone")
		remove := func(then error) error {
			return s.db.Write(ctx, func(tx *db.Tx) error {
				if err := errors.Join(s.RemoveAccountTx(tx, 1), s.RemoveDomainTx(tx, "example.org")); err != nil {
					return err
				}
				return then
			})
		}
		if err := remove(undone); err != undone {
			t.Fatal(err)
		}
		s.wantActive(owners[0], "main", "keep;")
		s.wantList(owners[2], "main*")
		if err := remove(nil); err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, 2} {
			s.wantActive(owners[i], "", "")
			s.wantList(owners[i])
		}
		for _, i := range []int{1, 3, 4} {
			s.wantActive(owners[i], "main", "keep;")
			s.wantList(owners[i], "main*")
		}
		s.exists = func(o Owner) bool { return o.Account == 0 && o.Domain == "" }
		s.reopen()
		s.wantList(owners[1])
		s.wantList(owners[3])
		s.wantActive(owners[4], "main", "keep;")
	})
}

func TestAFailedChangeLeavesMemoryAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		alice := Of(1)
		s.put(alice, "main", "keep;")
		s.activate(alice, "main")
		s.limit("sieve.max_script_size", "1KiB")
		wantRefusal(t, s.Put(t.Context(), alice, "main", make([]byte, 1025)), ErrTooLarge)
		s.wantActive(alice, "main", "keep;")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		wantRefusal(t, s.Put(ended, alice, "main", []byte("stop;")), context.Canceled)
		s.wantActive(alice, "main", "keep;")
	})
}

func TestAfterALostCommitMemoryIsReadAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		alice, bob := Of(1), Of(2)
		for _, o := range []Owner{alice, bob} {
			s.put(o, "main", "keep;")
		}
		s.activate(alice, "main")
		// What a commit did of which nobody heard: alice's script is not active any more, bob's is.
		err := s.db.Write(t.Context(), func(tx *db.Tx) error {
			for _, o := range []Owner{alice, bob} {
				r, err := require(tx, o, "main")
				if err != nil {
					return err
				}
				if r.active = !r.active; r.update(tx) != nil {
					return errors.New("not updated")
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.wantActive(bob, "", "")
		s.actives.stale.Store(true) // as the database's OnUncertain has it
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		// Whoever cannot wait for it is told so, rather than that there is no script.
		if _, ok, err := s.Active(ended, bob); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", ok, err)
		}
		s.wantActive(bob, "main", "keep;")
		s.wantActive(alice, "", "")
		if s.actives.stale.Load() {
			t.Error("it is read again and again")
		}
	})
}

func TestDamageIsFoundAndNotRun(t *testing.T) {
	for name, damage := range map[string]string{
		"content":     `UPDATE sieve_scripts SET content = CAST('stop;' AS BLOB) WHERE name = 'main'`,
		"size":        `UPDATE sieve_scripts SET size = 6 WHERE name = 'main'`,
		"hash":        `UPDATE sieve_scripts SET hash = CAST('x' AS BLOB) WHERE name = 'main'`,
		"owner":       `UPDATE sieve_scripts SET account = 1 WHERE name = 'foreign'`,
		"time":        `UPDATE sieve_scripts SET changed = changed + 1 WHERE name = 'main'`,
		"not activat": `UPDATE sieve_scripts SET active = 1 - active WHERE account = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, testdb.SQLite(t))
			ctx, alice := t.Context(), Of(1)
			s.put(alice, "main", "keep;")
			s.activate(alice, "main")
			s.put(Of(2), "foreign", "discard;")
			if report := must(s.Verify(ctx, nil)); report.Checked != 2 || len(report.Damage) != 0 {
				t.Fatalf("before the damage: %+v", report)
			}
			if err := s.db.Write(ctx, func(tx *db.Tx) error { _, err := tx.Exec(damage); return err }); err != nil {
				t.Fatal(err)
			}
			s.reopen()
			if report := must(s.Verify(ctx, nil)); report.Checked != 2 || len(report.Damage) != 1 {
				t.Errorf("%+v", report)
			}
			if name == "owner" {
				wantRefusal(t, s.SetActive(ctx, alice, "foreign"), ErrDamaged)
				return
			}
			if a, ok, err := s.Active(ctx, alice); !errors.Is(err, ErrDamaged) && ok {
				t.Errorf("runs %+v, %v", a, err)
			}
			if _, err := s.Get(ctx, alice, "main"); !errors.Is(err, ErrDamaged) {
				t.Errorf("reads it: %v", err)
			}
			s.put(alice, "main", "keep;")
			if got := must(s.Get(ctx, alice, "main")); string(got.Content) != "keep;" {
				t.Errorf("mended: %+v", got)
			}
		})
	}
}

func TestVerifyReadsAllOfThem(t *testing.T) {
	s := newShelf(t, testdb.SQLite(t))
	for i := range 5 * verifyRows / 2 {
		s.put(Of(int64(i+1)), "main", "keep;")
	}
	var last int
	report, err := s.Verify(t.Context(), func(done, total int) {
		if last = done; total != 5*verifyRows/2 {
			t.Errorf("%d of %d", done, total)
		}
	})
	if err != nil || report.Checked != 5*verifyRows/2 || last != report.Checked || report.Damage != nil {
		t.Errorf("%+v, %v, told %d", report, err, last)
	}
}

func TestTheCacheKeepsToItsBudget(t *testing.T) {
	c := cache{budget: 10 * (100 + entryBytes)}
	version := func(i int) Version { return Version{byte(i)} }
	for i := range 20 {
		c.put(version(i), make([]byte, 100))
		c.put(version(i), make([]byte, 100))
		c.get(version(0))
	}
	c.put(version(99), make([]byte, c.budget))
	if c.used > c.budget || len(c.entries) != 10 || c.order.Len() != 10 {
		t.Errorf("%d bytes, %d entries, %d in order", c.used, len(c.entries), c.order.Len())
	}
	for i := range 20 {
		if _, ok := c.get(version(i)); ok != (i == 0 || i > 10) {
			t.Errorf("entry %d: %v", i, ok)
		}
	}
}

func wantRefusal(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("a text of several lines: %q", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAGenerationLastsUntilSomethingChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		alice, all := Of(1), Owner{}
		last := map[Owner]Generation{}
		moved := func(what string, want ...Owner) {
			t.Helper()
			for _, o := range []Owner{alice, all} {
				now := s.Generation(o)
				if wanted := fmt.Sprint(want); (now != last[o]) != strings.Contains(wanted, o.String()) {
					t.Errorf("%s: the generation of %s goes from %v to %v", what, o, last[o], now)
				}
				last[o] = now
			}
		}
		moved("nothing yet")
		s.put(alice, "a", "keep;")
		moved("put", alice)
		s.put(all, "a", "keep;")
		moved("put for all", all)
		s.activate(alice, "a")
		moved("activated")
		wantRefusal(t, s.Delete(t.Context(), alice, "a"), ErrActive)
		wantRefusal(t, s.Rename(t.Context(), alice, "a", "a"), ErrExists)
		moved("refused")
		must(0, s.Rename(t.Context(), alice, "a", "b"))
		moved("renamed", alice)
		s.activate(alice, "")
		must(0, s.Delete(t.Context(), alice, "b"))
		moved("deleted", alice)
		must(0, s.db.Write(t.Context(), func(tx *db.Tx) error { return s.RemoveAccountTx(tx, 1) }))
		moved("removed", alice)
		s.generations.epoch.Add(1) // as the database's OnUncertain has it
		moved("unknown", alice, all)
	})
}

func TestAdministratorsScriptsAreListedTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		s.put(Of(1), "own", "keep;")
		s.put(Owner{Domain: "example.test", Role: After}, "d", "keep;")
		s.put(Owner{Role: Before}, "c", "keep;")
		s.put(Owner{}, "b", "keep;")
		s.put(Owner{Domain: "example.org"}, "a", "keep;")
		s.activate(Owner{Role: Before}, "c")
		var got []string
		for _, one := range must(s.Administrators(t.Context())) {
			got = append(got, fmt.Sprint(one.Owner, ": ", one.Name, " ", one.Active))
		}
		want := "[server: b false server, before: c true domain example.org: a false domain example.test, after: d false]"
		if fmt.Sprint(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
