package reports

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/reply"
	"postern/internal/reports/dmarcxml"
	"postern/internal/reports/tlsrpt"
	"postern/internal/testdb"
	"postern/internal/testdns"
)

// seen is an observation of mail from far.example, which asks for reports at its own domain.
func seen(change ...func(*Observation)) Observation {
	o := Observation{
		Domain: "far.example", Record: "v=DMARC1; p=quarantine; sp=none; adkim=s; np=reject; t=n; rua=mailto:dmarc@far.example", Discovery: "treewalk",
		Source: netip.MustParseAddr("192.0.2.1"), Disposition: "none", DKIM: true, HeaderFrom: "far.example", EnvelopeFrom: "bounces.far.example",
		SPFDomain: "bounces.far.example", SPFScope: "mfrom", SPFResult: "softfail",
		DKIMResults: []dmarcxml.DKIMResult{{Domain: "far.example", Selector: "s1", Result: "pass"}},
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

func session1(domain, result string) TLSObservation {
	return TLSObservation{
		Domain: domain, Host: "mx." + domain, Policy: tlsrpt.NoPolicy, Result: result,
		SendingIP: netip.MustParseAddr("192.0.2.10"), ReceivingIP: netip.MustParseAddr("198.51.100.1"),
	}
}

func TestADayOfMailBecomesAReport(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		forged := func(o *Observation) {
			o.Source, o.DKIM, o.Disposition = netip.MustParseAddr("2001:db8::66"), false, "none"
			o.Reasons = []dmarcxml.Reason{{Type: "local_policy", Comment: "<a mailing list & more>"}}
			o.DKIMResults, o.EnvelopeFrom, o.SPFDomain, o.SPFScope = nil, "", "helo.example", "helo"
		}
		for range 5 {
			h.Observe(seen())
		}
		h.Observe(seen(forged))
		h.restart()
		h.Observe(seen())
		h.Observe(seen(func(o *Observation) { o.Report = true }))
		h.Observe(seen(forged, func(o *Observation) { o.Report = true }))
		h.Observe(seen(func(o *Observation) { o.Domain, o.HeaderFrom = "example.test", "example.test" }))
		h.Observe(seen(func(o *Observation) { o.Domain, o.HeaderFrom = "sub.example.test", "sub.example.test" }))
		h.Observe(seen(func(o *Observation) { o.Domain, o.Record = "quiet.example", "v=DMARC1; p=reject" }))
		due := h.due(h.today())
		for _, early := range []time.Duration{0, 12*time.Hour + settle - time.Second} {
			h.clock.Advance(early)
			h.sendDue()
			if mail := h.sent.take(); len(mail) != 0 {
				t.Fatalf("%d reports before the day is over and settled", len(mail))
			}
		}
		h.clock.Advance(due.Sub(h.clock.Now()))
		h.sendDue()
		mail := h.sent.take()
		if len(mail) != 1 || mail[0].to.String() != "dmarc@far.example" || mail[0].from.String() != "postmaster@example.test" {
			t.Fatalf("sent %+v", mail)
		}
		m, got := parsed(t, mail[0].data)
		f := got.DMARC
		if f.Messages() != 8 || len(f.Records) != 2 || f.Org != "example.test" || f.Begin.Unix() != noon.Unix()-12*3600 || f.End.Unix() != noon.Unix()+12*3600-1 {
			t.Errorf("%+v", f)
		}
		p := f.Policy
		if p.Domain != "far.example" || p.P != "quarantine" || p.SP != "none" || p.ADKIM != "s" || p.ASPF != "r" || p.NP != "reject" || p.Testing != "n" || p.Discovery != "treewalk" {
			t.Errorf("policy %+v", p)
		}
		good, bad := f.Records[0], f.Records[1]
		if good.Count != 6 || good.DKIM != "pass" || good.SPF != "fail" || good.EnvelopeFrom != "bounces.far.example" || good.DKIMResults[0].Selector != "s1" ||
			good.SPFResults[0] != (dmarcxml.SPFResult{Domain: "bounces.far.example", Scope: "mfrom", Result: "softfail"}) {
			t.Errorf("good %+v", good)
		}
		if bad.Count != 2 || bad.Source.String() != "2001:db8::66" || bad.Reasons[0] != (dmarcxml.Reason{Type: "local_policy", Comment: "<a mailing list & more>"}) || bad.SPFResults[0].Scope != "helo" {
			t.Errorf("bad %+v", bad)
		}
		if subject := m.Envelope.Subject; subject != fmt.Sprintf("Report Domain: far.example Submitter: example.test Report-ID: <%s>", f.ID) {
			t.Errorf("subject %q", subject)
		}
		name := m.Root.Children[1].Filename()
		if name != fmt.Sprintf("example.test!far.example!%d!%d.xml.gz", f.Begin.Unix(), f.End.Unix()) || m.Root.Children[1].Subtype != "gzip" {
			t.Errorf("the file is %q", name)
		}
		if m.Header.Get("Auto-Submitted") != "auto-generated" || m.Envelope.MessageID == "" || m.Envelope.Sent.IsZero() {
			t.Errorf("header %+v", m.Header)
		}
		h.restart()
		h.sendDue()
		h.nextDay()
		h.sendDue()
		if mail := h.sent.take(); len(mail) != 0 {
			t.Errorf("%d reports again", len(mail))
		}
		if h.count("report_seen")+h.count("report_seen_domains") != 0 {
			t.Error("what was reported is still there")
		}
		list, err := h.Sent(t.Context(), Query{DMARC: true, TLS: true})
		if err != nil || len(list) != 1 || list[0].State != "sent" || list[0].Total != 8 || list[0].ID != f.ID || list[0].Destination != "mailto:dmarc@far.example" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestNoDayIsLostWhileTheServerIsDown(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for range 3 {
			h.Observe(seen())
			h.clock.Advance(24 * time.Hour)
		}
		h.restart()
		h.clock.Advance(3 * 24 * time.Hour)
		h.sendDue()
		mail := h.sent.take()
		ids := map[string]bool{}
		for _, m := range mail {
			_, got := parsed(t, m.data)
			ids[got.DMARC.ID] = true
		}
		if len(mail) != 3 || len(ids) != 3 {
			t.Errorf("%d messages with ids %v", len(mail), ids)
		}
	})
}

// order is where each element of RFC 7489 appendix C may stand: behind those before it in its parent.
var order = map[string][]string{
	"feedback":         {"version", "report_metadata", "policy_published", "record"},
	"report_metadata":  {"org_name", "email", "extra_contact_info", "report_id", "date_range", "error"},
	"date_range":       {"begin", "end"},
	"record":           {"row", "identifiers", "auth_results"},
	"row":              {"source_ip", "count", "policy_evaluated"},
	"policy_evaluated": {"disposition", "dkim", "spf", "reason"},
	"reason":           {"type", "comment"},
	"identifiers":      {"envelope_to", "envelope_from", "header_from"},
	"auth_results":     {"dkim", "spf"},
}

func TestOurXMLHasTheOrderOfRFC7489(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.Observe(seen(func(o *Observation) { o.Reasons = []dmarcxml.Reason{{Type: "sampled_out", Comment: "x"}} }))
	h.nextDay()
	h.sendDue()
	mail := h.sent.take()
	if len(mail) != 1 {
		t.Fatal("no report")
	}
	_, got := parsed(t, mail[0].data)
	var b bytes.Buffer
	if err := got.DMARC.Write(&b); err != nil {
		t.Fatal(err)
	}
	var path []string
	last := map[int]int{}
	found := map[string]bool{}
	d := xml.NewDecoder(&b)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			if len(path) > 0 {
				if list := order[path[len(path)-1]]; list != nil {
					at := slices.Index(list, name)
					if at < last[len(path)] {
						t.Errorf("%s in %v is out of order", name, path)
					}
					last[len(path)] = at
				}
				found[path[len(path)-1]+"/"+name] = true
			}
			path = append(path, name)
			last[len(path)] = 0
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	for _, needed := range []string{"policy_published/domain", "policy_published/p", "policy_published/sp", "policy_published/pct", "identifiers/envelope_from",
		"identifiers/header_from", "auth_results/spf", "spf/scope", "policy_evaluated/reason", "report_metadata/email"} {
		if !found[needed] {
			t.Errorf("%s is not there", needed)
		}
	}
	if got.DMARC.Records[0].Reasons[0].Type != "other" {
		t.Errorf("the reason is %q", got.DMARC.Records[0].Reasons[0].Type)
	}
}

func TestDestinationsElsewhereMustAgree(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.dns.SetTXT("yes.example._report._dmarc.collector.example", "v=DMARC1")
		h.dns.SetTXT("moved.example._report._dmarc.collector.example", "v=DMARC1; rua=mailto:other@collector.example")
		h.dns.SetTXT("stolen.example._report._dmarc.collector.example", "v=DMARC1; rua=mailto:victim@victim.example")
		h.dns.SetTXT("noise.example._report._dmarc.collector.example", "not a record", "v=DMARC2")
		h.dns.SetTXT("*._report._dmarc.any.example", "v=DMARC1;")
		h.dns.SetFailure("slow.example._report._dmarc.collector.example", testdns.ServFail())
		for domain, rua := range map[string]string{
			"yes.example": "mailto:r@collector.example", "no.example": "mailto:r@collector.example", "moved.example": "mailto:r@collector.example",
			"stolen.example": "mailto:r@collector.example", "noise.example": "mailto:r@collector.example", "wild.example": "mailto:r@any.example",
			"slow.example": "mailto:r@collector.example", "sub.own.example": "mailto:r@own.example", "small.example": "mailto:r@small.example!100",
			"large.example": "mailto:r@large.example!10m", "two.example": "mailto:a@two.example,mailto:b%2Bc@two.example", "ftp.example": "ftp:x@ftp.example,https://ftp.example/",
		} {
			h.Observe(seen(func(o *Observation) { o.Domain, o.HeaderFrom, o.Record = domain, domain, "v=DMARC1; p=none; rua="+rua }))
		}
		h.nextDay()
		h.sendDue()
		var to []string
		for _, m := range h.sent.take() {
			_, got := parsed(t, m.data)
			to = append(to, got.DMARC.Policy.Domain+" "+m.to.String())
		}
		slices.Sort(to)
		want := []string{"large.example r@large.example", "moved.example other@collector.example", "stolen.example r@collector.example", "sub.own.example r@own.example",
			"two.example a@two.example", "two.example b+c@two.example", "wild.example r@any.example", "yes.example r@collector.example"}
		if !slices.Equal(to, want) {
			t.Errorf("sent to\n%s", strings.Join(to, "\n"))
		}
		list, err := h.Sent(t.Context(), Query{DMARC: true})
		notes := map[string]string{}
		for _, s := range list {
			notes[s.Domain] = s.State + " " + s.Note
		}
		if err != nil || !strings.Contains(notes["no.example"], "refused has not agreed") || !strings.Contains(notes["noise.example"], "refused") || !strings.Contains(notes["small.example"], "takes 100 bytes") {
			t.Errorf("%v, %v", notes, err)
		}
		// What failed for the moment comes again, and only that.
		h.dns.SetFailure("slow.example._report._dmarc.collector.example", testdns.Failure{})
		h.dns.SetTXT("slow.example._report._dmarc.collector.example", "v=DMARC1")
		h.sendDue()
		if mail := h.sent.take(); len(mail) != 0 {
			t.Errorf("%d messages at once", len(mail))
		}
		h.clock.Advance(again)
		h.sendDue()
		if mail := h.sent.take(); len(mail) != 1 || mail[0].to.String() != "r@collector.example" {
			t.Errorf("later %+v", mail)
		}
	})
}

