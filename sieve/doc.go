// Package sieve is the language in which people say what is to become of their mail (RFC 5228 and its extensions).
//
// The road starts in [Compile] with the text of a script: package grammar reads it, the table of words says what each command
// and test takes, and everything that is wrong is told at once, each with its line. It goes on in [Script.Run] with a message,
// its envelope and a [Host] that answers what only the server knows, and ends in an [Outcome]: the actions in their
// order, and whether the message is kept as if there were no script. Nothing is done here; whoever runs a script does it.
//
// A script comes from a stranger and so does the message. What one may cost is bounded by a [Budget], counted in steps and bytes and
// not by the clock, so that the same script with the same message comes to the same end everywhere.
package sieve
