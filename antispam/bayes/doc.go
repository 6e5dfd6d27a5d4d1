// Package bayes tells from the words of a message whether it is wanted.
//
// The road starts with the tokens of a message, gathered in a [Set]: hashes of words, of pairs of them, and of words in a
// place of their own such as the subject. A [Scorer] asks what is known about each, from the most general to the most
// particular: a [Prior] that the program carries, and any number of [Model]s of what people taught. Each level is read with
// the level above as what one would believe without it. The road ends in a [Result]: one index from 0, wanted, to 1, spam,
// found by Fisher's method as Robinson proposed it (Linux Journal, March 2003), and the tokens that counted.
//
// A [Learner] makes a prior of labelled messages. A prior holds no text, only shortened hashes and two small numbers each.
package bayes
