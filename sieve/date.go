package sieve

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/internal/message"
)

// dateWords are of date (RFC 5260 4 and 5).
var dateWords = []word{
	{name: "date", from: "date", tags: with(matchTags, indexTags, []tag{{name: "zone", takes: aText, group: "zone"}, {name: "originalzone", group: "zone"}}),
		args: []parameter{{aText, "header name"}, {aText, "date part"}, {aList, "key list"}}, test: compileDate},
	{name: "currentdate", from: "date", tags: with(matchTags, []tag{{name: "zone", takes: aText}}),
		args: []parameter{{aText, "date part"}, {aList, "key list"}}, test: compileCurrentDate},
}

// dateParts write the parts of a date (RFC 5260 4.2).
var dateParts = map[string]func(time.Time) string{
	"year":    func(t time.Time) string { return fmt.Sprintf("%04d", t.Year()) },
	"month":   func(t time.Time) string { return t.Format("01") },
	"day":     func(t time.Time) string { return t.Format("02") },
	"date":    func(t time.Time) string { return t.Format("2006-01-02") },
	"julian":  julian,
	"hour":    func(t time.Time) string { return t.Format("15") },
	"minute":  func(t time.Time) string { return t.Format("04") },
	"second":  func(t time.Time) string { return t.Format("05") },
	"time":    func(t time.Time) string { return t.Format("15:04:05") },
	"iso8601": func(t time.Time) string { return t.Format("2006-01-02T15:04:05-07:00") },
	"std11":   func(t time.Time) string { return t.Format("Mon, 02 Jan 2006 15:04:05 -0700") },
	"zone":    func(t time.Time) string { return t.Format("-0700") },
	"weekday": func(t time.Time) string { return strconv.Itoa(int(t.Weekday())) },
}

// julian is the Modified Julian Day: days since 17 November 1858.
func julian(t time.Time) string {
	const epoch, day = 40587, 24 * 60 * 60
	_, offset := t.Zone()
	local := t.Unix() + int64(offset)
	days := local / day
	if local%day < 0 {
		days--
	}
	return strconv.FormatInt(days+epoch, 10)
}

// checkDatePart tells of a part that no date has.
func (c *compiler) checkDatePart(v *value) {
	if t := v.text(); t.isFixed() && dateParts[strings.ToLower(t.literal)] == nil {
		c.problem(v.Position, "a date has no part '%s'; there are year, month, day, date, julian, hour, minute, second, time, iso8601, std11, zone and weekday",
			t.literal)
	}
}

// zone gives the zone that a use asks for: its own, that of the date (nil), or that of the account.
func (c *compiler) zone(u *use) func(*machine) (*time.Location, error) {
	v := u.tags["zone"]
	if v != nil && v.text().isFixed() && parseZone(v.text().literal) == nil {
		c.problem(v.Position, "'%s' is no time zone; one is written as +0100", v.text().literal)
	}
	return func(m *machine) (*time.Location, error) {
		switch {
		case u.has("originalzone"):
			return nil, nil
		case v == nil:
			return m.clock().Location(), nil
		}
		name := v.text().in(m)
		zone := parseZone(name)
		if zone == nil {
			return nil, m.wrong("'%s' is no time zone; one is written as +0100", name)
		}
		return zone, nil
	}
}

// parseZone reads an offset such as +0100; nil where it is none.
func parseZone(s string) *time.Location {
	if len(s) != 5 || s[0] != '+' && s[0] != '-' || strings.Trim(s[1:], "0123456789") != "" {
		return nil
	}
	n, err := strconv.Atoi(s[1:])
	if err != nil || n%100 > 59 || n/100 > 23 {
		return nil
	}
	seconds := (n/100*60 + n%100) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds)
}

// clock is the time of the run, which stands still while scripts run (RFC 5260 5).
func (m *machine) clock() time.Time {
	if m.now.IsZero() {
		m.now = m.host.Now()
	}
	return m.now
}

func compileDate(c *compiler, u *use) func(*machine) (bool, error) {
	c.checkFields(u, &u.args[0])
	c.checkDatePart(&u.args[1])
	begin, zone, part := c.fieldTest(u, &u.args[2]), c.zone(u), u.args[1].text()
	return func(m *machine) (bool, error) {
		in, err := zone(m)
		if err != nil {
			return false, err
		}
		t := begin(m)
		for t.next() {
			date, ok, err := m.dateOf(t.field)
			if t.err = err; ok {
				t.see(m.datePart(date, in, part))
			}
		}
		return t.result()
	}
}

// dateOf reads the date of a field; that of Received and the like stands behind the last semicolon (RFC 5321 4.4). ok is false where
// there is none, which is as if there were no such field.
func (m *machine) dateOf(f *field) (t time.Time, ok bool, err error) {
	if err := m.spend(bytesCost(decodeCost * len(f.Raw))); err != nil {
		return t, false, err
	}
	value := f.Value()
	value = value[strings.LastIndexByte(value, ';')+1:]
	t, err = message.ParseDate(value)
	return t, err == nil, nil
}

// datePart writes a part of a date, in a zone (nil: its own).
func (m *machine) datePart(t time.Time, in *time.Location, part text) (string, error) {
	name := part.in(m)
	write := dateParts[strings.ToLower(name)]
	if write == nil {
		return "", m.wrong("a date has no part '%s'", clipText(name, 60))
	}
	if in != nil {
		t = t.In(in)
	}
	return write(t), nil
}

func compileCurrentDate(c *compiler, u *use) func(*machine) (bool, error) {
	c.checkDatePart(&u.args[0])
	match, zone, part := c.matcher(u, &u.args[1]), c.zone(u), u.args[0].text()
	return func(m *machine) (bool, error) {
		in, err := zone(m)
		if err != nil {
			return false, err
		}
		value, err := m.datePart(m.clock(), in, part)
		if err != nil {
			return false, err
		}
		return match.any(m, []string{value}, u.args[1].texts)
	}
}
