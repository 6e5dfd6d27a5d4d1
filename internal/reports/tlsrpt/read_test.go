package tlsrpt

import (
	"strings"
	"testing"
	"time"
)

// usual is a report as most senders write it.
const usual = `{"organization-name":"far","report-id":"1","date-range":{"start-datetime":"2026-11-23T00:00:00Z","end-datetime":"2026-11-23T23:59:59Z"},
	"policies":[{"policy":{"policy-type":"sts","policy-domain":"example.test"},"summary":{"total-successful-session-count":3,"total-failure-session-count":2},
	"failure-details":[{"result-type":"certificate-expired","failed-session-count":2}]}]}`

func TestOddFormsOfAReportMeanTheSame(t *testing.T) {
	begin := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for name, form := range map[string]*strings.Replacer{
		"usual":              strings.NewReplacer(),
		"byte order mark":    strings.NewReplacer(`{"organization`, "\ufeff"+`{"organization`),
		"counts in texts":    strings.NewReplacer(`-count":3`, `-count":"3"`, `-count":2`, `-count":"2"`),
		"no total of failed": strings.NewReplacer(`,"total-failure-session-count":2`, ""),
		"zone by digits":     strings.NewReplacer("00:00:00Z", "00:00:00+0000"),
		"zone behind spaces": strings.NewReplacer("T00:00:00Z", " 00:00:00Z"),
		"seconds since 1970": strings.NewReplacer(`"2026-11-23T00:00:00Z"`, "1795392000", `"2026-11-23T23:59:59Z"`, "1795478399"),
		"one policy":         strings.NewReplacer(`"policies":[`, `"policies":`, `]}]}`, `]}}`),
		"one kind of failed": strings.NewReplacer(`"failure-details":[`, `"failure-details":`, `2}]}`, `2}}`),
		"words between":      strings.NewReplacer(`"policies":[`, `"policies":["no object",[{}],null,`),
	} {
		r, err := Read(strings.NewReader(form.Replace(usual)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !r.Begin.Equal(begin) || len(r.Policies) != 1 {
			t.Errorf("%s: %+v", name, r)
			continue
		}
		if p := r.Policies[0]; p.Domain != "example.test" || p.Successes != 3 || p.Failures != 2 || len(p.Details) != 1 || p.Details[0].Count != 2 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestFailuresThatAreToldAsNoneStayNone(t *testing.T) {
	r, err := Read(strings.NewReader(strings.Replace(usual, `"total-failure-session-count":2`, `"total-failure-session-count":0`, 1)))
	if err != nil || r.Policies[0].Failures != 0 || len(r.Policies[0].Details) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
