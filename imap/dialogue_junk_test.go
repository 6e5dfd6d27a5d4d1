package imap

import (
	"bytes"
	"hash/fnv"
	"io"
	"slices"
	"testing"

	"postern/antispam/bayes"
	spamlearn "postern/antispam/learn"
	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/store"
)

// teachable has the world's accounts teach, word by word.
func teachable(t *testing.T, w *world) (*spamlearn.Models, *spamlearn.Lessons) {
	t.Helper()
	models, err := spamlearn.Open(t.Context(), spamlearn.Options{DB: w.db, Settings: settings.Defaults()})
	if err != nil {
		t.Fatal(err)
	}
	lessons := spamlearn.NewLessons(spamlearn.LessonsOptions{DB: w.db, Store: w.store, Models: models, Tokens: func(content io.ReaderAt, size int64) ([]bayes.Token, error) {
		b, err := io.ReadAll(io.NewSectionReader(content, 0, size))
		var tokens []bayes.Token
		for word := range bytes.FieldsSeq(b) {
			tokens = append(tokens, wordToken(string(word)))
		}
		return tokens, err
	}})
	w.store.Listen(lessons)
	t.Cleanup(func() {
		lessons.Close()
		models.Close()
	})
	return models, lessons
}

func wordToken(word string) bayes.Token {
	h := fnv.New64a()
	io.WriteString(h, word)
	return bayes.Token(h.Sum64())
}

// watcher is a journal in which every mailbox is watched.
type watcher struct{ causes []string }

func (w *watcher) Watches(store.AccountID) bool { return true }

func (w *watcher) HappenedTx(tx *db.Tx, h store.Happening) error {
	tx.OnCommit(func() { w.causes = append(w.causes, h.Cause.String()) })
	return nil
}

func TestJunkTeachesTheSpamFilter(t *testing.T) { testJunkTeaches(t, newWorld(t)) }

func TestJunkTeachesTheSpamFilterWhereScriptsWatch(t *testing.T) {
	w, j := newWorld(t), &watcher{}
	w.store.Record(j)
	testJunkTeaches(t, w)
	if want := []string{"COPY", "COPY", "FLAG", "FLAG", "FLAG"}; !slices.Equal(j.causes, want) {
		t.Errorf("scripts are to run for %v, not %v", j.causes, want)
	}
}

func testJunkTeaches(t *testing.T, w *world) {
	models, lessons := teachable(t, w)
	w.deliver("alice@example.test", "INBOX", "Subject: pills\n\nviagra\n")
	w.deliver("alice@example.test", "INBOX", "Subject: dinner\n\ntomorrow\n")
	w.deliver("alice@example.test", "Junk", "Subject: news\n\nnewsletter\n")
	c := w.user("alice@example.test")
	do := func(commands ...string) {
		t.Helper()
		for _, command := range commands {
			c.send("1 " + command)
			c.until("1 OK …")
		}
	}
	expect := func(totals bayes.Count, word string, want bayes.Count) {
		t.Helper()
		if err := lessons.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := models.Of(t.Context(), int64(w.account("alice@example.test").ID()))
		if err != nil {
			t.Fatal(err)
		}
		var got [1]bayes.Count
		m.Counts([]bayes.Token{wordToken(word)}, got[:])
		if m.Totals() != totals || got[0] != want {
			t.Errorf("learnt %v, %q in %v; wanted %v, %v", m.Totals(), word, got[0], totals, want)
		}
	}
	do(`SELECT INBOX`, `UID MOVE 1 Junk`)
	expect(bayes.Count{Spam: 1}, "viagra", bayes.Count{Spam: 1})
	do(`SELECT Junk`, `UID MOVE 2 INBOX`)
	expect(bayes.Count{Ham: 1}, "viagra", bayes.Count{Ham: 1})
	do(`SELECT Junk`, `STORE 1 +FLAGS ($NotJunk \Deleted)`, `EXPUNGE`)
	expect(bayes.Count{Ham: 1}, "newsletter", bayes.Count{})
	do(`SELECT INBOX`, `STORE 1 +FLAGS (NonJunk)`, `STORE 1 +FLAGS (\Seen)`)
	expect(bayes.Count{Ham: 2}, "tomorrow", bayes.Count{Ham: 1})
}
