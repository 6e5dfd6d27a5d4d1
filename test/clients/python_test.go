package clients_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"postern/test/lab"
)

const pythonSession = `
import imaplib, smtplib, ssl, sys
ca, submission, submissions, imaps, password = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
tls = ssl.create_default_context(cafile=ca)
text = "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: by smtplib\r\n\r\nHello.\r\n.\r\n"

with smtplib.SMTP("localhost", submission) as c:
    c.starttls(context=tls)
    c.login("alice@example.test", password)
    assert c.sendmail("alice@example.test", ["bob@example.test"], text) == {}
with smtplib.SMTP_SSL("localhost", submissions, context=tls) as c:
    c.login("alice@example.test", password)
    assert c.sendmail("alice@example.test", ["bob@example.test"], text) == {}
    try:
        c.sendmail("bob@example.test", ["bob@example.test"], text)
        raise SystemExit("alice sent as bob")
    except smtplib.SMTPSenderRefused:
        pass

def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]

with imaplib.IMAP4_SSL("localhost", imaps, ssl_context=tls) as c:
    ok(c.login("bob@example.test", password))
    assert ok(c.select("INBOX")) == [b"2"]
    assert ok(c.search(None, "SUBJECT", "smtplib")) == [b"1 2"]
    data = ok(c.fetch("1", "(FLAGS RFC822.SIZE BODY.PEEK[])"))
    assert b"Subject: by smtplib" in data[0][1], data
    ok(c.store("1", "+FLAGS", r"(\Flagged $Forwarded)"))
    assert b"Flagged" in ok(c.fetch("1", "FLAGS"))[0]
    ok(c.create("Projekte"))
    ok(c.copy("1:2", "Projekte"))
    ok(c.uid("MOVE", "1", "Archive"))
    assert ok(c.status("Archive", "(MESSAGES)")) == [b"Archive (MESSAGES 1)"]
    ok(c.append("Drafts", r"(\Draft \Seen)", imaplib.Time2Internaldate(1700000000), text.encode()))
    ok(c.select("Drafts"))
    assert b"Draft" in ok(c.fetch("1", "(FLAGS INTERNALDATE)"))[0]
    ok(c.store("1", "+FLAGS", r"\Deleted"))
    ok(c.expunge())
    assert ok(c.select("Drafts")) == [b"0"]
    names = [line.decode().rsplit(" ", 1)[1].strip('"') for line in ok(c.list())]
    for name in ("INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive", "Projekte"):
        assert name in names, names
print("done")
`

func TestPythonsSmtplibAndImaplib(t *testing.T) {
	s := lab.Start(t)
	script := write(t, t.TempDir(), "session.py", pythonSession)
	out := run(t, exec.Command(program(t, "python3"), script, s.CA(), strconv.Itoa(s.Port(587)), strconv.Itoa(s.Port(465)), strconv.Itoa(s.Port(993)), lab.Password))
	if strings.TrimSpace(out) != "done" {
		t.Fatal(out)
	}
}
