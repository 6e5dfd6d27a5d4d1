// Package store keeps the accounts' mailboxes and messages. It is the only place with SQL about mail, and
// [Store.Account] is the only door to an account's mail.
//
// A message comes in through [Store.Prepare] (compress, and for a large one write the file) and [Store.Deliver] or
// [Store.DeliverTx] (the rows, in one transaction for all recipients), or through [Account.Append]. It is read through
// a [View], one session's picture of one mailbox, which learns from [View.Sync] what others did. Everything that a
// method here acknowledged survives a power cut.
//
// In memory the store holds, for each mailbox that somebody has selected, an immutable version of its list of messages;
// a change makes a new version that shares what did not change, and the committer publishes it after the commit. So
// views read without locks and without the database, and two sessions on one mailbox cost its memory once. The file
// docs/store.md tells the whole story.
package store
