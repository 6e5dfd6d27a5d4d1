package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/spool"
)

var errNotYet = errors.New("not yet")

// AccountID names an account; the directory gives it.
type AccountID int64

// BlobID names stored bytes; see RefBlobTx.
type BlobID int64

// Options of Open.
type Options struct {
	DB         *db.DB
	BlobDir    string
	Clock      clock.Clock
	Log        *slog.Logger
	CacheBytes int64                                     // budget of what is held in memory; 0: 256 MiB
	Tombstones func() (keep time.Duration, atMost int64) // nil: 90 days, 100,000 a mailbox
}

type Store struct{}

func Open(ctx context.Context, o Options) (*Store, error) { return nil, errNotYet }
func (s *Store) Close() error                             { return nil }
func (s *Store) Account(id AccountID) *Account            { return nil }

func (s *Store) CreateAccountTx(tx *db.Tx, id AccountID) error { return errNotYet }
func (s *Store) RemoveAccountTx(tx *db.Tx, id AccountID) error { return errNotYet }

// SetQuotaTx sets the limits; 0 means none.
func (s *Store) SetQuotaTx(tx *db.Tx, id AccountID, bytes, messages int64) error { return errNotYet }

// Prepared is a message whose bytes are ready to be stored.
type Prepared struct{}

func (p *Prepared) Discard()         {}
func (p *Prepared) Size() int64      { return 0 }
func (p *Prepared) SHA256() [32]byte { return [32]byte{} }

func (s *Store) Prepare(ctx context.Context, c *spool.Content, meta message.Meta) (*Prepared, error) {
	return nil, errNotYet
}

type Target struct {
	Account     AccountID
	Mailbox     string // "": INBOX; one that is missing: INBOX
	Role        string // or a special use, such as "\\Junk"; wins over Mailbox
	Flags       []string
	Prefix      []byte // trace header fields, each with CRLF, joined on reading
	Internal    time.Time
	Once        []byte // idempotency key
	IgnoreQuota bool
}

type Delivered struct {
	Account          AccountID
	MailboxID        int64
	UIDValidity, UID uint32
	Duplicate        bool
}

func (s *Store) DeliverTx(tx *db.Tx, p *Prepared, to []Target) ([]Delivered, error) {
	return nil, errNotYet
}
func (s *Store) Deliver(ctx context.Context, p *Prepared, to []Target) ([]Delivered, error) {
	return nil, errNotYet
}

// RefBlobTx stores the bytes (if they are not there yet) and counts one reference, for the queue.
func (s *Store) RefBlobTx(tx *db.Tx, p *Prepared) (BlobID, error) { return 0, errNotYet }
func (s *Store) ReleaseBlobTx(tx *db.Tx, id BlobID) error         { return errNotYet }
func (s *Store) OpenBlob(ctx context.Context, id BlobID) (Content, error) {
	return nil, errNotYet
}

// Content is stored bytes, checked against their checksum.
type Content interface {
	io.ReaderAt
	Size() int64
	Close() error
}

// MessageContent is a message: its prefix, then the blob.
type MessageContent interface {
	Content
	// PrefixLen is added to the offsets of message.Meta, which count from the start of the blob.
	PrefixLen() int64
}

type Damage struct {
	Account AccountID // 0 when it concerns none or several
	Mailbox string
	UID     uint32
	Blob    BlobID
	What    string
}

type Report struct {
	Checked int
	Damage  []Damage
}

func (s *Store) Verify(ctx context.Context, progress func(done, total int)) (Report, error) {
	return Report{}, errNotYet
}

type Account struct{}

func (a *Account) ID() AccountID { return 0 }

type Mailbox struct {
	ID                                int64
	Name                              string
	UIDValidity, UIDNext              uint32
	HighestModSeq                     uint64
	Messages, Unseen, Deleted         uint32
	Size                              int64
	SpecialUse                        string
	Subscribed, HasChildren, NoSelect bool
}

func (a *Account) Mailboxes(ctx context.Context) ([]Mailbox, error) { return nil, errNotYet }
func (a *Account) Mailbox(ctx context.Context, name string) (Mailbox, error) {
	return Mailbox{}, errNotYet
}
func (a *Account) Subscriptions(ctx context.Context) ([]string, error) { return nil, errNotYet }
func (a *Account) CreateMailbox(ctx context.Context, name, specialUse string) (Mailbox, error) {
	return Mailbox{}, errNotYet
}
func (a *Account) DeleteMailbox(ctx context.Context, name string) error             { return errNotYet }
func (a *Account) RenameMailbox(ctx context.Context, from, to string) error         { return errNotYet }
func (a *Account) Subscribe(ctx context.Context, name string, on bool) error        { return errNotYet }
func (a *Account) SetSpecialUse(ctx context.Context, name, specialUse string) error { return errNotYet }

type AppendItem struct {
	Prepared *Prepared
	Flags    []string
	Internal time.Time
}

