package message

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"postern/internal/address"
	"postern/internal/testenv"
)

// theirMessage is the tree that mail-parser makes of a message, as far as it is compared.
type theirMessage struct {
	Parts []theirPart
}

type theirPart struct {
	Headers []struct {
		Name  any // a string, or {"other": name}
		Value json.RawMessage
	}
	Body json.RawMessage
}

// theirBody is one of these.
type theirBody struct {
	Text, Html           *string
	Binary, InlineBinary []int
	Message              *theirMessage
	Multipart            []int
}

// TestMailParserSamples compares what we find in each message with what mail-parser finds, part by part: types and
// parameters, subject, addresses, dates, identifiers, and the decoded bytes and texts. We differ on purpose:
//
//   - Bytes that are no text of their charset are U+FFFD there; we take them for Windows-1252 (sameText).
//   - An unknown transfer encoding, and base64 that is none, leave the bytes as they are there. Our DecodePart refuses the
//     first, since IMAP must say so (RFC 3516 4.3), and ignores what is no base64, as RFC 2045 6.8 says (compareBytes).
//   - A message inside that is itself encoded is taken apart there. RFC 2045 6.4 forbids that; we leave it a leaf, because
//     IMAP's sections must be ranges of the bytes (comparePart). What is decoded from it must be the same message.
//   - Comments within a name belong to it there; we leave them out (sameAddress).
func TestMailParserSamples(t *testing.T) {
	root := filepath.Join(testenv.Testdata(t, "mime-mail-parser"), "eml")
	found := 0
	for _, path := range filesBelow(t, root, ".eml") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		asCRLF := crlf(strings.ReplaceAll(string(b), "\r\n", "\n"))
		for suffix, text := range map[string]string{".json": strings.ReplaceAll(string(b), "\r", ""), ".crlf.json": asCRLF} {
			expected := strings.TrimSuffix(path, ".eml") + suffix
			if _, err := os.Stat(expected); err != nil {
				continue
			}
			found++
			t.Run(nameBelow(root, expected), func(t *testing.T) {
				var theirs theirMessage
				load(t, expected, &theirs)
				compareMessage(t, text, mustParse(t, text).Root, &theirs)
			})
		}
	}
	if found == 0 {
		t.Fatal("no samples")
	}
}

// filesBelow gives the paths of all files in a folder whose names end so.
func filesBelow(t testing.TB, root, ending string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ending) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func nameBelow(root, path string) string {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	return name
}

func compareMessage(t *testing.T, text string, root *Part, theirs *theirMessage) {
	t.Helper()
	if len(theirs.Parts) > 0 {
		comparePart(t, text, root, theirs, 0)
	}
}

