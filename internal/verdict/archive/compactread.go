package archive

import (
	"encoding/binary"
	"fmt"
	"math"

	"postern/internal/verdict"
)

// compactReader reads the compact form. What it meets may be damaged: nothing becomes larger in memory than some hundred
// times what it is read from, and the first fault ends it.
type compactReader struct {
	b        []byte
	t        *verdict.Trace // as far as it is read
	accepted string         // the text with that number, once it is asked for
	err      error
}

// readTrace reads all of b as one trace.
func readTrace(b []byte) (*verdict.Trace, error) {
	t := new(verdict.Trace)
	r := &compactReader{b: b, t: t}
	r.fields(func(tag byte) { r.trace(t, tag) })
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes behind its end", len(r.b))
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

func (r *compactReader) trace(t *verdict.Trace, tag byte) {
	switch tag {
	case traceVersion:
		t.Version = r.int()
	case traceID:
		t.ID = r.text()
	case traceAt:
		if err := t.At.UnmarshalBinary([]byte(r.text())); err != nil && r.err == nil {
			r.fail("its time: %v", err)
		}
	case traceClient:
		t.Client = r.text()
	case traceHelo:
		t.Helo = r.text()
	case traceFrom:
		t.From = r.text()
	case traceAuthor:
		t.Author = r.text()
	case traceMessageID:
		t.MessageID = r.text()
	case traceSize:
		t.Size = r.int64()
	case traceEngine:
		t.Engine = r.text()
	case traceCheck:
		t.Checks = append(t.Checks, r.check())
	case traceNoChecks:
		t.Checks = []verdict.Check{}
	case traceRecipient:
		t.Recipients = append(t.Recipients, r.recipient())
	case traceNoRecipients:
		t.Recipients = []verdict.Recipient{}
	case traceReply:
		t.Reply = r.text()
	case traceMicros:
		t.Micros = r.int64()
	default:
		r.unknown(tag)
	}
}

func (r *compactReader) check() (c verdict.Check) {
	r.fields(func(tag byte) {
		switch tag {
		case checkName:
			c.Name = r.text()
		case checkResult:
			c.Result = r.text()
		case checkDetail:
			c.Detail = r.text()
		case checkPoints:
			c.Points = r.points()
		case checkMicros:
			c.Micros = r.int64()
		case checkPart:
			c.Parts = append(c.Parts, r.part())
		default:
			r.unknown(tag)
		}
	})
	return c
}

func (r *compactReader) part() (p verdict.Part) {
	r.fields(func(tag byte) {
		switch tag {
		case partName:
			p.Name = r.text()
		case partDetail:
			p.Detail = r.text()
		case partPoints:
			p.Points = r.points()
		default:
			r.unknown(tag)
		}
	})
	return p
}

func (r *compactReader) recipient() (to verdict.Recipient) {
	r.fields(func(tag byte) {
		switch tag {
		case recipientAddress:
			to.Address = r.text()
		case recipientAccount:
			to.Account = r.int64()
		case recipientCheck:
			to.Checks = append(to.Checks, r.check())
		case recipientPolicy:
			to.Policy = r.policy()
		case recipientScore:
			to.Verdict.Score = r.points()
		case recipientAction:
			to.Verdict.Action = verdict.Action(r.text())
		case recipientRule:
			to.Verdict.Rule = r.text()
		case recipientMailbox:
			to.Mailbox = r.text()
		case recipientFiledBy:
			to.FiledBy = r.text()
		case recipientScript:
			to.Scripts = append(to.Scripts, r.text())
		case recipientRun:
			to.Run = r.run()
		default:
			r.unknown(tag)
		}
	})
	return to
}

func (r *compactReader) policy() (p verdict.Policy) {
	r.fields(func(tag byte) {
		switch tag {
		case policySource:
			p.Source = r.text()
		case policyTag:
			p.Tag = r.points()
		case policyJunk:
			p.Junk = r.points()
		case policyReject:
			p.Reject = r.points()
		case policyGreylist:
			p.Greylist = r.points()
		case policyVirus:
			p.Virus = verdict.Action(r.text())
		case policyDMARC:
			p.DMARC = r.text()
		case policyDMARCSource:
			p.DMARCSource = r.text()
		case policyScanner:
			p.Scanner = r.text()
		default:
			r.unknown(tag)
		}
	})
	return p
}

func (r *compactReader) run() *verdict.Run {
	run := new(verdict.Run)
	r.fields(func(tag byte) {
		switch tag {
		case runScript:
			run.Scripts = append(run.Scripts, r.script())
		case runNoScripts:
			run.Scripts = []verdict.RunScript{}
		case runSteps:
			run.Steps = r.text()
		case runMore:
			run.More = r.int()
		case runCost:
			run.Cost = r.int()
		default:
			r.unknown(tag)
		}
	})
	return run
}

func (r *compactReader) script() (s verdict.RunScript) {
	r.fields(func(tag byte) {
		switch tag {
		case scriptName:
			s.Name = r.text()
		case scriptOwner:
			s.Owner = r.text()
		case scriptRole:
			s.Role = r.text()
		case scriptVersion:
			s.Version = r.text()
		default:
			r.unknown(tag)
		}
	})
	return s
}

// fields calls read with each tag up to the end of a struct.
func (r *compactReader) fields(read func(tag byte)) {
	for r.err == nil {
		if len(r.b) == 0 {
			r.fail("it ends too early")
			return
		}
		tag := r.b[0]
		r.b = r.b[1:]
		if tag == structEnd {
			return
		}
		read(tag)
	}
}

func (r *compactReader) int64() int64 {
	n, length := binary.Varint(r.b)
	if length <= 0 {
		r.fail("a number")
		return 0
	}
	r.b = r.b[length:]
	return n
}

func (r *compactReader) int() int {
	n := r.int64()
	if n > math.MaxInt32 || n < math.MinInt32 {
		r.fail("the number %d", n)
		return 0
	}
	return int(n)
}

func (r *compactReader) points() verdict.Points { return verdict.Points(r.int64()) }

func (r *compactReader) text() string {
	n, length := binary.Uvarint(r.b)
	if length <= 0 {
		r.fail("a text's length")
		return ""
	}
	r.b = r.b[length:]
	if n&1 == 1 {
		return r.numbered(n >> 1)
	}
	if n >>= 1; n > uint64(len(r.b)) {
		r.fail("a text of %d bytes", n)
		return ""
	}
	text := string(r.b[:n])
	r.b = r.b[n:]
	return text
}

// numbered gives the text with a number.
func (r *compactReader) numbered(number uint64) string {
	switch {
	case number == saidHelo:
		return r.t.Helo
	case number == saidFrom:
		return r.t.From
	case number == saidAccepted:
		if r.accepted == "" {
			r.accepted = accepted + r.t.ID
		}
		return r.accepted
	case number-knownFrom < uint64(len(known)):
		return known[number-knownFrom]
	}
	r.fail("the known text %d", number)
	return ""
}

func (r *compactReader) unknown(tag byte) { r.fail("the field %d", tag) }

func (r *compactReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
	}
}