func (a *Account) Append(ctx context.Context, mailbox string, items []AppendItem) (uidValidity uint32, uids []uint32, err error) {
	return 0, nil, errNotYet
}

type Quota struct{ UsedBytes, LimitBytes, UsedMessages, LimitMessages int64 }

func (a *Account) Quota(ctx context.Context) (Quota, error) { return Quota{}, errNotYet }

// EventKind is what happened in an account.
type EventKind int

const (
	MailboxCreated EventKind = iota + 1
	MailboxDeleted
	MailboxRenamed
	MailboxChanged // messages or flags in it
	SubscriptionChanged
)

type Event struct {
	Kind    EventKind
	Mailbox Mailbox
	OldName string // of a renamed one
}

func (a *Account) Watch(fn func(Event)) (cancel func()) { return func() {} }

type SelectOptions struct{ ReadOnly bool }

func (a *Account) Select(ctx context.Context, name string, o SelectOptions) (*View, error) {
	return nil, errNotYet
}

// Flags is a set of flags: bits 0–4 the system flags, bits 5–62 the mailbox's keywords.
type Flags uint64

const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
)

type Message struct {
	UID      uint32
	Seq      uint32
	Flags    Flags
	ModSeq   uint64
	Size     int64 // prefix and blob
	Internal time.Time
	ID       int64 // the same for all copies of one delivered message
}

type View struct{}

func (v *View) Mailbox() Mailbox                                { return Mailbox{} }
func (v *View) ReadOnly() bool                                  { return false }
func (v *View) Len() int                                        { return 0 }
func (v *View) UIDs() []uint32                                  { return nil }
func (v *View) Seq(uid uint32) (seq uint32, ok bool)            { return 0, false }
func (v *View) UIDAt(seq uint32) (uid uint32, ok bool)          { return 0, false }
func (v *View) FirstUnseen() (seq uint32, ok bool)              { return 0, false }
func (v *View) HighestModSeq() uint64                           { return 0 }
func (v *View) Flags() []string                                 { return nil }
func (v *View) AppendFlags(dst []byte, f Flags) []byte          { return dst }
func (v *View) FlagNames(f Flags) []string                      { return nil }
func (v *View) FlagBit(name string) (Flags, bool)               { return 0, false }
func (v *View) Notify(fn func())                                {}
func (v *View) Sync(allowExpunge bool) (Update, error)          { return Update{}, errNotYet }
func (v *View) Each(uids []uint32, fn func(Message) bool) error { return errNotYet }
func (v *View) Get(uid uint32) (Message, bool)                  { return Message{}, false }
func (v *View) EachMeta(ctx context.Context, uids []uint32, fn func(Message, message.Meta) bool) error {
	return errNotYet
}
func (v *View) Meta(ctx context.Context, uid uint32) (message.Meta, error)   { return nil, errNotYet }
func (v *View) Open(ctx context.Context, uid uint32) (MessageContent, error) { return nil, errNotYet }
func (v *View) Close()                                                       {}

type Expunge struct{ Seq, UID uint32 }

type Update struct {
	Expunged      []Expunge // in the order to be sent, each Seq valid at its turn
	Vanished      []uint32  // the same UIDs, ascending
	Exists        int       // the new number of messages, -1 when it grew by none
	Changed       []uint32  // UIDs whose flags changed
	FlagsList     bool      // keywords appeared: send FLAGS
	HighestModSeq uint64
}

type StoreMode int

const (
	Set StoreMode = iota
	Add
	Remove
)

type StoreOp struct {
	UIDs           []uint32
	Mode           StoreMode
	Flags          []string
	UnchangedSince uint64 // CONDSTORE; meaningful when Conditional
	Conditional    bool
	Silent         bool // Sync will not report these changes to this view
}

type StoreResult struct {
	Modified []uint32 // failed UNCHANGEDSINCE
	Changed  []uint32
	Missing  []uint32 // expunged by another session
	ModSeq   uint64   // of the changed ones; 0 when nothing changed
}

func (v *View) Store(ctx context.Context, op StoreOp) (StoreResult, error) {
	return StoreResult{}, errNotYet
}

type CopyResult struct {
	UIDValidity uint32
	Src, Dst    []uint32
	ModSeq      uint64 // MOVE: of the source mailbox after it
}

func (v *View) Copy(ctx context.Context, uids []uint32, dest string) (CopyResult, error) {
	return CopyResult{}, errNotYet
}
func (v *View) Move(ctx context.Context, uids []uint32, dest string) (CopyResult, error) {
	return CopyResult{}, errNotYet
}
func (v *View) Expunge(ctx context.Context, uids []uint32) (expunged []uint32, modseq uint64, err error) {
	return nil, 0, errNotYet
}
func (v *View) ChangedSince(ctx context.Context, modseq uint64, uids []uint32) ([]uint32, error) {
	return nil, errNotYet
}
func (v *View) VanishedSince(ctx context.Context, modseq uint64) ([]uint32, error) {
	return nil, errNotYet
}
