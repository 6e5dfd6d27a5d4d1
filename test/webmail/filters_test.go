package webmail_test

import "testing"

// TestAFilterMadeInTheBrowserFilesTheNextMessage until it is changed, and until it is switched off.
func TestAFilterMadeInTheBrowserFilesTheNextMessage(t *testing.T) {
	d := sit(t)
	const folder = "Größe" // in ManageSieve it is UTF-8, in Roundcube's own lists modified UTF-7
	mailboxes := d.server.IMAP(t, alice)
	if err := mailboxes.Create(folder, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := mailboxes.Subscribe(folder).Wait(); err != nil {
		t.Fatal(err)
	}

	d.settings("Filters")
	d.create()
	d.write("#_name", `Lists "and" so on`)
	d.write("#rule_target0_list input", "news")
	d.choose("#action_type0", "Move message to")
	d.choose("#action_mailbox0", folder)
	d.save("Filter saved successfully")
	d.see("#filterslist td", `Lists "and" so on`)
	d.send("what is news")
	d.lies(alice, folder, 1, "what is news")
	d.follow("#taskmenu a.mail", "")
	d.click("#mailboxlist a", folder)
	d.see("#messagelist td.subject", "what is news")

	d.settings("Filters")
	d.click("#filterslist td", "Lists")
	d.holds("#_name", `Lists "and" so on`)
	d.holds("#header0", "subject")
	d.holds("#rule_op0", "contains")
	d.holds("#rule_target0_list input", "news")
	d.holds("#action_type0", "fileinto")
	d.holds("#action_mailbox0", "Gr&APYA3w-e")
	d.choose("#action_type0", "Copy message to")
	d.choose("#action_mailbox0", "Archive")
	d.save("Filter saved successfully")
	d.send("more news")
	d.lies(alice, "Archive", 1, "more news")
	d.lies(alice, "INBOX", 1, "more news")

	d.click("#fenabled", "")
	d.save("Filter saved successfully")
	d.see("#filterslist tr.disabled td", "Lists")
	d.send("old news")
	d.lies(alice, "INBOX", 2, "old news")
	d.lies(alice, "Archive", 1, "more news")
	d.logged()
}
