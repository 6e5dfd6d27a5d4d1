package reports

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/testdb"
)

// about is a report of an organisation with records "source count dkim spf disposition".
func about(domain, org, id string, records ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<feedback><report_metadata><org_name>%s</org_name><email>reports@%s</email><report_id>%s</report_id>
		<date_range><begin>1795392000</begin><end>1795478399</end></date_range></report_metadata>
		<policy_published><domain>%s</domain><p>reject</p><sp>none</sp></policy_published>`, org, org, id, domain)
	for _, r := range records {
		f := strings.Fields(r)
		fmt.Fprintf(&b, `<record><row><source_ip>%s</source_ip><count>%s</count><policy_evaluated><disposition>%s</disposition><dkim>%s</dkim><spf>%s</spf></policy_evaluated></row>
			<identifiers><header_from>%s</header_from></identifiers><auth_results><dkim><domain>mailer.example</domain><result>pass</result></dkim>
			<spf><domain>bounces.example</domain><result>pass</result></spf></auth_results></record>`, f[0], f[1], f[4], f[2], f[3], domain)
	}
	return b.String() + "</feedback>"
}

const tlsReport = `{"organization-name":"Far Inc.","report-id":"t1","contact-info":"tls@far.example","date-range":{"start-datetime":"2026-11-23T00:00:00Z","end-datetime":"2026-11-23T23:59:59Z"},
	"policies":[{"policy":{"policy-type":"no-policy-found","policy-domain":"example.test"},"summary":{"total-successful-session-count":90,"total-failure-session-count":12},
	"failure-details":[{"result-type":"certificate-expired","receiving-mx-hostname":"mail.example.test","failed-session-count":10}]},
	{"policy":{"policy-type":"sts","policy-domain":"other.example"},"summary":{"total-successful-session-count":7}}]}`

func TestReportsAboutOurDomainsAreKeptAndSummarised(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.store(about("example.test", "far.example", "1", "192.0.2.1 10 pass pass none", "192.0.2.1 2 fail pass none", "198.51.100.7 5 fail fail reject"), true)
		h.store(about("example.test", "near.example", "1", "192.0.2.1 4 pass fail none", "2001:db8::9 1 fail fail quarantine"), false)
		h.store(about("other.example", "far.example", "2", "192.0.2.1 1000 pass pass none"), true)
		h.store(tlsReport, true)
		s := h.summary()
		d := s.DMARC
		if d.Reports != 2 || d.Messages != 22 || d.Both != 10 || d.DKIMOnly != 4 || d.SPFOnly != 2 || d.Failed != 6 || d.Rejected != 5 || d.Quarantined != 1 || d.Cut != 0 {
			t.Errorf("DMARC %+v", d)
		}
		if d.Policy != "p=reject; sp=none" || len(d.Reporters) != 2 || d.Reporters[0].Org != "far.example" || !d.Reporters[0].Authenticated || d.Reporters[1].Authenticated {
			t.Errorf("policy %q, reporters %+v", d.Policy, d.Reporters)
		}
		if len(d.Sources) != 3 || d.Sources[0].IP != "198.51.100.7" || d.Sources[0].Failed != 5 || d.Sources[0].Stopped != 5 || d.Sources[0].Signer != "mailer.example" {
			t.Errorf("sources %+v", d.Sources)
		}
		if !strings.Contains(d.Sources[0].Advice, "forger") || d.Sources[2].Advice != "" {
			t.Errorf("advice %q and %q", d.Sources[0].Advice, d.Sources[2].Advice)
		}
		x := s.TLS
		if x.Reports != 1 || x.Sessions != 102 || x.Succeeded != 90 || x.Failed != 12 || len(x.Failures) != 2 || x.Failures[0].Type != "certificate-expired" ||
			x.Failures[0].Sessions != 10 || x.Failures[0].Host != "mail.example.test" || !strings.Contains(x.Failures[0].Advice, "renew") || x.Failures[1].Type != "not-told" {
			t.Errorf("TLS %+v", x)
		}
		if recent, err := h.Summary(t.Context(), Query{Domain: "example.test", Since: noon.Add(48 * time.Hour), DMARC: true, TLS: true}); err != nil || recent.DMARC.Messages != 0 || recent.TLS.Sessions != 0 {
			t.Errorf("after the reports: %+v, %v", recent, err)
		}
	})
}

func TestAReportThatComesTwiceCountsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for range 3 {
			h.store(about("example.test", "far.example", "1", "192.0.2.1 10 pass pass none"), true)
			h.store(tlsReport, true)
		}
		h.store(about("example.test", "FAR.example", "1", "192.0.2.1 99 pass pass none"), true)
		if s := h.summary(); s.DMARC.Reports != 1 || s.DMARC.Messages != 10 || s.TLS.Reports != 1 || s.TLS.Sessions != 102 {
			t.Errorf("%+v %+v", s.DMARC, s.TLS)
		}
	})
}

func TestReportsWithoutAnIDAreToldApartByWhatIsInThem(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		dmarc := about("example.test", "far.example", "", "192.0.2.1 10 pass pass none")
		tomorrow := strings.NewReplacer("1795392000", "1795478400", "1795478399", "1795564799").Replace(dmarc)
		tls := strings.Replace(tlsReport, `"report-id":"t1",`, "", 1)
		for _, report := range []string{dmarc, tomorrow, dmarc, tls, strings.ReplaceAll(tls, "2026-11-23", "2026-11-24"), tls} {
			h.store(report, true)
		}
		if s := h.summary(); s.DMARC.Reports != 2 || s.DMARC.Messages != 20 || s.TLS.Reports != 2 || s.TLS.Sessions != 204 {
			t.Errorf("%+v %+v", s.DMARC, s.TLS)
		}
	})
}

func TestAReportCountsForItsDayWhateverItsTimesLookLike(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.clock.Advance(30 * 24 * time.Hour)
	swapped := strings.NewReplacer("1795392000", "1795478399", "1795478399", "1795392000")
	h.store(swapped.Replace(about("example.test", "far.example", "1", "192.0.2.1 10 pass pass none")), true)
	h.store(strings.Replace(about("example.test", "far.example", "2", "192.0.2.1 5 pass pass none"), "<end>1795478399</end>", "", 1), true)
	for since, want := range map[int64]int64{1795392000: 15, 1795478399: 10, 1795478400: 0} {
		s, err := h.Summary(t.Context(), Query{Domain: "example.test", Since: time.Unix(since, 0), DMARC: true})
		if err != nil || s.DMARC.Messages != want {
			t.Errorf("since %d: %+v, %v", since, s.DMARC, err)
		}
	}
}

func TestADomainIsOursHoweverTheReporterSpellsIt(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.o.Domains = domains{"xn--bcher-kva.example": true}
	h.store(about("Bücher.example.", "far.example", "1", "192.0.2.1 10 pass pass none"), true)
	h.store(strings.ReplaceAll(tlsReport, `"policy-domain":"example.test"`, `"policy-domain":"bücher.example"`), true)
	s, err := h.Summary(t.Context(), Query{Domain: "xn--bcher-kva.example", DMARC: true, TLS: true})
	if err != nil || s.DMARC.Messages != 10 || s.TLS.Sessions != 102 {
		t.Errorf("%+v %+v, %v", s.DMARC, s.TLS, err)
	}
}

func TestAForgedReportGivesWayToTheRealOne(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.store(about("example.test", "far.example", "1", "192.0.2.66 1000 pass pass none"), false)
		h.store(about("example.test", "far.example", "1", "192.0.2.1 10 pass pass none"), true)
		h.store(about("example.test", "far.example", "1", "192.0.2.66 1000 pass pass none"), false)
		d := h.summary().DMARC
		if d.Messages != 10 || len(d.Sources) != 1 || d.Sources[0].IP != "192.0.2.1" || h.count("report_records") != 1 {
			t.Errorf("%+v", d)
		}
	})
}

func TestWhatIsTooMuchIsCutAndToldOf(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		records := make([]string, maxRecordsKept+50)
		for i := range records {
			records[i] = fmt.Sprintf("10.0.%d.%d %d pass pass none", i/250, i%250, 1+i/maxRecordsKept)
		}
		h.store(about("example.test", "far.example", "big", records...), true)
		d := h.summary().DMARC
		// The fifty largest stay, with two messages each.
		if d.Messages != maxRecordsKept+100 || d.Cut != 50 || d.Both != maxRecordsKept+50 {
			t.Errorf("%+v", d)
		}
		for i := range maxRecordsPerDay/maxRecordsKept + 3 {
			h.store(about("example.test", "far.example", fmt.Sprint(i), records...), true)
		}
		if s := h.summary(); s.Refused != 4 || s.DMARC.Reports != maxRecordsPerDay/maxRecordsKept {
			t.Errorf("%d refused, %d kept", s.Refused, s.DMARC.Reports)
		}
		h.clock.Advance(24 * time.Hour)
		h.store(about("example.test", "far.example", "tomorrow", "192.0.2.1 1 pass pass none"), true)
		if s := h.summary(); s.DMARC.Reports != maxRecordsPerDay/maxRecordsKept+1 {
			t.Errorf("the next day: %d kept", s.DMARC.Reports)
		}
	})
}

func TestForgedReportsLeaveRoomForRealOnes(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for i := range maxReportsPerDay/2 + 2 {
			h.store(about("example.test", "far.example", fmt.Sprint("forged", i), "192.0.2.66 1 fail fail none"), false)
		}
		h.store(about("example.test", "far.example", "real", "192.0.2.1 10 pass pass none"), true)
		if s := h.summary(); s.Refused != 2 || s.DMARC.Both != 10 {
			t.Errorf("%d refused, %+v", s.Refused, s.DMARC)
		}
	})
}

func TestAReportOfTheFutureIsOneOfToday(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		future := about("example.test", "far.example", "1", "192.0.2.1 10 pass pass none")
		h.store(strings.ReplaceAll(future, "1795478399", "4000000000"), false)
		tomorrow, err := h.Summary(t.Context(), Query{Domain: "example.test", Since: noon.Add(48 * time.Hour), DMARC: true})
		if d := h.summary().DMARC; d.Messages != 10 || err != nil || tomorrow.DMARC.Messages != 0 {
			t.Errorf("%+v, after tomorrow %+v, %v", d, tomorrow.DMARC, err)
		}
	})
}

func TestReportsAreForgottenAfterTheTimeInTheSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for i := range 2*pruneAtOnce + 5 {
			h.store(about("example.test", "far.example", fmt.Sprint(i), "192.0.2.1 1 pass pass none"), true)
		}
		h.store(tlsReport, true)
		if err := h.settings.Set(t.Context(), "reports.keep", "30d"); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(29 * 24 * time.Hour)
		if err := h.Prune(t.Context()); err != nil || h.count("reports") != 2*pruneAtOnce+6 {
			t.Fatalf("%v, %d reports after 29 days", err, h.count("reports"))
		}
		h.clock.Advance(2 * 24 * time.Hour)
		if err := h.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"reports", "report_records", "report_sessions", "report_days"} {
			if n := h.count(table); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}

func TestAMessageThatBringsAReportIsReadByTheReporter(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	read := func(text string) (*Received, bool) {
		t.Helper()
		text = strings.ReplaceAll(text, "\n", "\r\n")
		m, err := message.Parse(strings.NewReader(text), int64(len(text)), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		return h.ReadReport(m, strings.NewReader(text))
	}
	got, ok := read("From: Reports <reports@Far.Example>\nSubject: Report Domain: example.test Submitter: far.example Report-ID: 1\nContent-Type: text/xml\n\n" + honest)
	if !ok || got.Sender != "far.example" || got.Kind != DMARC {
		t.Fatalf("%v %+v", ok, got)
	}
	got.Authenticated = true
	// A transaction may be run twice.
	for range 2 {
		err := h.db.Write(t.Context(), func(tx *db.Tx) error { return got.StoreTx(tx) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := h.summary().DMARC; d.Messages != 2 {
		t.Errorf("%+v", d)
	}
	for _, other := range []string{
		"From: a@far.example\nSubject: Hello\n\nHello.\n",
		"From: a@far.example\nSubject: The paper\nContent-Type: application/zip; name=paper.zip\n\nPK\x03\x04",
		"From: a@far.example\nSubject: Report Domain: example.test\nContent-Type: text/xml\n\n<feedback><broken></feedback>",
		"From: a@far.example\nSubject: Report Domain: example.test\nContent-Type: application/xml\n\n<html></html>",
	} {
		if got, ok := read(other); ok {
			t.Errorf("%q is read as %+v", other, got)
		}
	}
}

func BenchmarkOrdinaryMailIsKnownToBringNoReport(b *testing.B) {
	text := "From: a@far.example\r\nSubject: The paper\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHere.\r\n" +
		"--b\r\nContent-Type: application/pdf; name=paper.pdf\r\n\r\n%PDF\r\n--b--\r\n"
	m, err := message.Parse(strings.NewReader(text), int64(len(text)), message.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	r := &Reporter{}
	content := bytes.NewReader([]byte(text))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.ReadReport(m, content); ok {
			b.Fatal("taken for a report")
		}
	}
}
