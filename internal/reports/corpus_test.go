package reports

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
	"postern/internal/reports/dmarcxml"
	"postern/internal/reports/tlsrpt"
	"postern/internal/testenv"
)

// brokenName are words by which a file of the suite says that it is no whole report. What says only that its characters are
// broken may be read.
var brokenName = regexp.MustCompile(`(?i)^(invalid|broken|bad|truncated|malformed)[_-]?(xml|json|report|eml|gz|zip)`)

// isDoubtful: what lies in a folder that is called so breaks some rule, and may be read or refused.
func isDoubtful(path string) bool {
	return strings.Contains(strings.ToLower(filepath.Base(filepath.Dir(path))), "invalid")
}

// suite calls fn for every file of the public samples that is a report or a result.
func suite(t *testing.T, fn func(path string)) {
	t.Helper()
	root := testenv.Testdata(t, "dmarc-tlsrpt-arf-reports")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			fn(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isReport: the others are licences and the results of other parsers.
func isReport(path string) bool {
	lower := strings.ToLower(path)
	base := filepath.Base(lower)
	for _, end := range []string{".xml", ".xml.gz", ".gz", ".zip", ".eml", ".json.gz"} {
		if strings.HasSuffix(base, end) {
			return true
		}
	}
	// A plain .json is a TLS report, unless it is a parser's result.
	return strings.HasSuffix(base, ".json") && (strings.Contains(lower, "/smtp_tls/") || strings.Contains(lower, "/tlsrpt/"))
}

func readPath(path string) (*Received, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return ReadFile(f, info.Size())
}

func TestEveryWellFormedSampleIsRead(t *testing.T) {
	read := map[Kind]int{}
	refused := 0
	suite(t, func(path string) {
		if !isReport(path) {
			return
		}
		got, err := readPath(path)
		if brokenName.MatchString(filepath.Base(path)) {
			if err == nil || !strings.Contains(err.Error(), "; ") {
				t.Errorf("%s: broken, and the error is %v", path, err)
			}
			refused++
			return
		}
		if err != nil && isDoubtful(path) && strings.Contains(err.Error(), "; ") {
			refused++
			return
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		read[got.Kind]++
		holds(t, path, got)
	})
	t.Logf("read %v, refused %d", read, refused)
	if read[DMARC] == 0 || read[TLS] == 0 || read[Failure] == 0 {
		t.Errorf("a kind of report was not among the samples: %v", read)
	}
}

// holds looks whether what every report must tell is there; that the rest is there too, if it is in the file, others see.
func holds(t *testing.T, path string, got *Received) {
	t.Helper()
	switch got.Kind {
	case DMARC:
		f := got.DMARC
		if f.Policy.Domain == "" || f.ID == "" && f.Begin.IsZero() {
			t.Errorf("%s: %+v", path, f)
		}
	case TLS:
		if got.TLS.ID == "" && got.TLS.Begin.IsZero() || len(got.TLS.Policies) == 0 {
			t.Errorf("%s: %+v", path, got.TLS)
		}
	case Failure:
		if got.Failure.Type == "" {
			t.Errorf("%s: %+v", path, got.Failure)
		}
	}
}

// TestMessagesWithReportsAreKnownByTheirLooks: what comes in by mail is found by the cheap test, which sees no content.
func TestMessagesWithReportsAreKnownByTheirLooks(t *testing.T) {
	seen := 0
	suite(t, func(path string) {
		if !strings.HasSuffix(path, ".eml") {
			return
		}
		seen++
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Parse(bytes.NewReader(data), int64(len(data)), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if !LooksLikeReport(m) {
			t.Errorf("%s does not look like a report", path)
		}
		if _, err := Read(m, bytes.NewReader(data)); err != nil && !brokenName.MatchString(filepath.Base(path)) && !isDoubtful(path) {
			t.Errorf("%s: %v", path, err)
		}
	})
	if seen == 0 {
		t.Error("there was no message")
	}
}

// theirs is the form in which mail-auth writes down what it read of an aggregate report.
type theirs struct {
	Version  float64 `json:"version"`
	Metadata struct {
		Org     string  `json:"org_name"`
		Email   string  `json:"email"`
		Contact *string `json:"extra_contact_info"`
		ID      string  `json:"report_id"`
		Range   struct {
			Begin int64 `json:"begin"`
			End   int64 `json:"end"`
		} `json:"date_range"`
		Errors []string `json:"error"`
	} `json:"report_metadata"`
	Policy struct {
		Domain  string `json:"domain"`
		ADKIM   string `json:"adkim"`
		ASPF    string `json:"aspf"`
		P       string `json:"p"`
		SP      string `json:"sp"`
		Testing bool   `json:"testing"`
	} `json:"policy_published"`
	Records []struct {
		Row struct {
			Source    string `json:"source_ip"`
			Count     int64  `json:"count"`
			Evaluated struct {
				Disposition string `json:"disposition"`
				DKIM        string `json:"dkim"`
				SPF         string `json:"spf"`
				Reasons     []struct {
					Type    string  `json:"type_"`
					Comment *string `json:"comment"`
				} `json:"reason"`
			} `json:"policy_evaluated"`
		} `json:"row"`
		Identifiers struct {
			To     *string `json:"envelope_to"`
			From   string  `json:"envelope_from"`
			Header string  `json:"header_from"`
		} `json:"identifiers"`
		Results struct {
			DKIM []struct {
				Domain, Selector, Result string
				Human                    *string `json:"human_result"`
			} `json:"dkim"`
			SPF []struct{ Domain, Scope, Result string } `json:"spf"`
		} `json:"auth_results"`
	} `json:"record"`
}

// word makes one word of their spelling and ours: "MailFrom" and "mfrom", "SoftFail" and "softfail".
func word(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "_", "")
	switch s {
	case "unspecified":
		return ""
	case "mailfrom":
		return "mfrom"
	case "r":
		return "relaxed"
	case "s":
		return "strict"
	case "sampledout": // gone with RFC 9990; they read it as "other"
		return "other"
	}
	return s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestAggregateReportsMeanWhatAnotherParserReads(t *testing.T) {
	compared := 0
	suite(t, func(path string) {
		if !strings.Contains(path, "/mail-auth/dmarc-feedback/") || !isReport(path) {
			return
		}
		result, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".json")
		if err != nil {
			return
		}
		compared++
		var want theirs
		if err := json.Unmarshal(result, &want); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got, err := readPath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		compareFeedback(t, path, got.DMARC, &want)
	})
	if compared == 0 {
		t.Error("there was nothing to compare with")
	}
}

// plainXML is a report as the standard library reads it, without any leniency but for namespaces.
type plainXML struct {
	Org     string   `xml:"report_metadata>org_name"`
	Email   string   `xml:"report_metadata>email"`
	ID      string   `xml:"report_metadata>report_id"`
	Begin   string   `xml:"report_metadata>date_range>begin"`
	End     string   `xml:"report_metadata>date_range>end"`
	Errors  []string `xml:"report_metadata>error"`
	Domain  string   `xml:"policy_published>domain"`
	P       string   `xml:"policy_published>p"`
	SP      string   `xml:"policy_published>sp"`
	NP      string   `xml:"policy_published>np"`
	Percent string   `xml:"policy_published>pct"`
	Records []struct {
		Source       string   `xml:"row>source_ip"`
		Count        string   `xml:"row>count"`
		Disposition  string   `xml:"row>policy_evaluated>disposition"`
		DKIM         string   `xml:"row>policy_evaluated>dkim"`
		SPF          string   `xml:"row>policy_evaluated>spf"`
		Reasons      []string `xml:"row>policy_evaluated>reason>type"`
		HeaderFrom   string   `xml:"identifiers>header_from"`
		EnvelopeFrom string   `xml:"identifiers>envelope_from"`
		EnvelopeTo   string   `xml:"identifiers>envelope_to"`
		DKIMDomains  []string `xml:"auth_results>dkim>domain"`
		DKIMResults  []string `xml:"auth_results>dkim>result"`
		SPFDomains   []string `xml:"auth_results>spf>domain"`
		SPFResults   []string `xml:"auth_results>spf>result"`
	} `xml:"record"`
}

// folded is a list of texts as one, without case, empty elements, and dots and white space at the end of words.
func folded(texts ...string) string {
	words := strings.Fields(strings.ToLower(strings.Join(texts, " ")))
	for i, w := range words {
		words[i] = strings.TrimSuffix(w, ".")
	}
	return strings.Join(words, " ")
}

// TestAggregateReportsHoldWhatTheirXMLSays compares each XML file with itself, read by the standard library.
func TestAggregateReportsHoldWhatTheirXMLSays(t *testing.T) {
	compared := 0
	suite(t, func(path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want plainXML
		if !isReport(path) || !strings.HasSuffix(strings.ToLower(path), ".xml") || xml.Unmarshal(data, &want) != nil || want.Domain == "" {
			return
		}
		compared++
		got, err := readPath(path)
		if err != nil {
			if !isDoubtful(path) {
				t.Errorf("%s: %v", path, err)
			}
			return
		}
		comparePlain(t, path, got.DMARC, &want)
	})
	if compared == 0 {
		t.Error("there was nothing to compare with")
	}
}

func comparePlain(t *testing.T, path string, f *dmarcxml.Feedback, want *plainXML) {
	t.Helper()
	same := func(what, got string, want ...string) {
		t.Helper()
		if folded(got) != folded(want...) {
			t.Errorf("%s: %s is %q, not %q", path, what, got, want)
		}
	}
	unix := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return strconv.FormatInt(at.Unix(), 10)
	}
	same("organisation, email, id", f.Org+" "+f.Email+" "+f.ID, want.Org, want.Email, want.ID)
	same("errors", strings.Join(f.Errors, " "), want.Errors...)
	if _, err := strconv.ParseInt(strings.TrimSpace(want.Begin), 10, 64); err == nil {
		same("period", unix(f.Begin)+" "+unix(f.End), want.Begin, want.End)
	}
	same("policy", f.Policy.Domain+" "+f.Policy.P+" "+f.Policy.SP+" "+f.Policy.NP+" "+f.Policy.Percent, want.Domain, want.P, want.SP, want.NP, want.Percent)
	if len(f.Records) != len(want.Records) {
		t.Errorf("%s: %d records, not %d", path, len(f.Records), len(want.Records))
		return
	}
	for i, r := range f.Records {
		w := want.Records[i]
		if ip, err := netip.ParseAddr(strings.TrimSpace(w.Source)); err == nil {
			same("source", r.Source.String(), ip.Unmap().WithZone("").String())
		}
		same("count and outcome", strconv.FormatInt(r.Count, 10)+" "+r.Disposition+" "+r.DKIM+" "+r.SPF, cmp.Or(strings.TrimSpace(w.Count), "1"), w.Disposition, w.DKIM, w.SPF)
		same("identifiers", r.HeaderFrom+" "+r.EnvelopeFrom+" "+r.EnvelopeTo, w.HeaderFrom, w.EnvelopeFrom, w.EnvelopeTo)
		var reasons, dkim, spf []string
		for _, x := range r.Reasons {
			reasons = append(reasons, x.Type)
		}
		for _, x := range r.DKIMResults {
			dkim = append(dkim, x.Domain, x.Result)
		}
		for _, x := range r.SPFResults {
			spf = append(spf, x.Domain, x.Result)
		}
		same("reasons", strings.Join(reasons, " "), w.Reasons...)
		sameWords(t, path+": DKIM results", dkim, slices.Concat(w.DKIMDomains, w.DKIMResults))
		sameWords(t, path+": SPF results", spf, slices.Concat(w.SPFDomains, w.SPFResults))
	}
}

// sameWords compares two lists without regard to their order.
func sameWords(t *testing.T, what string, got, want []string) {
	t.Helper()
	a, b := strings.Fields(folded(got...)), strings.Fields(folded(want...))
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Errorf("%s are %q, not %q", what, got, want)
	}
}

func compareFeedback(t *testing.T, path string, f *dmarcxml.Feedback, want *theirs) {
	t.Helper()
	same := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s is %q, not %q", path, what, got, want)
		}
	}
	same("organisation", f.Org, want.Metadata.Org)
	same("email", f.Email, want.Metadata.Email)
	same("contact", f.Contact, text(want.Metadata.Contact))
	same("id", f.ID, want.Metadata.ID)
	same("begin", f.Begin.Unix(), want.Metadata.Range.Begin)
	same("end", f.End.Unix(), want.Metadata.Range.End)
	same("domain", f.Policy.Domain, want.Policy.Domain)
	same("p", word(f.Policy.P), word(want.Policy.P))
	same("sp", word(f.Policy.SP), word(want.Policy.SP))
	same("adkim", word(f.Policy.ADKIM), word(want.Policy.ADKIM))
	same("aspf", word(f.Policy.ASPF), word(want.Policy.ASPF))
	same("testing", f.Policy.Testing == "y", want.Policy.Testing)
	same("records", len(f.Records), len(want.Records))
	for i := range min(len(f.Records), len(want.Records)) {
		r, w := f.Records[i], want.Records[i]
		same("source", r.Source.String(), w.Row.Source)
		same("count", r.Count, w.Row.Count)
		same("disposition", r.Disposition, word(w.Row.Evaluated.Disposition))
		same("aligned dkim", r.DKIM, word(w.Row.Evaluated.DKIM))
		same("aligned spf", r.SPF, word(w.Row.Evaluated.SPF))
		same("header_from", r.HeaderFrom, w.Identifiers.Header)
		same("envelope_from", r.EnvelopeFrom, w.Identifiers.From)
		same("envelope_to", r.EnvelopeTo, text(w.Identifiers.To))
		same("reasons", len(r.Reasons), len(w.Row.Evaluated.Reasons))
		for j := range min(len(r.Reasons), len(w.Row.Evaluated.Reasons)) {
			same("reason", word(r.Reasons[j].Type), word(w.Row.Evaluated.Reasons[j].Type))
			same("comment", r.Reasons[j].Comment, text(w.Row.Evaluated.Reasons[j].Comment))
		}
		same("dkim results", len(r.DKIMResults), len(w.Results.DKIM))
		for j := range min(len(r.DKIMResults), len(w.Results.DKIM)) {
			d, x := r.DKIMResults[j], w.Results.DKIM[j]
			same("dkim result", d.Domain+" "+d.Selector+" "+d.Result+" "+d.Human, x.Domain+" "+x.Selector+" "+word(x.Result)+" "+text(x.Human))
		}
		same("spf results", len(r.SPFResults), len(w.Results.SPF))
		for j := range min(len(r.SPFResults), len(w.Results.SPF)) {
			s, x := r.SPFResults[j], w.Results.SPF[j]
			same("spf result", s.Domain+" "+s.Scope+" "+s.Result, x.Domain+" "+word(x.Scope)+" "+word(x.Result))
		}
	}
}

