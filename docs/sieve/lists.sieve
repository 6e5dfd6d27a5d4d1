# Mailing lists go into folders of their own, which are made when they are needed: mail of <garden.example.com> into Lists/garden.
require ["fileinto", "mailbox", "variables"];

if header :matches "list-id" "*<*.*>*" {
	set :lower "list" "${2}";
	fileinto :create "Lists/${list}";
	stop;
}
