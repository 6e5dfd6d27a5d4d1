package grammar

import "time"

const (
	monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"
	months     = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
)

// AppendInternalDate writes "17-Jul-1996 02:44:25 -0700" in quotes.
// RFC 9051 9 (date-time)
func AppendInternalDate(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	_, zone := t.Zone()
	zone /= 60
	sign := byte('+')
	if zone < 0 {
		zone, sign = -zone, '-'
	}
	dst = append(dst, '"')
	dst = append2(dst, day)
	dst = append(dst, '-')
	dst = append(dst, monthNames[3*(month-1):3*month]...)
	dst = append(dst, '-')
	dst = append2(dst, year/100%100)
	dst = append2(dst, year%100)
	dst = append(dst, ' ')
	dst = append2(dst, hour)
	dst = append(dst, ':')
	dst = append2(dst, minute)
	dst = append(dst, ':')
	dst = append2(dst, second)
	dst = append(dst, ' ', sign)
	dst = append2(dst, zone/60)
	dst = append2(dst, zone%60)
	return append(dst, '"')
}

// append2 writes two digits.
func append2(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

// dateTime takes a date and time in quotes. A day below 10 may have a space, a
// zero or nothing before it. RFC 9051 9 (date-time)
func (r *Reader) dateTime() time.Time {
	r.expect('"', "A date is missing")
	r.accept(' ')
	d := r.day()
	r.space()
	hour := r.clock(2, 23, ':')
	minute := r.clock(2, 59, ':')
	second := r.clock(2, 60, ' ') // a leap second
	negative := r.accept('-')
	if !negative {
		r.expect('+', "A zone is + or - and four digits")
	}
	zone := 3600*r.clock(2, 23, 0) + 60*r.clock(2, 59, '"')
	if r.err != nil {
		return time.Time{}
	}
	if negative {
		zone = -zone
	}
	loc := time.UTC
	if zone != 0 {
		loc = time.FixedZone("", zone)
	}
	return time.Date(d.Year, d.Month, d.Day, hour, minute, second, 0, loc)
}

// clock takes so many digits up to max and what stands behind them.
func (r *Reader) clock(digits, max int, behind byte) int {
	n := 0
	for range digits {
		c := r.peek()
		if !is(c, digit) {
			r.bad("A date is not well-formed")
			return 0
		}
		r.pos++
		n = 10*n + int(c-'0')
	}
	if n > max {
		r.bad("There is no such date")
	}
	if behind != 0 {
		r.expect(behind, "A date is not well-formed")
	}
	return n
}

// date takes a day, in quotes or not. RFC 9051 9 (date)
func (r *Reader) date() Date {
	quoted := r.accept('"')
	d := r.day()
	if quoted {
		r.expect('"', "A date must be closed with a quote")
	}
	return d
}

// day takes d-Mon-yyyy.
func (r *Reader) day() Date {
	var d Date
	d.Day = r.clock(1, 9, 0)
	if is(r.peek(), digit) {
		d.Day = 10*d.Day + r.clock(1, 9, 0)
	}
	r.expect('-', "A date is day-Mon-year")
	d.Month = r.month()
	r.expect('-', "A date is day-Mon-year")
	d.Year = r.clock(4, 9999, 0)
	if r.err != nil {
		return Date{}
	}
	// A day that the month does not have comes out as one of the next month.
	if t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC); t.Day() != d.Day {
		r.bad("There is no such date")
	}
	return d
}

// month takes the name of a month.
func (r *Reader) month() time.Month {
	if r.err == nil && r.pos+3 <= r.eol {
		name := r.buf[r.pos : r.pos+3]
		for m := range 12 {
			if equalFold(name, months[3*m:3*m+3]) {
				r.pos += 3
				return time.Month(m + 1)
			}
		}
	}
	r.bad("A month is not known")
	return time.January
}