func TestFeedbackReportsMeanWhatAnotherParserReads(t *testing.T) {
	compared := 0
	suite(t, func(path string) {
		if !strings.Contains(path, "/mail-auth/arf/") || !strings.HasSuffix(path, ".eml") {
			return
		}
		result, err := os.ReadFile(strings.TrimSuffix(path, ".eml") + ".json")
		if err != nil {
			return
		}
		compared++
		var want struct {
			Type       string   `json:"feedback_type"`
			Arrived    *int64   `json:"arrival_date"`
			Results    []string `json:"authentication_results"`
			Incidents  int64    `json:"incidents"`
			EnvelopeID *string  `json:"original_envelope_id"`
			MailFrom   *string  `json:"original_mail_from"`
			RcptTo     *string  `json:"original_rcpt_to"`
			Domains    []string `json:"reported_domain"`
			URIs       []string `json:"reported_uri"`
			MTA        *string  `json:"reporting_mta"`
			Source     *string  `json:"source_ip"`
			Agent      *string  `json:"user_agent"`
			Failure    string   `json:"auth_failure"`
			Delivery   string   `json:"delivery_result"`
			Domain     *string  `json:"dkim_domain"`
			Identity   *string  `json:"dkim_identity"`
			Selector   *string  `json:"dkim_selector"`
			Body       *string  `json:"dkim_canonicalized_body"`
		}
		if err := json.Unmarshal(result, &want); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got, err := readPath(path)
		if err != nil || got.Kind != Failure {
			t.Errorf("%s: %v", path, err)
			return
		}
		f := got.Failure
		same := func(what string, got, want any) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s is %q, not %q", path, what, got, want)
			}
		}
		joined := func(list []string) string { return strings.Join(strings.Fields(strings.Join(list, " | ")), " ") }
		source := ""
		if f.Source.IsValid() {
			source = f.Source.String()
		}
		same("type", strings.ReplaceAll(f.Type, "-", ""), strings.ToLower(want.Type))
		same("incidents", f.Incidents, want.Incidents)
		same("results", joined(f.AuthResults), joined(want.Results))
		same("envelope id", f.OriginalEnvelopeID, text(want.EnvelopeID))
		same("mail from", f.OriginalMailFrom, text(want.MailFrom))
		same("rcpt to", joined(f.OriginalRcptTo), text(want.RcptTo))
		same("domains", joined(f.ReportedDomains), joined(want.Domains))
		same("uris", joined(f.ReportedURIs), joined(want.URIs))
		same("mta", f.ReportingMTA, text(want.MTA))
		same("source", source, text(want.Source))
		same("agent", f.UserAgent, text(want.Agent))
		same("failure", strings.ReplaceAll(f.AuthFailure, "-", ""), word(want.Failure))
		same("delivery", f.Delivery, word(want.Delivery))
		same("domain", f.DKIMDomain, text(want.Domain))
		same("identity", f.DKIMIdentity, text(want.Identity))
		same("selector", f.DKIMSelector, text(want.Selector))
		same("body", f.CanonicalBody, strings.Join(strings.Fields(text(want.Body)), ""))
		if want.Arrived != nil {
			same("arrival", f.Arrived.Unix(), *want.Arrived)
		}
	})
	if compared == 0 {
		t.Error("there was nothing to compare with")
	}
}

