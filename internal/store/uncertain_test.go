package store

import (
	"context"
	"strings"
	"testing"

	"postern/internal/testpg"
)

// A commit that was carried out, and of which nobody heard, may have named the message's file. The sender comes again, is told
// that the message is there, and it must be.
func TestALargeMessageOfALostCommitKeepsItsBytes(t *testing.T) {
	link, url := testpg.NewLink(t, testpg.Database(t))
	f := newFixture(t, url, t.TempDir())
	a := f.account(1)
	large := noise("large", 300<<10)
	target := []Target{{Account: 1, Once: []byte("the same message")}}

	p := f.prepare(large)
	f.Store.reaper.pass.Lock() // its commits are not meant
	link.LoseCommits(1)
	if _, err := f.Deliver(t.Context(), p, target); err == nil || link.Lost() != 1 {
		t.Fatalf("%v, %d lost", err, link.Lost())
	}
	f.Store.reaper.pass.Unlock()
	p.Discard()

	again := f.prepare(large)
	out, err := f.Deliver(t.Context(), again, target)
	if err != nil || !out[0].Duplicate {
		t.Fatalf("%v %+v", err, out)
	}
	again.Discard()
	if got := f.body(f.view(a, Inbox), out[0].UID); !strings.HasSuffix(got, string(large)) {
		t.Errorf("%d bytes", len(got))
	}

	// A file that no row came to name is gone after the next start.
	link.LoseCommits(0)
	stray := f.prepare(noise("stray", 200<<10))
	f.generation.Add(1) // as after a loss
	stray.Discard()
	f.reopen()
	if err := f.Store.reaper.sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.files.open(stray.hash, stray.file); err == nil {
		t.Error("the stray file is still there")
	}
}