func TestADestinationThatCannotBeLookedUpHoldsUpNoOther(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.dns.SetFailure("far.example._report._dmarc.slow.example", testdns.ServFail())
	h.Observe(seen(func(o *Observation) { o.Record = "v=DMARC1; p=none; rua=mailto:a@slow.example,mailto:r@far.example" }))
	h.nextDay()
	for range maxTries {
		h.sendDue()
		h.clock.Advance(again)
	}
	if mail := h.sent.take(); len(mail) != 1 || mail[0].to.String() != "r@far.example" {
		t.Errorf("sent %+v", mail)
	}
	states := map[string]string{}
	list, err := h.Sent(t.Context(), Query{DMARC: true})
	for _, s := range list {
		states[s.Destination] = s.State
	}
	if err != nil || len(list) != 2 || states["mailto:r@far.example"] != stateSent || states["mailto:a@slow.example"] != stateFailed {
		t.Errorf("%v, %v", states, err)
	}
}

func TestADestinationThatIsNamedTwiceGetsOneReport(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.Observe(seen(func(o *Observation) {
		o.Record = "v=DMARC1; p=none; rua=mailto:r@far.example,mailto:r@far.example!10m,mailto:r@FAR.example"
	}))
	h.nextDay()
	h.sendDue()
	if mail := h.sent.take(); len(mail) != 1 {
		t.Errorf("%d messages", len(mail))
	}
}

