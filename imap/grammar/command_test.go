package grammar

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// newTestReader reads what a client sent, byte for byte when slow, and records
// the literals that were invited.
func newTestReader(input string, slow bool) (*Reader, *[]Literal) {
	var invited []Literal
	var src io.Reader = strings.NewReader(input)
	if slow {
		src = iotest.OneByteReader(src)
	}
	r := NewReader(src, AfterLogin(1<<20), func(l Literal) error {
		invited = append(invited, l)
		return nil
	})
	return r, &invited
}

// readOne reads one command that is all of the input.
func readOne(t *testing.T, input string, utf8 bool) (*Request, error) {
	t.Helper()
	var first *Request
	var firstErr error
	for i, slow := range []bool{false, true} {
		r, _ := newTestReader(input, slow)
		r.SetUTF8(utf8)
		q, err := r.ReadCommand()
		if i == 0 {
			first, firstErr = q, err
			continue
		}
		if diff := cmp.Diff(first, q, ignoreWire); diff != "" || (err == nil) != (firstErr == nil) {
			t.Errorf("%q read byte for byte differs (%v, %v): %s", input, err, firstErr, diff)
		}
	}
	return first, firstErr
}

var ignoreWire = cmp.Options{cmpopts.IgnoreUnexported(Append{}, AppendItem{}), cmpopts.EquateEmpty()}

func set(ranges ...uint32) NumSet {
	var s NumSet
	for i := 0; i < len(ranges); i += 2 {
		s.Ranges = append(s.Ranges, NumRange{ranges[i], ranges[i+1]})
	}
	return s
}

