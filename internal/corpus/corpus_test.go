package corpus

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"postern/internal/testenv"
)

// all gathers a corpus as "name: body" and the errors as "name! error".
func all(messages iter.Seq2[Message, error]) []string {
	var out []string
	for m, err := range messages {
		if err != nil {
			out = append(out, m.Name+"! "+err.Error())
		} else {
			out = append(out, m.Name+": "+string(m.Body))
		}
	}
	return out
}

func expect(t *testing.T, messages iter.Seq2[Message, error], want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, all(messages)); diff != "" {
		t.Errorf("- wanted, + read\n%s", diff)
	}
}

func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const twoInAnMbox = "From a@example.org Sat Jan  3 01:05:34 1996\nSubject: 1\n\nFrom now on\n>From here\n>>From there\n\n" +
	"From MAILER-DAEMON Fri Jul 08 12:08:34 2011 +0200\r\nSubject: 2\r\n\r\ntext\r\n\r\n"

var inTwo = [2]string{"Subject: 1\n\nFrom now on\nFrom here\n>From there\n", "Subject: 2\r\n\r\ntext\r\n"}

func TestAFolderIsReadInOrderWithoutWhatIsHidden(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"b/2": "two", "b/1": "From x@y Mon\none", "a.eml": "a", ".hidden": "h", ".git/x": "h", "empty": "", "c.mbox": twoInAnMbox,
		"d": twoInAnMbox,
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "b", "link")); err != nil {
		t.Fatal(err)
	}
	_, one, _ := strings.Cut(twoInAnMbox, "\n")
	expect(t, Messages(dir, Limits{}), "a.eml: a", "b/1: one", "b/2: two", "c.mbox/1: "+inTwo[0], "c.mbox/2: "+inTwo[1], "d: "+one)
}

func TestALinkToAFolderIsFollowedIfItIsNamed(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"there/a": "one", "there/b/c": "two"})
	link := filepath.Join(dir, "here")
	if err := os.Symlink("there", link); err != nil {
		t.Fatal(err)
	}
	expect(t, Messages(link, Limits{}), "a: one", "b/c: two")
}

func TestAnMboxThatIsNamedNeedsNoSuffix(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"alice": twoInAnMbox, "late.mbox": "Subject: 0\n\n" + twoInAnMbox})
	expect(t, Messages(filepath.Join(dir, "alice"), Limits{}), "alice/1: "+inTwo[0], "alice/2: "+inTwo[1])
	expect(t, MessagesFrom(strings.NewReader(twoInAnMbox), Limits{}), "1: "+inTwo[0], "2: "+inTwo[1])
	expect(t, Messages(filepath.Join(dir, "late.mbox"), Limits{}), "late.mbox/1: Subject: 0\n", "late.mbox/2: "+inTwo[0], "late.mbox/3: "+inTwo[1])
}

func TestASingleMessageIsGivenAsItIs(t *testing.T) {
	for _, body := range []string{"Subject: x\r\n\r\nbare\rCR\nbare LF\x00", "From: a@b\n\nx", "no header at all"} {
		expect(t, MessagesFrom(strings.NewReader(body), Limits{}), ": "+body)
	}
	expect(t, MessagesFrom(strings.NewReader(""), Limits{}))
}

// tarOf packs name, body, name, body, ….
func tarOf(t testing.TB, nameAndBody ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(nameAndBody); i += 2 {
		h := &tar.Header{Name: nameAndBody[i], Mode: 0o644, Size: int64(len(nameAndBody[i+1])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, nameAndBody[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstded(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

func TestArchivesAreReadAsFolders(t *testing.T) {
	packed := tarOf(t, "./ham/1", "one", "../../spam/2", "two", "ham/.x", "h", "box.mbox", twoInAnMbox)
	want := []string{"ham/1: one", "spam/2: two", "box.mbox/1: " + inTwo[0], "box.mbox/2: " + inTwo[1]}
	for name, b := range map[string][]byte{"a.tar": packed, "a.tar.gz": gzipped(t, packed), "a.tar.zst": zstded(t, packed), "without suffix": packed} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, t.TempDir(), map[string]string{name: string(b)})
			expect(t, Messages(filepath.Join(dir, name), Limits{}), want...)
			within := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
			var inFolder []string
			for _, w := range want {
				inFolder = append(inFolder, within+"/"+w)
			}
			expect(t, Messages(dir, Limits{}), inFolder...)
			expect(t, MessagesFrom(bytes.NewReader(b), Limits{}), want...)
		})
	}
}

func TestACompressedMboxIsAnMbox(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"i.mbox.gz": string(gzipped(t, []byte(twoInAnMbox)))})
	expect(t, Messages(dir, Limits{}), "i.mbox/1: "+inTwo[0], "i.mbox/2: "+inTwo[1])
}

