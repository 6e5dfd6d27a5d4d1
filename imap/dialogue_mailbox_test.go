package imap

import "testing"

func TestMailboxesAreCreatedRenamedAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 CREATE Work/Project/
		S: 1 OK CREATE completed
		C: 2 CREATE Work/Project
		S: 2 NO [ALREADYEXISTS] …
		C: 3 CREATE inbox
		S: 3 NO [ALREADYEXISTS] …
		C: 4 CREATE "a//b"
		S: 4 NO [CANNOT] …
		C: 5 RENAME Work/Project Work/Done
		S: 5 OK RENAME completed
		C: 6 RENAME Work/Project X
		S: 6 NO [NONEXISTENT] …
		C: 7 RENAME Work/Done Sent
		S: 7 NO [ALREADYEXISTS] …
		C: 8 LIST "" Work*
		S: * LIST (\HasChildren) "/" Work
		S: * LIST (\HasNoChildren) "/" Work/Done
		S: 8 OK LIST completed
		C: 9 DELETE Work/Done
		S: 9 OK DELETE completed
		C: 10 DELETE Work/Done
		S: 10 NO [NONEXISTENT] …
		C: 11 DELETE INBOX
		S: 11 NO [CANNOT] …
		C: 12 CREATE Old (USE (\Archive))
		S: 12 NO [USEATTR] …
		C: 13 CREATE Everything (USE (\All))
		S: 13 NO [USEATTR] …
		C: 14 STATUS Nowhere (MESSAGES)
		S: 14 NO [NONEXISTENT] …
	`)
}

func TestSpecialUseIsGivenAtCreation(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 DELETE Archive
		S: 1 OK …
		C: 2 CREATE Old (USE (\archive))
		S: 2 OK …
		C: 3 LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)
		S: * LIST (\HasNoChildren \Drafts) "/" Drafts
		S: * LIST (\HasNoChildren \Junk) "/" Junk
		S: * LIST (\HasNoChildren \Archive) "/" Old
		S: * LIST (\HasNoChildren \Sent) "/" Sent
		S: * LIST (\HasNoChildren \Trash) "/" Trash
		S: 3 OK …
	`)
}

func TestListReturnsWhatIsAsked(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	w.dialogue(`
		C: 1 LIST "" ""
		S: * LIST (\Noselect) "/" ""
		S: 1 OK …
		C: 2 UNSUBSCRIBE Junk
		S: 2 OK …
		C: 3 LIST (SUBSCRIBED) "" (INBOX Junk S*)
		S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
		S: * LIST (\Subscribed \HasNoChildren \Sent) "/" Sent
		S: 3 OK …
		C: 4 LIST "" % RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN))
		S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
		S: * STATUS INBOX (MESSAGES 1 UNSEEN 1)
		S: * LIST (\Subscribed \HasNoChildren \Archive) "/" Archive
		S: * STATUS Archive (MESSAGES 0 UNSEEN 0)
		S: * LIST (\Subscribed \HasNoChildren \Drafts) "/" Drafts
		S: * STATUS Drafts (MESSAGES 0 UNSEEN 0)
		S: * LIST (\HasNoChildren \Junk) "/" Junk
		S: * STATUS Junk (MESSAGES 0 UNSEEN 0)
		S: * LIST (\Subscribed \HasNoChildren \Sent) "/" Sent
		S: * STATUS Sent (MESSAGES 0 UNSEEN 0)
		S: * LIST (\Subscribed \HasNoChildren \Trash) "/" Trash
		S: * STATUS Trash (MESSAGES 0 UNSEEN 0)
		S: 4 OK …
		C: 5 SUBSCRIBE Work/Gone
		S: 5 OK …
		C: 6 LIST (SUBSCRIBED RECURSIVEMATCH) "" Work
		S: * LIST (\NonExistent \HasNoChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))
		S: 6 OK …
		C: 7 LIST (SUBSCRIBED) "" Work*
		S: * LIST (\NonExistent \Subscribed \HasNoChildren) "/" Work/Gone
		S: 7 OK …
		C: 8 LSUB "" Work/%
		S: * LSUB () "/" Work/Gone
		S: 8 OK …
		C: 9 LSUB "" W%
		S: * LSUB (\Noselect) "/" Work
		S: 9 OK …
		C: 10 LIST "" Work*
		S: 10 OK …
	`)
}

