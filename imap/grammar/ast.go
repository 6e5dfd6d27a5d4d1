package grammar

import "time"

// Request is one command of a client, read completely but for what its type
// says is still on the wire (Append's messages, the lines after Authenticate
// and Idle).
type Request struct {
	Tag string
	// Name is the command in upper case as a log would show it, for example
	// "UID FETCH".
	Name    string
	Command Command
}

// Command is one of the pointer types of this file, for example *Fetch. What a
// command holds is the session's own: nothing in it refers to the reader's
// buffers, except Append.
//
// Mailbox names are UTF-8 in NFC whatever encoding they came in, and "inbox" in
// any case is "INBOX" (RFC 9051 5.1). System flags are in their usual spelling
// ("\\Seen"); keywords are as the client wrote them.
type Command interface{ command() }

type (
	// Capability is CAPABILITY. RFC 9051 6.1.1
	Capability struct{}
	// Noop is NOOP. RFC 9051 6.1.2
	Noop struct{}
	// Logout is LOGOUT. RFC 9051 6.1.3
	Logout struct{}
	// StartTLS is STARTTLS. RFC 9051 6.2.1
	StartTLS struct{}
	// Check is CHECK, which only IMAP4rev1 has. RFC 3501 6.4.1
	Check struct{}
	// Close is CLOSE. RFC 9051 6.4.1
	Close struct{}
	// Unselect is UNSELECT. RFC 9051 6.4.2
	Unselect struct{}
	// Namespace is NAMESPACE. RFC 9051 6.3.10
	Namespace struct{}
	// Idle is IDLE. The session answers "+" and waits in Reader.ReadDone.
	// RFC 9051 6.3.13
	Idle struct{}
)

// Authenticate is AUTHENTICATE; further responses of the client are read with
// Reader.ReadSASL. RFC 9051 6.2.2
type Authenticate struct {
	Mechanism string // upper case
	// Initial is the decoded initial response; HasInitial tells an absent one
	// from an empty one ("="). RFC 4959
	Initial    []byte
	HasInitial bool
}

// Login is LOGIN. RFC 9051 6.2.3
type Login struct{ User, Password string }

// Enable is ENABLE; the names are in upper case. RFC 9051 6.3.1
type Enable struct{ Capabilities []string }

// ID is ID; NIL gives no fields. RFC 2971
type ID struct{ Fields []IDField }

// IDField is one field of ID; a NIL value is "".
type IDField struct{ Name, Value string }

// Select is SELECT, and EXAMINE when ReadOnly. RFC 9051 6.3.2, 6.3.3
type Select struct {
	Mailbox   string
	ReadOnly  bool
	CondStore bool     // RFC 7162 3.1.8
	QResync   *QResync // nil when not asked for
}

// QResync is what a client remembers of a mailbox. RFC 7162 3.2.5
type QResync struct {
	UIDValidity uint32
	ModSeq      uint64
	KnownUIDs   NumSet // zero when the client sent none
	// MatchSeqs and MatchUIDs are pairs that the client believes to belong
	// together, both ascending; zero when absent. RFC 7162 3.2.5.2
	MatchSeqs, MatchUIDs NumSet
}

// Create is CREATE; SpecialUse holds the attributes of USE, for example
// "\\Archive". A trailing hierarchy separator is kept. RFC 9051 6.3.4, RFC 6154
type Create struct {
	Mailbox    string
	SpecialUse []string
}

// Delete is DELETE. RFC 9051 6.3.5
type Delete struct{ Mailbox string }

// Rename is RENAME. RFC 9051 6.3.6
type Rename struct{ From, To string }

// Subscribe is SUBSCRIBE. RFC 9051 6.3.7
type Subscribe struct{ Mailbox string }

// Unsubscribe is UNSUBSCRIBE. RFC 9051 6.3.8
type Unsubscribe struct{ Mailbox string }

// ListSelect are selection options of LIST. RFC 5258 3.1
type ListSelect uint8

// The selection options.
const (
	ListSelectSubscribed ListSelect = 1 << iota
	ListSelectRemote
	ListSelectRecursiveMatch
	ListSelectSpecialUse
)

// ListReturn are return options of LIST. RFC 5258 3.2
type ListReturn uint8

// The return options.
const (
	ListReturnSubscribed ListReturn = 1 << iota
	ListReturnChildren
	ListReturnSpecialUse
	ListReturnStatus
)

// List is LIST. RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154
type List struct {
	// Extended is set when the command used anything that the basic form does
	// not have (options, or a list of patterns).
	Extended  bool
	Select    ListSelect
	Reference string
	Patterns  []string // at least one, in UTF-8; match with Match
	Return    ListReturn
	Status    StatusItems // with ListReturnStatus
}

// Lsub is LSUB, which only IMAP4rev1 has. RFC 3501 6.3.9
type Lsub struct{ Reference, Pattern string }