func TestCommandsAreRead(t *testing.T) {
	tests := []struct {
		line string
		want Command
	}{
		{"CAPABILITY", &Capability{}},
		{"noop", &Noop{}},
		{"NOOP ", &Noop{}},
		{"LOGOUT", &Logout{}},
		{"STARTTLS", &StartTLS{}},
		{"CHECK", &Check{}},
		{"CLOSE", &Close{}},
		{"UNSELECT", &Unselect{}},
		{"NAMESPACE", &Namespace{}},
		{"IDLE", &Idle{}},
		{"AUTHENTICATE PLAIN", &Authenticate{Mechanism: "PLAIN"}},
		{"AUTHENTICATE plain AGEAYg==", &Authenticate{Mechanism: "PLAIN", Initial: []byte("\x00a\x00b"), HasInitial: true}},
		{"AUTHENTICATE SCRAM-SHA-256-PLUS =", &Authenticate{Mechanism: "SCRAM-SHA-256-PLUS", HasInitial: true}},
		{`LOGIN alice secret`, &Login{"alice", "secret"}},
		{`LOGIN "al\"ice" "p\\w"`, &Login{`al"ice`, `p\w`}},
		{"LOGIN \"ä\" pw]", &Login{"ä", "pw]"}},
		{"LOGIN {5}\r\nalice {6+}\r\nse\r\nct", &Login{"alice", "se\r\nct"}},
		{`ENABLE condstore IMAP4rev2`, &Enable{[]string{"CONDSTORE", "IMAP4REV2"}}},
		{`ID NIL`, &ID{}},
		{`ID ("name" "x" "version" NIL)`, &ID{[]IDField{{"name", "x"}, {"version", ""}}}},
		{`SELECT inbox`, &Select{Mailbox: "INBOX"}},
		{`SELECT "Inbox/a"`, &Select{Mailbox: "INBOX/a"}},
		{`SELECT Inboxes`, &Select{Mailbox: "Inboxes"}},
		{`SELECT ~foo`, &Select{Mailbox: "~foo"}},
		{"SELECT !#$&-'+,-.0123456789:;<=>?@^_`|[}", &Select{Mailbox: "!#$&'+,-.0123456789:;<=>?@^_`|[}"}},
		{`EXAMINE a (CONDSTORE)`, &Select{Mailbox: "a", ReadOnly: true, CondStore: true}},
		{`SELECT a (QRESYNC (67890007 20050715194045000 41,43:211,214:541))`, &Select{Mailbox: "a", QResync: &QResync{
			UIDValidity: 67890007, ModSeq: 20050715194045000, KnownUIDs: set(41, 41, 43, 211, 214, 541)}}},
		{`SELECT a (QRESYNC (1 2 1:29997 (5000,7500,9000 15000,22500,27000)) CONDSTORE)`, &Select{Mailbox: "a", CondStore: true,
			QResync: &QResync{UIDValidity: 1, ModSeq: 2, KnownUIDs: set(1, 29997),
				MatchSeqs: set(5000, 5000, 7500, 7500, 9000, 9000), MatchUIDs: set(15000, 15000, 22500, 22500, 27000, 27000)}}},
		{`SELECT a (QRESYNC (1 2 (1 2)))`, &Select{Mailbox: "a", QResync: &QResync{UIDValidity: 1, ModSeq: 2,
			MatchSeqs: set(1, 1), MatchUIDs: set(2, 2)}}},
		{`CREATE a/`, &Create{Mailbox: "a/"}},
		{`CREATE a (USE (\sent \Foo))`, &Create{Mailbox: "a", SpecialUse: []string{`\Sent`, `\Foo`}}},
		{`DELETE &AOQ-`, &Delete{"ä"}},
		{`RENAME a "b c"`, &Rename{"a", "b c"}},
		{`SUBSCRIBE #news.a`, &Subscribe{"#news.a"}},
		{`UNSUBSCRIBE a`, &Unsubscribe{"a"}},
		{`LIST "" *`, &List{Patterns: []string{"*"}}},
		{`LIST "" ""`, &List{Patterns: []string{""}}},
		{`LIST &AOQ-/ %&AOQ-*`, &List{Reference: "ä/", Patterns: []string{"%ä*"}}},
		{`LIST "" &AOQ`, &List{Patterns: []string{"&AOQ"}}},
		{`LIST (SUBSCRIBED RECURSIVEMATCH remote SPECIAL-USE) "" ("a*" b) RETURN (CHILDREN SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UNSEEN))`,
			&List{Extended: true, Select: ListSelectSubscribed | ListSelectRecursiveMatch | ListSelectRemote | ListSelectSpecialUse,
				Patterns: []string{"a*", "b"}, Return: ListReturnChildren | ListReturnSubscribed | ListReturnSpecialUse | ListReturnStatus,
				Status: StatusMessages | StatusUnseen}},
		{`LIST () "" a RETURN ()`, &List{Extended: true, Patterns: []string{"a"}}},
		{`LSUB "" %`, &Lsub{Pattern: "%"}},
		{`STATUS a (messages RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT DELETED-STORAGE)`,
			&Status{"a", StatusMessages | StatusRecent | StatusUIDNext | StatusUIDValidity | StatusUnseen | StatusDeleted | StatusSize |
				StatusHighestModSeq | StatusAppendLimit | StatusDeletedStorage}},
		{`EXPUNGE`, &Expunge{}},
		{`UID EXPUNGE 3000:3002`, &Expunge{UID: true, Set: set(3000, 3002)}},
		{`COPY 2:4 MEETING`, &Copy{Set: set(2, 4), Mailbox: "MEETING"}},
		{`UID COPY $ a`, &Copy{UID: true, Set: NumSet{Saved: true}, Mailbox: "a"}},
		{`MOVE *,1:* a`, &Move{Set: set(0, 0, 1, 0), Mailbox: "a"}},
		{`UID MOVE 5 a`, &Move{UID: true, Set: set(5, 5), Mailbox: "a"}},
		{`COMPRESS deflate`, &Compress{"DEFLATE"}},
		{`GETQUOTA ""`, &GetQuota{}},
		{`GETQUOTAROOT INBOX`, &GetQuotaRoot{"INBOX"}},
		{`SETQUOTA "" (storage 512 MESSAGE 100)`, &SetQuota{Limits: []QuotaLimit{{"STORAGE", 512}, {"MESSAGE", 100}}}},
		{`SETQUOTA root ()`, &SetQuota{Root: "root"}},
		{`GETMETADATA "" /shared/comment`, &GetMetadata{Entries: []string{"/shared/comment"}}},
		{`GETMETADATA (MAXSIZE 1024 DEPTH infinity) inbox (/Shared/A "/private/b")`,
			&GetMetadata{Mailbox: "INBOX", Entries: []string{"/shared/a", "/private/b"}, Depth: DepthInfinity, Limited: true, MaxSize: 1024}},
		{`GETMETADATA INBOX (DEPTH 1) (/private/filters/values)`, &GetMetadata{Mailbox: "INBOX", Entries: []string{"/private/filters/values"}, Depth: DepthOne}},
		{`GETMETADATA (DEPTH 0) x /a`, &GetMetadata{Mailbox: "x", Entries: []string{"/a"}}},
		{"SETMETADATA INBOX (/private/Comment \"My new\" /shared/x NIL /shared/y {2+}\r\n\r\n /shared/z ~{3+}\r\na\x00b /shared/e \"\")", &SetMetadata{Mailbox: "INBOX",
			Entries: []MetadataValue{{"/private/comment", []byte("My new")}, {"/shared/x", nil}, {"/shared/y", []byte("\r\n")}, {"/shared/z", []byte("a\x00b")}, {"/shared/e", []byte{}}}}},

		{`STORE 1 FLAGS ()`, &Store{Set: set(1, 1)}},
		{`STORE 1 +FLAGS NIL`, &Store{Set: set(1, 1), Mode: StoreAdd, Flags: []string{"NIL"}}},
		{`STORE 1:2 -flags.silent (\deleted \Recent $Junk a)`, &Store{Set: set(1, 2), Mode: StoreRemove, Silent: true, Flags: []string{`\Deleted`, "$Junk", "a"}}},
		{`UID STORE 1 (UNCHANGEDSINCE 0) FLAGS \Seen \Draft`, &Store{UID: true, Set: set(1, 1), Conditional: true, Flags: []string{`\Seen`, `\Draft`}}},
	}
	for _, tt := range tests {
		q, err := readOne(t, "A1 "+tt.line+"\r\n", false)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		if diff := cmp.Diff(tt.want, q.Command, ignoreWire); diff != "" {
			t.Errorf("%s: %s", tt.line, diff)
		}
		if q.Tag != "A1" {
			t.Errorf("%s: tag %q", tt.line, q.Tag)
		}
	}
}

