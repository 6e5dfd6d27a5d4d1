package autoreply

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/testenv"
)

// stranger is the reverse-path of broken mail servers, that send notices as if a person had written them.
var stranger = address.Address{Local: "someone", Domain: "sender.example"}

func parse(t testing.TB, text []byte) *message.Message {
	t.Helper()
	m, err := message.Parse(bytes.NewReader(text), int64(len(text)), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// withoutFrom takes the "From " line of a mailbox file off.
func withoutFrom(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("From ")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

// readAll reads the files of a folder of test data.
func readAll(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, %v", len(files), root, err)
	}
	return files
}

// TestNoBounceIsAnswered reads the bounces that many mail systems wrote: none may be answered, neither with the null
// reverse-path that they should have come with nor with another, neither by header and structure alone nor with the text.
func TestNoBounceIsAnswered(t *testing.T) {
	root := filepath.Join(testenv.Testdata(t, "bounce-sisimai"), "bounce")
	for path, text := range readAll(t, root) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text := withoutFrom(text)
			m := parse(t, text)
			for _, from := range []address.Address{{}, stranger} {
				for _, content := range []io.ReaderAt{nil, bytes.NewReader(text)} {
					if ok, _ := May(m, from, Options{Content: content}); ok {
						t.Errorf("answered with reverse-path <%s>, text %v", from, content != nil)
					}
				}
				if ok, _ := MayNotify(m, from); ok && from.IsZero() {
					t.Errorf("notified")
				}
			}
		})
	}
}

// TestNoNoticeOfOthersIsAnswered reads the notices, receipts and complaints among MimeKit's messages, and the mail of the
// report samples: what has a report's part, and every mail with a report attached.
func TestNoNoticeOfOthersIsAnswered(t *testing.T) {
	files := readAll(t, filepath.Join(testenv.Testdata(t, "mime-mimekit"), "messages"))
	for path, text := range readAll(t, testenv.Testdata(t, "dmarc-tlsrpt-arf-reports")) {
		if strings.HasSuffix(path, ".eml") {
			files[path] = text
		}
	}
	found := map[Kind]int{}
	for path, text := range files {
		text = withoutFrom(text)
		lower := bytes.ToLower(text)
		isReport := bytes.Contains(lower, []byte("multipart/report")) || bytes.Contains(lower, []byte("message/feedback-report")) ||
			strings.Contains(path, "tlsrpt-arf-reports")
		if !isReport {
			continue
		}
		m := parse(t, text)
		kind, reason := Classify(m, bytes.NewReader(text))
		found[kind]++
		for _, from := range []address.Address{{}, stranger} {
			if ok, _ := May(m, from, Options{}); ok {
				t.Errorf("%s (%s: %s) is answered with reverse-path <%s>", path, kind, reason, from)
			}
		}
	}
	for _, kind := range []Kind{Bounce, Receipt, Complaint, Report} {
		if found[kind] == 0 {
			t.Errorf("no %s among %v", kind, found)
		}
	}
	t.Log(found)
}

