# What comes to alice+travel@… goes into the folder travel, if there is one; nobody can make folders by writing to them.
require ["envelope", "fileinto", "mailbox", "subaddress", "variables"];

if envelope :matches :detail "to" "*" {
	set :lower "folder" "${1}";
	if mailboxexists "${folder}" {
		fileinto "${folder}";
	}
}