// StatusItems are items of STATUS. RFC 9051 6.3.11
type StatusItems uint16

// The status items.
const (
	StatusMessages StatusItems = 1 << iota
	StatusRecent               // RFC 3501
	StatusUIDNext
	StatusUIDValidity
	StatusUnseen
	StatusDeleted
	StatusSize
	StatusHighestModSeq  // RFC 7162
	StatusAppendLimit    // RFC 7889
	StatusDeletedStorage // RFC 9208
)

// Status is STATUS.
type Status struct {
	Mailbox string
	Items   StatusItems
}

// Append is APPEND. Its messages are still on the wire: take them one after the
// other with Next, which gives io.EOF after the last. RFC 9051 6.3.12, RFC 3502
//
// A session may stop at any point: what it does not take is skipped before the
// next command is read.
type Append struct {
	Mailbox string

	reader *Reader
	first  *AppendItem // read with the command, not yet given out
	item   *AppendItem // given out last
	count  int
	err    error
}

// AppendItem is one message of an APPEND. It is an io.Reader of the message; the
// first Read invites the literal when it is a synchronising one, so everything
// that may refuse it is done before.
type AppendItem struct {
	Flags    []string
	Internal time.Time // zero when the client gave none
	Size     int64     // bytes announced; 0 cancels the whole command, RFC 3502 4.2
	Sync     bool      // a synchronising literal: not sent before it is invited
	Binary   bool      // literal8: may hold NUL. RFC 9051 4.3.1
	UTF8     bool      // came in UTF8 (…). RFC 6855 4

	append *Append
	header literalHeader
	open   bool // invited, and its bytes are next
}

// Expunge is EXPUNGE, and UID EXPUNGE when UID. RFC 9051 6.4.3, 6.4.9
type Expunge struct {
	UID bool
	Set NumSet // with UID
}

// Search is SEARCH and UID SEARCH. RFC 9051 6.4.4
type Search struct {
	UID bool
	// Extended is set when RETURN was given; RETURN () is ReturnAll.
	Extended bool
	Return   SearchReturn
	// Charset is the one the client named, in upper case, or "". The texts of
	// Key are UTF-8 whatever it was.
	Charset string
	// Key holds all keys of the command; it is SearchAnd when there are several.
	Key SearchKey
}

// SearchReturn are result options of SEARCH. RFC 9051 6.4.4
type SearchReturn uint8

// The result options.
const (
	ReturnMin SearchReturn = 1 << iota
	ReturnMax
	ReturnAll
	ReturnCount
	ReturnSave // RFC 5182
)

// SearchOp says what a SearchKey asks.
type SearchOp uint8

// The search keys. RFC 9051 6.4.4; the old spellings NEW, OLD, RECENT of RFC
// 3501 are keys of their own, UNSEEN and its kin are SearchNoFlag.
const (
	SearchAll        SearchOp = iota
	SearchAnd                 // Keys
	SearchOr                  // Keys, two or more: nested ORs are one
	SearchNot                 // Keys, exactly one
	SearchSeq                 // Set, of sequence numbers, or Set.Saved for "$"
	SearchUID                 // Set, of UIDs, or Set.Saved for "$"
	SearchFlag                // Flag is set (ANSWERED, KEYWORD x, …)
	SearchNoFlag              // Flag is not set (UNSEEN, UNKEYWORD x, …)
	SearchNew                 // RECENT and not SEEN
	SearchOld                 // not RECENT
	SearchRecent              // RECENT
	SearchHeader              // the field Field contains Text; any such field when Text is ""
	SearchBcc                 // Text, as all down to SearchText
	SearchCc                  //
	SearchFrom                //
	SearchSubject             //
	SearchTo                  //
	SearchBody                //
	SearchText                //
	SearchBefore              // Date, of the internal date
	SearchOn                  // Date
	SearchSince               // Date
	SearchSentBefore          // Date, of the Date field
	SearchSentOn              // Date
	SearchSentSince           // Date
	SearchLarger              // Number, bytes
	SearchSmaller             // Number, bytes
	SearchModSeq              // Number; messages with at least this MODSEQ. RFC 7162 3.1.5
	SearchOlder               // Number, seconds. RFC 5032
	SearchYounger             // Number, seconds. RFC 5032
)

// SearchKey is a node of a search program.
type SearchKey struct {
	Op     SearchOp
	Keys   []SearchKey
	Set    NumSet
	Flag   string
	Field  string // name of a header field as the client wrote it
	Text   string // UTF-8
	Date   Date
	Number uint64
}

// Date is a day without a time zone. RFC 9051 6.4.4: searches by date
// disregard time and zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Fetch is FETCH and UID FETCH. Macros are expanded; an item named twice is
// there once. RFC 9051 6.4.5
//
// With UID the item UID is not added: the session answers with UID always.
type Fetch struct {
	UID   bool
	Set   NumSet
	Items []FetchItem
	// ChangedSince is 0 when absent. RFC 7162 3.1.4.1
	ChangedSince uint64
	Vanished     bool // RFC 7162 3.2.6
}