func TestNamesTravelInTheEncodingOfTheProtocol(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 CREATE "Entw&APw-rfe"
		S: 1 OK …
		C: 2 LIST "" E*
		S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
		S: 2 OK …
		C: 3 ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: 3 OK …
		C: 4 LIST "" E*
		S: * LIST (\HasNoChildren) "/" "Entwürfe"
		S: 4 OK …
		C: 5 STATUS "Entwürfe" (MESSAGES)
		S: * STATUS "Entwürfe" (MESSAGES 0)
		S: 5 OK …
	`)
}

// go-imap's client sends UTF-8 to whoever names IMAP4rev2, enabled or not. It is never modified UTF-7, which is ASCII.
func TestNamesInUTF8AreUnderstoodFromTheStart(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 CREATE "Grüße & Küsse"
		S: 1 OK …
		C: 2 LIST "" "Grüß%"
		S: * LIST (\HasNoChildren) "/" "Gr&APwA3w-e &- K&APw-sse"
		S: 2 OK …
		C: 3 STATUS "Gr&APwA3w-e &- K&APw-sse" (MESSAGES)
		S: * STATUS "Gr&APwA3w-e &- K&APw-sse" (MESSAGES 0)
		S: 3 OK …
		C: 4 CREATE "R&D"
		S: 4 NO [CANNOT] …
		C: 5 CREATE {2+}
	` + "\t\tC: \xc3\x28\n\t\tS: 5 NO [CANNOT] …\n")
}

func TestNamespaceAndQuotaAreTold(t *testing.T) {
	w := newWorld(t)
	w.setQuota("alice@example.test", 10<<20, 100)
	w.deliver("alice@example.test", "", hello)
	w.dialogue(`
		C: 1 NAMESPACE
		S: * NAMESPACE (("" "/")) NIL NIL
		S: 1 OK …
		C: 2 GETQUOTAROOT INBOX
		S: * QUOTAROOT INBOX ""
		S: * QUOTA "" (STORAGE 1 10240 MESSAGE 1 100)
		S: 2 OK …
		C: 3 GETQUOTA ""
		S: * QUOTA "" (STORAGE 1 10240 MESSAGE 1 100)
		S: 3 OK …
		C: 4 GETQUOTA other
		S: 4 NO [NONEXISTENT] …
		C: 5 SETQUOTA "" (STORAGE 1)
		S: 5 NO [NOPERM] …
		C: 6 STATUS INBOX (DELETED-STORAGE APPENDLIMIT)
		S: * STATUS INBOX (APPENDLIMIT 52428800 DELETED-STORAGE 0)
		S: 6 OK …
		C: 7 APPEND INBOX {20000000}
		S: 7 NO [OVERQUOTA] …
	`)
}

func TestCopyAndMoveAnswerWithTheUIDs(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		w.deliver("alice@example.test", "", hello)
	}
	c := w.user("alice@example.test")
	c.send("0 SELECT INBOX")
	c.until("0 OK …")
	w.play(`
		C: 1 COPY 1:2 Archive
		S: 1 OK [COPYUID … 1:2 1:2] …
		C: 2 COPY 1 Nowhere
		S: 2 NO [TRYCREATE] …
		C: 3 UID MOVE 2,4 Trash
		S: * OK [COPYUID … 2,4 1:2] …
		S: * 2 EXPUNGE
		S: * 3 EXPUNGE
		S: 3 OK …
		C: 4 UID COPY 77 Archive
		S: 4 OK …
		C: 5 UID MOVE 77 Nowhere
		S: 5 NO [TRYCREATE] …
		C: 6 MOVE 1:* INBOX
		S: * OK [COPYUID … 1,3 5:6] …
		S: * 1 EXPUNGE
		S: * 1 EXPUNGE
		S: * 2 EXISTS
		S: * 2 RECENT
		S: 6 OK …
		C: 7 STATUS Archive (MESSAGES UIDNEXT)
		S: * STATUS Archive (MESSAGES 2 UIDNEXT 3)
		S: 7 OK …
		C: 8 UNSELECT
		S: 8 OK …
		C: 9 CLOSE
		S: 9 BAD …
	`, func(string) *client { return c })
}

func TestAnIdleSessionIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	a, b := w.user("alice@example.test"), w.user("alice@example.test")
	for _, c := range []*client{a, b} {
		c.send("0 SELECT INBOX")
		c.until("0 OK …")
	}
	a.send("1 IDLE")
	a.want("+ idling")
	w.deliver("alice@example.test", "", hello)
	a.want("* 2 EXISTS")
	a.want("* 1 RECENT")
	b.send("1 STORE 1 +FLAGS.SILENT (\\Deleted)")
	b.want("* 2 EXISTS")
	b.want("* 0 RECENT")
	b.want("1 OK …")
	a.want("* 1 FETCH (UID 1 FLAGS (\\Deleted))")
	b.send("2 EXPUNGE")
	b.want("* 1 EXPUNGE")
	b.want("2 OK …")
	a.want("* 1 EXPUNGE")
	a.send("DONE")
	a.want("1 OK IDLE completed")
	a.send("2 IDLE")
	a.want("+ idling")
	a.send("3 NOOP")
	a.want("2 BAD IDLE ends with DONE")
}

