package powercut_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"time"

	"postern/test/lab"
)

// filtered is somebody whose script files every letter into several mailboxes, one of them with another header, and sends it on. Nobody
// reads these mailboxes but the check, which empties them.
type filtered struct {
	*person
	// seen are the letters that have been there, by mailbox.
	seen map[string]map[int]bool
}

// filteredInto are the mailboxes that every letter comes into.
var filteredInto = []string{"INBOX", "Filed", "Edited"}

// editedField is what the script puts behind the header of a copy.
const editedField = "X-Form: edited\r\n"

const filterScript = `require ["fileinto", "mailbox", "copy", "editheader", "variables"];
fileinto :create :copy "Filed";
if header :matches "X-Letter" "*" { redirect :copy "d${1}@far.example"; }
addheader :last "X-Form" "edited";
fileinto :create :copy "Edited";
deleteheader "X-Form";
`

// onward is where the script sends a letter.
func (n *letter) onward() string {
	if !n.filtered {
		return ""
	}
	return fmt.Sprintf("d%d@%s", n.id, farDomain)
}

func (tr *trial) addFiltered() {
	tr.t.Helper()
	add := tr.server.Command("user", "add", "dave@example.test")
	add.Stdin = strings.NewReader(lab.Password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		tr.t.Fatalf("user add: %v: %s", err, out)
	}
	tr.filtered = &filtered{person: &person{address: "dave@example.test"}, seen: map[string]map[int]bool{}}
	for _, name := range filteredInto {
		tr.filtered.seen[name] = map[int]bool{}
	}
	if err := tr.putScript(tr.filtered.address); err != nil {
		tr.t.Fatal(err)
	}
}

// putScript has a person's mail filtered (RFC 5804).
func (tr *trial) putScript(user string) error {
	conn, err := net.DialTimeout("tcp", tr.server.Address(4190), answerWithin)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	r := bufio.NewReader(conn)
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + lab.Password))
	for _, say := range []string{"", "STARTTLS", "", `AUTHENTICATE "PLAIN" "` + token + `"`,
		fmt.Sprintf("PUTSCRIPT \"main\" {%d+}\r\n%s", len(filterScript), filterScript), `SETACTIVE "main"`} {
		if say != "" {
			if _, err := fmt.Fprintf(conn, "%s\r\n", say); err != nil {
				return err
			}
		}
		if err := saysOK(r); err != nil {
			return fmt.Errorf("%.20s: %w", say, err)
		}
		if say == "STARTTLS" {
			conn = tls.Client(conn, tr.trust)
			r = bufio.NewReader(conn)
		}
	}
	return nil
}

// saysOK reads an answer of ManageSieve.
func saysOK(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "OK"):
			return nil
		case strings.HasPrefix(line, "NO"), strings.HasPrefix(line, "BYE"):
			return fmt.Errorf("the answer is %q", line)
		}
	}
}

// check reads what was filed, each letter once in each mailbox, and takes it away.
func (f *filtered) check(tr *trial) {
	tr.t.Helper()
	c, err := dialIMAP(tr.server, tr.trust, f.person)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer c.conn.Close()
	for _, name := range filteredInto {
		if a, err := c.do(`LIST "" ` + name); err != nil || !strings.Contains(strings.Join(a.texts(), "\n"), "* LIST ") {
			continue // no letter has made it yet
		}
		there, err := tr.readBox(c, f.person, name)
		if err != nil {
			tr.t.Fatalf("%s %s: %v", f.address, name, err)
		}
		for _, k := range there.mail {
			switch l := tr.ledger.at(k.letter); {
			case l == nil || !l.filtered:
				tr.t.Errorf("%s %s: letter %d is not for them", f.address, name, k.letter)
			case f.seen[name][k.letter]:
				tr.t.Errorf("%s %s: letter %d was filed twice", f.address, name, k.letter)
			}
			f.seen[name][k.letter] = true
		}
		tr.empty(c, name)
	}
}

// empty takes everything out of a mailbox.
func (tr *trial) empty(c *session, name string) {
	tr.t.Helper()
	for _, command := range []string{"SELECT " + name, `UID STORE 1:* +FLAGS.SILENT (\Deleted)`, "UNSELECT", "SELECT " + name, "EXPUNGE", "UNSELECT"} {
		if _, err := c.do(command); err != nil {
			tr.t.Fatalf("%s: %v", command, err)
		}
	}
}

// plain is a letter in a mailbox without what the script did to its header.
func plain(mailbox string, text []byte) []byte {
	if mailbox != "Edited" {
		return text
	}
	before, after, ok := bytes.Cut(text, []byte(editedField))
	if !ok {
		return nil // it has to be there
	}
	return append(bytes.Clone(before), after...)
}
