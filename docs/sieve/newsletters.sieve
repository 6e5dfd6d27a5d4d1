# Newsletters, which say how to leave them, go into a folder and are marked as read; talk on lists does not.
require ["fileinto", "imap4flags", "mailbox"];

if allof (exists "list-unsubscribe", not exists "list-post") {
	fileinto :create :flags "\\Seen" "Newsletters";
}
