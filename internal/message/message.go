// Package message turns the bytes of a mail message into what the server must know about it.
package message

import (
	"errors"
	"io"
	"iter"
	"time"
)

// Limits bound the work and memory one message can ask for. A zero field means its default.
type Limits struct {
	HeaderBytes int
	Fields      int
	Depth       int
	Parts       int
	Addresses   int
	Params      int
}

// DefaultLimits are the limits for mail from outside.
var DefaultLimits = Limits{HeaderBytes: 1 << 20, Fields: 5000, Depth: 100, Parts: 1000, Addresses: 1000, Params: 100}

// Message is what one pass over the bytes found out. It keeps no reference to the reader.
type Message struct {
	Header   Header
	Envelope *Envelope
	Root     *Part
	Size     int64

	Has8Bit      bool
	HasNUL       bool
	HasBareCR    bool
	HasBareLF    bool
	HasControl   bool // a control character other than TAB in a field of the message's own header
	HeaderTooBig bool // the message's own header is over Limits.HeaderBytes or Limits.Fields
	Truncated    bool // some limit made a part opaque or cut a list or a text

	ReceivedCount int
}

// Parse reads a message once. It fails only when r fails.
func Parse(r io.ReaderAt, size int64, lim Limits) (*Message, error) { return nil, nil }

// Meta is the compact form of the envelope and the structure.
func (m *Message) Meta() Meta { return nil }

// Field is one header field.
type Field struct {
	Name string // as written, without the colon; empty for a line that is no field
	Raw  []byte // the whole field with its line ends
}

// Value is what follows the colon, unfolded and trimmed.
func (f Field) Value() string { return "" }

// Header is the fields of one header in their order.
type Header struct {
	Fields []Field
}

// ParseHeader reads the fields up to the first empty line. The header refers to b.
func ParseHeader(b []byte) Header { return Header{} }

// Get is the value of the first field of that name, or "". Names are compared without regard to case.
func (h Header) Get(name string) string { return "" }

// All gives all fields of that name.
func (h Header) All(name string) []Field { return nil }

// Count is the number of fields of that name.
func (h Header) Count(name string) int { return 0 }

// Part is one part of the MIME structure. Offsets are those of the message's bytes.
type Part struct {
	HeaderStart, BodyStart, End int64
	HeaderLines, Lines          int64 // line ends in the header, in the body

	Type, Subtype     string // lower case; "text", "plain" when the header names none
	Params            []Param
	ID, Description   string
	Encoding          string // lower case, "" when not given
	MD5               string
	Disposition       string // lower case
	DispositionParams []Param
	Language          []string
	Location          string

	Opaque bool // a multipart or message that was not looked into: a limit, an encoding, no boundary

	Children []*Part   // of a multipart
	Embedded *Part     // of message/rfc822 and message/global: the root of the message inside
	Envelope *Envelope // of message/rfc822 and message/global: the envelope of the message inside
}

// Param is a parameter of Content-Type or Content-Disposition: the name in lower case and as the field has it
// (RFC 2231 continuations such as filename*0* are not joined), the value without quotes.
type Param struct{ Name, Value string }

// Param gives a parameter of the content type with RFC 2231 and RFC 2047 forms decoded to UTF-8.
func (p *Part) Param(name string) string { return "" }

// Filename is the name for saving the part, decoded, or "".
func (p *Part) Filename() string { return "" }

// IsMultipart reports whether the part has children of its own instead of content.
func (p *Part) IsMultipart() bool { return p.Type == "multipart" && !p.Opaque }

// All walks the part and everything below, embedded messages included, in the order of the bytes.
func (p *Part) All() iter.Seq[*Part] { return nil }

// Find gives the part with the IMAP section number path (RFC 9051 6.4.5.1); an empty path is the part itself.
func (p *Part) Find(path []int) (*Part, error) { return nil, nil }

// Envelope is the header as IMAP's ENVELOPE sees it: text unfolded, encoded-words not decoded.
type Envelope struct {
	Date                                            string
	Sent                                            time.Time // Date, parsed; zero when it cannot be
	Subject, InReplyTo, MessageID, References       string
	HasDate, HasSubject, HasInReplyTo, HasMessageID bool      // "" and NIL differ (RFC 9051 7.5.2)
	From, Sender, ReplyTo, To, Cc, Bcc              []Mailbox // Sender and ReplyTo as in the header: no defaults
}

// MailboxKind tells a mailbox from the marks of a group.
type MailboxKind uint8

// Kinds of list members.
const (
	IsAddress  MailboxKind = iota
	GroupStart             // Local is the group's name
	GroupEnd
)

// Mailbox is one member of an address list.
type Mailbox struct {
	Kind                   MailboxKind
	Name, Adl, Local, Host string
}

// Address is local@host in the form of the envelope, quoted where needed.
func (m Mailbox) Address() string { return "" }

// AddressField names an address list of the envelope.
type AddressField uint8