func TestWhatCannotBeReadIsToldAndPassedOver(t *testing.T) {
	whole := gzipped(t, tarOf(t, "x", strings.Repeat("0123456789abcdef", 4096)))
	deep := []byte("deep")
	for range maxDepth + 1 {
		deep = gzipped(t, deep)
	}
	dir := write(t, t.TempDir(), map[string]string{
		"a": "small", "b": strings.Repeat("large ", 20), "c": string(whole[:len(whole)/2]), "d.gz": string(deep),
		"e.mbox": twoInAnMbox + "From x@y Fri Jul 08 12:08:34 2011\n" + strings.Repeat("large ", 20) + "\n\nFrom x@y Fri Jul 08 12:08:34 2011\nend\n", "f": "end",
	})
	var names []string
	for m, err := range Messages(dir, Limits{MessageBytes: 100}) {
		if err != nil {
			names = append(names, m.Name+"!")
		} else {
			names = append(names, m.Name)
		}
	}
	want := []string{"a", "b!", "c/x!", "c!", "d!", "e.mbox/1", "e.mbox/2", "e.mbox/3!", "e.mbox/4", "f"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("- wanted, + read\n%s", diff)
	}
	for _, err := range Messages(filepath.Join(dir, "none"), Limits{}) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a path that is not there: %v", err)
		}
	}
}

func TestTheReadingEndsAtTheLimitAndWhenToldTo(t *testing.T) {
	packed := tarOf(t, "1", "a", "2", "b", "3", "c")
	read := all(MessagesFrom(bytes.NewReader(packed), Limits{Messages: 2}))
	if len(read) != 3 || !strings.HasPrefix(read[2], "3! ") {
		t.Errorf("read %q", read)
	}
	n := 0
	for range MessagesFrom(bytes.NewReader(packed), Limits{}) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("read %d messages", n)
	}
}

func TestNamesTellTheClass(t *testing.T) {
	for name, want := range map[string]string{
		"ham/1": "ham", "easy_ham_2/0001.spam": "ham", "spam_2/x": "spam", "2009/Junk/x": "spam", "hamlet/x": "", "x": "", "spam.tar/ham/1": "ham",
		"enron-spam/ham/0001": "ham", "spam-and-ham/1": "", "spam-and-ham/spam/ham.1": "spam", "2010/ham.1": "ham", "ham/cur/1:2,S": "ham", "ham.mbox/17": "ham",
	} {
		spam, known := Label(name)
		if got := map[[2]bool]string{{true, true}: "spam", {false, true}: "ham"}[[2]bool{spam, known}]; got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func TestTheLastNameOfAPathTellsTheClass(t *testing.T) {
	for path, want := range map[string]string{
		"/srv/spam-filter/easy_ham": "ham", "ham/spam_2/": "spam", "/srv/spam/2009": "spam", "/srv/mail": "", "": "",
	} {
		spam, known := LabelOfPath(path)
		if got := map[[2]bool]string{{true, true}: "spam", {false, true}: "ham"}[[2]bool{spam, known}]; got != want {
			t.Errorf("%s is %q, not %q", path, got, want)
		}
	}
}

func TestPublicCorporaAreReadWhole(t *testing.T) {
	dir := testenv.Testdata(t, "corpus-spamassassin-2002-2003")
	labels := map[string]int{}
	for m, err := range Messages(dir, Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(m.Name, "README.md") {
			continue
		}
		spam, known := Label(m.Name)
		labels[fmt.Sprint(spam, known)]++
		if bytes.HasPrefix(m.Body, []byte("From ")) || len(m.Body) < 100 {
			t.Fatalf("%s begins with %.50q", m.Name, m.Body)
		}
	}
	if labels["true true"] < 100 || labels["false true"] < 100 || labels["false false"] > 0 {
		t.Errorf("read %v", labels)
	}
}

func FuzzCorpus(f *testing.F) {
	f.Add([]byte(twoInAnMbox))
	f.Add(tarOf(f, "a", "b", "c.mbox", twoInAnMbox))
	f.Add(gzipped(f, tarOf(f, "a", "b")))
	f.Add(zstded(f, []byte(twoInAnMbox)))
	f.Add([]byte("BZh91AY&SY"))
	f.Fuzz(func(t *testing.T, b []byte) {
		limits := Limits{MessageBytes: 1 << 10, Messages: 50}
		n := 0
		for m, err := range MessagesFrom(bytes.NewReader(b), limits) {
			if n++; n > 1000 {
				t.Fatal("does not end")
			}
			if err == nil && (int64(len(m.Body)) > limits.MessageBytes || strings.HasPrefix(m.Name, "/") || strings.Contains("/"+m.Name+"/", "/../")) {
				t.Fatalf("%q: %d bytes", m.Name, len(m.Body))
			}
		}
	})
}

func BenchmarkMbox(b *testing.B) {
	text := bytes.Repeat([]byte(twoInAnMbox), 10_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for _, err := range MessagesFrom(bytes.NewReader(text), Limits{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