func comparePart(t *testing.T, text string, p *Part, theirs *theirMessage, index int) {
	t.Helper()
	their := theirs.Parts[index]
	h := ParseHeader([]byte(text[p.HeaderStart:p.BodyStart]))
	for _, field := range their.Headers {
		if name, ok := field.Name.(string); ok {
			compareField(t, h, p, name, field.Value)
		}
	}
	var body theirBody
	if err := json.Unmarshal(their.Body, &body); err != nil {
		t.Fatal(err)
	}
	switch {
	case body.Multipart != nil:
		if len(p.Children) != len(body.Multipart) {
			t.Fatalf("%s: %d children, theirs %d", outline(p), len(p.Children), len(body.Multipart))
		}
		for i, child := range body.Multipart {
			comparePart(t, text, p.Children[i], theirs, child)
		}
	case body.Message != nil:
		if p.isMessage() && p.isEncoded() {
			inside, err := io.ReadAll(DecodePart(p, strings.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			compareMessage(t, string(inside), mustParse(t, string(inside)).Root, body.Message)
			return
		}
		if p.Embedded == nil {
			t.Fatalf("%s: no message inside", outline(p))
		}
		compareMessage(t, text, p.Embedded, body.Message)
	case body.Text != nil:
		compareBytes(t, text, p, []byte(*body.Text), true)
	case body.Html != nil:
		compareBytes(t, text, p, []byte(*body.Html), true)
	default:
		want := make([]byte, 0)
		for _, b := range slices.Concat(body.Binary, body.InlineBinary) {
			want = append(want, byte(b))
		}
		compareBytes(t, text, p, want, false)
	}
}

// compareBytes compares what a leaf holds, as text or as it is.
func compareBytes(t *testing.T, text string, p *Part, want []byte, isText bool) {
	t.Helper()
	raw := body(text, p)
	r := DecodePart(p, strings.NewReader(text))
	if isText || !p.KnownEncoding() {
		r = TextReader(p, strings.NewReader(text))
	}
	got, err := io.ReadAll(r)
	switch {
	case err != nil:
		t.Errorf("%s (%s): %v", outline(p), p.Encoding, err)
	case isText && sameText(string(got), string(want)) || bytes.Equal(got, want):
	case p.Encoding == "base64" && strings.ContainsAny(raw, " .-") && raw == string(want):
	default:
		t.Errorf("%s (%s, %s): %q, theirs\n%q", outline(p), p.Encoding, p.Param("charset"), got, want)
	}
}

// sameText compares texts; where theirs has U+FFFD, ours may have any character beyond ASCII.
func sameText(got, want string) bool {
	if !strings.ContainsRune(want, utf8.RuneError) {
		return got == want
	}
	ours := []rune(got)
	for _, r := range want {
		if len(ours) == 0 || r != ours[0] && (r != utf8.RuneError || ours[0] < utf8.RuneSelf) {
			return false
		}
		ours = ours[1:]
	}
	return len(ours) == 0
}

// compareField compares one header field with its meaning for mail-parser.
func compareField(t *testing.T, h Header, p *Part, name string, value json.RawMessage) {
	t.Helper()
	switch name {
	case "subject":
		var v struct{ Text string }
		json.Unmarshal(value, &v)
		if got := DecodeHeader(h.Get("Subject")); !sameText(got, v.Text) {
			t.Errorf("subject %q, theirs %q", got, v.Text)
		}
	case "message_id", "content_id":
		var v struct{ Text string }
		json.Unmarshal(value, &v)
		field := strings.NewReplacer("message_id", "Message-ID", "content_id", "Content-ID").Replace(name)
		if got := strings.Trim(h.Get(field), "<> "); v.Text != "" && got != v.Text {
			t.Errorf("%s %q, theirs %q", name, got, v.Text)
		}
	case "date":
		var v struct{ DateTime *theirDate }
		json.Unmarshal(value, &v)
		if v.DateTime == nil {
			return
		}
		got, err := ParseDate(h.Get("Date"))
		if want := v.DateTime.time(); err != nil || !got.Equal(want) {
			t.Errorf("date %q is %v, %v, theirs %v", h.Get("Date"), got, err, want)
		}
	case "from", "to", "cc", "sender", "reply_to":
		var v struct{ Address theirAddresses }
		json.Unmarshal(value, &v)
		compareAddresses(t, h.Get(strings.ReplaceAll(name, "_", "-")), v.Address)
	case "content_type":
		var v struct{ ContentType theirType }
		json.Unmarshal(value, &v)
		v.ContentType.compare(t, p.Type, p.Subtype, p.Params)
	case "content_disposition":
		var v struct{ ContentType theirType }
		json.Unmarshal(value, &v)
		v.ContentType.compare(t, p.Disposition, "", p.DispositionParams)
	}
}

type theirDate struct {
	Year, Month, Day, Hour, Minute, Second int
	Before                                 bool `json:"tz_before_gmt"`
	ZoneHour                               int  `json:"tz_hour"`
	ZoneMinute                             int  `json:"tz_minute"`
}

func (d *theirDate) time() time.Time {
	zone := d.ZoneHour*3600 + d.ZoneMinute*60
	if d.Before {
		zone = -zone
	}
	return time.Date(d.Year, time.Month(d.Month), d.Day, d.Hour, d.Minute, d.Second, 0, time.FixedZone("", zone))
}

// theirAddresses is a list of mailboxes, or of groups.
type theirAddresses struct {
	List  []theirMailbox
	Group []struct {
		Name      string
		Addresses []theirMailbox
	}
}

type theirMailbox struct{ Name, Address string }

func compareAddresses(t *testing.T, field string, want theirAddresses) {
	t.Helper()
	all := want.List
	for _, g := range want.Group {
		all = append(all, g.Addresses...)
	}
	var got []theirMailbox
	for _, m := range ParseAddressList(field, 1000) {
		if m.Kind == IsAddress {
			got = append(got, theirMailbox{DecodeHeader(m.Name), m.Address()})
		}
	}
	all = slices.DeleteFunc(all, func(m theirMailbox) bool { // a comment alone
		return m.Address == "" && strings.Contains(field, "("+m.Name)
	})
	if stray := strings.Count(field, ")") > strings.Count(field, "("); stray { // what the names are, nobody knows
		for i := range got {
			got[i].Name = ""
		}
	}
	if !slices.EqualFunc(got, all, sameAddress) {
		t.Errorf("addresses of %q: %q, theirs %q", field, got, all)
	}
}

var (
	comment = regexp.MustCompile(` *\(.*\)`)
	blanks  = regexp.MustCompile(`\s`)
)

// sameAddress compares mailboxes. Source routes and white space are part of the address there. What stands behind an address
// is its name there, and junk to us.

func sameAddress(ours, theirs theirMailbox) bool {
	if theirs.Address == "" { // one word is a name there, and a local part here
		return ours.Name+ours.Address == theirs.Name
	}
	theirAddress := blanks.ReplaceAllString(theirs.Address, "")
	if route := strings.LastIndexByte(theirAddress, ':'); route > 0 && theirAddress[0] == '@' {
		theirAddress = theirAddress[route+1:]
	}
	return ours.Address == theirAddress && (ours.Name == "" || sameText(ours.Name, theirs.Name) || ours.Name == comment.ReplaceAllString(theirs.Name, ""))
}

type theirType struct {
	Type       string  `json:"c_type"`
	Subtype    *string `json:"c_subtype"`
	Attributes []struct{ Name, Value string }
}

func (want *theirType) compare(t *testing.T, major, minor string, params []Param) {
	t.Helper()
	if want.Type != "" && major != strings.ToLower(want.Type) {
		t.Errorf("type %q, theirs %q", major, want.Type)
	}
	if want.Subtype != nil {
		if their, _, _ := strings.Cut(strings.ToLower(*want.Subtype), "/"); minor != their {
			t.Errorf("subtype %q, theirs %q", minor, their)
		}
	}
	for _, a := range want.Attributes {
		if strings.HasSuffix(a.Name, "-language") {
			continue // of RFC 2231, which nobody uses
		}
		if got := paramValue(params, strings.ToLower(a.Name)); !sameText(blanks.ReplaceAllString(got, ""), blanks.ReplaceAllString(a.Value, "")) {
			t.Errorf("parameter %s %q, theirs %q", a.Name, got, a.Value)
		}
	}
}

// headerCases reads single fields and what they mean, and gives each to run as a field's unfolded value.
func headerCases[T any](t *testing.T, name string, run func(t *testing.T, value string, want *T)) {
	var cases []struct {
		Header   string
		Expected *T
	}
	load(t, filepath.Join(testenv.Testdata(t, "mime-mail-parser"), "headers", name), &cases)
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	for i, c := range cases {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			h := ParseHeader([]byte("Name:" + c.Header)) // what follows the field is not part of it
			run(t, h.Get("Name"), c.Expected)
		})
	}
}

