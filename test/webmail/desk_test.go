package webmail_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"postern/test/lab"
)

const alice, bob = "alice@example.test", "bob@example.test"

// desk is where alice sits: her browser, logged in to Roundcube, before a server where bob can write to her.
type desk struct {
	*browser
	server *lab.Server
}

// sit starts everything and logs alice in.
func sit(t *testing.T) *desk {
	t.Helper()
	server := lab.Start(t)
	url := startRoundcube(t, server)
	d := &desk{openBrowser(t), server}
	d.open(url)
	d.write("#rcmloginuser", alice)
	d.write("#rcmloginpwd", lab.Password)
	d.click("#rcmloginsubmit", "")
	return d
}

// settings opens a page of Roundcube's settings.
func (d *desk) settings(page string) {
	d.t.Helper()
	d.click("#taskmenu a.settings", "")
	d.click("#settings-menu a", page)
}

// save saves what is in the form and waits until Roundcube has said how that went.
func (d *desk) save(notice string) {
	d.t.Helper()
	d.click("button.submit", "Save")
	d.noted(notice)
}

// noted waits for a notice and clicks it away.
func (d *desk) noted(notice string) {
	d.t.Helper()
	d.click("#messagestack div", notice)
	d.gone("#messagestack div", notice)
}

// send has bob write to alice.
func (d *desk) send(subject string, header ...string) {
	d.t.Helper()
	c, err := gosmtp.DialTLS(d.server.Address(465), d.server.TLS())
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", bob, lab.Password)); err != nil {
		d.t.Fatal(err)
	}
	text := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\nMessage-ID: <%s@example.test>\r\n%s\r\nHello.\r\n",
		bob, alice, subject, strings.ReplaceAll(subject, " ", "."), strings.Join(append(header, ""), "\r\n"))
	if err := c.SendMail(bob, []string{alice}, strings.NewReader(text)); err != nil {
		d.t.Fatal(err)
	}
}

// lies wants the n-th message of a mailbox of alice to be the last of it, with a subject.
func (d *desk) lies(mailbox string, n int, subject string) {
	d.t.Helper()
	list := d.server.Messages(d.t, alice, mailbox, n)
	if len(list) != n || !strings.Contains(string(list[n-1]), "\r\nSubject: "+subject+"\r\n") {
		d.t.Fatalf("%s holds %d messages, the last of them\n%s", mailbox, len(list), list[len(list)-1])
	}
}
