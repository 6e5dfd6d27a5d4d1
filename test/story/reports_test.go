package story_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"postern/internal/reports"
)

// aggregate is a message with a DMARC report of an organisation about example.test: 7 messages, of which 2 failed.
func (g *gate) aggregate(t *testing.T, from, org, id string) string {
	t.Helper()
	record := func(ip string, count int, result string) string {
		return fmt.Sprintf(`<record><row><source_ip>%s</source_ip><count>%d</count><policy_evaluated><disposition>none</disposition><dkim>%s</dkim><spf>%[3]s</spf></policy_evaluated></row>`+
			`<identifiers><header_from>example.test</header_from></identifiers></record>`, ip, count, result)
	}
	xml := `<?xml version="1.0"?><feedback><report_metadata><org_name>` + org + `</org_name><report_id>` + id + `</report_id></report_metadata>` +
		`<policy_published><domain>example.test</domain><p>none</p></policy_published>` + record("192.0.2.1", 5, "pass") + record("198.51.100.7", 2, "fail") + `</feedback>`
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, xml); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return g.compose(from, []string{
		"To: postmaster@example.test", "Subject: Report Domain: example.test Submitter: " + org + " Report-ID: <" + id + ">",
		"Content-Type: application/gzip; name=\"" + org + "!example.test!1!2.xml.gz\"", "Content-Transfer-Encoding: base64",
	}, base64.StdEncoding.EncodeToString(b.Bytes()))
}

// summary is what `postern domain reports` tells of DMARC, and which reporters are vouched for.
func (g *gate) summary(t *testing.T) (*reports.DMARCSummary, map[string]bool) {
	t.Helper()
	var list []reports.Summary
	if err := json.Unmarshal([]byte(g.Postern("domain", "reports", "example.test", "--kind", "dmarc", "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	vouched := map[string]bool{}
	for _, r := range list[0].DMARC.Reporters {
		vouched[r.Org] = r.Authenticated
	}
	return list[0].DMARC, vouched
}

// TestReportsThatComeInAreCountedOnce: by one who is proven and by one who is not, and also where nothing is judged.
func TestReportsThatComeInAreCountedOnce(t *testing.T) {
	g := openGate(t, "")
	const far, other = "127.64.1.1", "127.64.1.2"
	g.domain(t, "far.example", far, "none")
	for range 2 {
		g.accept(t, far, "reports@far.example", g.aggregate(t, "reports@far.example", "far.example", "1"), "alice@example.test")
	}
	if d, vouched := g.summary(t); d.Reports != 1 || d.Messages != 7 || d.Failed != 2 || !vouched["far.example"] {
		t.Errorf("%+v", d)
	}
	g.accept(t, other, "x@elsewhere.example", g.aggregate(t, "reports@far.example", "forged.example", "1"), "alice@example.test")
	if d, vouched := g.summary(t); d.Reports != 2 || vouched["forged.example"] {
		t.Errorf("%+v", d)
	}
	g.set("spam.enabled", "false")
	g.accept(t, far, "reports@far.example", g.aggregate(t, "reports@far.example", "unjudged.example", "2"), "alice@example.test")
	if d, vouched := g.summary(t); d.Reports != 3 || d.Messages != 21 || vouched["unjudged.example"] {
		t.Errorf("with spam.enabled off: %+v", d)
	}
}
