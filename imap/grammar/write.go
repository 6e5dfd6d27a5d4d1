package grammar

import "time"

// AppendString writes s as a quoted string when it fits in one (7-bit without NUL, CR, LF,
// not long; with utf8 also UTF-8), else as a literal. RFC 9051 4.3
func AppendString(dst []byte, s string, utf8 bool) []byte { panic("not yet") }

// AppendNString is AppendString with NIL for "".
func AppendNString(dst []byte, s string, utf8 bool) []byte { panic("not yet") }

// AppendAString writes s bare when it is an atom, else as AppendString does.
func AppendAString(dst []byte, s string, utf8 bool) []byte { panic("not yet") }

// AppendLiteralHeader writes "{n}\r\n", or "~{n}\r\n" for a literal8.
func AppendLiteralHeader(dst []byte, n int64, literal8 bool) []byte { panic("not yet") }

// AppendMailbox writes a mailbox name: as UTF-8 when the session is in that mode, else as
// modified UTF-7. RFC 9051 5.1, RFC 3501 5.1.3
func AppendMailbox(dst []byte, name string, utf8 bool) []byte { panic("not yet") }

// AppendFlags writes "(\Seen foo)".
func AppendFlags(dst []byte, flags []string) []byte { panic("not yet") }

// AppendInternalDate writes "17-Jul-1996 02:44:25 -0700" in quotes. RFC 9051 9 (date-time)
func AppendInternalDate(dst []byte, t time.Time) []byte { panic("not yet") }

// AppendFetchItem writes the name under which a response gives the item, such as
// BODY[1.HEADER.FIELDS (SUBJECT)]<0>.
func AppendFetchItem(dst []byte, i FetchItem) []byte { panic("not yet") }

// EncodeUTF7 gives the modified UTF-7 form of a UTF-8 name. RFC 3501 5.1.3
func EncodeUTF7(name string) string { panic("not yet") }

// DecodeUTF7 is the strict inverse: only what EncodeUTF7 gives is accepted.
func DecodeUTF7(s string) (string, error) { panic("not yet") }

// Match reports whether a mailbox name matches a LIST pattern: "*" is anything, "%"
// anything but the separator '/'. INBOX is matched in any case. RFC 9051 6.3.9
func Match(pattern, name string) bool { panic("not yet") }
