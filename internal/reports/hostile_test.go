package reports

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"postern/internal/message"
	"postern/internal/reports/dmarcxml"
	"postern/internal/reports/tlsrpt"
)

const honest = `<?xml version="1.0"?><feedback><report_metadata><org_name>far.example</org_name><report_id>1</report_id>
<date_range><begin>1764028800</begin><end>1764115199</end></date_range></report_metadata>
<policy_published><domain>example.test</domain><p>reject</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>2</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.test</header_from></identifiers><auth_results><spf><domain>example.test</domain><result>fail</result></spf></auth_results></record></feedback>`

func gzipped(t testing.TB, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, files ...io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, r := range files {
		w, err := z.Create(fmt.Sprintf("../../etc/%d.xml", i)) // the name is never used
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// endless repeats a text for about n bytes.
func endless(text string, n int64) io.Reader {
	block := strings.Repeat(text, 1+(64<<10)/len(text))
	parts := make([]io.Reader, n/int64(len(block)))
	for i := range parts {
		parts[i] = strings.NewReader(block)
	}
	return io.MultiReader(parts...)
}

// allocated is how many bytes fn asks for in all, which is more than it ever holds.
func allocated(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func feedbackAround(inside ...io.Reader) io.Reader {
	return io.MultiReader(append([]io.Reader{strings.NewReader("<feedback>")}, inside...)...)
}

// TestHostileFilesAreRefusedInLittleMemory: each would be large, deep or endless if it were believed.
func TestHostileFilesAreRefusedInLittleMemory(t *testing.T) {
	laughs := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;"><!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;">]>` +
		`<feedback><report_metadata><org_name>&lol2;</org_name></report_metadata></feedback>`
	external := `<?xml version="1.0"?><!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feedback><report_metadata><org_name>&x;</org_name></report_metadata></feedback>`
	many := make([]io.Reader, 200)
	for i := range many {
		many[i] = strings.NewReader(honest)
	}
	cases := map[string]struct {
		data []byte
		want error // nil: any refusal
		most int64
	}{
		"gzip bomb":          {gzipped(t, feedbackAround(endless(" ", 1<<26))), nil, 4 << 20},
		"gzip of records":    {gzipped(t, feedbackAround(endless("<record><row><count>1</count></row></record>", 1<<26))), nil, 64 << 20},
		"gzip of elements":   {gzipped(t, feedbackAround(endless("<a/>", 1<<26))), nil, 800 << 20},
		"zip bomb":           {zipped(t, feedbackAround(endless(" ", 1<<26))), nil, 8 << 20},
		"two files in a zip": {zipped(t, strings.NewReader(honest), strings.NewReader(honest)), errFiles, 1 << 20},
		"many files in zip":  {zipped(t, many...), errFiles, 1 << 20},
		"gzip in gzip":       {gzipped(t, bytes.NewReader(gzipped(t, strings.NewReader(honest)))), errNested, 1 << 20},
		"zip in gzip":        {gzipped(t, bytes.NewReader(zipped(t, strings.NewReader(honest)))), errNested, 1 << 20},
		"empty zip":          {zipped(t), errNoFile, 1 << 20},
		"cut gzip":           {gzipped(t, strings.NewReader(honest))[:200], nil, 1 << 20},
		"cut zip":            {zipped(t, strings.NewReader(honest))[:200], nil, 1 << 20},
		"billion laughs":     {[]byte(laughs), nil, 1 << 20},
		"external entity":    {[]byte(external), nil, 1 << 20},
		"deep XML":           {[]byte("<feedback>" + strings.Repeat("<a>", 100000)), dmarcxml.ErrTooLarge, 1 << 20},
		"long name":          {[]byte("<feedback><" + strings.Repeat("a", 1<<20)), dmarcxml.ErrTooLarge, 1 << 20},
		"long text":          {[]byte("<feedback><version>" + strings.Repeat("a", 1<<20)), dmarcxml.ErrTooLarge, 1 << 20},
		"long comment":       {[]byte("<feedback><!--" + strings.Repeat("a", 1<<20)), dmarcxml.ErrTooLarge, 1 << 20},
		"long directive":     {[]byte("<!DOCTYPE " + strings.Repeat("a", 1<<20)), dmarcxml.ErrTooLarge, 1 << 20},
		"many attributes":    {[]byte("<feedback><a " + strings.Repeat(`a="" `, 1<<18)), dmarcxml.ErrTooLarge, 4 << 20},
		"huge count":         {[]byte(strings.Replace(honest, "<count>2", "<count>99999999999999999999", 1)), nil, 1 << 20},
		"negative count":     {[]byte(strings.Replace(honest, "<count>2", "<count>-2", 1)), nil, 1 << 20},
		"no end":             {[]byte(honest[:len(honest)-20]), nil, 1 << 20},
		"deep JSON":          {[]byte(`{"policies":` + strings.Repeat("[", 100000)), tlsrpt.ErrTooLarge, 1 << 20},
		"gzip of policies":   {gzipped(t, io.MultiReader(strings.NewReader(`{"policies":[{}`), endless(",{}", 1<<26))), tlsrpt.ErrTooLarge, 4 << 20},
		"gzip of details":    {gzipped(t, io.MultiReader(strings.NewReader(`{"policies":[{"failure-details":[{}`), endless(",{}", 1<<26))), tlsrpt.ErrTooLarge, 64 << 20},
		"gzip of one text":   {gzipped(t, io.MultiReader(strings.NewReader(`{"report-id":"`), endless("a", 1<<26))), nil, 64 << 20},
		"gzip of keys":       {gzipped(t, io.MultiReader(strings.NewReader(`{"a":1`), endless(`,"a":1`, 1<<26))), nil, 64 << 20},
		"JSON count":         {[]byte(`{"report-id":"1","policies":[{"summary":{"total-successful-session-count":1e300}}]}`), nil, 1 << 20},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var err error
			used := allocated(func() { _, err = ReadFile(bytes.NewReader(c.data), int64(len(c.data))) })
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("the error is %v", err)
			} else if !strings.Contains(err.Error(), "; ") {
				t.Errorf("the error does not say how to go on: %v", err)
			}
			if used > c.most {
				t.Errorf("%d KiB for a file of %d KiB", used>>10, len(c.data)>>10)
			}
			t.Logf("%d KiB of file, %d KiB in all: %v", len(c.data)>>10, used>>10, err)
		})
	}
}

// TestAMessageWithABombIsNoMoreThanAMessage: the same by the road that mail comes on.
func TestAMessageWithABombIsNoMoreThanAMessage(t *testing.T) {
	bomb := gzipped(t, endless(" ", 1<<26))
	var b bytes.Buffer
	b.WriteString("From: a@far.example\r\nSubject: Report Domain: example.test\r\nMIME-Version: 1.0\r\nContent-Type: application/gzip; name=\"a!b!1!2.xml.gz\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for text := base64.StdEncoding.EncodeToString(bomb); text != ""; {
		n := min(len(text), 76)
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	m, err := message.Parse(bytes.NewReader(b.Bytes()), int64(b.Len()), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	used := allocated(func() { _, err = Read(m, bytes.NewReader(b.Bytes())) })
	if err == nil || used > 4<<20 {
		t.Errorf("%v with %d KiB", err, used>>10)
	}
}

func TestAReportIsReadHoweverItIsPackedAndNamed(t *testing.T) {
	utf16, big := []byte{0xff, 0xfe}, []byte(nil)
	for _, c := range strings.Replace(honest, `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="utf-16"?>`, 1) {
		utf16 = append(utf16, byte(c), byte(c>>8))
		big = append(big, byte(c>>8), byte(c))
	}
	for name, data := range map[string][]byte{
		"plain": []byte(honest), "gzip": gzipped(t, strings.NewReader(honest)), "zip": zipped(t, strings.NewReader(honest)), "UTF-16": utf16,
		"UTF-16 without a mark": utf16[2:], "UTF-16, big end first": big,
		"mark":          append([]byte("\ufeff\r\n "), honest...),
		"other charset": []byte(strings.Replace(strings.Replace(honest, `"1.0"`, `"1.1" encoding="windows-1251"`, 1), "far.example", "f\xe4r.example", 1)),
		"namespace":     []byte(strings.NewReplacer("<feedback>", `<d:Feedback xmlns:d="urn:ietf:params:xml:ns:dmarc-2.0">`, "</feedback>", "</d:Feedback>").Replace(honest)),
		"milliseconds":  []byte(strings.NewReplacer("1764028800", "1764028800000", "1764115199", "1764115199000").Replace(honest)),
		"dates":         []byte(strings.NewReplacer("1764028800", "2025-11-25T00:00:00+0000", "1764115199", "2025-11-25 23:59:59Z").Replace(honest)),
		"upper case":    []byte(strings.ReplaceAll(strings.ReplaceAll(honest, "policy_published", "Policy_Published"), "record", "RECORD")),
	} {
		got, err := ReadFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := got.DMARC
		if f.Begin.Unix() != 1764028800 || f.End.Unix() != 1764115199 {
			t.Errorf("%s: from %v to %v", name, f.Begin, f.End)
		}
		if f.Messages() != 2 || f.Policy.Domain != "example.test" || f.Policy.P != "reject" || f.Records[0].DKIM != "pass" || !strings.HasSuffix(f.Org, "r.example") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestWhatZipProgramsAddIsNoSecondFile(t *testing.T) {
	for name, entries := range map[string][]string{
		"folder": {"reports/", "reports/a.xml"}, "macOS": {"a.xml", "__MACOSX/", "__MACOSX/._a.xml"}, "Finder": {".DS_Store", "a.xml"},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, entry := range entries {
			w, err := z.Create(entry)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(entry, "/a.xml") || entry == "a.xml" {
				_, err = io.WriteString(w, honest)
			} else if !strings.HasSuffix(entry, "/") {
				_, err = io.WriteString(w, "\x00\x05\x16\x07")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil || got.DMARC.Messages() != 2 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestAReportIsFoundHoweverTheMessageCarriesIt: by the type, or by the subject and the file's name or the text alone.
func TestAReportIsFoundHoweverTheMessageCarriesIt(t *testing.T) {
	const subject = "Subject: Report Domain: example.test Submitter: far.example Report-ID: <1>\r\n"
	packed := base64.StdEncoding.EncodeToString(gzipped(t, strings.NewReader(honest)))
	quoted := strings.ReplaceAll(strings.ReplaceAll(honest, "=", "=3D"), "</", "=\r\n</")
	attached := func(head, body string) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHere is a report.\r\n--b\r\n" + head + "\r\n\r\n" + body + "\r\n--b--\r\n"
	}
	for name, text := range map[string]string{
		"rare type of gzip":     subject + attached("Content-Type: application/x-gunzip; name=report.xml.gz\r\nContent-Transfer-Encoding: base64", packed),
		"text with a name":      subject + attached("Content-Type: text/plain; name=report.xml", honest),
		"image with a name":     "Subject: x\r\n" + attached("Content-Type: image/png; name*0=\"far.example!exam\"; name*1=\"ple.test!1!2.xml.gz\"\r\nContent-Transfer-Encoding: base64", packed),
		"octets, wrong ending":  subject + attached("Content-Type: application/octet-stream; name=report.zip\r\nContent-Transfer-Encoding: base64", packed),
		"gzip and nothing else": subject + "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + packed,
		"text and nothing else": subject + "\r\n" + honest,
		"quoted-printable":      subject + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted,
	} {
		text = "From: a@far.example\r\nMIME-Version: 1.0\r\n" + text
		m, err := message.Parse(strings.NewReader(text), int64(len(text)), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Read(m, strings.NewReader(text)); err != nil || got.Kind != DMARC || got.DMARC.Messages() != 2 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"words":             subject + "\r\n<https://far.example/> has no reports.\r\n",
		"another's subject": "Subject: How are you?\r\n" + attached("Content-Type: text/plain; name=data.xml", honest),
	} {
		text = "From: a@far.example\r\nMIME-Version: 1.0\r\n" + text
		m, err := message.Parse(strings.NewReader(text), int64(len(text)), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Read(m, strings.NewReader(text)); !errors.Is(err, ErrNoReport) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	told := "From: a@far.example\r\nTLS-Report-Domain: example.test\r\nSubject: x\r\nContent-Type: application/octet-stream\r\n\r\n" +
		`{"report-id":"1","policies":[{"policy":{"policy-type":"sts"}}]}`
	m, err := message.Parse(strings.NewReader(told), int64(len(told)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Read(m, strings.NewReader(told)); err != nil || got.Kind != TLS || got.Domain != "example.test" {
		t.Errorf("TLS-Report-Domain: %+v, %v", got, err)
	}
}

func FuzzReadFile(f *testing.F) {
	f.Add([]byte(honest))
	f.Add(gzipped(f, strings.NewReader(honest)))
	f.Add(zipped(f, strings.NewReader(honest)))
	f.Add([]byte(`{"organization-name":"far","report-id":"1","date-range":{"start-datetime":"2025-11-25T00:00:00Z"},"policies":[{"policy":{"policy-type":"sts","mx-host":"a"},"summary":{"total-successful-session-count":"3"},"failure-details":[{"result-type":"certificate-expired","failed-session-count":2}]}]}`))
	f.Add([]byte("From: a@far.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nIncidents: 3\r\n\r\n--b--\r\n"))
	f.Add([]byte("From: a@far.example\r\nSubject: DMARC report\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nSender Domain: example.test\r\nSender IP Address: 192.0.2.1\r\n\r\n--b--\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadFile(bytes.NewReader(data), int64(len(data)))
		if (got == nil) == (err == nil) {
			t.Fatalf("%v with %v", got, err)
		}
		if got != nil && got.Kind == DMARC && got.DMARC.Messages() < 0 {
			t.Fatal("messages below none")
		}
	})
}
