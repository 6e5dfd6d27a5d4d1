package db

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A hook that panics leaves others without an answer and memory unlike the database: no caller may recover from it.
func TestAPanicInAHookEndsTheProcess(t *testing.T) {
	const path = "POSTERN_TEST_FALL"
	if file := os.Getenv(path); file != "" {
		d := withTable(t, open(t, "sqlite:"+file))
		func() {
			defer func() { _ = recover() }()
			_ = d.Write(ctx, func(tx *Tx) error {
				tx.OnCommit(func() { panic("a hook's") })
				return insert(tx, 1, "one")
			})
		}()
		fmt.Println("it went on")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), path+"="+filepath.Join(t.TempDir(), "fall.db"))
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Contains(string(out), "it went on") || !strings.Contains(string(out), "in the committer: a hook's") {
		t.Errorf("%v: %s", err, out)
	}
}
