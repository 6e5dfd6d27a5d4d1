package webmail_test

import (
	"strings"

	"github.com/chromedp/chromedp/kb"
)

// answerLeaves: within the dates that it is given. It is a filter like others.
func answerLeaves(d *desk) {
	d.settings("Out of Office")
	d.write("#vacation_subject", "Away until Monday")
	d.write("#vacation_reason", "I am at the sea. Grüße!")
	d.write("#vacation_datefrom", "2020-01-01")
	d.press(kb.Escape) // the calendar
	d.write("#vacation_dateto", "2999-12-31")
	d.press(kb.Escape)
	d.choose("#vacation_status", "On")
	d.save("Out-of-office data saved successfully")
	d.holds("#vacation_subject", "Away until Monday")
	d.holds("#vacation_reason", "I am at the sea. Grüße!")
	d.holds("#vacation_datefrom", "2020-01-01")
	d.holds("#vacation_status", "on")
	d.send("are you there", "Hello?")
	d.lies(alice, "INBOX", 3, "are you there")
	answer := string(d.server.Messages(d.t, bob, "INBOX", 1)[0])
	for _, want := range []string{"Subject: Away until Monday", "From: <alice@example.test>", "In-Reply-To: <are.you.there@example.test>",
		"Auto-Submitted: auto-replied (vacation)", "I am at the sea. Gr=C3=BC=C3=9Fe!"} {
		if !strings.Contains(answer, "\r\n"+want+"\r\n") {
			d.t.Errorf("the answer lacks %q:\n%s", want, answer)
		}
	}
	d.settings("Filters")
	d.see("#filterslist td", "Out of Office")
}

// letterLeaves: what is written in the browser is sent, and a copy is kept.
func letterLeaves(d *desk) {
	d.follow("#taskmenu a.compose", "")
	d.write(".recipient-input input", bob)
	d.write("#compose-subject", "from the sea")
	d.write("#composebody", "Here I am after all.")
	d.follow("button.send", "Send")
	d.lies(bob, "INBOX", 2, "from the sea")
	d.lies(alice, "Sent", 1, "from the sea")
}
