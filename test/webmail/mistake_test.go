package webmail_test

import "strings"

// mistakesAreTold, and what was there before stays. The server's words are shown where a script is edited as such, and are in
// Roundcube's log in any case.
func mistakesAreTold(d *desk) {
	const refused = "Unable to save filter. Server error occurred."
	d.settings("Filters")
	d.create()
	d.write("#_name", "short")
	d.write("#rule_target0_list input", "news")
	d.choose("#action_type0", "Delete message")
	d.save("Filter saved successfully")

	d.server.Postern("settings", "set", "sieve.max_script_size", "1KiB")
	d.create()
	d.paste("#_name", strings.Repeat("long ", 250)+"name")
	d.write("#rule_target0_list input", "news")
	d.choose("#action_type0", "Delete message")
	d.save(refused)

	d.settings("Filters")
	d.click("a.actions", "")
	d.click("#filterset-menu a", "Edit filter set")
	d.see(".CodeMirror-code", "# rule:[short]")
	d.gone(".CodeMirror-code", "long")
	d.paste(".CodeMirror-line", "keep;\ndiscrad;\n")
	d.save(refused)
	d.see(`.CodeMirror-gutter-elt [title*="unknown command 'discrad'; did you mean 'discard'?"]`, "")
	d.paste(".CodeMirror-line", "# by hand\nkeep;\n")
	d.save("Filter set updated successfully")
	d.settings("Filters")
	d.click("a.actions", "")
	d.click("#filterset-menu a", "Edit filter set")
	d.see(".CodeMirror-code", "# by hand")
	d.logged(`(QUOTA/MAXSIZE) "The script has `, "line 2: unknown command 'discrad'")
}
