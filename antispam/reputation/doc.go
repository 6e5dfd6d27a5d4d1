// Package reputation remembers what the server has seen of others: how much of the mail of a network, a domain or an
// address was wanted, whom the accounts write to, and who comes back when told to come later.
//
// The road starts where a message is judged: [Senders.Look] gives the standing of all that is known of its origin, in
// one query at most, and [Senders.Note] counts the outcome. [Correspondents.SentTx] is called where mail goes out,
// [Greylist.Ask] where a recipient is named. What a standing is worth in points is for the engine that asks to say.
//
// Nothing is scanned, and nothing costs more when more is known. A row is found by a hash of 64 bits, keyed with a secret
// so that nobody can make a name that meets another's; counters decay by being looked at, not by a sweep; a table has a
// bound, and rows leave by an index on the time at which they are worth nothing. What is asked for again lies in memory.
// Counts are gathered there too and written together several times a minute, so a power cut may lose the last of them: they are
// statistics, not mail.
package reputation
