# Orders go to the shop's mailbox too; the message stays here as well.
require ["copy"];

if header :contains "subject" "order" {
	redirect :copy "shop@example.net";
}
