// Package learn keeps what the accounts teach about spam, by moving mail into Junk and out of it or by a command, as
// models that package bayes asks: in how many messages of each class a word was seen.
//
// There are two roads. A lesson comes in where somebody moves a message: [Lessons] is told by the store within the
// transaction of the move, and writes one row into a queue, whatever the number of messages. A single worker takes it from
// there, opens the messages, has them cut into tokens by a function it was given, and calls [Models.Train]. A judgement
// goes the other way: [Models.Of] gives an account's model from memory, or reads it in one range, and account [Everyone]
// is the model of the whole server.
//
// A message is known by the hash of its bytes and is learnt once for each account, as one class or the other; teaching the
// other takes back exactly what the first did. Models are bounded: a message counts with so many tokens, an account with
// so many, and the rare ones that were not seen for longest make room. What was learnt with another version of the tokens,
// and what is forgotten, is out of use at once and leaves the database bit by bit.
package learn