var dateField = regexp.MustCompile(`(?i)^\s*([a-z]+\s*(\(.*\))?,)?\s*\d+[- ]\s*[a-z]{3}`)

// TestMailParserDates compares dates that begin as one: mail-parser also finds one in the middle of a Received field, and
// takes numbers for months.
func TestMailParserDates(t *testing.T) {
	headerCases(t, "date.json", func(t *testing.T, value string, want *theirDate) {
		got, err := ParseDate(value)
		if want == nil || !dateField.MatchString(value) {
			return
		}
		if err != nil || !got.Equal(want.time()) {
			t.Errorf("%q: %v, %v, theirs %v", value, got, err, want.time())
		}
	})
}

// TestMailParserAddresses leaves out the fields that have URLs in their brackets: List-Archive and its kin.
func TestMailParserAddresses(t *testing.T) {
	headerCases(t, "address.json", func(t *testing.T, value string, want *theirAddresses) {
		if want != nil && !strings.Contains(value, "://") && !strings.Contains(value, "mailto:") {
			compareAddresses(t, value, *want)
		}
	})
}

var wildParameter = regexp.MustCompile(`\*\*|\*\d{4}|\d \*`)

// TestMailParserTypes compares types and parameters. White space is left out, since it stays between encoded-words in quotes
// there and may stand at the end of a field. Names that RFC 2231 does not allow, and pieces behind a gap, are guessed there.
func TestMailParserTypes(t *testing.T) {
	headerCases(t, "content_type.json", func(t *testing.T, value string, want *struct {
		Type       string  `json:"c_type"`
		Subtype    *string `json:"c_subtype"`
		Attributes [][2]string
	}) {
		m := mustParse(t, "Content-Type: "+value+"\r\n\r\n")
		if want == nil || want.Subtype == nil || wildParameter.MatchString(value) {
			return
		}
		their := theirType{Type: want.Type, Subtype: want.Subtype}
		for _, a := range want.Attributes {
			their.Attributes = append(their.Attributes, struct{ Name, Value string }{a[0], a[1]})
		}
		their.compare(t, m.Root.Type, m.Root.Subtype, m.Root.Params)
	})
}

