package scripts

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"postern/internal/testdb"
	"postern/internal/testdisk"
)

// TestWhatWasPutSurvivesAPowerCut replaces the active script again and again, cuts the power meanwhile, and looks for the
// last version that was acknowledged, or one that was under way when the power went.
func TestWhatWasPutSurvivesAPowerCut(t *testing.T) {
	disk := testdisk.New(t, 64<<20)
	s := newShelf(t, testdb.SQLiteIn(disk.Path()))
	alice := Of(1)
	text := func(n int64) string { return fmt.Sprintf("# version %d\r\n%s", n, strings.Repeat("keep;\r\n", 2000)) }
	s.put(alice, "main", text(0))
	s.activate(alice, "main")
	var tried int64
	for round := range 5 {
		// What is acknowledged once the cut has begun proves nothing: an fsync can return success for what the journal's
		// end threw away. A machine without power answers nobody.
		var acknowledged atomic.Int64
		var cutting atomic.Bool
		ended, warm := make(chan struct{}), make(chan struct{})
		acknowledged.Store(tried)
		go func() {
			defer close(ended)
			for n := 1; ; n++ {
				tried++
				if s.Put(t.Context(), alice, "main", []byte(text(tried))) != nil {
					return
				}
				if !cutting.Load() {
					acknowledged.Store(tried)
				}
				if n == 10*round+3 {
					close(warm)
				}
			}
		}()
		<-warm
		cutting.Store(true)
		least := acknowledged.Load()
		if err := disk.CutPower(); err != nil {
			t.Fatal(err)
		}
		<-ended
		_ = s.db.Close() // the disk is gone
		if err := disk.Restore(); err != nil {
			t.Fatal(err)
		}
		s.open()
		got := must(s.Get(t.Context(), alice, "main"))
		var n int64
		if _, err := fmt.Sscanf(string(got.Content), "# version %d", &n); err != nil || string(got.Content) != text(n) {
			t.Fatalf("round %d: %.40q is no version", round, got.Content)
		}
		if n < least || n > tried || !got.Active {
			t.Errorf("round %d: version %d, active %v; acknowledged %d, tried %d", round, n, got.Active, least, tried)
		}
		s.wantActive(alice, "main", text(n))
	}
}
