# An answer for those who write to me while I am away, once a week for each, between two days.
require ["date", "relational", "vacation"];

if allof (currentdate :value "ge" "date" "2026-12-20", currentdate :value "le" "date" "2027-01-06") {
	vacation :days 7 :subject "I am away" :addresses ["alice@example.org", "info@example.org"]
		"I am back on 7 January. Bob has the keys: bob@example.org.";
}
