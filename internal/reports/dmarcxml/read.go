package dmarcxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"postern/internal/oneline"
)

// Read reads one report. Errors say what is wrong with it and how to go on.
func Read(r io.Reader) (*Feedback, error) {
	src := newSource(r)
	d := xml.NewDecoder(src)
	// newSource has made UTF-8 of it.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	p := &parser{d: d, src: src}
	if err := p.findFeedback(); err != nil {
		return nil, err
	}
	f := &Feedback{}
	if err := p.feedback(f); err != nil {
		return nil, err
	}
	return f, f.check()
}

// check refuses what says nothing about anybody.
func (f *Feedback) check() error {
	switch {
	case f.Policy.Domain == "":
		return errors.New("the DMARC report does not say which domain it is about; ask its sender to mend it")
	case f.ID == "" && f.Begin.IsZero():
		return errors.New("the DMARC report has neither an id nor a time; ask its sender to mend it")
	}
	return nil
}

// parser goes down the tree. Each of its functions is called behind a start tag and returns behind the end tag that
// belongs to it.
type parser struct {
	d        *xml.Decoder
	src      *source
	depth    int
	elements int
}

// token gives the next one within the bounds.
func (p *parser) token() (xml.Token, error) {
	p.src.nextToken()
	t, err := p.d.Token()
	if err != nil {
		return nil, p.broken(err)
	}
	switch t.(type) {
	case xml.StartElement:
		p.depth++
		p.elements++
		if p.depth > maxDepth || p.elements > maxElements {
			return nil, ErrTooLarge
		}
	case xml.EndElement:
		p.depth--
	}
	return t, nil
}

func (p *parser) broken(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the DMARC report is broken XML in line %d (%s); ask its sender to mend it", syntax.Line, syntax.Msg)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		line, _ := p.d.InputPos()
		return cutOff{line}
	}
	return err
}

// cutOff is an [io.EOF] where the report should go on.
type cutOff struct{ line int }

func (c cutOff) Error() string {
	return fmt.Sprintf("the DMARC report ends in its middle, in line %d; ask its sender for it again", c.line)
}

// Is makes every cutOff an io.EOF.
func (cutOff) Is(target error) bool { return target == io.EOF }

// findFeedback goes to the report, which may stand within something else.
func (p *parser) findFeedback() error {
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return ErrNoFeedback
		}
		if err != nil {
			return err
		}
		if start, ok := t.(xml.StartElement); ok && name(start) == "feedback" {
			return nil
		}
	}
}

func name(e xml.StartElement) string { return strings.ToLower(e.Name.Local) }