// TestTLSReportsHoldWhatTheirJSONSays compares with the same JSON read by the standard library without any leniency.
func TestTLSReportsHoldWhatTheirJSONSays(t *testing.T) {
	compared := 0
	suite(t, func(path string) {
		plain := strings.HasSuffix(path, ".json") && isReport(path)
		twin := strings.TrimSuffix(path, ".eml") + ".json"
		if !plain {
			if _, err := os.Stat(twin); err != nil || !strings.Contains(path, "/tlsrpt/") {
				return
			}
		}
		if plain {
			twin = path
		}
		data, err := os.ReadFile(twin)
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Org   string `json:"organization-name"`
			ID    string `json:"report-id"`
			Range struct {
				Begin time.Time `json:"start-datetime"`
				End   time.Time `json:"end-datetime"`
			} `json:"date-range"`
			Policies []struct {
				Policy struct {
					Type   string `json:"policy-type"`
					Domain string `json:"policy-domain"`
				} `json:"policy"`
				Summary struct {
					Good int64  `json:"total-successful-session-count"`
					Bad  *int64 `json:"total-failure-session-count"`
				} `json:"summary"`
				Details []struct {
					Type  string `json:"result-type"`
					Count int64  `json:"failed-session-count"`
				} `json:"failure-details"`
			} `json:"policies"`
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Logf("%s: the strict reading fails: %v", twin, err)
			return
		}
		compared++
		got, err := readPath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		r := got.TLS
		if r.Org != want.Org || r.ID != want.ID || !r.Begin.Equal(want.Range.Begin) || !r.End.Equal(want.Range.End) || len(r.Policies) != len(want.Policies) {
			t.Errorf("%s: %+v", path, r)
			return
		}
		for i, p := range want.Policies {
			g := r.Policies[i]
			if folded(g.Type, g.Domain) != folded(p.Policy.Type, p.Policy.Domain) || g.Successes != p.Summary.Good || p.Summary.Bad != nil && g.Failures != *p.Summary.Bad || len(g.Details) != len(p.Details) {
				t.Errorf("%s: policy %d is %+v", path, i, g)
				continue
			}
			for j, d := range p.Details {
				if folded(g.Details[j].Type) != folded(d.Type) || g.Details[j].Count != d.Count {
					t.Errorf("%s: failure %d is %+v", path, j, g.Details[j])
				}
			}
		}
	})
	if compared == 0 {
		t.Error("there was nothing to compare with")
	}
}