func item(k FetchKind) FetchItem { return FetchItem{Kind: k, Peek: true} }

func TestFetchIsRead(t *testing.T) {
	body := func(peek bool, spec SectionSpec, part ...int) FetchItem {
		return FetchItem{Kind: FetchBodySection, Peek: peek, Section: Section{Spec: spec, Part: part}}
	}
	fields := func(spec SectionSpec, names ...string) FetchItem {
		return FetchItem{Kind: FetchBodySection, Peek: true, Section: Section{Spec: spec, Fields: names}}
	}
	tests := []struct {
		args string
		want Fetch
	}{
		{`1 ALL`, Fetch{Items: []FetchItem{item(FetchFlags), item(FetchInternalDate), item(FetchSize), item(FetchEnvelope)}}},
		{`1 fast`, Fetch{Items: []FetchItem{item(FetchFlags), item(FetchInternalDate), item(FetchSize)}}},
		{`1 FULL`, Fetch{Items: []FetchItem{item(FetchFlags), item(FetchInternalDate), item(FetchSize), item(FetchEnvelope), item(FetchBody)}}},
		{`1 uid`, Fetch{Items: []FetchItem{item(FetchUID)}}},
		{`1 (UID UID FLAGS uid)`, Fetch{Items: []FetchItem{item(FetchUID), item(FetchFlags)}}},
		{`1 (BODY BODYSTRUCTURE MODSEQ RFC822.SIZE)`, Fetch{Items: []FetchItem{item(FetchBody), item(FetchBodyStructure), item(FetchModSeq), item(FetchSize)}}},
		{`1 body[]`, Fetch{Items: []FetchItem{body(false, SectionAll)}}},
		{`1 BODY.PEEK[1.2.3]`, Fetch{Items: []FetchItem{body(true, SectionAll, 1, 2, 3)}}},
		{`1 BODY.PEEK[1.MIME]`, Fetch{Items: []FetchItem{body(true, SectionMIME, 1)}}},
		{`1 (BODY[HEADER] BODY[2.TEXT])`, Fetch{Items: []FetchItem{body(false, SectionHeader), body(false, SectionText, 2)}}},
		{`1 BODY.PEEK[HEADER.FIELDS (From "Sub ject" from)]`, Fetch{Items: []FetchItem{fields(SectionFields, "From", "Sub ject", "from")}}},
		{"1 BODY.PEEK[HEADER.FIELDS.NOT ({3+}\r\nfoo)]", Fetch{Items: []FetchItem{fields(SectionFieldsNot, "foo")}}},
		{`1 body[]<5.10>`, Fetch{Items: []FetchItem{{Kind: FetchBodySection, Partial: true, Offset: 5, Length: 10}}}},
		{`1 body[]<99999999999.99999999999>`, Fetch{Items: []FetchItem{{Kind: FetchBodySection, Partial: true, Offset: 1<<32 - 1, Length: 1<<32 - 1}}}},
		{`1 (BINARY[1] BINARY.PEEK[1.2]<0.5> BINARY.SIZE[] BINARY[])`, Fetch{Items: []FetchItem{
			{Kind: FetchBinary, Section: Section{Part: []int{1}}},
			{Kind: FetchBinary, Peek: true, Section: Section{Part: []int{1, 2}}, Partial: true, Length: 5},
			{Kind: FetchBinarySize, Peek: true}, {Kind: FetchBinary}}}},
		{`1 (RFC822 RFC822.HEADER RFC822.TEXT)`, Fetch{Items: []FetchItem{{Kind: FetchRFC822},
			{Kind: FetchRFC822Header, Peek: true, Section: Section{Spec: SectionHeader}},
			{Kind: FetchRFC822Text, Section: Section{Spec: SectionText}}}}},
		{`1 FLAGS (CHANGEDSINCE 12345)`, Fetch{Items: []FetchItem{item(FetchFlags)}, ChangedSince: 12345}},
	}
	for _, tt := range tests {
		tt.want.Set = set(1, 1)
		q, err := readOne(t, "a FETCH "+tt.args+"\r\n", false)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		if diff := cmp.Diff(&tt.want, q.Command, ignoreWire); diff != "" {
			t.Errorf("%s: %s", tt.args, diff)
		}
	}
	q, err := readOne(t, "a UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)\r\n", false)
	if err != nil {
		t.Fatal(err)
	}
	want := &Fetch{UID: true, Set: set(300, 500), Items: []FetchItem{item(FetchFlags)}, ChangedSince: 12345, Vanished: true}
	if diff := cmp.Diff(Command(want), q.Command); diff != "" || q.Name != "UID FETCH" {
		t.Errorf("%s %s", q.Name, diff)
	}
}

