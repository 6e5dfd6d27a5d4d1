package webmail_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"postern/test/lab"
)

const alice, bob = "alice@example.test", "bob@example.test"

// desk is where alice sits: her browser, logged in to Roundcube, before a server where bob can write to her.
type desk struct {
	*browser
	server *lab.Server
	dir    string // where Roundcube writes
}

// sit starts everything and logs alice in.
func sit(t *testing.T) *desk {
	t.Helper()
	server := lab.Start(t)
	url, dir := startRoundcube(t, server)
	d := &desk{openBrowser(t), server, dir}
	d.open(url)
	d.write("#rcmloginuser", alice)
	d.write("#rcmloginpwd", lab.Password)
	d.follow("#rcmloginsubmit", "")
	return d
}

// step is a test at this desk. A step begins where the one before it ended, so none follows one that failed.
func (d *desk) step(name string, test func(d *desk)) {
	d.t.Helper()
	whole := d.t
	passed := whole.Run(name, func(t *testing.T) {
		d.t = t
		test(d)
	})
	if d.t = whole; !passed {
		whole.FailNow()
	}
}

// settings opens a page of Roundcube's settings.
func (d *desk) settings(page string) {
	d.t.Helper()
	if d.look("#settings-menu a", page).Why != "" {
		d.follow("#taskmenu a.settings", "")
	}
	d.follow("#settings-menu a", page)
}

// create opens an empty form for a filter. The form before it, if there is one, has a name in it.
func (d *desk) create() {
	d.t.Helper()
	d.click("a.create", "Create")
	d.holds("#_name", "")
}

// save saves what is in the form and waits until Roundcube has said how that went.
func (d *desk) save(notice string) {
	d.t.Helper()
	d.click("button.submit", "Save")
	d.noted(notice)
}

// noted waits for a notice and takes it away.
func (d *desk) noted(notice string) {
	d.t.Helper()
	d.see("#messagestack div", notice)
	d.do(chromedp.Evaluate[chromedp.Void]("rcmail.clear_messages()"))
}

// logged wants Roundcube to have logged errors with these words, in this order, and no others, and its pages to have had none.
func (d *desk) logged(words ...string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.thrown) > 0 {
		d.t.Errorf("scripts of pages threw %q", d.thrown)
	}
	text, err := os.ReadFile(filepath.Join(d.dir, "errors.log"))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " Error: ") { // it has its own troubles with PHP
			continue
		}
		if n == len(words) || !strings.Contains(line, words[n]) {
			d.t.Fatalf("Roundcube logged %s", line)
		}
		n++
	}
	if n < len(words) {
		d.t.Fatalf("Roundcube logged nothing of %q", words[n:])
	}
}

// send has bob write to alice.
func (d *desk) send(subject, body string) {
	d.t.Helper()
	c, err := gosmtp.DialTLS(d.server.Address(465), d.server.TLS())
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", bob, lab.Password)); err != nil {
		d.t.Fatal(err)
	}
	text := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\nMessage-ID: <%s@example.test>\r\n\r\n%s\r\n",
		bob, alice, subject, strings.ReplaceAll(subject, " ", "."), body)
	if err := c.SendMail(bob, []string{alice}, strings.NewReader(text)); err != nil {
		d.t.Fatal(err)
	}
}

// lies wants the n-th message of a mailbox to be the last of it, with a subject.
func (d *desk) lies(user, mailbox string, n int, subject string) {
	d.t.Helper()
	list := d.server.Messages(d.t, user, mailbox, n)
	if len(list) != n || !strings.Contains(string(list[n-1]), "\r\nSubject: "+subject+"\r\n") {
		d.t.Fatalf("%s holds %d messages, the last of them\n%s", mailbox, len(list), list[len(list)-1])
	}
}