// TestWhatIsReadCanBeWrittenAndReadAgain for every sample: our writer says the same.
func TestWhatIsReadCanBeWrittenAndReadAgain(t *testing.T) {
	suite(t, func(path string) {
		if !isReport(path) {
			return
		}
		got, err := readPath(path)
		if err != nil {
			return
		}
		var b bytes.Buffer
		switch got.Kind {
		case DMARC:
			if err := got.DMARC.Write(&b); err != nil {
				t.Fatal(err)
			}
			again, err := dmarcxml.Read(&b)
			if err != nil || again.Messages() != got.DMARC.Messages() || len(again.Records) != len(got.DMARC.Records) || again.Org != got.DMARC.Org ||
				again.Policy.Domain != got.DMARC.Policy.Domain || !again.End.Equal(got.DMARC.End) {
				t.Errorf("%s: %v, %+v", path, err, again)
			}
		case TLS:
			if err := got.TLS.Write(&b); err != nil {
				t.Fatal(err)
			}
			again, err := tlsrpt.Read(&b)
			if err != nil || len(again.Policies) != len(got.TLS.Policies) || again.ID != got.TLS.ID || !again.Begin.Equal(got.TLS.Begin) {
				t.Errorf("%s: %v, %+v", path, err, again)
			}
		}
	})
}