func TestSearchIsRead(t *testing.T) {
	day := Date{2020, time.February, 3}
	flag := func(f string) SearchKey { return SearchKey{Op: SearchFlag, Flag: f} }
	text := func(op SearchOp, s string) SearchKey { return SearchKey{Op: op, Text: s} }
	tests := []struct {
		args string
		want Search
	}{
		{`ALL`, Search{Key: SearchKey{Op: SearchAll}}},
		{`1:3,*`, Search{Key: SearchKey{Op: SearchSeq, Set: set(1, 3, 0, 0)}}},
		{`$`, Search{Key: SearchKey{Op: SearchSeq, Set: NumSet{Saved: true}}}},
		{`UID $`, Search{Key: SearchKey{Op: SearchUID, Set: NumSet{Saved: true}}}},
		{`RETURN () SEEN`, Search{Extended: true, Return: ReturnAll, Key: flag(`\Seen`)}},
		{`RETURN (MIN max ALL COUNT SAVE) SEEN`, Search{Extended: true, Return: ReturnMin | ReturnMax | ReturnAll | ReturnCount | ReturnSave, Key: flag(`\Seen`)}},
		{`seen answered`, Search{Key: SearchKey{Op: SearchAnd, Keys: []SearchKey{flag(`\Seen`), flag(`\Answered`)}}}},
		{`(seen (answered))`, Search{Key: SearchKey{Op: SearchAnd, Keys: []SearchKey{flag(`\Seen`), flag(`\Answered`)}}}},
		{`UNSEEN`, Search{Key: SearchKey{Op: SearchNoFlag, Flag: `\Seen`}}},
		{`NOT NOT NOT seen`, Search{Key: SearchKey{Op: SearchNot, Keys: []SearchKey{flag(`\Seen`)}}}},
		{`NOT NOT seen`, Search{Key: flag(`\Seen`)}},
		{`OR seen OR draft deleted`, Search{Key: SearchKey{Op: SearchOr, Keys: []SearchKey{flag(`\Seen`), flag(`\Draft`), flag(`\Deleted`)}}}},
		{`OR OR seen draft deleted`, Search{Key: SearchKey{Op: SearchOr, Keys: []SearchKey{flag(`\Seen`), flag(`\Draft`), flag(`\Deleted`)}}}},
		{`OR (seen draft) NOT deleted`, Search{Key: SearchKey{Op: SearchOr, Keys: []SearchKey{
			{Op: SearchAnd, Keys: []SearchKey{flag(`\Seen`), flag(`\Draft`)}}, {Op: SearchNot, Keys: []SearchKey{flag(`\Deleted`)}}}}}},
		{`KEYWORD $Junk`, Search{Key: flag("$Junk")}},
		{`UNKEYWORD foo`, Search{Key: SearchKey{Op: SearchNoFlag, Flag: "foo"}}},
		{`NEW`, Search{Key: SearchKey{Op: SearchNew}}},
		{`FROM a`, Search{Key: text(SearchFrom, "a")}},
		{`subject NIL`, Search{Key: text(SearchSubject, "NIL")}},
		{"TEXT {6}\r\nMüll\x21", Search{Key: text(SearchText, "Müll!")}},
		{`HEADER Message-ID ""`, Search{Key: SearchKey{Op: SearchHeader, Field: "Message-ID"}}},
		{`SINCE 3-Feb-2020`, Search{Key: SearchKey{Op: SearchSince, Date: day}}},
		{`SENTON "03-feb-2020"`, Search{Key: SearchKey{Op: SearchSentOn, Date: day}}},
		{`LARGER 4294967296`, Search{Key: SearchKey{Op: SearchLarger, Number: 1 << 32}}},
		{`MODSEQ 620162338`, Search{Key: SearchKey{Op: SearchModSeq, Number: 620162338}}},
		{`MODSEQ "/flags/\\draft" all 620162338`, Search{Key: SearchKey{Op: SearchModSeq, Number: 620162338}}},
		{`YOUNGER 60`, Search{Key: SearchKey{Op: SearchYounger, Number: 60}}},
		{`CHARSET utf-8 SUBJECT "ä"`, Search{Charset: "UTF-8", Key: text(SearchSubject, "ä")}},
		{"CHARSET ISO-8859-1 SUBJECT {1+}\r\n\xe4", Search{Charset: "ISO-8859-1", Key: text(SearchSubject, "ä")}},
	}
	for _, tt := range tests {
		q, err := readOne(t, "a SEARCH "+tt.args+"\r\n", false)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		if diff := cmp.Diff(&tt.want, q.Command, ignoreWire); diff != "" {
			t.Errorf("%s: %s", tt.args, diff)
		}
	}
}

