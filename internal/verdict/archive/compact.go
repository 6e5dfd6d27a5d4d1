package archive

import (
	"encoding/binary"
	"fmt"

	"postern/internal/verdict"
)

// The compact form of a trace. A struct is its fields, each a tag and a value, ended by the tag 0; a field that has its zero
// value is left out, and one that holds many stands there once for each. Numbers are varints (zigzag), texts a varint n and,
// if n is even, n/2 bytes; otherwise n/2 is the number of a text that the trace has already said (see said) or of a known one.
// Tags and numbers are never given another meaning, so what was written once is read for ever.

// Tags of a trace. Those of its parts follow.
const (
	structEnd byte = iota // of each struct
	traceVersion
	traceID
	traceAt // 15 or 16 bytes, of [time.Time.AppendBinary], as a text
	traceClient
	traceHelo
	traceFrom
	traceAuthor
	traceMessageID
	traceSize
	traceEngine
	traceCheck
	traceNoChecks // there, but none
	traceRecipient
	traceNoRecipients
	traceReply
	traceMicros
)

const (
	checkName byte = iota + 1
	checkResult
	checkDetail
	checkPoints
	checkMicros
	checkPart
)

const (
	partName byte = iota + 1
	partDetail
	partPoints
)

const (
	recipientAddress byte = iota + 1
	recipientAccount
	recipientCheck
	recipientPolicy
	recipientScore
	recipientAction
	recipientRule
	recipientMailbox
	recipientFiledBy
	recipientScript
	recipientRun
)

const (
	policySource byte = iota + 1
	policyTag
	policyJunk
	policyReject
	policyGreylist
	policyVirus
	policyDMARC
	policyDMARCSource
	policyScanner
)

const (
	runScript byte = iota + 1
	runNoScripts
	runSteps
	runMore
	runCost
)

const (
	scriptName byte = iota + 1
	scriptOwner
	scriptRole
	scriptVersion
)

// compactWriter writes the compact form of one trace.
type compactWriter struct {
	b []byte
	t *verdict.Trace
}

// appendTrace appends the compact form.
func appendTrace(b []byte, t *verdict.Trace) ([]byte, error) {
	if year := t.At.Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("the year %d cannot be shown in JSON", year)
	}
	at, err := t.At.MarshalBinary()
	if err != nil {
		return nil, err
	}
	w := &compactWriter{b, t}
	w.int(traceVersion, int64(t.Version))
	w.said(traceID, t.ID)
	w.tag(traceAt)
	w.bytes(string(at))
	w.said(traceClient, t.Client)
	w.said(traceHelo, t.Helo)
	w.said(traceFrom, t.From)
	w.text(traceAuthor, t.Author)
	w.text(traceMessageID, t.MessageID)
	w.int(traceSize, t.Size)
	w.text(traceEngine, t.Engine)
	w.checks(traceCheck, t.Checks)
	if t.Checks != nil && len(t.Checks) == 0 {
		w.tag(traceNoChecks)
	}
	for i := range t.Recipients {
		w.recipient(&t.Recipients[i])
	}
	if t.Recipients != nil && len(t.Recipients) == 0 {
		w.tag(traceNoRecipients)
	}
	w.text(traceReply, t.Reply)
	w.int(traceMicros, t.Micros)
	w.tag(structEnd)
	return w.b, nil
}

func (w *compactWriter) checks(tag byte, checks []verdict.Check) {
	for i := range checks {
		c := &checks[i]
		w.tag(tag)
		w.text(checkName, c.Name)
		w.text(checkResult, c.Result)
		w.text(checkDetail, c.Detail)
		w.int(checkPoints, int64(c.Points))
		w.int(checkMicros, c.Micros)
		for j := range c.Parts {
			p := &c.Parts[j]
			w.tag(checkPart)
			w.text(partName, p.Name)
			w.text(partDetail, p.Detail)
			w.int(partPoints, int64(p.Points))
			w.tag(structEnd)
		}
		w.tag(structEnd)
	}
}

func (w *compactWriter) recipient(r *verdict.Recipient) {
	w.tag(traceRecipient)
	w.text(recipientAddress, r.Address)
	w.int(recipientAccount, r.Account)
	w.checks(recipientCheck, r.Checks)
	w.policy(&r.Policy)
	w.int(recipientScore, int64(r.Verdict.Score))
	w.text(recipientAction, string(r.Verdict.Action))
	w.text(recipientRule, r.Verdict.Rule)
	w.text(recipientMailbox, r.Mailbox)
	w.text(recipientFiledBy, r.FiledBy)
	for _, line := range r.Scripts {
		w.tag(recipientScript)
		w.bytes(line)
	}
	if r.Run != nil {
		w.run(r.Run)
	}
	w.tag(structEnd)
}

func (w *compactWriter) policy(p *verdict.Policy) {
	w.tag(recipientPolicy)
	w.text(policySource, p.Source)
	w.int(policyTag, int64(p.Tag))
	w.int(policyJunk, int64(p.Junk))
	w.int(policyReject, int64(p.Reject))
	w.int(policyGreylist, int64(p.Greylist))
	w.text(policyVirus, string(p.Virus))
	w.text(policyDMARC, p.DMARC)
	w.text(policyDMARCSource, p.DMARCSource)
	w.text(policyScanner, p.Scanner)
	w.tag(structEnd)
}

func (w *compactWriter) run(r *verdict.Run) {
	w.tag(recipientRun)
	for i := range r.Scripts {
		s := &r.Scripts[i]
		w.tag(runScript)
		w.text(scriptName, s.Name)
		w.text(scriptOwner, s.Owner)
		w.text(scriptRole, s.Role)
		w.text(scriptVersion, s.Version)
		w.tag(structEnd)
	}
	if r.Scripts != nil && len(r.Scripts) == 0 {
		w.tag(runNoScripts)
	}
	w.text(runSteps, r.Steps)
	w.int(runMore, int64(r.More))
	w.int(runCost, int64(r.Cost))
	w.tag(structEnd)
}

func (w *compactWriter) tag(tag byte) { w.b = append(w.b, tag) }

func (w *compactWriter) int(tag byte, n int64) {
	if n != 0 {
		w.b = binary.AppendVarint(append(w.b, tag), n)
	}
}

// said writes a text that later ones may refer to, and which therefore refers to nothing.
func (w *compactWriter) said(tag byte, s string) {
	if s != "" {
		w.tag(tag)
		w.bytes(s)
	}
}

func (w *compactWriter) text(tag byte, s string) {
	if s == "" {
		return
	}
	w.tag(tag)
	if number, ok := numberOf(w.t, s); ok {
		w.b = binary.AppendUvarint(w.b, uint64(number)<<1|1)
	} else {
		w.bytes(s)
	}
}

func (w *compactWriter) bytes(s string) {
	w.b = append(binary.AppendUvarint(w.b, uint64(len(s))<<1), s...)
}