// FetchKind is the kind of a FetchItem.
type FetchKind uint8

// The fetch items.
const (
	FetchUID FetchKind = iota
	FetchFlags
	FetchInternalDate
	FetchSize // RFC822.SIZE
	FetchEnvelope
	FetchBody // BODY without a section
	FetchBodyStructure
	FetchModSeq       // RFC 7162
	FetchBodySection  // BODY[…], BODY.PEEK[…]
	FetchBinary       // BINARY[…], BINARY.PEEK[…]
	FetchBinarySize   // BINARY.SIZE[…]
	FetchRFC822       // RFC822, as BODY[] but under its own name. RFC 3501 6.4.5
	FetchRFC822Header // RFC822.HEADER, as BODY.PEEK[HEADER]
	FetchRFC822Text   // RFC822.TEXT, as BODY[TEXT]
)

// FetchItem is one item of FETCH. AppendFetchItem writes its name as a
// response must echo it.
type FetchItem struct {
	Kind FetchKind
	// Peek says that \Seen stays as it is. It is set for every item but BODY[…],
	// BINARY[…], RFC822 and RFC822.TEXT.
	Peek    bool
	Section Section // of the section kinds; of RFC822* what they stand for
	// Partial says that <Offset.Length> was given; Length is at least 1.
	Partial bool
	Offset  uint32
	Length  uint32
}

// Section is what stands between the brackets of BODY[…] and BINARY[…].
// RFC 9051 6.4.5.1
type Section struct {
	Part   []int // 1-based; empty for the message itself
	Spec   SectionSpec
	Fields []string // of SectionFields and SectionFieldsNot, as written
}

// SectionSpec is the specifier of a Section.
type SectionSpec uint8

// The specifiers.
const (
	SectionAll       SectionSpec = iota // nothing: the whole part
	SectionHeader                       // HEADER
	SectionFields                       // HEADER.FIELDS (…)
	SectionFieldsNot                    // HEADER.FIELDS.NOT (…)
	SectionText                         // TEXT
	SectionMIME                         // MIME, only with a Part
)

// StoreMode says how STORE combines flags.
type StoreMode uint8

// The modes.
const (
	StoreSet    StoreMode = iota // FLAGS
	StoreAdd                     // +FLAGS
	StoreRemove                  // -FLAGS
)

// Store is STORE and UID STORE. RFC 9051 6.4.6
type Store struct {
	UID    bool
	Set    NumSet
	Mode   StoreMode
	Silent bool
	Flags  []string // \Recent is dropped: nobody can store it
	// UnchangedSince is meaningful with Conditional; 0 is a value that no message
	// meets. RFC 7162 3.1.3
	Conditional    bool
	UnchangedSince uint64
}

// Copy is COPY and UID COPY. RFC 9051 6.4.7
type Copy struct {
	UID     bool
	Set     NumSet
	Mailbox string
}

// Move is MOVE and UID MOVE. RFC 9051 6.4.8
type Move struct {
	UID     bool
	Set     NumSet
	Mailbox string
}

// Compress is COMPRESS; the mechanism is in upper case. RFC 4978
type Compress struct{ Mechanism string }

// GetQuota is GETQUOTA. RFC 9208 4.1.1
type GetQuota struct{ Root string }

// GetQuotaRoot is GETQUOTAROOT. RFC 9208 4.1.2
type GetQuotaRoot struct{ Mailbox string }

// SetQuota is SETQUOTA. RFC 9208 4.1.3
type SetQuota struct {
	Root   string
	Limits []QuotaLimit
}

// QuotaLimit is one resource of SETQUOTA; the name is in upper case.
type QuotaLimit struct {
	Resource string
	Limit    uint64
}

func (*Capability) command()   {}
func (*Noop) command()         {}
func (*Logout) command()       {}
func (*StartTLS) command()     {}
func (*Check) command()        {}
func (*Close) command()        {}
func (*Unselect) command()     {}
func (*Namespace) command()    {}
func (*Idle) command()         {}
func (*Authenticate) command() {}
func (*Login) command()        {}
func (*Enable) command()       {}
func (*ID) command()           {}
func (*Select) command()       {}
func (*Create) command()       {}
func (*Delete) command()       {}
func (*Rename) command()       {}
func (*Subscribe) command()    {}
func (*Unsubscribe) command()  {}
func (*List) command()         {}
func (*Lsub) command()         {}
func (*Status) command()       {}
func (*Append) command()       {}
func (*Expunge) command()      {}
func (*Search) command()       {}
func (*Fetch) command()        {}
func (*Store) command()        {}
func (*Copy) command()         {}
func (*Move) command()         {}
func (*Compress) command()     {}
func (*GetQuota) command()     {}
func (*GetQuotaRoot) command() {}
func (*SetQuota) command()     {}
