package dkim_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"postern/dkim"
	"postern/internal/mailauth/authres"
	"postern/internal/message"
	"postern/internal/testenv"
)

// arcDocument is one YAML document of the suite: of validation cases, or of signing cases when it has a key.
type arcDocument struct {
	Description string             `yaml:"description"`
	Tests       map[string]arcCase `yaml:"tests"`
	Records     map[string]string  `yaml:"txt-records"`
	Domain      string             `yaml:"domain"`
	Selector    string             `yaml:"sel"`
	PrivateKey  string             `yaml:"privatekey"`
}

type arcCase struct {
	Message string  `yaml:"message"`
	CV      *string `yaml:"cv"`
	// Of signing cases.
	Time    int64  `yaml:"t"`
	Headers string `yaml:"sig-headers"`
	ID      string `yaml:"srv-id"`
	AS      string `yaml:"AS"`
	AMS     string `yaml:"AMS"`
	AAR     string `yaml:"AAR"`
}

// TestARCSuite runs every case of every document of the suite's folder.
func TestARCSuite(t *testing.T) {
	files := testenv.Files(t, testenv.Testdata(t, "arc-valimail"), ".yml", ".yaml")
	validated, signed := 0, 0
	for _, file := range files {
		for _, doc := range arcDocuments(t, file) {
			z := zone{}
			for name, text := range doc.Records {
				z[strings.ToLower(name)] = []string{text}
			}
			t.Run(strings.ReplaceAll(strings.TrimSpace(doc.Description), " ", "_"), func(t *testing.T) {
				for name, c := range doc.Tests {
					c.Message = strings.ReplaceAll(c.Message, "\n", "\r\n")
					if doc.PrivateKey != "" {
						signed++
						t.Run(name, func(t *testing.T) { c.sign(t, doc.key(t), z) })
					} else {
						validated++
						t.Run(name, func(t *testing.T) { c.validate(t, z) })
					}
				}
			})
		}
	}
	if validated+signed == 0 {
		t.Fatal("the folder holds no case")
	}
	t.Logf("%d validation and %d signing cases of %d files", validated, signed, len(files))
}

func arcDocuments(t *testing.T, file string) []arcDocument {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []arcDocument
	for d := yaml.NewDecoder(f); ; {
		var doc arcDocument
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, doc)
	}
}

func (d arcDocument) key(t *testing.T) *dkim.Key {
	t.Helper()
	block, _ := pem.Decode([]byte(d.PrivateKey))
	if block == nil {
		t.Fatal("the private key is no PEM")
	}
	var private any
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dkim.KeyOf(d.Domain, d.Selector, private.(*rsa.PrivateKey))
}

// validate holds the result to cv; an empty one means a chain that was sealed as failed.
func (c arcCase) validate(t *testing.T, z zone) {
	got := verifyARC(t, c.Message, z)
	want := dkim.ResultFail
	if c.CV != nil && *c.CV != "" {
		want = dkim.Result(strings.ToLower(*c.CV))
	}
	if got.Result != want {
		t.Errorf("%s (%s), want %s", got.Result, got.Reason, want)
	}
}

func verifyARC(t testing.TB, content string, z zone) dkim.Chain {
	t.Helper()
	chain, err := dkim.VerifyARC(t.Context(), strings.NewReader(content), int64(len(content)), z.lookup, now)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// sign seals with the results that the message's own Authentication-Results fields of that server hold, and compares tag
// by tag. An RSA signature has one value, so b= must be the same too, unless the tags stand in another order or are folded
// elsewhere; then only that it verifies is asked.
func (c arcCase) sign(t *testing.T, key *dkim.Key, z zone) {
	s := dkim.Sealing{Key: key, Arrived: verifyARC(t, c.Message, z), Results: c.results(), Time: time.Unix(c.Time, 0)}
	s.Headers = strings.Split(squeeze(c.Headers), ":")
	set, err := dkim.Seal(strings.NewReader(c.Message), int64(len(c.Message)), s)
	if c.AS == "" && c.AMS == "" && c.AAR == "" {
		if !errors.Is(err, dkim.ErrNoSeal) {
			t.Errorf("%q, %v, want no seal", set, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	h := message.ParseHeader(set)
	if len(h.Fields) != 3 {
		t.Fatalf("%d fields: %q", len(h.Fields), set)
	}
	ours, theirAMS := h.Get("ARC-Message-Signature"), c.AMS
	if unsigned(ours) != unsigned(c.AMS) {
		ours, theirAMS = unsigned(ours), unsigned(c.AMS)
	}
	same(t, "ARC-Message-Signature", ours, theirAMS)
	// The seal is over the fields as they stand, and where they are folded is the sealer's choice: its b= is verified, not
	// compared.
	same(t, "ARC-Seal", unsigned(h.Get("ARC-Seal")), unsigned(c.AS))
	if got, want := strings.TrimSuffix(squeeze(h.Get("ARC-Authentication-Results")), ";"), strings.TrimSuffix(squeeze(c.AAR), ";"); got != want {
		t.Errorf("ARC-Authentication-Results:\n got %s\nwant %s", got, want)
	}
	// The suite sealed before it folded the b= of the message signature.
	ams := withoutB.ReplaceAllStringFunc(c.AMS, squeeze)
	theirs := "ARC-Seal: " + folded(c.AS) + "ARC-Message-Signature: " + folded(ams) + "ARC-Authentication-Results: " + folded(c.AAR)
	if after := verifyARC(t, theirs+c.Message, z); s.Arrived.Result == dkim.ResultNone && after.Result != dkim.ResultPass {
		t.Errorf("the suite's own set: %s (%s)", after.Result, after.Reason)
	}
	if after := verifyARC(t, string(set)+c.Message, z); after.Result != dkim.ResultPass && s.Arrived.Result != dkim.ResultFail {
		t.Errorf("the sealed message: %s (%s)", after.Result, after.Reason)
	}
}

// results joins what the Authentication-Results fields of the server say.
func (c arcCase) results() string {
	joined := c.ID
	for _, field := range message.ParseHeader([]byte(c.Message)).All("Authentication-Results") {
		raw, _ := strings.CutPrefix(string(field.Raw), field.Name+":")
		// What cannot be read of a field is for those further on to judge.
		if f, _ := authres.Parse(raw); strings.EqualFold(f.ID, c.ID) {
			_, results, _ := strings.Cut(strings.TrimRight(raw, " \t\r\n"), ";")
			joined += ";" + results
		}
	}
	return joined
}

func folded(value string) string {
	return strings.ReplaceAll(strings.TrimSpace(value), "\n", "\r\n ") + "\r\n"
}

func same(t *testing.T, name, got, want string) {
	t.Helper()
	a, b := tagsOf(got), tagsOf(want)
	for tag, value := range b {
		if a[tag] != value {
			t.Errorf("%s: %s=%s, want %s", name, tag, a[tag], value)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: %v, want %v", name, a, b)
	}
}

func tagsOf(value string) map[string]string {
	tags := map[string]string{}
	for tag := range strings.SplitSeq(squeeze(value), ";") {
		if name, text, ok := strings.Cut(tag, "="); ok {
			tags[name] = text
		}
	}
	return tags
}

// unsigned is a signature without its b=, white space as relaxed canonicalization has it.
func unsigned(value string) string {
	return strings.TrimSpace(white.ReplaceAllString(withoutB.ReplaceAllString(value, "b=;"), " "))
}

var withoutB = regexp.MustCompile(`\bb=[^;]*;`)

var white = regexp.MustCompile(`\s+`)

func squeeze(s string) string { return white.ReplaceAllString(s, "") }