func TestExpungesWaitWhileSequenceNumbersAreInUse(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.deliver("alice@example.test", "", hello)
	}
	a, b := w.user("alice@example.test"), w.user("alice@example.test")
	for _, c := range []*client{a, b} {
		c.send("0 SELECT INBOX")
		c.until("0 OK …")
	}
	sessions := func(id string) *client {
		if id == "2" {
			return b
		}
		return a
	}
	w.play(`
		C: 1 STORE 1 +FLAGS.SILENT (\Deleted)
		S: 1 OK …
		C: 2 EXPUNGE
		S: * 1 EXPUNGE
		S: 2 OK …
		C2: 1 FETCH 3 UID
		S2: * 3 FETCH (UID 3)
		S2: 1 OK …
		C2: 2 SEARCH ALL
		S2: * SEARCH 1 2 3
		S2: 2 OK …
		C2: 3 STORE 3 +FLAGS (\Seen)
		S2: * 3 FETCH (FLAGS (\Seen))
		S2: 3 OK …
		# The expunged message can still be read by a session that was not told.
		C2: 4 FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (Subject)])
		S2: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject)] {18}
		S2: Subject: Hello
		S2:
		S2: )
		S2: 4 OK …
		C2: 5 STORE 1 +FLAGS (\Seen)
		S2: 5 NO [EXPUNGEISSUED] …
		C2: 6 UID FETCH 2 FLAGS
		S2: * 2 FETCH (UID 2 FLAGS ())
		S2: * 1 EXPUNGE
		S2: 6 OK …
		C: 3 NOOP
		S: * 2 FETCH (UID 3 FLAGS (\Seen))
		S: 3 OK …
	`, sessions)
}

func TestASessionWhoseMailboxIsDeletedEnds(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 CREATE X
		S: 1 OK …
		C2: 1 SELECT X
		S2: * FLAGS …
		S2: * OK [PERMANENTFLAGS …
		S2: * 0 EXISTS
		S2: * 0 RECENT
		S2: * OK [UIDVALIDITY …
		S2: * OK [UIDNEXT …
		S2: * OK [HIGHESTMODSEQ …
		S2: 1 OK …
		C2: 2 IDLE
		S2: + idling
		C: 2 DELETE X
		S: 2 OK …
		S2: * BYE The selected mailbox was deleted
	`)
}

func TestInboxIsRenamedByMovingItsMessages(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	c := w.selected()
	w.play(`
		C: 1 RENAME INBOX Old/Mail
		S: * 1 EXPUNGE
		S: 1 OK …
		C: 2 STATUS Old/Mail (MESSAGES)
		S: * STATUS Old/Mail (MESSAGES 1)
		S: 2 OK …
		C: 3 STATUS INBOX (MESSAGES)
		S: * STATUS INBOX (MESSAGES 0)
		S: 3 OK …
		C: 4 CREATE INBOX/Sub
		S: 4 OK …
		C: 5 LIST "" inbox*
		S: * LIST (\HasChildren) "/" INBOX
		S: * LIST (\HasNoChildren) "/" INBOX/Sub
		S: 5 OK …
		C: 6 DELETE Old
		S: 6 OK …
		C: 7 LIST "" Old*
		S: * LIST (\Noselect \HasChildren) "/" Old
		S: * LIST (\HasNoChildren) "/" Old/Mail
		S: 7 OK …
		C: 8 DELETE Old
		S: 8 NO [HASCHILDREN] …
		C: 9 SELECT Old
		S: * OK [CLOSED] …
		S: 9 NO [NONEXISTENT] …
	`, one(c))
}

func TestASelectedMailboxMayBeRenamed(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	c.send("1 CREATE Work")
	c.until("1 OK …")
	c.send("2 SELECT Work")
	c.until("2 OK …")
	w.play(`
		C: 3 RENAME Work Play
		S: 3 OK …
		C: 4 APPEND Play {3+}
		C: a
		C:
		S: * 1 EXISTS
		S: * 1 RECENT
		S: 4 OK [APPENDUID …
		C: 5 DELETE Play
		S: * OK [CLOSED] …
		S: 5 OK …
		C: 6 FETCH 1 FLAGS
		S: 6 BAD …
	`, one(c))
}

func TestIdleNeedsNoMailbox(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 IDLE
		S: + idling
		C: done
		S: 1 OK …
	`)
}