func TestWhatWasSentIsFoundHoweverTheDomainIsSpelt(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.dns.SetTXT("_smtp._tls.far.example", "v=TLSRPTv1; rua=mailto:tls@far.example")
		h.Observe(seen())
		h.ObserveTLS(session1("far.example", ""))
		h.nextDay()
		h.sendDue()
		for q, want := range map[Query]int{
			{Domain: "Far.Example.", DMARC: true, TLS: true}: 2, {Domain: "far.example", TLS: true}: 1, {DMARC: true}: 1, {Domain: "near.example", DMARC: true, TLS: true}: 0,
		} {
			if list, err := h.Sent(t.Context(), q); err != nil || len(list) != want {
				t.Errorf("%+v: %+v, %v", q, list, err)
			}
		}
	})
}

func TestAReportThatCannotBeSentIsTriedForADay(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.Observe(seen())
	h.nextDay()
	h.sent.err = errors.New("the disk is full")
	for range maxTries - 1 {
		h.sendDue()
		h.clock.Advance(again)
	}
	if h.count("report_seen_domains") != 1 || h.count("report_sent") != 0 {
		t.Error("given up too early")
	}
	h.sendDue()
	if list, err := h.Sent(t.Context(), Query{DMARC: true}); err != nil || len(list) != 1 || list[0].State != "failed" || !strings.Contains(list[0].Note, "disk") || h.count("report_seen") != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	h.Observe(seen())
	h.nextDay()
	h.sent.err = reply.New(550, "5.1.2", "No such domain")
	h.sendDue()
	if list, err := h.Sent(t.Context(), Query{DMARC: true}); err != nil || len(list) != 2 || list[0].Note != "No such domain" || h.count("report_seen") != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestReportsCanBeSwitchedOff(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.dns.SetTXT("_smtp._tls.far.example", "v=TLSRPTv1; rua=mailto:tls@far.example")
	h.Observe(seen())
	h.ObserveTLS(session1("far.example", ""))
	for _, name := range []string{"reports.dmarc_send", "reports.tls_send"} {
		if err := h.settings.Set(t.Context(), name, "false"); err != nil {
			t.Fatal(err)
		}
	}
	h.Observe(seen())
	h.ObserveTLS(session1("far.example", ""))
	h.nextDay()
	h.sendDue()
	if len(h.sent.take()) != 0 || h.count("report_seen") != 0 {
		t.Error("something was sent, or stays")
	}
}

func TestTheContactOfTheSettingsSendsReports(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	for contact, from := range map[string]string{"reports@example.test": "reports@example.test", "reports@elsewhere.example": "postmaster@example.test"} {
		if err := h.settings.Set(t.Context(), "reports.contact", contact); err != nil {
			t.Fatal(err)
		}
		h.Observe(seen())
		h.nextDay()
		h.sendDue()
		mail := h.sent.take()
		if len(mail) != 1 || mail[0].from.String() != from || !h.IsContact(from) || h.IsContact("alice@example.test") {
			t.Errorf("%s: %+v", contact, mail)
			continue
		}
		if _, got := parsed(t, mail[0].data); got.DMARC.Email != from {
			t.Errorf("%s: %s", contact, got.DMARC.Email)
		}
	}
}

func TestADayOfSessionsBecomesATLSReport(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.dns.SetTXT("_smtp._tls.far.example", "v=TLSRPTv1; rua=mailto:tls@far.example")
		h.dns.SetTXT("_smtp._tls.twice.example", "v=TLSRPTv1; rua=mailto:a@twice.example", "v=TLSRPTv1; rua=mailto:b@twice.example")
		for range 4 {
			h.ObserveTLS(session1("far.example", ""))
		}
		h.ObserveTLS(session1("far.example", tlsrpt.StartTLSNotSupported))
		h.restart()
		h.ObserveTLS(session1("far.example", tlsrpt.StartTLSNotSupported))
		sts := session1("far.example", tlsrpt.CertificateExpired)
		sts.Policy, sts.Lines, sts.MXHosts = tlsrpt.PolicySTS, []string{"version: STSv1", "mode: enforce"}, []string{"*.far.example"}
		h.ObserveTLS(sts)
		h.ObserveTLS(session1("twice.example", ""))
		h.ObserveTLS(session1("silent.example", ""))
		h.ObserveTLS(session1("example.test", ""))
		h.ObserveTLS(session1("[192.0.2.1]", ""))
		report := session1("far.example", "")
		report.Report = true
		h.ObserveTLS(report)
		h.nextDay()
		h.sendDue()
		mail := h.sent.take()
		if len(mail) != 1 || mail[0].to.String() != "tls@far.example" {
			t.Fatalf("sent %+v", mail)
		}
		m, got := parsed(t, mail[0].data)
		if m.Header.Get("TLS-Report-Domain") != "far.example" || m.Header.Get("TLS-Report-Submitter") != "example.test" || m.Root.Subtype != "report" || m.Root.Param("report-type") != "tlsrpt" {
			t.Errorf("header:\n%.1500s", mail[0].data)
		}
		part := m.Root.Children[1]
		if part.Subtype != "tlsrpt+gzip" || part.Filename() != fmt.Sprintf("example.test!far.example!%d!%d.json.gz", noon.Unix()-12*3600, noon.Unix()+12*3600-1) {
			t.Errorf("the part is %+v", part)
		}
		r := got.TLS
		slices.SortFunc(r.Policies, func(a, b tlsrpt.Policy) int { return strings.Compare(a.Type, b.Type) })
		if len(r.Policies) != 2 || r.Org != "example.test" || r.Contact != "postmaster@example.test" || r.ID == "" || got.Domain != "far.example" {
			t.Fatalf("%+v", r)
		}
		none, some := r.Policies[0], r.Policies[1]
		if none.Type != tlsrpt.NoPolicy || none.Domain != "far.example" || none.Successes != 4 || none.Failures != 2 || len(none.Details) != 1 || none.Details[0].Count != 2 ||
			none.Details[0].ReceivingHost != "mx.far.example" || none.Details[0].SendingIP.String() != "192.0.2.10" {
			t.Errorf("%+v", none)
		}
		if some.Type != tlsrpt.PolicySTS || some.Failures != 1 || !slices.Equal(some.Lines, sts.Lines) || !slices.Equal(some.MXHosts, sts.MXHosts) {
			t.Errorf("%+v", some)
		}
		if h.count("report_seen_domains") != 0 {
			t.Error("domains without a wish for reports are still waited for")
		}
	})
}

