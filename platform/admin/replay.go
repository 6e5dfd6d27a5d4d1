package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// WhatIf is another policy for a replay; what is absent stays as it was.
type WhatIf struct {
	Tag           *verdict.Points `json:"tag,omitempty"`
	Junk          *verdict.Points `json:"junk,omitempty"`
	Reject        *verdict.Points `json:"reject,omitempty"`
	Greylist      *verdict.Points `json:"greylist,omitempty"`
	Virus         verdict.Action  `json:"virus,omitempty" doc:"reject or junk."`
	DMARCOverride []string        `json:"dmarc_override,omitempty" doc:"Such as example.org=none."`
}

// ReplayRequest says what is decided again, and by what.
type ReplayRequest struct {
	ID     string    `json:"id,omitempty" doc:"A transaction or Message-ID; absent for all."`
	Since  time.Time `json:"since,omitzero"`
	WhatIf WhatIf    `json:"what_if,omitzero"`
}

// ReplayEvent is one line of a replay's answer: progress, and at the end the report.
type ReplayEvent struct {
	Done   int           `json:"done"`
	Total  int           `json:"total"`
	Report *ReplayReport `json:"report,omitempty"`
	Error  *Error        `json:"error,omitempty"`
}

// ReplayReport is what deciding again came to.
type ReplayReport struct {
	Messages  int          `json:"messages"`
	Copies    int          `json:"copies" doc:"A message has one for each recipient."`
	Different int          `json:"different" doc:"Without a what-if: decided otherwise in any byte. With one: another action."`
	Damaged   int          `json:"damaged" doc:"Could not be read."`
	Turns     []ReplayTurn `json:"turns" doc:"What would be done otherwise, the most frequent first."`
	Listed    []ReplayCopy `json:"listed" doc:"The first thousand that differ, or, when one message was asked for, all of its copies."`
}

// ReplayTurn is how many copies would go from one action to another.
type ReplayTurn struct {
	Was    verdict.Action `json:"was"`
	Is     verdict.Action `json:"is"`
	Copies int            `json:"copies"`
}

// ReplayCopy is one copy, decided again.
type ReplayCopy struct {
	ID      string          `json:"id"`
	From    string          `json:"from"`
	Address string          `json:"address"`
	Same    bool            `json:"same"`
	Was     verdict.Verdict `json:"was"`
	Is      verdict.Verdict `json:"is"`
}

// replayList is how many copies a replay lists.
const replayList = 1000

// replay answers in lines, as verify does.
func (b *Backend) replay(w http.ResponseWriter, req *http.Request) {
	var in ReplayRequest
	if err := decode(req, &in); err != nil {
		b.refuse(w, req, err)
		return
	}
	p, err := b.newReplayer(request{req.Context(), req}, in)
	if err != nil {
		b.refuse(w, req, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines, out := json.NewEncoder(w), http.NewResponseController(w)
	last := b.Clock.Now()
	p.progress = func(done int) {
		if now := b.Clock.Now(); now.Sub(last) >= progressEvery {
			last = now
			lines.Encode(ReplayEvent{Done: done, Total: max(p.total, done)})
			out.Flush()
		}
	}
	if err := p.run(request{req.Context(), req}, b); err != nil {
		_, e := classify(err)
		lines.Encode(ReplayEvent{Error: e})
		return
	}
	lines.Encode(ReplayEvent{Done: p.report.Messages, Total: p.report.Messages, Report: &p.report})
}

// replayer decides anew.
type replayer struct {
	whatIf   archive.WhatIf
	plain    bool
	one      []archive.Entry
	since    time.Time
	total    int
	progress func(done int)
	turns    map[[2]verdict.Action]int
	report   ReplayReport
}

func (b *Backend) newReplayer(r request, in ReplayRequest) (*replayer, error) {
	w := in.WhatIf
	overrides, err := archive.ParseOverrides(w.DMARCOverride)
	if err != nil {
		return nil, err
	}
	if w.Virus != "" && w.Virus != verdict.Reject && w.Virus != verdict.Junk {
		return nil, invalid("write reject or junk", "%q is no action for viruses", w.Virus)
	}
	p := &replayer{since: in.Since, turns: map[[2]verdict.Action]int{}, report: ReplayReport{Turns: []ReplayTurn{}, Listed: []ReplayCopy{}},
		whatIf: archive.WhatIf{Thresholds: archive.Thresholds{Tag: w.Tag, Junk: w.Junk, Reject: w.Reject, Greylist: w.Greylist}, Virus: w.Virus, DMARC: overrides}}
	p.plain = p.whatIf.IsZero()
	if in.ID != "" {
		p.one, err = b.traces(r, in.ID)
		return p, err
	}
	p.total, err = b.Archive.Count(r, in.Since)
	return p, err
}

func (p *replayer) run(r request, b *Backend) error {
	for _, e := range p.one {
		p.decide(e.Trace)
	}
	if p.one == nil {
		var err error
		_, p.report.Damaged, err = b.Archive.Each(r, archive.Query{Since: p.since}, func(e archive.Entry, examined int) error {
			p.decide(e.Trace)
			p.progress(examined)
			return r.Err()
		})
		if err != nil {
			return err
		}
	}
	for turn, n := range p.turns {
		p.report.Turns = append(p.report.Turns, ReplayTurn{turn[0], turn[1], n})
	}
	slices.SortFunc(p.report.Turns, func(x, y ReplayTurn) int {
		return cmp.Or(cmp.Compare(y.Copies, x.Copies), cmp.Compare(x.Was, y.Was), cmp.Compare(x.Is, y.Is))
	})
	return nil
}

// decide decides a message's copies anew, as they were or by the other policy.
func (p *replayer) decide(t *verdict.Trace) {
	p.report.Messages++
	for i := range t.Recipients {
		r := &t.Recipients[i]
		is := verdict.Decide(t.Checks, r.Checks, p.whatIf.Policy(t, r))
		same := is == r.Verdict
		if !p.plain {
			same = is.Action == r.Verdict.Action
		}
		p.report.Copies++
		if !same {
			p.report.Different++
			p.turns[[2]verdict.Action{r.Verdict.Action, is.Action}]++
		}
		if (!same || p.one != nil) && len(p.report.Listed) < replayList {
			p.report.Listed = append(p.report.Listed, ReplayCopy{t.ID, t.From, r.Address, same, r.Verdict, is})
		}
	}
}
