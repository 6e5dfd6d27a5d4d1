package scanner

import (
	"bytes"
	"net/mail"
	"strconv"
	"strings"
	"testing"

	"postern/internal/message"
	"postern/internal/verdict"
)

// sound fails the test when a result holds what none may.
func sound(t *testing.T, r Result) {
	t.Helper()
	for _, p := range []verdict.Points{r.Score, r.Required} {
		if p > verdict.P(maxScore) || p < verdict.P(-maxScore) {
			t.Fatalf("score %s", p)
		}
	}
	if len(r.Symbols) > maxSymbols || len(r.Headers) > maxFields {
		t.Fatalf("%d symbols, %d fields", len(r.Symbols), len(r.Headers))
	}
	for _, s := range r.Symbols {
		if s.Name == "" || strings.ContainsAny(s.Name+s.Detail, "\r\n\x00") || s.Points > verdict.P(maxScore) {
			t.Fatalf("symbol %+v", s)
		}
	}
	if strings.ContainsFunc(r.Virus+r.Version, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		t.Fatalf("virus %q, version %q", r.Virus, r.Version)
	}
	for _, f := range r.Headers {
		soundField(t, f)
	}
	r.Check()
}

// soundField reads a written field with two readers, which must see one field of that name.
func soundField(t *testing.T, f Field) {
	t.Helper()
	written := f.Append(nil)
	if !bytes.HasSuffix(written, []byte("\r\n")) {
		t.Fatalf("%q does not end", written)
	}
	for line := range bytes.Lines(written) {
		if len(line) > 1000 || bytes.ContainsAny(bytes.TrimSuffix(line, []byte("\r\n")), "\r\n\x00") {
			t.Fatalf("a line of %d bytes: %q", len(line), line)
		}
	}
	h := message.ParseHeader(append(written, "\r\n"...))
	if len(h.Fields) != 1 || h.Fields[0].Name != f.Name || strings.Join(strings.Fields(h.Fields[0].Value()), "") != strings.Join(strings.Fields(f.Value), "") {
		t.Fatalf("%+v is read as %q", f, written)
	}
	if m, err := mail.ReadMessage(bytes.NewReader(append(f.Append(nil), "\r\n"...))); err != nil || len(m.Header) != 1 {
		t.Fatalf("%q: %v, %v", written, m, err)
	}
}

func TestAWrittenFieldIsFolded(t *testing.T) {
	for _, value := range []string{"", "short", strings.Repeat("RULE_OF_MANY, ", 40), strings.Repeat("*", 5000), "a " + strings.Repeat("b", 990) + " c"} {
		soundField(t, Field{"X-Spam-Status", value})
	}
	got := string(Field{"X-Spam-Status", "No, score=1.5 required=5.0 tests=ONE_RULE, ANOTHER_RULE, AND_ONE_MORE autolearn=no"}.Append(nil))
	if got != "X-Spam-Status: No, score=1.5 required=5.0 tests=ONE_RULE, ANOTHER_RULE,\r\n AND_ONE_MORE autolearn=no\r\n" {
		t.Errorf("%q", got)
	}
}