func TestWhatAFeedbackReportIsAboutIsFoundWhereverItStands(t *testing.T) {
	report := "Content-Type: multipart/report; report-type=feedback-report; boundary=r\r\n\r\n--r\r\n\r\nAbuse.\r\n--r\r\nContent-Type: message/feedback-report\r\n\r\n" +
		"Feedback-Type: abuse\r\nSource-IP: 192.0.2.1\r\n\r\n--r\r\nContent-Type: KIND\r\n\r\nFrom: a@example.test\r\nSubject: Buy this\r\n\r\nIt is cheap.\r\n--r--\r\n"
	inList := "Content-Type: multipart/mixed; boundary=l\r\n\r\n--l\r\n" + report + "--l\r\n\r\nTo leave this list, write to it.\r\n--l--\r\n"
	for _, form := range []string{report, inList} {
		for _, kind := range []string{"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"} {
			data := "From: fbl@far.example\r\n" + strings.Replace(form, "KIND", kind, 1)
			got, err := ReadFile(strings.NewReader(data), int64(len(data)))
			if err != nil || got.Kind != Failure || got.Failure.Type != "abuse" || got.Failure.Subject != "Buy this" || got.Failure.Author != "a@example.test" {
				t.Errorf("%s: %+v, %v in\n%s", kind, got, err, data)
			}
		}
	}
}

func TestOtherFilesAreNoReports(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "text": "Hello.\n", "html": "<html><body>report</body></html>", "json": `{"a":1}`,
		"mail": "From: a@b.example\r\nSubject: Report Domain: b.example\r\n\r\nNo attachment.\r\n",
	} {
		if _, err := ReadFile(strings.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), "; ") ||
			!errors.Is(err, ErrNoReport) && !errors.Is(err, tlsrpt.ErrNoReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
