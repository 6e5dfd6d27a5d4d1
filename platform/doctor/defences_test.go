package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"postern/dnsbl"
)

func TestBlockListsThatDoNotAnswerAsListsDoAreToldWithTheFix(t *testing.T) {
	p := Patient{Lists: []Lists{
		{Subject: "addresses", Zones: []string{"zen.spamhaus.org"}, Probe: func(context.Context) []dnsbl.ZoneError {
			return []dnsbl.ZoneError{{Zone: "zen.spamhaus.org", Problem: dnsbl.PublicResolver, Code: "127.255.255.254"}}
		}},
		{Subject: "domains", Zones: []string{"dbl.spamhaus.org"}, Probe: func(context.Context) []dnsbl.ZoneError { return nil }},
		{Subject: "nothing", Probe: func(context.Context) []dnsbl.ZoneError { t.Error("asked although there is no list"); return nil }},
	}}
	list := BlockLists(t.Context(), p)
	if len(list) != 2 || list[0].Level != Warn || !strings.Contains(list[0].Fix, "resolver of your own") || !strings.Contains(list[0].What, "public resolver") {
		t.Errorf("%+v", list)
	}
	if len(list) == 2 && (list[1].Level != OK || list[1].What != "dbl.spamhaus.org answer") {
		t.Errorf("%+v", list[1])
	}
}

func TestScannersAreTried(t *testing.T) {
	list := Scanners(t.Context(), Patient{Scanners: []Scanner{
		{"clamd:/run/clamd", func(context.Context) error { return errors.New("no such file") }},
		{"spamd:127.0.0.1:783", func(context.Context) error { return nil }},
	}})
	if len(list) != 2 || list[0].Level != Warn || list[0].What != "no such file" || list[1].Level != OK {
		t.Errorf("%+v", list)
	}
}
