# A notice to another address when somebody of the family writes, without the text of the message; the message stays here.
require ["enotify", "variables"];

if address :is "from" ["family@example.net", "school@example.com"] {
	set "subject" "a message without a subject";
	if header :matches "subject" "?*" {
		set "subject" "${1}${2}";
	}
	notify :importance "1" :message "Mail from the family: ${subject}" "mailto:alice.phone@example.net";
}