// collector takes reports by HTTPS.
type collector struct {
	mu     sync.Mutex
	bodies [][]byte
	types  []string
	status int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies, c.types = append(c.bodies, body), append(c.types, req.Method+" "+req.Header.Get("Content-Type"))
	if c.status == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(c.status)
}

func TestTLSReportsGoByHTTPSToPublicAddressesOnly(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	c := &collector{status: http.StatusCreated}
	server := httptest.NewTLSServer(c)
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	h.dns.Set(t, "example.com. IN A 127.0.0.1\n") // the name in the test server's certificate
	h.dns.SetTXT("_smtp._tls.far.example", fmt.Sprintf("v=TLSRPTv1; rua=https://example.com:%d/v1/tls,mailto:tls@far.example", at.Port()))
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	h.o.Roots = roots

	day := func() {
		h.ObserveTLS(session1("far.example", ""))
		h.nextDay()
		h.sendDue()
	}
	day() // 127.0.0.1 is not public; the other destination gets its report
	if len(c.bodies) != 0 || len(h.sent.take()) != 1 || h.count("report_seen_domains") != 1 {
		t.Fatalf("%d bodies", len(c.bodies))
	}
	h.o.Reachable = func(to netip.AddrPort) bool { return to == at }
	h.clock.Advance(again)
	h.sendDue()
	if len(c.bodies) != 1 || c.types[0] != "POST application/tlsrpt+gzip" || len(h.sent.take()) != 0 {
		t.Fatalf("%d bodies, %v", len(c.bodies), c.types)
	}
	z, err := gzip.NewReader(bytes.NewReader(c.bodies[0]))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tlsrpt.Read(z); err != nil || r.Policies[0].Successes != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	// A redirect is not followed and no success; the other destination gets its report once.
	c.status = http.StatusFound
	day()
	h.clock.Advance(again)
	h.sendDue()
	if len(c.bodies) != 3 || len(h.sent.take()) != 1 {
		t.Errorf("%d bodies", len(c.bodies))
	}
	c.status = http.StatusOK
	h.clock.Advance(again)
	h.sendDue()
	if list, err := h.Sent(t.Context(), Query{TLS: true}); err != nil || len(list) != 4 || h.count("report_seen_domains") != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestOnlyPublicAddressesAndThePortOfHTTPSAreSpokenTo(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1:443": true, "[2606:4700::1]:443": true, "1.1.1.1:25": false, "127.0.0.1:443": false, "10.1.2.3:443": false, "169.254.169.254:443": false,
		"[::1]:443": false, "[fd00::1]:443": false, "[fe80::1]:443": false, "100.64.0.1:443": false, "0.0.0.0:443": false, "224.0.0.1:443": false,
		"[::ffff:127.0.0.1]:443": false, "[64:ff9b::7f00:1]:443": false, "[2002:7f00:1::]:443": false, "255.255.255.255:443": false, "192.168.1.1:443": false,
	} {
		if got := isPublic(netip.MustParseAddrPort(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestAFloodIsCountedAndNotToldOneByOne(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for i := range maxSeenRows + 30 {
			h.Observe(seen(func(o *Observation) { o.Source = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }))
		}
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := h.count("report_seen"); n != maxSeenRows {
			t.Errorf("%d rows", n)
		}
		h.Observe(seen(func(o *Observation) { o.EnvelopeFrom = "new" }))
		h.nextDay()
		h.sendDue()
		mail := h.sent.take()
		if len(mail) != 1 {
			t.Fatalf("%d reports", len(mail))
		}
		_, got := parsed(t, mail[0].data)
		if len(got.DMARC.Records) != maxSeenRows || len(got.DMARC.Errors) != 1 || !strings.HasPrefix(got.DMARC.Errors[0], "31 further messages") {
			t.Errorf("%d records, %q", len(got.DMARC.Records), got.DMARC.Errors)
		}
	})
}

func TestTheMemoryOfAFloodIsBounded(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	for i := range maxUnwritten + 100 {
		h.Observe(seen(func(o *Observation) { o.Domain = fmt.Sprintf("d%d.example", i) }))
	}
	if h.seen.rows != maxUnwritten || h.seen.lost != 100 {
		t.Errorf("%d rows, %d lost", h.seen.rows, h.seen.lost)
	}
}

func TestCountsThatCannotBeWrittenWait(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	for i := range 3 * flushAtOnce {
		h.Observe(seen(func(o *Observation) { o.EnvelopeFrom = fmt.Sprint(i) }))
	}
	h.db.Close()
	if err := h.Flush(t.Context()); err == nil {
		t.Fatal("written to a closed database")
	}
	h.Observe(seen(func(o *Observation) { o.EnvelopeFrom = "0" }))
	waiting := h.seen.domains
	h.open()
	h.seen.domains = waiting
	h.nextDay()
	h.sendDue()
	mail := h.sent.take()
	if len(mail) != 1 {
		t.Fatalf("%d reports", len(mail))
	}
	if _, got := parsed(t, mail[0].data); got.DMARC.Messages() != 3*flushAtOnce+1 || len(got.DMARC.Records) != 3*flushAtOnce {
		t.Errorf("%d messages in %d records", got.DMARC.Messages(), len(got.DMARC.Records))
	}
}

// TestTheServerReportsByItself runs the loops by the clock.
func TestTheServerReportsByItself(t *testing.T) {
	h := newHouse(t, testdb.SQLite(t))
	h.Start()
	h.Observe(seen())
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); <-time.After(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	until("the loops do not wait", func() bool { return h.clock.Waiting() == 2 })
	h.clock.Advance(flushEvery)
	until("nothing is written", func() bool { return h.count("report_seen") == 1 })
	until("the loops do not wait again", func() bool { return h.clock.Waiting() == 2 })
	h.nextDay()
	until("nothing is sent", func() bool { return len(h.sent.take()) == 1 })
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, rows := range []int{1, 1000, maxUnwritten} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			h := newHouse(b, testdb.SQLite(b))
			list := make([]Observation, min(rows, 1000))
			for i := range rows {
				o := seen(func(o *Observation) { o.Source = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) })
				h.Observe(o)
				list[i%len(list)] = o
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				h.Observe(list[i%len(list)])
				i++
			}
		})
	}
}

