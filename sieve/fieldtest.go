package sieve

// fieldTest is a test that runs over the fields it names, one by one, until what it sees in them decides it.
type fieldTest struct {
	field *field // the one that next came to

	walk    fieldWalk
	keys    comparison
	matched bool
	err     error
}

// fieldTest gives what begins a test whose first argument names fields and whose argument keys holds the keys.
func (c *compiler) fieldTest(u *use, keys *value) func(*machine) fieldTest {
	match, fields := c.matcher(u, keys), c.fields(u)
	return func(m *machine) (t fieldTest) {
		if t.keys, t.err = match.begin(m, keys.texts); t.err == nil {
			t.walk = fields(m)
		}
		return t
	}
}

// next goes to the next field, unless there is none or the test is decided.
func (t *fieldTest) next() bool {
	if t.isDecided() {
		return false
	}
	t.field, t.err = t.walk.next()
	return t.field != nil && t.err == nil
}

// see shows what stands in the field to the test, or tells why it cannot be read.
func (t *fieldTest) see(value string, err error) {
	if t.err = err; err == nil {
		t.matched, t.err = t.keys.see(value)
	}
}

// isDecided reports whether the test need not see more.
func (t *fieldTest) isDecided() bool { return t.matched || t.err != nil }

// result is how the test ended.
func (t *fieldTest) result() (bool, error) {
	if t.isDecided() {
		return t.matched, t.err
	}
	return t.keys.end()
}
