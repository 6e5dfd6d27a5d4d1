# Mail of some people is flagged, and so is what is written to me alone.
require ["imap4flags"];

if anyof (address :is "from" ["boss@example.com", "family@example.net"],
	allof (address :is "to" "alice@example.org", not anyof (exists "cc", exists "list-id"))) {
	addflag "\\Flagged";
}
