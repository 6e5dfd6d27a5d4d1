package sieve

import (
	"context"
	"strings"
	"testing"
	"time"
)

// at is a host whose clock stands.
type at struct {
	*lab
	now   time.Time
	calls int
}

func (h *at) Now() time.Time {
	h.calls++
	return h.now.Add(time.Duration(h.calls-1) * time.Hour)
}

const dated = "Date: Sat, 28 Feb 2026 23:30:05 -0500\r\nReceived: from a by b; Sun, 1 Mar 2026 04:31:00 +0000\r\n" +
	"Received: from c by a; Sun, 1 Mar 2026 05:30:30 +0100\r\nX-Bad: yesterday\r\nX-Bad: 1 Jan 2026\r\nX-Old: 1 Jan 00 00:00:00 GMT\r\nX-Leap: 29 Feb 2024 12:00:00 +0000\r\n\r\n"

// holdsAt is holdsFor on a host in the zone +0200, on the afternoon of Tuesday, 7 July 2026.
func holdsAt(t *testing.T, require, test, mail string) bool {
	t.Helper()
	s := compiled(t, "require ["+require+"];\nif "+test+" { discard; }")
	j := jobFor(t, mail)
	j.Host = &at{lab: newLab("x"), now: time.Date(2026, 7, 7, 15, 4, 5, 0, time.FixedZone("", 7200))}
	o := s.Run(context.Background(), j)
	if o.Err != nil {
		t.Fatalf("%s: %v", test, o.Err)
	}
	return !o.ImplicitKeep
}

func TestADateHasItsPartsInTheZoneAskedFor(t *testing.T) {
	for part, want := range map[string][3]string{ // of the field itself, in the zone of the account, in +0530
		"year":    {"2026", "2026", "2026"},
		"month":   {"02", "03", "03"},
		"day":     {"28", "01", "01"},
		"date":    {"2026-02-28", "2026-03-01", "2026-03-01"},
		"julian":  {"61099", "61100", "61100"},
		"hour":    {"23", "06", "10"},
		"minute":  {"30", "30", "00"},
		"second":  {"05", "05", "05"},
		"time":    {"23:30:05", "06:30:05", "10:00:05"},
		"iso8601": {"2026-02-28T23:30:05-05:00", "2026-03-01T06:30:05+02:00", "2026-03-01T10:00:05+05:30"},
		"std11":   {"Sat, 28 Feb 2026 23:30:05 -0500", "Sun, 01 Mar 2026 06:30:05 +0200", "Sun, 01 Mar 2026 10:00:05 +0530"},
		"zone":    {"-0500", "+0200", "+0530"},
		"weekday": {"6", "0", "0"},
	} {
		for i, zone := range []string{":originalzone", "", `:zone "+0530"`} {
			if test := `date ` + zone + ` "date" "` + strings.ToUpper(part) + `" "` + want[i] + `"`; !holdsAt(t, `"date"`, test, dated) {
				t.Errorf("not so: %s", test)
			}
		}
	}
}