func TestMailParserIdentifiers(t *testing.T) {
	headerCases(t, "id.json", func(t *testing.T, value string, want *[]string) {
		if want == nil {
			return
		}
		m := mustParse(t, "References: "+value+"\r\n\r\n")
		for _, id := range *want {
			if !strings.Contains(m.Envelope.References, id) {
				t.Errorf("%q: %q has no %q", value, m.Envelope.References, id)
			}
		}
	})
}

func TestMailParserLists(t *testing.T) {
	headerCases(t, "list.json", func(t *testing.T, value string, want *[]string) {
		got := strings.Join(strings.Fields(DecodeHeader(value)), " ")
		for _, item := range *want {
			if !strings.Contains(got, item) {
				t.Errorf("%q: %q has no %q", value, got, item)
			}
		}
	})
}

// TestAddressesOfTheEnvelopeAreReadInHeaders holds the two readers of addresses together: what the strict one takes, the
// lenient one reads as the same address.
func TestAddressesOfTheEnvelopeAreReadInHeaders(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "address-isemail"), "tests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, match := range regexp.MustCompile(`<address>(.*?)</address>`).FindAllStringSubmatch(string(b), -1) {
		text := html.UnescapeString(match[1])
		list := ParseAddressList(text, 10)
		a, err := address.Parse(text)
		if err != nil {
			continue
		}
		found++
		if len(list) != 1 || list[0].Malformed || !strings.EqualFold(list[0].Address(), address.Address{Local: a.Local, Domain: list[0].Host}.String()) {
			t.Errorf("%q: %+v, want %v", text, list, a)
		}
	}
	if found == 0 {
		t.Fatal("no addresses")
	}
}
