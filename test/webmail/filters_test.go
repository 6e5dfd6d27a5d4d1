package webmail_test

import (
	"slices"

	"github.com/emersion/go-imap/v2"
)

// folder has a name that is UTF-8 in ManageSieve, and modified UTF-7 in Roundcube's own forms.
const folder, folderInForms = "Größe", "Gr&APYA3w-e"

// filterFiles: the next message, until the filter is changed, and until it is switched off.
func filterFiles(d *desk) {
	d.makeFolder()
	d.settings("Filters")
	d.create()
	d.write("#_name", `Lists "and" so on`)
	d.choose("#_join", "matching any of the following rules")
	d.write("#rule_target0_list input", "news")
	d.click("#ruleadd0", "")
	d.choose(".rulerow + .rulerow select[name^=_header]", "Body")
	d.write(".rulerow + .rulerow .multi-input input", "unsubscribe")
	d.choose("#action_type0", "Add flags to the message")
	d.click("#action_flags0 input", "")
	d.click("#actionadd0", "")
	d.choose(".actionrow + .actionrow select[name^=_action_type]", "Move message to")
	d.choose(".actionrow + .actionrow select[name^=_action_mailbox]", folder)
	d.save("Filter saved successfully")
	d.see("#filterslist td", `Lists "and" so on`)
	d.send("what is news", "Hello.")
	d.lies(alice, folder, 1, "what is news")
	d.send("offers", "To unsubscribe, log in.")
	d.lies(alice, folder, 2, "offers")
	d.seen()
	d.follow("#taskmenu a.mail", "")
	d.click("#mailboxlist a", folder)
	d.see("#messagelist td.subject", "what is news")

	d.settings("Filters")
	d.click("#filterslist td", "Lists")
	for _, field := range [][2]string{{"#_name", `Lists "and" so on`}, {"#_join", "anyof"}, {"#header0", "subject"}, {"#rule_op0", "contains"},
		{"#rule_target0_list input", "news"}, {"#header1", "body"}, {"#rule_op1", "contains"}, {"#rule_target1_list input", "unsubscribe"},
		{"#action_type0", "addflag"}, {"#action_type1", "fileinto"}, {"#action_mailbox1", folderInForms}} {
		d.holds(field[0], field[1])
	}
	d.choose("#action_type1", "Copy message to")
	d.choose("#action_mailbox1", "Archive")
	d.save("Filter saved successfully")
	d.send("more news", "Hello.")
	d.lies(alice, "Archive", 1, "more news")
	d.lies(alice, "INBOX", 1, "more news")

	d.click("#fenabled", "")
	d.save("Filter saved successfully")
	d.see("#filterslist tr.disabled td", "Lists")
	d.send("old news", "Hello.")
	d.lies(alice, "INBOX", 2, "old news")
	d.lies(alice, "Archive", 1, "more news")
}

// makeFolder makes the folder, as another client does.
func (d *desk) makeFolder() {
	d.t.Helper()
	c := d.server.IMAP(d.t, alice)
	if err := c.Create(folder, nil).Wait(); err != nil {
		d.t.Fatal(err)
	}
	if err := c.Subscribe(folder).Wait(); err != nil {
		d.t.Fatal(err)
	}
}

// seen wants all in the folder to be marked as read.
func (d *desk) seen() {
	d.t.Helper()
	c := d.server.IMAP(d.t, alice)
	if _, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		d.t.Fatal(err)
	}
	var all imap.SeqSet
	all.AddRange(1, 0)
	list, err := c.Fetch(all, &imap.FetchOptions{Flags: true}).Collect()
	if err != nil {
		d.t.Fatal(err)
	}
	for _, m := range list {
		if !slices.Contains(m.Flags, imap.FlagSeen) {
			d.t.Errorf("message %d has the flags %v", m.SeqNum, m.Flags)
		}
	}
}