func TestNamesAreUTF8OnceEnabled(t *testing.T) {
	q, err := readOne(t, "a SELECT \"a\u0308&\"\r\n", true)
	if err != nil {
		t.Fatal(err)
	}
	if got := q.Command.(*Select).Mailbox; got != "ä&" {
		t.Errorf("mailbox %q, want it in NFC", got)
	}
	for _, line := range []string{"a SELECT {1+}\r\n\xe4\r\n", "a SELECT {2+}\r\na\x01\r\n", "a SELECT {3+}\r\n\u2028\r\n"} {
		if _, err := readOne(t, line, true); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

func TestWrongCommandsAreRefused(t *testing.T) {
	deep := strings.Repeat("(", 51) + "ALL" + strings.Repeat(")", 51)
	tests := []struct{ line, text string }{
		{"a", "a space and a name"},
		{"+ NOOP", "a space and a name"},
		{"a  NOOP", "no such command"},
		{"a FOO", "no such command"},
		{"a NOOP(", "no such command"},
		{"a UID NOOP", "no such command"},
		{"a UID", "missing"},
		{"a NOOP x", "more than"},
		{"a LOGIN alice", "missing"},
		{"a LOGIN alice (", "missing"},
		{`a LOGIN alice "x`, "does not end"},
		{`a LOGIN alice "\x"`, "follow"},
		{"a LOGIN alice \"\xff\"", "UTF-8"},
		{"a LOGIN alice \"\x00\"", "NUL"},
		{"a LOGIN alice {2+}\r\n\x00x", "NUL"},
		{"a LOGIN alice {2x}", "announced"},
		{"a LOGIN alice ~{2}", "binary"},
		{"a AUTHENTICATE PLAIN !", "base64"},
		{"a ENABLE", "missing"},
		{"a ID foo", "parentheses"},
		{"a ID (" + strings.Repeat(`"a" "b" `, 31) + ")", "30 fields"},
		{"a SELECT &AOQ", "UTF-7"},
		{"a SELECT \xc3\xa4", "missing"},
		{"a SELECT &AAo-", "control"},
		{"a SELECT a b", "more than"},
		{"a SELECT a ()x", "more than"},
		{"a SELECT a (FOO)", "takes"},
		{"a SELECT a (QRESYNC (0 1))", "not be 0"},
		{"a SELECT a (QRESYNC (1 1 *))", "not possible"},
		{"a SELECT a (QRESYNC (1 1 1 (1:2 1)))", "as many"},
		{"a SELECT a (QRESYNC (1 9223372036854775808))", "too big"},
		{`a LIST (FOO) "" ""`, "selection option"},
		{`a LIST (RECURSIVEMATCH) "" ""`, "RECURSIVEMATCH"},
		{`a LIST (RECURSIVEMATCH REMOTE) "" ""`, "RECURSIVEMATCH"},
		{`a LIST "" "" RETURN (FOO)`, "return option"},
		{`a LIST "" ()`, "needs a pattern"},
		{`a LIST ""`, "missing"},
		{"a STATUS a ()", "needs an item"},
		{"a STATUS a (FOO)", "not known"},
		{"a FETCH 0 UID", "not be 0"},
		{"a FETCH 4294967296 UID", "too big"},
		{"a FETCH 1, UID", "missing"},
		{"a FETCH 1:2:3 UID", "missing"},
		{"a FETCH 1 ()", "needs an item"},
		{"a FETCH 1 (ALL)", "not known"},
		{"a FETCH 1 BODY[0]", "not be 0"},
		{"a FETCH 1 BODY[1.]", "not known"},
		{"a FETCH 1 BODY[MIME]", "needs"},
		{"a FETCH 1 BINARY[1.TEXT]", "number"},
		{"a FETCH 1 BINARY[TEXT]", "closed"},
		{"a FETCH 1 BODY[", "not known"},
		{"a FETCH 1 BODY[]<1>", "partial"},
		{"a FETCH 1 BODY[]<1.0>", "not be 0"},
		{"a FETCH 1 BODY[HEADER.FIELDS ()]", "needs a name"},
		{"a FETCH 1 FLAGS (VANISHED)", "VANISHED"},
		{"a UID FETCH 1 FLAGS (VANISHED)", "VANISHED"},
		{`a STORE 1 FLAGS (\Foo)`, "system flag"},
		{`a STORE 1 FLAGS (\*)`, "missing"},
		{`a STORE 1 FLAGS`, "missing"},
		{`a STORE 1 FLAGS (a`, "closed"},
		{"a SEARCH", "missing"},
		{"a SEARCH FOO", "not known"},
		{"a SEARCH NOT", "missing"},
		{"a SEARCH OR ALL", "missing"},
		{"a SEARCH (ALL", "closed"},
		{"a SEARCH ()", "not known"},
		{"a SEARCH " + deep, "nested"},
		{"a SEARCH SINCE 31-Feb-2020", "no such date"},
		{"a SEARCH SINCE 3-Fbr-2020", "month"},
		{"a SEARCH CHARSET foo ALL", "charset"},
		{"a SEARCH SUBJECT {1+}\r\n\xe4", "UTF-8"},
		{"a APPEND a", "missing"},
		{"a APPEND a foo", "literal"},
		{"a APPEND a (\\Seen) \"foo\" {3}", "date"},
		{"a APPEND a UTF8 ({3}", "literal"},
		{"a APPEND a {99999999}", "too big"},
		{"a APPEND a {99999999999999999999999}", "too big"},
	}
	for _, tt := range tests {
		_, err := readOne(t, tt.line+"\r\n", false)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v, want an *Error", tt.line, err)
			continue
		}
		if !strings.Contains(e.Text, tt.text) {
			t.Errorf("%q: %q does not speak of %q", tt.line, e.Text, tt.text)
		}
		if tt.line[0] == 'a' && e.Tag != "a" {
			t.Errorf("%q: tag %q", tt.line, e.Tag)
		}
		if no := e.Code != ""; e.No != no {
			t.Errorf("%q: NO is %v with the code %q", tt.line, e.No, e.Code)
		}
	}
}
