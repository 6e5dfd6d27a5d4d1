package message

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/testenv"
)

// theirEntity is the place of a message or a part in a mailbox file, as MimeKit sees it.
type theirEntity struct {
	Type       string `json:"mimeType"`
	Begin      int64  `json:"beginOffset"`
	HeadersEnd int64  `json:"headersEndOffset"`
	End        int64  `json:"endOffset"`
	Octets     int64
	Lines      int64
	Body       *theirEntity // of a message
	Message    *theirEntity // of message/rfc822
	Children   []theirEntity
}

// TestMimeKitMailboxes compares structure and places of all messages of a mailbox file with what MimeKit finds: for each
// NAME.mbox.txt, with LF and with CRLF, as NAME.unix-offsets.json and NAME.dos-offsets.json say, and NAME-summary.txt.
func TestMimeKitMailboxes(t *testing.T) {
	root := filepath.Join(testenv.Testdata(t, "mime-mimekit"), "mbox")
	found := 0
	for _, path := range filesBelow(t, root, ".mbox.txt") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(path, ".mbox.txt")
		text := strings.ReplaceAll(string(b), "\r\n", "\n")
		for system, text := range map[string]string{"unix": text, "dos": crlf(text)} {
			expected := base + "." + system + "-offsets.json"
			if _, err := os.Stat(expected); err != nil {
				continue
			}
			found++
			t.Run(nameBelow(root, expected), func(t *testing.T) {
				var theirs []theirEntity
				load(t, expected, &theirs)
				var summary strings.Builder
				for i, m := range theirs {
					marker := text[:m.Begin]
					summary.WriteString(strings.TrimRight(marker[strings.LastIndex(marker[:len(marker)-1], "\n")+1:], "\r\n") + "\n")
					// The line end before the next marker belongs to nobody there.
					root := mustParse(t, text[m.Begin:m.End]).Root
					compareEntity(t, root, &theirs[i], m.Begin)
					summarize(&summary, text[m.Begin:m.End])
				}
				if want, err := os.ReadFile(base + "-summary.txt"); err == nil {
					compareSummaries(t, summary.String(), strings.ReplaceAll(string(want), "\r\n", "\n"))
				}
			})
		}
	}
	if found == 0 {
		t.Fatal("no mailbox with expectations")
	}
}

func compareEntity(t *testing.T, p *Part, their *theirEntity, base int64) {
	t.Helper()
	entity := their
	if entity.Body != nil {
		entity = entity.Body
	}
	if got := p.Type + "/" + p.Subtype; got != strings.ToLower(entity.Type) {
		t.Errorf("%s, theirs %s", got, entity.Type)
	}
	if p.BodyStart == p.End && entity.Octets == 0 && p.HeaderStart+base == entity.Begin {
		// A header that ends at a delimiter. The line end before that is the header's for us, and the delimiter's there.
		if d := p.BodyStart + base - entity.HeadersEnd; d < 0 || d > 2 {
			t.Errorf("%s: header [%d, %d), theirs [%d, %d)", outline(p), p.HeaderStart+base, p.BodyStart+base, entity.Begin, entity.HeadersEnd)
		}
		return
	}
	if p.HeaderStart+base != entity.Begin || p.BodyStart+base != entity.HeadersEnd {
		t.Errorf("%s: header [%d, %d), theirs [%d, %d)", outline(p), p.HeaderStart+base, p.BodyStart+base, entity.Begin, entity.HeadersEnd)
	}
	switch {
	case entity.Message != nil:
		if p.Embedded == nil {
			t.Fatalf("%s has no message inside", outline(p))
		}
		compareEntity(t, p.Embedded, entity.Message, base)
	case len(entity.Children) > 0:
		if len(p.Children) != len(entity.Children) {
			t.Fatalf("%s: %d children, theirs %d", outline(p), len(p.Children), len(entity.Children))
		}
		for i, c := range p.Children {
			compareEntity(t, c, &entity.Children[i], base)
		}
	default:
		if p.End+base != entity.End || p.End-p.BodyStart != entity.Octets || p.Lines != entity.Lines {
			t.Errorf("%s: [%d, %d), %d lines, theirs [%d, %d), %d lines", outline(p), p.BodyStart+base, p.End+base, p.Lines,
				entity.HeadersEnd, entity.End, entity.Lines)
		}
	}
}

// summarize writes what MimeKit's summaries have of a message.
func summarize(b *strings.Builder, text string) {
	m, err := Parse(strings.NewReader(text), int64(len(text)), Limits{})
	if err != nil {
		b.WriteString(err.Error())
		return
	}
	for _, name := range []string{"From", "To", "Subject", "Date"} {
		if m.Header.Count(name) > 0 {
			b.WriteString(name + ": " + m.Header.Get(name) + "\n")
		}
	}
	writeTypes(b, m.Root, "")
	b.WriteString("\n")
}

func writeTypes(b *strings.Builder, p *Part, indent string) {
	b.WriteString(indent + "Content-Type: " + p.Type + "/" + p.Subtype + "\n")
	for _, c := range p.Children {
		writeTypes(b, c, indent+"   ")
	}
	if p.Embedded != nil {
		writeTypes(b, p.Embedded, indent+"   ")
	}
}

// compareSummaries compares line by line: addresses and dates by what they mean, everything else as it is.
func compareSummaries(t *testing.T, got, want string) {
	t.Helper()
	ours, theirs := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	if len(ours) != len(theirs) {
		t.Fatalf("summary of %d lines, theirs %d:\n%s", len(ours), len(theirs), got)
	}
	for i := range ours {
		name, value, _ := strings.Cut(ours[i], ":")
		_, their, _ := strings.Cut(theirs[i], ":")
		var same bool
		switch name {
		case "From", "To":
			same = addressWords(value) == addressWords(their)
		case "Subject":
			same = strings.TrimSpace(DecodeHeader(value)) == strings.TrimSpace(their)
		case "Date":
			a, _ := ParseDate(value)
			b, err := ParseDate(their)
			same = err != nil || a.Equal(b)
		default:
			same = strings.TrimRight(ours[i], " ") == strings.TrimRight(theirs[i], " ")
		}
		if !same {
			t.Errorf("line %d: %q, theirs %q", i+1, ours[i], theirs[i])
		}
	}
}

func addressWords(field string) string {
	var words []string
	for _, m := range ParseAddressList(field, 1000) {
		words = append(words, DecodeHeader(m.Name)+"<"+m.Local+"@"+m.Host+">")
	}
	return strings.Join(words, ",")
}
