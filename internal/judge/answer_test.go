package judge

import (
	"fmt"
	"strings"
	"testing"

	"postern/internal/verdict"
)

// decided is a judgement of copies with these verdicts, each "action" or "action rule", for accounts 1, 2, …; "fwd:" before it
// is a copy that is forwarded.
func decided(list ...string) *Judgement {
	v := &Judgement{Trace: &verdict.Trace{ID: "ID-1"}}
	for i, text := range list {
		text, forwarded := strings.CutPrefix(text, "fwd:")
		action, rule, _ := strings.Cut(text, " ")
		r := verdict.Recipient{Account: int64(i + 1), Verdict: verdict.Verdict{Action: verdict.Action(action), Rule: rule}}
		if forwarded {
			r.Account = 0
		}
		v.Trace.Recipients = append(v.Trace.Recipients, r)
	}
	return v
}

func TestAMessageHasOneReplyForAllItsRecipients(t *testing.T) {
	for name, c := range map[string]struct {
		copies []string
		author string
		unsure bool
		code   int
		says   string
		boxes  string // of those that are taken
	}{
		"all want it":                        {copies: []string{"inbox", "tag"}, boxes: "INBOX/default INBOX/default"},
		"one has it in Junk":                 {copies: []string{"inbox", "junk"}, boxes: "INBOX/default Junk/spam"},
		"one would refuse it":                {copies: []string{"reject", "inbox"}, boxes: "Junk/spam INBOX/default"},
		"one would refuse it, one junks it":  {copies: []string{"reject", "junk"}, boxes: "Junk/spam Junk/spam"},
		"one would have the sender wait":     {copies: []string{"greylist", "inbox"}, boxes: "INBOX/default INBOX/default"},
		"nobody takes it":                    {copies: []string{"reject", "reject"}, code: 550, says: "looks like spam"},
		"nobody takes it now":                {copies: []string{"greylist", "greylist"}, code: 451, says: "not known here yet"},
		"one refuses, one waits":             {copies: []string{"reject", "greylist"}, code: 451, says: "not known here yet"},
		"a virus":                            {copies: []string{"reject virus: Eicar"}, code: 550, says: "virus"},
		"DMARC":                              {copies: []string{"reject dmarc: reject, as the author's domain asks"}, author: "bank.example", code: 550, says: "bank.example, whose DMARC policy"},
		"too many authors":                   {copies: []string{"reject dmarc: reject, as the author's domain asks"}, code: 550, says: "more authors"},
		"DMARC, and it cannot be checked":    {copies: []string{"greylist dmarc: reject, and what may"}, author: "bank.example", unsure: true, code: 451, says: "bank.example cannot be checked"},
		"DMARC of one, and it is uncertain":  {copies: []string{"inbox", "reject dmarc: reject, as"}, author: "bank.example", unsure: true, code: 451, says: "cannot be checked"},
		"uncertain, and it matters to none":  {copies: []string{"inbox", "junk score 6.00"}, author: "bank.example", unsure: true, boxes: "INBOX/default Junk/spam"},
		"a copy that is forwarded":           {copies: []string{"fwd:inbox", "junk"}, boxes: "/ Junk/spam"},
		"a forwarded copy would be refused":  {copies: []string{"fwd:reject", "inbox"}, boxes: "/ INBOX/default"},
		"only a forwarded one, and it is so": {copies: []string{"fwd:reject"}, code: 550, says: "looks like spam"},
	} {
		v := decided(c.copies...)
		v.dmarc = demand{author: c.author, unsure: c.unsure}
		e := v.Answer()
		if e == nil {
			var boxes []string
			for i, r := range v.Trace.Recipients {
				boxes = append(boxes, r.Mailbox+"/"+r.FiledBy)
				if v.Junked(i) != (r.Mailbox == "Junk") {
					t.Errorf("%s: copy %d", name, i)
				}
			}
			if got := strings.Join(boxes, " "); got != c.boxes || v.Trace.Reply != "250 2.6.0 Accepted as ID-1" || v.Refused() {
				t.Errorf("%s: into %q, not %q; %q", name, got, c.boxes, v.Trace.Reply)
			}
			continue
		}
		if e.Code != c.code || !strings.Contains(e.Text, c.says) || !strings.HasSuffix(e.Text, " (ID-1)") {
			t.Errorf("%s: %v", name, e)
		}
		if want := fmt.Sprintf("%d %s %s", e.Code, e.EnhancedString(), e.Text); v.Trace.Reply != want || !v.Refused() || v.Trace.Recipients[0].Mailbox != "" {
			t.Errorf("%s: noted %q, %+v", name, v.Trace.Reply, v.Trace.Recipients)
		}
	}
}
