// Package antispam scores a message: is it wanted?
//
// The road starts at [Engine.Examine] with a message that was parsed, and one pass over its header, structure and texts. It
// ends at [Findings], from which come two checks of a verdict: the rules that matched, and what the words say. Rules are a
// table of points (rules.go), each about something that can be said in a line; they look at features (features.go and the
// files it names) that do not depend on the year or the mailbox: how the header was made, what the structure pretends,
// where links lead, which phrases the text holds. The words are judged by package bayes, with a prior that the program
// carries and what the server's people taught.
//
// Nothing here asks the DNS or a database, and nothing decides: packages beside this one count reputations, ask lists and
// scanners, and package verdict decides by what all of them found. Work and memory for one message are bounded whatever it
// holds.
//
// What only tells of the road that a message took to a collector, such as the names in Received fields, is no feature: a
// filter that learns it looks good on the collection it was made from and nowhere else. The client that handed the message
// over is looked at, since every message has one.
package antispam