// corpusMessages gives the messages of a folder of the corpus to f.
func corpusMessages(t *testing.T, f func(folder, name string, text []byte)) {
	t.Helper()
	archive, err := os.Open(filepath.Join(testenv.Testdata(t, "corpus-spamassassin-2002-2003"), "spamassassin-public-corpus.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	z, err := zstd.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f(filepath.Base(filepath.Dir(h.Name)), filepath.Base(h.Name), withoutFrom(text))
	}
}

// TestMailOfListsIsNotAnsweredAndThatOfPeopleIs reads the ham of the SpamAssassin corpus: whatever says that it came through
// a list is not answered, and most of what says nothing of the kind, and is of a person, is.
func TestMailOfListsIsNotAnsweredAndThatOfPeopleIs(t *testing.T) {
	lists, people, silent := 0, 0, map[string]int{}
	corpusMessages(t, func(folder, name string, text []byte) {
		if !strings.Contains(folder, "ham") {
			return
		}
		m := parse(t, text)
		ok, reason := May(m, stranger, Options{Content: bytes.NewReader(text)})
		isList := false
		for _, f := range m.Header.Fields {
			value := strings.ToLower(f.Value())
			isList = isList || len(f.Name) > 5 && strings.EqualFold(f.Name[:5], "list-") ||
				strings.EqualFold(f.Name, "Precedence") && (strings.HasPrefix(value, "bulk") || strings.HasPrefix(value, "list") || strings.HasPrefix(value, "junk"))
		}
		switch {
		case isList && ok:
			t.Errorf("%s/%s of a list is answered", folder, name)
		case isList:
			lists++
		case ok:
			people++
		default:
			reason, _, _ = strings.Cut(reason, ":")
			silent[reason]++
		}
	})
	if lists == 0 || people == 0 {
		t.Errorf("%d messages of lists, %d answered", lists, people)
	}
	t.Logf("%d of lists; of the others %d are answered, and these not: %v", lists, people, silent)
}

const letter = "From: Alice Example <alice@sender.example>\r\nTo: Bob <bob@here.example>\r\nSubject: Lunch?\r\n\r\nShall we?\r\n"

// TestWhatMayBeAnswered goes through the rules one by one: each field is added to a letter that may be answered.
func TestWhatMayBeAnswered(t *testing.T) {
	for field, want := range map[string]Kind{
		"":                                      Personal,
		"Auto-Submitted: no":                    Personal,
		"Auto-Submitted: No (really)":           Personal,
		"Precedence: first-class":               Personal,
		"Content-Type: multipart/mixed":         Personal,
		"Sender: bob.requester@here.example":    Personal,
		"Sender: noreen@here.example":           Personal,
		"Return-Path: <alice@sender.example>":   Personal,
		"Auto-Submitted: auto-replied":          AutoReply,
		"Auto-Submitted: auto-generated; x=y":   Automatic,
		"auto-submitted: auto-notified":         Automatic,
		"Precedence: BULK":                      List,
		"Precedence: junk":                      List,
		"Precedence: list (x)":                  List,
		"Precedence: auto_reply":                AutoReply,
		"List-Id: <x.example>":                  List,
		"List-Unsubscribe: <mailto:x@y>":        List,
		"Mailing-List: contact x@y":             List,
		"X-Loop: x":                             Automatic,
		"X-Autoreply: yes":                      AutoReply,
		"X-Autorespond: x":                      AutoReply,
		"X-Failed-Recipients: x@y":              Bounce,
		"TLS-Report-Domain: here.example":       Report,
		"Return-Path: <>":                       Bounce,
		"Sender: MAILER-DAEMON@sender.example":  Bounce,
		"Sender: postmaster@sender.example":     Bounce,
		"Sender: owner-x@lists.example":         List,
		"Sender: x-request@lists.example":       List,
		"Sender: x-bounces@lists.example":       List,
		"Sender: no-reply@shop.example":         Automatic,
		"Sender: DoNotReply@shop.example":       Automatic,
		"Sender: Mail Delivery System <x@y.zz>": Bounce,
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b":          Bounce,
		"Content-Type: multipart/report; report-type=disposition-notification; boundary=b": Receipt,
		"Content-Type: multipart/report; report-type=feedback-report; boundary=b":          Complaint,
		"Content-Type: multipart/report; report-type=tlsrpt; boundary=b":                   Report,
		"Content-Type: message/disposition-notification":                                   Receipt,
	} {
		text := letter
		if field != "" {
			text = field + "\r\n" + letter
		}
		m := parse(t, []byte(text))
		kind, reason := Classify(m, strings.NewReader(text))
		if kind != want {
			t.Errorf("%s: %q (%s), want %q", field, kind, reason, want)
		}
		if ok, why := May(m, stranger, Options{}); ok != (want == Personal) || ok != (why == "") {
			t.Errorf("%s: answered %v, %s", field, ok, why)
		}
		if ok, why := MayNotify(m, stranger); ok == want.IsNotice() {
			t.Errorf("%s: notified %v, %s", field, ok, why)
		}
	}
}

func TestReportsAreKnownByTheirSubjects(t *testing.T) {
	for subject, want := range map[string]Kind{
		"Report Domain: here.example Submitter: far.example Report-ID: <1>":                  Report,
		"[Preview] Report Domain: here.example Submitter: far.example Report-ID: 1":          Report,
		"Dmarc Aggregate Report Domain: {here.example}  Submitter: {far} Date: {2026-11-23}": Report,
		"Re: Report Domain: here.example Submitter: far.example Report-ID: <1>":              Personal,
		"Your report about the domain of economics":                                          Personal,
	} {
		m := parse(t, []byte(strings.Replace(letter, "Lunch?", subject, 1)))
		if kind, reason := Classify(m, nil); kind != want {
			t.Errorf("%s: %q (%s), want %q", subject, kind, reason, want)
		}
	}
}

func TestReversePathsThatAreNoPersonsAreNotAnswered(t *testing.T) {
	m := parse(t, []byte(letter))
	for local, want := range map[string]bool{
		"alice": true, "alice.bounce": true, "alice+tag": true, "request": true, "a=b": true, "owner": true,
		"SRS0=HHH=TT=other.example=alice": true, "prvs=1234abcd=alice": true,
		"": false, "MAILER-DAEMON": false, "Mailer_Daemon": false, "postmaster": false, "owner-list": false, "list-request": false,
		"list-bounces": false, "list-bounces+bob=here.example": false, "list-return-17-bob=here.example": false,
		"bounce+abc": false, "bounces-17": false, "news+bob=here.example": false, "noreply": false, "do_not_reply": false, "no.reply.shop": false,
		"SRS0=HHH=TT=lists.example=list-bounces": false, "SRS1=H=f.example==HHH=TT=o.example=mailer-daemon": false, "listserv": false,
	} {
		from := address.Address{Local: local, Domain: "sender.example"}
		if local == "" {
			from = address.Address{}
		}
		if ok, reason := May(m, from, Options{}); ok != want {
			t.Errorf("%s: %v (%s), want %v", local, ok, reason, want)
		}
	}
}

func TestOnlyTheOneWhomTheMailIsAddressedToAnswers(t *testing.T) {
	bob, carol := address.Address{Local: "BOB", Domain: "here.example"}, address.Address{Local: "carol", Domain: "here.example"}
	for _, c := range []struct {
		header string
		person []address.Address
		want   bool
	}{
		{"", nil, true},
		{"", []address.Address{bob}, true},
		{"", []address.Address{carol}, false},
		{"", []address.Address{carol, bob}, true},
		{"Cc: x: y@z.example, Carol <carol@HERE.example>;\r\n", []address.Address{carol}, true},
		{"Resent-To: carol@here.example\r\n", []address.Address{carol}, true},
		{"X-To: carol@here.example\r\n", []address.Address{carol}, false},
	} {
		m := parse(t, []byte(c.header+letter))
		if ok, reason := May(m, stranger, Options{Person: c.person}); ok != c.want {
			t.Errorf("%q %v: %v, %s", c.header, c.person, ok, reason)
		}
	}
}

func TestSilenceThatExchangeAsksForIsKept(t *testing.T) {
	for value, want := range map[string]bool{"All": false, "DR, OOF, AutoReply": false, "None": true, "": true} {
		m := parse(t, []byte("X-Auto-Response-Suppress: "+value+"\r\n"+letter))
		if ok, reason := May(m, stranger, Options{}); ok != want {
			t.Errorf("%s: %v, %s", value, ok, reason)
		}
	}
}

// What a person forwards as an attachment is judged by the letter around it, not by what is attached.
func TestAttachedNoticesDoNotCount(t *testing.T) {
	text := "From: alice@sender.example\r\nTo: bob@here.example\r\nSubject: What does this mean?\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n\r\nLook at this.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nAuto-Submitted: auto-replied\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=c\r\n\r\n--c\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Action: failed\r\n--c--\r\n--b--\r\n"
	if ok, reason := May(parse(t, []byte(text)), stranger, Options{Content: strings.NewReader(text)}); !ok {
		t.Errorf("not answered: %s", reason)
	}
}

func TestActionsTellNoticesApart(t *testing.T) {
	for actions, want := range map[string]Kind{
		"Action: failed\r\n": Bounce, "Action: delayed\r\n": Delay, "Action: delivered\r\n": Delivered, "": Bounce,
		"Action: relayed (x)\r\n": Delivered, "Action: delayed\r\n\r\nAction: Failed\r\n": Bounce, "action : expanded\r\n\r\nAction: delayed\r\n": Delay,
	} {
		text := "From: x@y.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n" +
			"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n" + actions + "--b--\r\n"
		if kind, reason := Classify(parse(t, []byte(text)), strings.NewReader(text)); kind != want {
			t.Errorf("%q: %s (%s), want %s", actions, kind, reason, want)
		}
	}
}

// The mail that Sisimai does not call bounces: letters, and one notice of another sort.
func TestWhatIsNoBounceIsJudgedByItsHeader(t *testing.T) {
	for path, text := range readAll(t, filepath.Join(testenv.Testdata(t, "bounce-sisimai"), "not-a-bounce")) {
		text = withoutFrom(text)
		m := parse(t, text)
		kind, reason := Classify(m, bytes.NewReader(text))
		t.Logf("%s: %s %s", filepath.Base(path), kind, reason)
		automatic := m.Header.Get("Auto-Submitted") != "" || m.Header.Get("Return-Path") == "<>"
		if ok, reason := May(m, stranger, Options{}); ok && automatic {
			t.Errorf("%s: answered (%s)", path, reason)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(letter)
	f.Add("Subject: Undelivered Mail\r\nFrom: MAILER-DAEMON\r\nContent-Type: multipart/report\r\n\r\n")
	f.Add("Content-Type: message/delivery-status\r\n\r\nAction: delayed\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := parse(t, []byte(text))
		kind, reason := Classify(m, strings.NewReader(text))
		if (kind == Personal) != (reason == "") || len(reason) > 200 || strings.ContainsAny(reason, "\r\n\x00") {
			t.Fatalf("%q is %q because %q", text, kind, reason)
		}
		if ok, _ := May(m, address.Address{}, Options{}); ok {
			t.Fatalf("%q: a null reverse-path is answered", text)
		}
		if ok, why := May(m, stranger, Options{}); ok != (why == "") {
			t.Fatalf("%q: %v because %q", text, ok, why)
		}
	})
}

func FuzzLocalKind(f *testing.F) {
	for _, s := range []string{"list-bounces+a=b.c", "SRS0=a=b=c=d", "prvs=a=b", "=", "+=.", "noreply"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, local string) { localKind(local) })
}

func BenchmarkClassify(b *testing.B) {
	m := parse(b, []byte(letter))
	b.ReportAllocs()
	for b.Loop() {
		Classify(m, nil)
	}
}
