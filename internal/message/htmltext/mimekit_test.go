package htmltext

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/internal/testenv"
)

// TestMimeKitTokens compares with the tokens that MimeKit finds in the same documents, NAME.tokens for NAME.html: as many
// start tags and comments, and the same words.
func TestMimeKitTokens(t *testing.T) {
	dir := filepath.Join(testenv.Testdata(t, "mime-mimekit"), "html")
	paths, err := filepath.Glob(filepath.Join(dir, "*.tokens"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tokens: %v", err)
	}
	for _, path := range paths {
		for _, ending := range []string{".html", ".xhtml", ".utf-8.html"} {
			text, err := os.ReadFile(strings.TrimSuffix(path, ".tokens") + ending)
			if err != nil {
				continue
			}
			t.Run(filepath.Base(path)+ending, func(t *testing.T) {
				tokens, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				compareTokens(t, string(text), string(tokens))
			})
		}
	}
}

var tagInText = regexp.MustCompile(`<[a-zA-Z][^>]*>`)

func compareTokens(t *testing.T, text, tokens string) {
	t.Helper()
	var d Document
	if !utf8.ValidString(text) {
		text = fromWindows1252(text)
	}
	lim := Limits{Input: 1 << 30, Visible: 1 << 30, Hidden: 1 << 30}
	if err := d.Scan(strings.NewReader(strings.TrimPrefix(text, "\ufeff")), lim); err != nil {
		t.Fatal(err)
	}
	var words []string
	tags, comments, inside := 0, 0, ""
	for line := range strings.SplitSeq(tokens, "\n") {
		switch {
		case strings.HasPrefix(line, "Tag: </"):
			inside = ""
		case strings.HasPrefix(line, "Tag: <"):
			tags++
			inside, _, _ = strings.Cut(strings.ToLower(line[6:]), " ")
			inside = strings.TrimRight(inside, "/>")
		case strings.HasPrefix(line, "Comment:"):
			comments++
		case strings.HasPrefix(line, "Data: "):
			if inside == "noscript" { // raw text there, since it runs scripts; mail programs do not
				tags += len(tagInText.FindAllString(line, -1))
				line = tagInText.ReplaceAllString(line, "")
			}
			if inside != "script" && inside != "style" && inside != "title" {
				words = append(words, line[6:])
			}
		}
	}
	if d.Tags != tags {
		t.Errorf("%d start tags, theirs %d", d.Tags, tags)
	}
	// Bogus comments, such as <![endif]>, are comments there.
	if d.Comments > comments {
		t.Errorf("%d comments, theirs %d", d.Comments, comments)
	}
	want := letters(strings.NewReplacer(`\n`, " ", `\r`, " ", `\t`, " ", "&nbsp;", " ").Replace(strings.Join(words, " ")))
	got := letters(string(d.Visible) + " " + string(d.Hidden))
	if len(d.Hidden) > 0 { // in another order
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		n := 0
		for n < len(got) && n < len(want) && got[n] == want[n] {
			n++
		}
		t.Errorf("%d letters, theirs %d; different from %d on: %q, theirs %q", len(got), len(want), n,
			string(got[n:min(len(got), n+60)]), string(want[n:min(len(want), n+60)]))
	}
}

func fromWindows1252(text string) string {
	var b strings.Builder
	for i := range len(text) {
		r := rune(text[i])
		if 0x80 <= r && r <= 0x9f {
			r = windows1252[r-0x80]
		}
		b.WriteRune(r)
	}
	return b.String()
}

// letters are the characters of a text without the white space.
func letters(text string) []rune {
	return []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || isBlank(r) || isWidthless(r) }), ""))
}

// TestAllEntitiesOfHTMLAreKnown reads the list of names that browsers know.
func TestAllEntitiesOfHTMLAreKnown(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "mime-mimekit"), "html", "HtmlEntities.json"))
	if err != nil {
		t.Skip("no list of entities in this set")
	}
	var entities map[string]struct{ Characters string }
	if err := json.Unmarshal(b, &entities); err != nil || len(entities) == 0 {
		t.Fatalf("%d entities, %v", len(entities), err)
	}
	for name, want := range entities {
		if !strings.HasSuffix(name, ";") {
			continue
		}
		got := string(scan(t, "x"+name+"y").Visible)
		r, _ := utf8.DecodeRuneInString(want.Characters)
		switch {
		case isWidthless(r) || r < 0x20 && classes[r] == control:
			want.Characters = ""
		case isBlank(r) || r < 0x20:
			want.Characters = " "
		default:
			want.Characters = string(r) // few have a second one, which combines with the first
		}
		if got != "x"+want.Characters+"y" {
			t.Errorf("%s gave %q", name, got)
		}
	}
}
