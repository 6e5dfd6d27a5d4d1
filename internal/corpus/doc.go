// Package corpus reads collections of messages as people keep them: a file, a folder of files, an mbox, and any of these
// packed with tar, zstd, gzip or bzip2. It is for training and measuring the spam filter, which both ask for "all messages
// in there" and care little how they lie.
//
// The road starts at [Messages] with a path, or at [MessagesFrom] with a stream, and ends with one [Message] after the
// other: never more than one is in memory. What is in the way of one message is told as an error in its place, and the
// reading goes on behind it.
//
// What a file is, is seen from its first bytes, whatever it is called. Only mbox is ambiguous: many collections hold one
// message in each file, with the `From ` line that some program left before it. So a file within a folder or an archive
// is taken apart as an mbox when its name ends in .mbox or .mbx, and is one message otherwise; a path that was named, or
// a stream, is an mbox when it begins as one. A `From ` line before a single message is dropped.
package corpus
