package verdict

import (
	"encoding/json"
	"strconv"
	"strings"
)

// AppendJSON appends the trace as encoding/json writes it, byte for byte, at a tenth of the cost: each message that
// arrives is written so. It fails for a time that JSON cannot hold.
func (t *Trace) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, int64(t.Version), 10)
	b = appendField(b, `,"id":`, t.ID)
	b = append(b, `,"at":"`...)
	b, err := t.At.AppendText(b)
	if err != nil {
		return nil, err
	}
	b = appendField(b, `","client":`, t.Client)
	b = appendField(b, `,"helo":`, t.Helo)
	b = appendField(b, `,"from":`, t.From)
	b = appendField(b, `,"author":`, t.Author)
	b = appendField(b, `,"message_id":`, t.MessageID)
	b = appendNumber(b, `,"size":`, t.Size)
	b = appendField(b, `,"engine":`, t.Engine)
	b = append(b, `,"checks":`...)
	b = appendChecks(b, t.Checks)
	b = append(b, `,"recipients":`...)
	b = appendRecipients(b, t.Recipients)
	b = appendField(b, `,"reply":`, t.Reply)
	b = appendNumber(b, `,"micros":`, t.Micros)
	return append(b, '}'), nil
}

func appendChecks(b []byte, checks []Check) []byte {
	if checks == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range checks {
		b = separate(b, i)
		b = appendCheck(b, &checks[i])
	}
	return append(b, ']')
}

func appendCheck(b []byte, c *Check) []byte {
	b = appendField(b, `{"name":`, c.Name)
	b = appendField(b, `,"result":`, c.Result)
	b = appendOptional(b, `,"detail":`, c.Detail)
	b = appendPoints(b, `,"points":`, c.Points)
	b = appendNumber(b, `,"micros":`, c.Micros)
	if len(c.Parts) > 0 {
		b = append(b, `,"parts":[`...)
		for i := range c.Parts {
			b = separate(b, i)
			b = appendField(b, `{"name":`, c.Parts[i].Name)
			b = appendOptional(b, `,"detail":`, c.Parts[i].Detail)
			b = appendPoints(b, `,"points":`, c.Parts[i].Points)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendRecipients(b []byte, recipients []Recipient) []byte {
	if recipients == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range recipients {
		b = separate(b, i)
		b = appendRecipient(b, &recipients[i])
	}
	return append(b, ']')
}

func appendRecipient(b []byte, r *Recipient) []byte {
	b = appendField(b, `{"address":`, r.Address)
	if r.Account != 0 {
		b = appendNumber(b, `,"account":`, r.Account)
	}
	if len(r.Checks) > 0 {
		b = append(b, `,"checks":`...)
		b = appendChecks(b, r.Checks)
	}
	b = append(b, `,"policy":`...)
	b = appendPolicy(b, &r.Policy)
	b = appendPoints(b, `,"verdict":{"score":`, r.Verdict.Score)
	b = appendField(b, `,"action":`, string(r.Verdict.Action))
	b = appendField(b, `,"rule":`, r.Verdict.Rule)
	b = append(b, '}')
	b = appendOptional(b, `,"mailbox":`, r.Mailbox)
	b = appendOptional(b, `,"filed_by":`, r.FiledBy)
	if len(r.Scripts) > 0 {
		b = append(b, `,"scripts":[`...)
		for i, line := range r.Scripts {
			b = appendField(separate(b, i), "", line)
		}
		b = append(b, ']')
	}
	if r.Run != nil {
		b = appendRun(append(b, `,"run":`...), r.Run)
	}
	return append(b, '}')
}

func appendRun(b []byte, r *Run) []byte {
	b = append(b, `{"scripts":`...)
	if r.Scripts == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '[')
		for i := range r.Scripts {
			s := &r.Scripts[i]
			b = appendField(separate(b, i), `{"name":`, s.Name)
			b = appendOptional(b, `,"owner":`, s.Owner)
			b = appendOptional(b, `,"role":`, s.Role)
			b = appendField(b, `,"version":`, s.Version)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = appendField(b, `,"steps":`, r.Steps)
	if r.More != 0 {
		b = appendNumber(b, `,"more":`, int64(r.More))
	}
	b = appendNumber(b, `,"cost":`, int64(r.Cost))
	return append(b, '}')
}

func appendPolicy(b []byte, p *Policy) []byte {
	b = appendField(b, `{"source":`, p.Source)
	b = appendPoints(b, `,"tag":`, p.Tag)
	b = appendPoints(b, `,"junk":`, p.Junk)
	b = appendPoints(b, `,"reject":`, p.Reject)
	if p.Greylist != 0 {
		b = appendPoints(b, `,"greylist":`, p.Greylist)
	}
	b = appendOptional(b, `,"virus":`, string(p.Virus))
	b = appendOptional(b, `,"dmarc":`, p.DMARC)
	b = appendOptional(b, `,"dmarc_source":`, p.DMARCSource)
	b = appendOptional(b, `,"scanner":`, p.Scanner)
	return append(b, '}')
}

func separate(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// asIs are the characters that JSON has as they are, and encoding/json too. Read-only.
var asIs = func() (set [256]bool) {
	for c := byte(' '); c <= 0x7f; c++ {
		set[c] = strings.IndexByte(`"\<>&`, c) < 0
	}
	return set
}()

// appendField appends a name, with what stands before it, and a text.
func appendField(b []byte, name, text string) []byte {
	b = append(b, name...)
	for i := range len(text) {
		if !asIs[text[i]] {
			return appendQuoted(b, text)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// appendQuoted appends a text some of whose characters must be written in another way.
func appendQuoted(b []byte, text string) []byte {
	start := len(b)
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case asIs[c]:
			b = append(b, c)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '<' || c == '>' || c == '&':
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default: // what is not ASCII, or a control character
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // a string is always written
			}
			return append(b[:start], quoted...)
		}
	}
	return append(b, '"')
}

func appendOptional(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendField(b, name, text)
}

func appendNumber(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

func appendPoints(b []byte, name string, p Points) []byte { return p.append(append(b, name...)) }
