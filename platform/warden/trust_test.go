package warden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/testenv"
)

const somebody = 65534

// tree makes the folders and files of a server whose user is somebody: root's and theirs.
func tree(t *testing.T) (root, theirs string) {
	t.Helper()
	testenv.Root(t)
	dir := t.TempDir()
	root, theirs = filepath.Join(dir, "root"), filepath.Join(dir, "theirs")
	for _, folder := range []string{root, theirs} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "key.pem"), []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(theirs, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	return root, theirs
}

func TestRootReadsNothingThroughWhatTheServersUserCanChange(t *testing.T) {
	root, theirs := tree(t)
	link := func(name, target string) string {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := filepath.Join(root, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, "key.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// As certbot lays it out: live/NAME/key.pem is a relative link.
	for path, want := range map[string]bool{
		filepath.Join(root, "key.pem"):              true,
		link("live.pem", "key.pem"):                 true,
		link("absolute.pem", root+"/key.pem"):       true,
		link("folder", root) + "/key.pem":           true,
		filepath.Join(theirs, "key.pem"):            false,
		link("there.pem", theirs+"/key.pem"):        false,
		link("up.pem", "../theirs/key.pem"):         false,
		link("theirfolder", theirs) + "/key.pem":    false,
		filepath.Join(open, "key.pem"):              false,
		link("loop", "loop"):                        false,
		filepath.Join(theirs, "..", "root/key.pem"): true, // cleaned: it never goes through theirs
		filepath.Join(root, "missing"):              false,
	} {
		if err := trusted(path, somebody); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAConfigurationThatOthersCanChangeIsNotActedOn(t *testing.T) {
	root, _ := tree(t)
	path := filepath.Join(root, "postern.toml")
	if err := os.WriteFile(path, []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadConfig(path); err != nil || string(text) != "x" {
		t.Errorf("%q %v", text, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "chown root") {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "chown root") {
		t.Errorf("got %v", err)
	}
}