func TestARecordIsReportedInTheWordsOfTheSchema(t *testing.T) {
	got := policyOf("far.example", "v=DMARC1; p=Reject; sp=maybe; adkim=x; aspf=S; pct=500; fo=1:d; t=y; rua=mailto:a@far.example")
	want := dmarcxml.Policy{Domain: "far.example", P: "reject", SP: "reject", ADKIM: "r", ASPF: "s", Percent: "100", FO: "1:d", Testing: "y"}
	if got != want {
		t.Errorf("%+v", got)
	}
}

func TestAddressesForReportsAreReadAsTheRFCsSay(t *testing.T) {
	for text, want := range map[string]string{
		"mailto:a@b.example": "a@b.example 0", "MAILTO:a@b.example!10m": "a@b.example 10485760", "mailto:a%2Bc@b.example?subject=x": "a+c@b.example 0",
		"mailto:a@b.example!5": "a@b.example 5", "mailto:a@b.example!2K": "a@b.example 2048", "mailto:a@b.example!x": "", "mailto:a@b.example!0": "", "mailto:": "",
		"mailto:a": "", "mailto:a@[192.0.2.1]": "", "https://b.example/x": "https://b.example/x 0", "https://u:p@b.example/": "", "http://b.example/": "", "": "",
		"mailto:%zz@b.example": "", "mailto:a@b.example!99999999999999999999t": "",
	} {
		got := ""
		if d, ok := parseDestination(text); ok {
			got = fmt.Sprint(d.post, d.mailbox, " ", d.most)
			if d.post != "" {
				got = fmt.Sprint(d.post, " ", d.most)
			}
		}
		if got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "mailto:a%d@b.example,", i)
	}
	if list := parseDestinations(many.String(), false); len(list) != maxDestinations {
		t.Errorf("%d destinations", len(list))
	}
}

func FuzzDestinations(f *testing.F) {
	f.Add("v=DMARC1; p=none; rua=mailto:a@b.example!10m, https://b.example/%zz ,mailto:x%21@y.example")
	f.Add("v=TLSRPTv1;rua=mailto:;;=;rua")
	f.Fuzz(func(t *testing.T, record string) {
		for _, d := range parseDestinations(tags(record)["rua"], true) {
			if (d.post == "") == d.mailbox.IsZero() || d.most < 0 {
				t.Fatalf("%+v", d)
			}
		}
		policyOf("far.example", record)
		isRecord(record, "DMARC1")
	})
}
