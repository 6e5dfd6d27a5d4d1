# Reports that programs send by themselves: those of trouble stay in the inbox, the rest is filed and marked as read.
require ["fileinto", "imap4flags", "mailbox", "regex"];

if allof (header :is "auto-submitted" "auto-generated", not header :regex "subject" "(fail|error|alert|critical)") {
	fileinto :create :flags "\\Seen" "Reports";
}