// children calls on for each element in the present one.
func (p *parser) children(on func(name string) error) error {
	for {
		t, err := p.token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := on(name(t)); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// skip passes over an element that nobody here knows.
func (p *parser) skip() error {
	for outside := p.depth - 1; p.depth > outside; {
		if _, err := p.token(); err != nil {
			return err
		}
	}
	return nil
}

// text is what stands directly in the element, trimmed and cut to maxText.
func (p *parser) text(into *string) error {
	var b []byte
	for inside := p.depth; ; {
		t, err := p.token()
		if err != nil {
			return err
		}
		if chars, ok := t.(xml.CharData); ok && p.depth == inside && len(b) < maxText {
			b = append(b, chars[:min(len(chars), maxText)]...)
		}
		if p.depth < inside {
			*into = oneline.Text(string(b), maxText)
			return nil
		}
	}
}

// word is text in lower case, as all words of the format are; some reporters write "Pass".
func (p *parser) word(into *string) error {
	err := p.text(into)
	*into = strings.ToLower(*into)
	return err
}

// domain is a word without the final dot.
func (p *parser) domain(into *string) error {
	err := p.word(into)
	*into = strings.TrimSuffix(*into, ".")
	return err
}

func (p *parser) feedback(f *Feedback) error {
	return p.children(func(name string) error {
		switch name {
		case "version":
			return p.text(&f.Version)
		case "report_metadata":
			return p.metadata(f)
		case "policy_published":
			return p.policy(&f.Policy)
		case "record":
			if len(f.Records) == MaxRecords {
				return ErrTooLarge
			}
			f.Records = append(f.Records, Record{Count: 1})
			return p.record(&f.Records[len(f.Records)-1])
		}
		return p.skip()
	})
}

func (p *parser) metadata(f *Feedback) error {
	return p.children(func(name string) error {
		switch name {
		case "org_name":
			return p.text(&f.Org)
		case "email":
			return p.text(&f.Email)
		case "extra_contact_info":
			return p.text(&f.Contact)
		case "report_id":
			return p.text(&f.ID)
		case "generator":
			return p.text(&f.Generator)
		case "date_range":
			return p.dateRange(f)
		case "error":
			var text string
			err := p.text(&text)
			if text != "" && len(f.Errors) < maxResults {
				f.Errors = append(f.Errors, text)
			}
			return err
		}
		return p.skip()
	})
}

func (p *parser) dateRange(f *Feedback) error {
	return p.children(func(name string) error {
		switch name {
		case "begin":
			return p.time(&f.Begin)
		case "end":
			return p.time(&f.End)
		}
		return p.skip()
	})
}

// lastSecond is the end of the year 9999: no report is about a later time.
const lastSecond = 253402300799

// time reads seconds since 1970; milliseconds, which no second comes near, or a date, as some programs write it.
func (p *parser) time(into *time.Time) error {
	var text string
	if err := p.text(&text); err != nil || text == "" {
		return err
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds <= lastSecond*1000 {
		if seconds > lastSecond {
			seconds /= 1000
		}
		*into = time.Unix(int64(seconds), 0).UTC()
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil && t.Unix() >= 0 && t.Unix() <= lastSecond {
			*into = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q in the DMARC report is no time; ask its sender to mend it", text)
}

func (p *parser) policy(o *Policy) error {
	return p.children(func(name string) error {
		switch name {
		case "domain":
			return p.domain(&o.Domain)
		case "adkim":
			return p.word(&o.ADKIM)
		case "aspf":
			return p.word(&o.ASPF)
		case "p":
			return p.word(&o.P)
		case "sp":
			return p.word(&o.SP)
		case "np":
			return p.word(&o.NP)
		case "pct":
			return p.text(&o.Percent)
		case "testing":
			return p.word(&o.Testing)
		case "discovery_method":
			return p.word(&o.Discovery)
		case "fo":
			return p.word(&o.FO)
		}
		return p.skip()
	})
}

func (p *parser) record(r *Record) error {
	return p.children(func(name string) error {
		switch name {
		case "row":
			return p.row(r)
		case "identifiers", "identities": // the latter in the first drafts
			return p.identifiers(r)
		case "auth_results":
			return p.authResults(r)
		}
		return p.skip()
	})
}

func (p *parser) row(r *Record) error {
	return p.children(func(name string) error {
		switch name {
		case "source_ip":
			var text string
			err := p.text(&text)
			if ip, bad := netip.ParseAddr(text); bad == nil {
				r.Source = ip.Unmap().WithZone("")
			}
			return err
		case "count":
			return p.count(&r.Count)
		case "policy_evaluated":
			return p.evaluated(r)
		}
		return p.skip()
	})
}

// count reads a number of messages; a record without one stands for one.
func (p *parser) count(into *int64) error {
	var text string
	if err := p.text(&text); err != nil || text == "" {
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > MaxCount {
		return fmt.Errorf("%q in the DMARC report is no number of messages; ask its sender to mend it", text)
	}
	*into = n
	return nil
}

func (p *parser) evaluated(r *Record) error {
	return p.children(func(name string) error {
		switch name {
		case "disposition":
			return p.word(&r.Disposition)
		case "dkim":
			return p.word(&r.DKIM)
		case "spf":
			return p.word(&r.SPF)
		case "reason":
			return p.reason(r)
		}
		return p.skip()
	})
}

func (p *parser) reason(r *Record) error {
	var reason Reason
	err := p.children(func(name string) error {
		switch name {
		case "type":
			return p.word(&reason.Type)
		case "comment":
			return p.text(&reason.Comment)
		}
		return p.skip()
	})
	if reason != (Reason{}) && len(r.Reasons) < maxResults {
		r.Reasons = append(r.Reasons, reason)
	}
	return err
}

func (p *parser) identifiers(r *Record) error {
	return p.children(func(name string) error {
		switch name {
		case "header_from":
			return p.domain(&r.HeaderFrom)
		case "envelope_from":
			return p.domain(&r.EnvelopeFrom)
		case "envelope_to":
			return p.domain(&r.EnvelopeTo)
		}
		return p.skip()
	})
}

func (p *parser) authResults(r *Record) error {
	return p.children(func(name string) error {
		switch name {
		case "dkim":
			return p.dkim(r)
		case "spf":
			return p.spf(r)
		}
		return p.skip()
	})
}

func (p *parser) dkim(r *Record) error {
	var result DKIMResult
	err := p.children(func(name string) error {
		switch name {
		case "domain":
			return p.domain(&result.Domain)
		case "selector":
			return p.text(&result.Selector)
		case "result":
			return p.word(&result.Result)
		case "human_result":
			return p.text(&result.Human)
		}
		return p.skip()
	})
	if len(r.DKIMResults) < maxResults {
		r.DKIMResults = append(r.DKIMResults, result)
	}
	return err
}

func (p *parser) spf(r *Record) error {
	var result SPFResult
	err := p.children(func(name string) error {
		switch name {
		case "domain":
			return p.domain(&result.Domain)
		case "scope":
			return p.word(&result.Scope)
		case "result":
			return p.word(&result.Result)
		}
		return p.skip()
	})
	if len(r.SPFResults) < maxResults {
		r.SPFResults = append(r.SPFResults, result)
	}
	return err
}
