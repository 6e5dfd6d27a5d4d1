package message

import (
	"errors"
	"strings"
	"time"
)

var errDate = errors.New("message: the date cannot be read")

// ParseDate reads a Date field (RFC 5322 3.3 and 4.3): the day of the week, seconds and zone may lack, years may have two
// digits, comments may stand anywhere. The time is in the zone that the field names.
func ParseDate(s string) (time.Time, error) {
	d := dateReader{mimeField{s}}
	first := d.word()
	if first != "" && !isDigit(first[0]) {
		d.accept(',')
		first = d.word()
	}
	day, ok := number(first, 31)
	month := monthOf(d.word())
	year, okYear := yearOf(d.word())
	if !ok || !okYear || day == 0 || month == 0 {
		return time.Time{}, errDate
	}
	hour, okHour := number(d.word(), 23)
	minute, second, okMinute, okSecond := 0, 0, false, true
	if d.accept(':') {
		minute, okMinute = number(d.word(), 59)
	}
	if d.accept(':') {
		second, okSecond = number(d.word(), 60)
	}
	if !okHour || !okMinute || !okSecond {
		return time.Time{}, errDate
	}
	zone := d.zone()
	t := time.Date(year, month, day, hour, minute, min(second, 59), 0, zone)
	if t.Day() != day {
		return time.Time{}, errDate // such as 31 June
	}
	return t, nil
}

// dateReader splits a date into words.
type dateReader struct{ mimeField }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// word reads digits or letters. A hyphen before it is skipped, for dates written 15-Feb-2007.
func (d *dateReader) word() string {
	d.space()
	d.rest = strings.TrimPrefix(d.rest, "-")
	is := isLetter
	if d.rest != "" && isDigit(d.rest[0]) {
		is = isDigit
	}
	n := 0
	for n < len(d.rest) && is(d.rest[n]) {
		n++
	}
	word := d.rest[:n]
	d.rest = d.rest[n:]
	return word
}

func number(s string, most int) (int, bool) {
	if s == "" || len(s) > 4 || !isDigit(s[0]) {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n, n <= most
}

func yearOf(s string) (int, bool) {
	year, ok := number(s, 9999)
	switch { // RFC 5322 4.3
	case len(s) < 2:
		return 0, false
	case len(s) == 2 && year < 50:
		year += 2000
	case len(s) <= 3:
		year += 1900
	}
	return year, ok
}

func monthOf(s string) time.Month {
	const months = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(s) < 3 {
		return 0
	}
	short := [3]byte{lowerByte(s[0]), lowerByte(s[1]), lowerByte(s[2])}
	if i := strings.Index(months, string(short[:])); i >= 0 && i%3 == 0 {
		return time.Month(i/3 + 1)
	}
	return 0
}

// zone reads "+0200" or a name. What is not understood is UTC (RFC 5322 4.3).
func (d *dateReader) zone() *time.Location {
	d.space()
	if d.rest == "" {
		return time.UTC
	}
	if sign := d.rest[0]; sign == '+' || sign == '-' {
		d.rest = d.rest[1:]
		digits := d.word()
		if len(digits) == 2 && d.accept(':') {
			digits += d.word()
		}
		n, ok := number(digits, 9999)
		if !ok || len(digits) != 4 || n%100 > 59 || n/100 > 24 {
			return time.UTC
		}
		seconds := (n/100*60 + n%100) * 60
		if sign == '-' {
			seconds = -seconds
		}
		return zoneOf(seconds)
	}
	hours := 0
	switch name := d.word(); {
	case strings.EqualFold(name, "EDT"):
		hours = -4
	case strings.EqualFold(name, "EST"), strings.EqualFold(name, "CDT"):
		hours = -5
	case strings.EqualFold(name, "CST"), strings.EqualFold(name, "MDT"):
		hours = -6
	case strings.EqualFold(name, "MST"), strings.EqualFold(name, "PDT"):
		hours = -7
	case strings.EqualFold(name, "PST"):
		hours = -8
	}
	return zoneOf(hours * 3600)
}

func zoneOf(seconds int) *time.Location {
	if seconds == 0 {
		return time.UTC
	}
	return time.FixedZone("", seconds)
}
