# For a mailbox with tasks (imapsieve): what is put there is unread and flagged, and what is marked as answered loses its flag.
require ["environment", "imap4flags", "imapsieve"];

if environment :is "imap.cause" ["APPEND", "COPY"] {
	removeflag "\\Seen";
	addflag "\\Flagged";
} elsif allof (environment :is "imap.cause" "FLAG", hasflag "\\Answered") {
	removeflag "\\Flagged";
}
