package dmarcxml

import (
	"bytes"
	"testing"
)

// FuzzRead: whatever is read can be written, and means the same when it is read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><feedback><version>1.0</version><report_metadata><org_name>far</org_name><email>a@far.example</email><report_id>1</report_id>
		<date_range><begin>1795392000</begin><end>1795478399</end></date_range><error>none</error></report_metadata>
		<policy_published><domain>example.test</domain><adkim>r</adkim><p>reject</p><pct>100</pct></policy_published>
		<record><row><source_ip>192.0.2.1</source_ip><count>2</count><policy_evaluated><disposition>None</disposition><dkim>pass</dkim><spf>fail</spf><reason><type>other</type></reason></policy_evaluated></row>
		<identifiers><header_from>example.test</header_from></identifiers><auth_results><dkim><domain>example.test</domain><result>pass</result></dkim></auth_results></record></feedback>`))
	f.Add([]byte("\xff\xfe<\x00f\x00e\x00e\x00d\x00b\x00a\x00c\x00k\x00>\x00"))
	f.Add([]byte("<!DOCTYPE a [<!ENTITY b \"c\">]><x:feedback xmlns:x='y'><version>&b;\x80\xe4</version></x:feedback>"))
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
		if two.Messages() != one.Messages() || len(two.Records) != len(one.Records) || two.Policy.Domain != one.Policy.Domain || two.ID != one.ID {
			t.Fatalf("%+v became %+v", one, two)
		}
	})
}
