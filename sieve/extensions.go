package sieve

import "slices"

// extensions are what a script may require, besides the comparators.
var extensions = []string{
	"body", "copy", "date", "duplicate", "editheader", "encoded-character", "enotify", "envelope", "environment", "ereject", "extracttext",
	"fileinto", "foreverypart", "ihave", "imap4flags", "imapsieve", "include", "index", "mailbox", "mboxmetadata", "mime", "regex", "reject",
	"relational", "servermetadata", "spamtest", "spamtestplus", "special-use", "subaddress", "vacation", "vacation-seconds", "variables",
	"virustest",
}

// implied are extensions that others bring with them.
var implied = map[string][]string{
	"spamtestplus":     {"spamtest"},
	"vacation-seconds": {"vacation"},
}

// Extensions lists what a script may require, in the order of the alphabet, for ManageSieve's greeting.
func Extensions() []string {
	list := slices.Clone(extensions)
	for name := range comparators {
		list = append(list, "comparator-"+name)
	}
	slices.Sort(list)
	return list
}

// tables are the words of all extensions.
func tables() [][]word {
	return [][]word{
		controlWords,
		duplicateWords,
		environmentWords,
		flagWords,
		ihaveWords,
		includeWords,
		keepWords,
		headerWords,
		mailboxWords,
		metadataWords,
		notifyWords,
		rejectWords,
		spamWords,
		vacationWords,
		variableWords,
		bodyWords,
		dateWords,
		editWords,
		partWords,
	}
}
