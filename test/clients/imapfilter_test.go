package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"postern/test/lab"
)

func TestImapfilterSearchesMarksAndMoves(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	c := s.IMAP(t, "bob@example.test")
	for _, subject := range []string{"offer one", "news", "offer two"} {
		put(t, c, "INBOX", subject)
	}
	rc := write(t, dir, "config.lua", fmt.Sprintf(`
options.timeout = 20
options.create = true
options.subscribe = true
bob = IMAP { server = 'localhost', port = %d, username = 'bob@example.test', password = '%s', ssl = 'auto' }
offers = bob.INBOX:contain_subject('offer') * bob.INBOX:is_unseen() * bob.INBOX:is_newer(10000)
assert(#offers == 2)
offers:copy_messages(bob['Copies/Übrig'])
two = bob.INBOX:match_header('Subject: .*two')
two:mark_flagged()
two:move_messages(bob.Archive)
all, unseen_, unseen, next = bob.INBOX:check_status()
assert(all == 2 and next == 4)
bob.INBOX:contain_from('a@sender.example'):mark_seen()
assert(#bob.INBOX:is_unseen() == 0)
assert(#bob.Archive:is_flagged() == 1)
`, s.Port(993), lab.Password))
	cmd := exec.Command(program(t, "imapfilter"), "-t", s.CA(), "-c", rc)
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
	run(t, cmd)
	arrives(t, s, "bob@example.test", "Archive", 1, "offer two")
	arrives(t, s, "bob@example.test", "Copies/Übrig", 2, "offer two")
}