// The address lists.
const (
	From AddressField = iota
	Sender
	ReplyTo
	To
	Cc
	Bcc
)

// Meta is a versioned compact binary form of envelope and structure.
type Meta []byte

// ErrMeta says that the bytes are no Meta.
var ErrMeta = errors.New("message: damaged or unknown meta")

// ErrNoPart says that the message has no such part.
var ErrNoPart = errors.New("message: no such part")

// ErrUnknownEncoding says that a part's Content-Transfer-Encoding is none we know (BINARY: UNKNOWN-CTE).
var ErrUnknownEncoding = errors.New("message: unknown content transfer encoding")

// Decode gives all of it.
func (m Meta) Decode() (*Envelope, *Part, error) { return nil, nil, nil }

// Subject is the raw text of the Subject field; nil when there is none. It shares memory with m, as do all accessors.
func (m Meta) Subject() []byte { return nil }

// SubjectText is the subject decoded to UTF-8, for searching and sorting.
func (m Meta) SubjectText() []byte { return nil }

// AddressText is an address list as UTF-8 text for searching: `Name <local@host>, group: a@b, c@d;`, names decoded.
func (m Meta) AddressText(f AddressField) []byte { return nil }

// FirstAddress gives the local part and the host of the first address of the list, for SORT (RFC 5256).
func (m Meta) FirstAddress(f AddressField) (name, local, host []byte) { return nil, nil, nil }

// MessageID, InReplyTo and References are raw text, for threading.
func (m Meta) MessageID() []byte  { return nil }
func (m Meta) InReplyTo() []byte  { return nil }
func (m Meta) References() []byte { return nil }

// Sent is the Date field in seconds since 1970; ok is false when there is none that can be read.
// Offset is the zone's in seconds east of UTC: SENTBEFORE and kin disregard time and zone (RFC 9051 6.4.4).
func (m Meta) Sent() (unix int64, offset int, ok bool) { return 0, 0, false }

// AppendEnvelope appends IMAP's ENVELOPE.
func (m Meta) AppendEnvelope(dst []byte) []byte { return dst }

// AppendBodyStructure appends IMAP's BODYSTRUCTURE (extended) or BODY.
func (m Meta) AppendBodyStructure(dst []byte, extended bool) []byte { return dst }

// Find gives the part with the IMAP section number path; an empty path gives the root.
func (m Meta) Find(path []int) (*Part, error) { return nil, nil }

// SectionKind is what is asked of a part.
type SectionKind uint8

// Sections (RFC 9051 6.4.5.1).
const (
	SectionBody   SectionKind = iota // BODY[], BODY[1.2]
	SectionHeader                    // HEADER: of the message, or of the message inside part 1.2
	SectionText                      // TEXT: the same, its body
	SectionMIME                      // MIME: the header of part 1.2
)

// Section gives the range of bytes of a section without decoding more than the way to it. ErrNoPart when there is none.
func (m Meta) Section(path []int, what SectionKind) (start, end int64, err error) { return 0, 0, nil }

// FilterHeader appends the fields of header whose names are listed (not: those that are not), and the empty line.
func FilterHeader(dst, header []byte, names []string, not bool) []byte { return dst }

// HeaderScanner walks raw header bytes field by field without allocation.
type HeaderScanner struct{ rest, name, raw, value []byte }

// ScanHeader starts a scanner. It ends at the empty line or at the end of header.
func ScanHeader(header []byte) HeaderScanner { return HeaderScanner{rest: header} }

// Next goes to the next field.
func (s *HeaderScanner) Next() bool { return false }

// Name is the field's name as written, Raw the whole field, AppendValue appends its unfolded, trimmed value.
func (s *HeaderScanner) Name() []byte                  { return s.name }
func (s *HeaderScanner) Raw() []byte                   { return s.raw }
func (s *HeaderScanner) Is(name string) bool           { return false }
func (s *HeaderScanner) AppendValue(dst []byte) []byte { return dst }

// DecodeHeader decodes encoded-words (RFC 2047) to UTF-8.
func DecodeHeader(s string) string { return s }

// ParseAddressList reads an address list (RFC 5322 3.4), at most max members.
func ParseAddressList(s string, max int) []Mailbox { return nil }

// ParseDate reads a Date field (RFC 5322 3.3 and 4.3).
func ParseDate(s string) (time.Time, error) { return time.Time{}, nil }

// KnownEncoding reports whether DecodePart can decode the part.
func (p *Part) KnownEncoding() bool { return true }

// DecodePart reads the content of the part with its transfer encoding undone. With an unknown encoding the first Read
// gives ErrUnknownEncoding.
func DecodePart(p *Part, r io.ReaderAt) io.Reader { return nil }

// DecodedSize is the length of what DecodePart gives.
func DecodedSize(p *Part, r io.ReaderAt) (int64, error) { return 0, nil }

// TextReader reads a text part as UTF-8.
func TextReader(p *Part, r io.ReaderAt) io.Reader { return nil }
