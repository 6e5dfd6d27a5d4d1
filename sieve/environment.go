package sieve

import "strings"

// environmentWords are of environment (RFC 5183).
var environmentWords = []word{
	{name: "environment", from: "environment", tags: matchTags, args: []parameter{{aText, "name"}, {aList, "key list"}}, test: compileEnvironment},
}

// compileEnvironment compares an item that the host knows. One that it does not know matches nothing, not even a count of nothing
// (RFC 5183 4).
func compileEnvironment(c *compiler, u *use) func(*machine) (bool, error) {
	match, name := c.matcher(u, &u.args[1]), u.args[0].text()
	return func(m *machine) (bool, error) {
		value, ok := m.item(strings.ToLower(name.in(m)))
		if !ok {
			return false, nil
		}
		if match.kind == "count" && value == "" {
			return match.count(m, 0, u.args[1].texts)
		}
		return match.any(m, []string{value}, u.args[1].texts)
	}
}
