package sieve

import "strconv"

// spamWords ask what filters found (RFC 5235).
var spamWords = []word{
	{name: "spamtest", from: "spamtest", tags: with(matchTags, []tag{{name: "percent", from: "spamtestplus"}}), args: []parameter{{aText, "value"}},
		test: compileSpamTest},
	{name: "virustest", from: "virustest", tags: matchTags, args: []parameter{{aText, "value"}}, test: compileVirusTest},
}

// compileSpamTest compares the score: 0 for a message that was not tested, 1 for one that is clear to 10 for spam; or in percent, 0
// for clear to 100, where one that was not tested has 0 too, but counts as no value (RFC 5235 2.2).
func compileSpamTest(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[0])
	c.warnText(u, match)
	return func(m *machine) (bool, error) {
		score, percent, tested := m.host.Spam()
		n := score
		switch {
		case !tested:
			n = 0
		case u.has("percent"):
			n = percent
		}
		return match.number(m, u, n, tested)
	}
}

// compileVirusTest compares what the scanner said: 0 for nothing, 1 for no virus, 2 for one that was taken out, 3 for one that
// could not be, 4 for a message that may have one, 5 for one that has (RFC 5235 2.3).
func compileVirusTest(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[0])
	return func(m *machine) (bool, error) {
		n := m.host.Virus()
		return match.number(m, u, n, n > 0)
	}
}

// number compares a number; there is none for :count where nothing was tested.
func (match *matcher) number(m *machine, u *use, n int, tested bool) (bool, error) {
	if match.kind == "count" && !tested {
		return match.count(m, 0, u.args[0].texts)
	}
	return match.any(m, []string{strconv.Itoa(n)}, u.args[0].texts)
}
