package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"postern/test/lab"
)

// Dovecot reads our mailboxes as its own (imapc) and takes an account over, as one does who moves from one to the other.
func TestDovecotsDsyncTakesAnAccountOverAndComesBack(t *testing.T) {
	doveadm := program(t, "doveadm")
	s := lab.Start(t)
	c := s.IMAP(t, "bob@example.test")
	for _, subject := range []string{"one", "two", "three"} {
		put(t, c, "INBOX", subject)
	}
	if err := c.Create("Far/Below", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	put(t, c, "Far/Below", "four")
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.UIDSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged, "$Forwarded"}}, nil).Close(); err != nil {
		t.Fatal(err)
	}

	// doveadm refuses to be root, and another user must reach its files.
	dir, err := os.MkdirTemp("", "dsync")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	who, err := user.Current()
	if os.Geteuid() == 0 {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(s.CA())
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(who.Gid)
	if err != nil {
		t.Fatal(err)
	}
	conf := write(t, dir, "dovecot.conf", fmt.Sprintf(`base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = /dev/stderr
mail_uid = %[2]s
mail_gid = %[3]s
first_valid_uid = 1
mail_location = imapc:%[1]s/imapc
imapc_host = 127.0.0.1
imapc_port = %[4]d
imapc_ssl = imaps
imapc_user = bob@example.test
imapc_password = %[5]s
imapc_features = rfc822.size fetch-headers fetch-bodystructure search modseq
ssl = no
ssl_client_ca_file = %[6]s
namespace inbox {
  inbox = yes
  separator = /
}
`, dir, who.Username, group.Name, s.Port(993), lab.Password, write(t, dir, "ca.pem", string(ca))))
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	for _, path := range []string{dir, conf, dir + "/ca.pem"} {
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	dove := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(doveadm, append([]string{"-c", conf}, args...)...)
		cmd.Env = append(os.Environ(), "USER="+who.Username, "HOME="+dir)
		return run(t, cmd)
	}
	copied := "maildir:" + dir + "/mail:LAYOUT=fs"
	dove("backup", copied)
	for mailbox, want := range map[string]string{"INBOX": `1 one 2 \Flagged $Forwarded two 3 three`, "Far/Below": "1 four"} {
		got := dove("-o", "mail_location="+copied, "-f", "flow", "fetch", "uid flags hdr.subject", "mailbox", mailbox)
		got = strings.NewReplacer("uid=", "", "flags=", "", "hdr.subject=", "", `\Recent`, "").Replace(got)
		if got = strings.Join(strings.Fields(got), " "); got != want {
			t.Errorf("%s there: %q, want %q", mailbox, got, want)
		}
	}

	// There one is read, here five arrives; then both are made equal.
	dove("-o", "mail_location="+copied, "flags", "add", `\Seen`, "mailbox", "INBOX", "uid", "1")
	put(t, c, "INBOX", "five")
	dove("sync", copied)
	if err := c.Noop().Wait(); err != nil { // which tells of the flag
		t.Fatal(err)
	}
	fetched, err := c.Fetch(imap.UIDSet{imap.UIDRange{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	if len(fetched) != 4 || !strings.Contains(fmt.Sprint(fetched[0].Flags), `\Seen`) {
		t.Fatalf("here are %d messages, the first with %v", len(fetched), fetched[0].Flags)
	}
	if got := dove("-o", "mail_location="+copied, "-f", "flow", "fetch", "hdr.subject", "mailbox", "INBOX"); !strings.Contains(got, "five") {
		t.Fatalf("there is %q", got)
	}
}