func TestDatesAreComparedLikeOtherValues(t *testing.T) {
	for _, c := range []struct {
		test  string
		holds bool
	}{
		{`date :value "ge" "date" "date" "2026-03-01"`, true},
		{`date :value "lt" "date" "date" "2026-03-01"`, false},
		{`date :value "gt" :comparator "i;ascii-numeric" "date" "hour" "5"`, true},
		{`date :originalzone :contains "received" "time" "04:31"`, true}, // behind the semicolon (RFC 5321 4.4)
		{`date :originalzone "received" "zone" "+0100"`, true},
		{`date :index 1 :originalzone "received" "zone" "+0100"`, false},
		{`date :index 2 :originalzone "received" "zone" "+0100"`, true},
		{`date :index 1 :last :originalzone "received" "zone" "+0100"`, true},
		{`date :count "eq" "received" "year" "2"`, true},
		{`date :count "eq" "x-bad" "year" "0"`, true}, // what is no date is as if it were not there (RFC 5260 4)
		{`date :matches "x-bad" "year" "*"`, false},
		{`date "x-old" "year" "2000"`, true}, // RFC 5322 4.3
		{`date "x-leap" "date" "2024-02-29"`, true},
		{`date "x-absent" "year" ["2025", "2026"]`, false},
		{`date "date" "year" ["2025", "2026"]`, true},
		// RFC 5260 5
		{`currentdate "date" "2026-07-07"`, true},
		{`currentdate "weekday" "2"`, true},
		{`currentdate :zone "-1200" "date" "2026-07-07"`, true},
		{`currentdate :zone "+1100" "date" "2026-07-08"`, true},
		{`currentdate :value "ge" "time" "15:00:00"`, true},
		{`allof (currentdate "hour" "15", currentdate "hour" "15")`, true}, // it stands still
		{`allof (currentdate :value "ge" "date" "2026-07-01", currentdate :value "le" "date" "2026-07-31")`, true},
		{`currentdate :count "eq" "year" "1"`, true},
	} {
		if got := holdsAt(t, `"date", "index", "relational", "comparator-i;ascii-numeric"`, c.test, dated); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

func TestMistakesInADateTestAreTold(t *testing.T) {
	for test, why := range map[string]string{
		`date "date" "fortnight" "1"`:                          "a date has no part 'fortnight'",
		`date :zone "+01:00" "date" "year" "1"`:                "'+01:00' is no time zone",
		`date :zone "CET" "date" "year" "1"`:                   "'CET' is no time zone",
		`date :zone "+0160" "date" "year" "1"`:                 "'+0160' is no time zone",
		`date :zone "+0100" :originalzone "date" "year" "1"`:   "':zone' stands there already",
		`date ["date", "received"] "year" "1"`:                 "expects a string as argument 1",
		`date "date" "1"`:                                      "requires 3 positional arguments",
		`date :last "date" "year" "1"`:                         "the tag ':last' goes with ':index'",
		`date :index 0 "date" "year" "1"`:                      "counted from 1",
		`currentdate :originalzone "year" "1"`:                 "unknown tagged argument ':originalzone'",
		`currentdate :index 1 "year" "1"`:                      "unknown tagged argument ':index'",
		`currentdate "" "1"`:                                   "a date has no part ''",
		`currentdate ["year"] "1"`:                             "expects a string as argument 1",
		`currentdate :zone 100 "year" "1"`:                     "takes a string, but a number was found",
		`currentdate :value "newer" "year" "1"`:                "needs require \"relational\"",
		`date :comparator "i;unicode-casemap" "a" "year" "1"`:  "needs require \"comparator-i;unicode-casemap\"",
		`date :regex "date" "year" "2"`:                        "needs require \"regex\"",
		`date :matches "date" "year" "2" "3"`:                  "requires 3 positional arguments",
		`header :index 1 "subject" "x"`:                        "",
		`header :index 18446744073709551615 "subject" "x"`:     "counted from 1",
		`address :index 1 :last "from" "x"`:                    "",
		`exists :index 1 "from"`:                               "unknown tagged argument",
		`date :index 1 :index 2 "date" "year" "2"`:             "':index' stands there already",
		`date :zone "+0100" :zone "+0200" "date" "year" "202"`: "':zone' stands there already",
	} {
		problems := mistakes(t, "require [\"date\", \"index\"];\nif "+test+" { keep; }")
		if why == "" && len(problems) == 0 {
			continue
		}
		if len(problems) != 1 || why == "" || !strings.Contains(problems[0].Text, why) {
			t.Errorf("%s: %v", test, problems)
		}
	}
}

func TestAZoneOrPartMadeOfVariablesIsCheckedWhenItIsUsed(t *testing.T) {
	for test, why := range map[string]string{
		`currentdate :zone "${z}" "year" "2026"`: "'CET' is no time zone",
		`currentdate "${z}" "2026"`:              "a date has no part 'CET'",
	} {
		o := outcomeOf(t, "require [\"date\", \"variables\"];\nset \"z\" \"CET\";\nif "+test+" { discard; }")
		if o.Err == nil || !strings.Contains(o.Err.Error(), why) || !o.ImplicitKeep {
			t.Errorf("%s: %v", test, o.Err)
		}
	}
}
