package sieve

import "testing"

func TestSpamtestAndVirustestAfterTheRules(t *testing.T) {
	const require = `"spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric"`
	for _, c := range []struct {
		score, percent int
		tested         bool
		virus          int
		test           string
		holds          bool
	}{
		{0, 0, false, 0, `spamtest "0"`, true}, // RFC 5235 2.2: not tested
		{1, 0, true, 0, `spamtest "1"`, true},
		{10, 100, true, 0, `spamtest :value "ge" :comparator "i;ascii-numeric" "3"`, true},
		{2, 11, true, 0, `spamtest :value "ge" :comparator "i;ascii-numeric" "3"`, false},
		{5, 44, true, 0, `spamtest :percent :value "gt" :comparator "i;ascii-numeric" "43"`, true}, // RFC 5235 2.2
		{5, 44, true, 0, `spamtest :percent "44"`, true},
		{7, 66, false, 0, `spamtest :percent "0"`, true},
		{7, 66, false, 0, `spamtest :percent :count "eq" :comparator "i;ascii-numeric" "0"`, true},
		{1, 0, true, 0, `spamtest :percent :count "eq" :comparator "i;ascii-numeric" "1"`, true},
		{0, 0, false, 0, `virustest "0"`, true}, // RFC 5235 2.3
		{0, 0, false, 5, `virustest :value "ge" :comparator "i;ascii-numeric" "4"`, true},
		{0, 0, false, 1, `virustest :value "ge" :comparator "i;ascii-numeric" "4"`, false},
	} {
		a := newAccount()
		a.score, a.percent, a.tested, a.virus = c.score, c.percent, c.tested, c.virus
		if a.holds(t, require, c.test) != c.holds {
			t.Errorf("%s with %d, %d%%, %v, %d: %v", c.test, c.score, c.percent, c.tested, c.virus, !c.holds)
		}
	}
}

func TestPercentNeedsSpamtestplus(t *testing.T) {
	if mistakes(t, `require "spamtest"; if spamtest :percent "0" { keep; }`) == nil || mistakes(t, `require "spamtest"; if spamtest ["0", "1"] { keep; }`) == nil {
		t.Error("it is taken")
	}
}

func TestTheLabReadsWhatAFilterWrote(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		header   string
		score    int
		percent  int
		tested   bool
	}{
		{map[string]string{"sieve_spamtest_status_header": "X-Score", "sieve_spamtest_max_value": "10"}, "X-Score: 5", 5, 50, true},
		{map[string]string{"sieve_spamtest_status_header": "X-Score: [^=]*=(-?[0-9.]+)", "sieve_spamtest_score_max_value": "5"}, "X-Score: Yes, score=9.1", 10, 100, true},
		{map[string]string{"sieve_spamtest_status_header": "X-Score", "sieve_spamtest_max_value": "10"}, "X-Other: 5", 0, 0, false},
		{map[string]string{"sieve_spamtest_status_header": "X-Bar", "sieve_spamtest_status_type": "strlen", "sieve_spamtest_max_value": "9"}, "X-Bar: sss", 4, 33, true},
		{map[string]string{"sieve_spamtest_status_header": "X-Spam", "sieve_spamtest_status_type": "text", "sieve_spamtest_text_value10": "Yes"}, "X-Spam: Yes", 10, 100, true},
	} {
		l := newLab("x")
		l.config, l.message.content = c.settings, []byte(c.header+"\r\n\r\n")
		score, percent, tested := l.Spam()
		if tested != c.tested || tested && (score != c.score || percent != c.percent) {
			t.Errorf("%v: %d, %d, %v", c.settings, score, percent, tested)
		}
	}
}