func TestTheTestsOfAStatusAreRead(t *testing.T) {
	for status, want := range map[string]string{
		"No, score=4.2 required=5.0 tests=A,B, C autolearn=no version=4":  "A 0.00 B 0.00 C 0.00",
		"Yes, score=6 required=5.0 tests=A=5.5,B=0.25,C=-1 autolearn=ham": "A 5.50 C -1.00 B 0.25",
		"No, score=0 tests=none autolearn=no":                             "",
		"No, hits=0.1 tests=[A=0.1,B=nan]":                                "A 0.10",
		"No":                                                              "",
	} {
		r := Result{}
		r.takeTests(status)
		r.Symbols = weightiest(r.Symbols)
		var got []string
		for _, s := range r.Symbols {
			got = append(got, s.Name+" "+s.Points.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", status, got)
		}
	}
}

func TestTheWeightiestSymbolsAreKept(t *testing.T) {
	var list []verdict.Part
	for i := range 1000 {
		list = append(list, verdict.Part{Name: "X", Points: verdict.Points(i%2*-2+1) * verdict.Points(i)})
	}
	list = weightiest(list)
	if len(list) != maxSymbols || list[0].Points != -999 || list[1].Points != 998 {
		t.Errorf("%d, %v", len(list), list[:2])
	}
}

func FuzzSpamdAnswer(f *testing.F) {
	for _, s := range []string{
		"SPAMD/1.1 0 EX_OK\r\nContent-length: 98\r\nSpam: True ; 1000.0 / 5.0\r\n\r\nX-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=1000.0 required=5.0 tests=GTUBE,A=1,\r\n\tB autolearn=no\r\n\r\n",
		"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: False ; -1e2 / 5.0\r\n\r\n",
		"SPAMD/1.5 76 Bad\r\n", "SPAMD/1.1 0 EX_OK\nContent-length: 20\nSpam: no;1/2\n\nX-Spam-\x80: a\n b\n\tc\r d\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		r, err := parseSpamd(answer)
		if err != nil {
			return
		}
		sound(t, r)
		if r.Kind == Spam != (r.Score >= r.Required) && r.Score != r.Required {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzRspamdAnswer(f *testing.F) {
	for _, s := range []string{
		`{"is_skipped":false,"score":7.500000,"required_score":15.0,"action":"add header","thresholds":{"reject":15,"add header":6},"symbols":{"TEST":{"name":"TEST","score":7.5,"metric_score":7.5,"description":"d","options":["a\nb","c"]}},"messages":{},"message-id":"x@y","time_real":0.009270,"milter":{"add_headers":{"X-Spamd-Result":{"value":"default: False [7.50 / 15.00];\n\tTEST(7.50)[]","order":-1},"X-A":["b",{"value":"c"}]},"remove_headers":{"X-Spam":0}}}`,
		`{"score":"1","required_score":-1e5,"action":"reject","symbols":null}`, `[]`, `{"milter":{"add_headers":{"":""}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		r, err := parseRspamd(answer)
		if err == nil {
			sound(t, r)
		}
		if strings.ContainsAny(rspamdError(answer), "\r\n\x00") {
			t.Fatal("a refusal in lines")
		}
	})
}

func FuzzClamdAnswer(f *testing.F) {
	for _, s := range []string{"stream: OK", "stream: Eicar-Test-Signature FOUND", "INSTREAM size limit exceeded. ERROR", "stream: x ERROR", "UNKNOWN COMMAND", "stream: \x00 FOUND"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		r, err := parseClamd(answer)
		if err != nil {
			return
		}
		sound(t, r)
		if r.Kind == Infected == (r.Virus == "") {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzField(f *testing.F) {
	f.Add("X-Spam", "a\r\n\tb")
	f.Add("X-:", "\xff\x00é\u2028")
	f.Fuzz(func(t *testing.T, name, value string) {
		if field, wanted, err := newField(name, value); err == nil && wanted {
			soundField(t, field)
		}
	})
}

func BenchmarkSpamdAnswer(b *testing.B) {
	content := "Received: from x\r\n" + strings.Repeat("X-Other: field of the message\r\n", 30) +
		"X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on host\r\nX-Spam-Flag: YES\r\nX-Spam-Level: *******\r\n" +
		"X-Spam-Status: Yes, score=7.0 required=5.0 tests=" + strings.Repeat("A_RULE_OF_MANY=0.5,", 14) + "LAST=0.1 autolearn=no version=4.0.1\r\n\r\n"
	answer := []byte("SPAMD/1.1 0 EX_OK\r\nContent-length: " + strconv.Itoa(len(content)) + "\r\nSpam: True ; 7.0 / 5.0\r\n\r\n" + content)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := parseSpamd(answer); err != nil || len(r.Symbols) != 15 {
			b.Fatal(err)
		}
	}
}

func BenchmarkRspamdAnswer(b *testing.B) {
	answer := []byte(`{"score":7.5,"required_score":15,"action":"add header","symbols":{"FIRST":{"score":1}` +
		strings.Repeat(`,"A_RULE":{"name":"A_RULE","score":0.5,"metric_score":0.5,"description":"what it looks for","options":["one","two"]}`, 30) +
		`},"milter":{"add_headers":{"X-Spamd-Bar":{"value":"+++++++","order":-1},"X-Spam-Level":{"value":"*******","order":-1}}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseRspamd(answer); err != nil {
			b.Fatal(err)
		}
	}
}
