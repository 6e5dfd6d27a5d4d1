package tlsrpt

import (
	"bytes"
	"testing"
)

// FuzzRead: whatever is read can be written, and means the same when it is read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"organization-name":"far","report-id":"1","contact-info":"a@far.example","date-range":{"start-datetime":"2026-11-23T00:00:00Z","end-datetime":"2026-11-23"},
		"policies":[{"policy":{"policy-type":"STS","policy-string":"version: STSv1","policy-domain":"example.test.","mx-host":["a","b"]},"summary":{"total-successful-session-count":"3","total-failure-session-count":2},
		"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"[2001:db8::1]","receiving-ip":"192.0.2.1","failed-session-count":2.0,"x":[{}]}]}]}`))
	f.Add([]byte(`{"policies":[[],{},1,null],"report-id":["a","b"],"a":{"b":[1,{"c":[]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		one, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := one.Write(&b); err != nil {
			t.Fatal(err)
		}
		two, err := Read(&b)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(two.Policies) != len(one.Policies) || two.ID != one.ID {
			t.Fatalf("%+v became %+v", one, two)
		}
		for i, p := range one.Policies {
			q := two.Policies[i]
			if p.Successes != q.Successes || p.Failures != q.Failures || p.Domain != q.Domain || len(p.Details) != len(q.Details) {
				t.Fatalf("%+v became %+v", p, q)
			}
		}
	})
}
