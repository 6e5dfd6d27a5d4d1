# Bills go into a folder for the year.
require ["date", "fileinto", "mailbox", "variables"];

if header :contains "subject" ["invoice", "receipt"] {
	if currentdate :matches "year" "*" {
		fileinto :create "Bills/${1}";
	}
}
