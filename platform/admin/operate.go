package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"

	"postern/internal/settings"
	"postern/platform/doctor"
	"postern/platform/zone"
	"postern/smtp/queue"
)

func (b *Backend) server(request) (ServerInfo, error) {
	return ServerInfo{Hostname: b.Hostname, Version: b.Version, PID: os.Getpid(), Started: b.Started}, nil
}

func (b *Backend) reload(request) (Nothing, error) {
	if err := b.Reload(); err != nil {
		return Nothing{}, split("invalid", err)
	}
	return Nothing{}, nil
}

func (b *Backend) check(r request) (Check, error) {
	p := b.Patient()
	p.Now = b.Clock.Now()
	p.Domains = make(map[string][]zone.Record)
	for _, d := range b.Directory.Domains() {
		_, records, err := b.records(r, d.Name)
		if err != nil {
			return Check{}, err
		}
		p.Domains[d.Name] = records
	}
	var err error
	if p.Waiting, err = b.Queue.Count(r, queue.Filter{}); err != nil {
		return Check{}, err
	}
	oldest, err := b.Queue.List(r, queue.Filter{Limit: 1}) // ids rise with time
	if err != nil {
		return Check{}, err
	}
	if len(oldest) > 0 {
		p.Oldest = oldest[0].Arrived
	}
	check := Check{OK: true, Findings: doctor.Examine(r, p)}
	for _, f := range check.Findings {
		check.OK = check.OK && f.Level != doctor.Fail
	}
	return check, nil
}

// verify answers in lines, so that whoever waits sees it move, and a connection that breaks ends the reading.
func (b *Backend) verify(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines, out := json.NewEncoder(w), http.NewResponseController(w)
	last := b.Clock.Now()
	report, err := b.Mail.Verify(req.Context(), func(done, total int) {
		now := b.Clock.Now()
		if now.Sub(last) < progressEvery {
			return
		}
		last = now
		lines.Encode(VerifyEvent{Done: done, Total: total})
		out.Flush()
	})
	if err != nil {
		b.Log.Error("verification failed", "error", err)
		_, e := classify(err)
		lines.Encode(VerifyEvent{Error: e})
		return
	}
	if report.Damage == nil {
		report.Damage = []Damage{}
	}
	b.Log.Info("verified", "checked", report.Checked, "damage", len(report.Damage))
	lines.Encode(VerifyEvent{Done: report.Checked, Total: report.Checked, Report: &report})
}

// progressEvery is how often a long reading tells how far it is.
const progressEvery = time.Second / 2

// maxList bounds one answer about the queue.
const maxList = 10000

// filter reads a queue filter. A change must name what it is for.
func filter(in QueueFilter, change bool) (queue.Filter, error) {
	f := queue.Filter{Domain: in.Domain, From: in.From, To: in.To, Held: in.Held, Limit: in.Limit}
	if in.Limit < 0 || in.Limit > maxList {
		return f, invalid("give a limit from 1 to 10000, and page on with after", "%d is no limit", in.Limit)
	}
	for _, s := range in.Messages {
		id, err := queue.ParseID(s)
		if err != nil {
			return f, invalid("`postern queue list` shows the ids", "%q is not the id of a message", s)
		}
		f.Messages = append(f.Messages, id)
	}
	if in.After != "" {
		id, err := queue.ParseID(in.After)
		if err != nil {
			return f, invalid("give the recipient id of the last entry", "%q is not an id", in.After)
		}
		f.After = id
	}
	if change && !in.All && len(f.Messages) == 0 && f.Domain == "" && f.From == "" && f.To == "" && f.Held == nil {
		return f, invalid("name messages, a domain, a sender or a recipient, or say that all are meant", "this would change the whole queue")
	}
	return f, nil
}

func (b *Backend) listQueue(r request, in QueueFilter) ([]QueueEntry, error) {
	f, err := filter(in, false)
	if err != nil {
		return nil, err
	}
	entries, err := b.Queue.List(r, f)
	list := make([]QueueEntry, len(entries))
	for i, e := range entries {
		list[i] = queueEntry(e)
	}
	return list, err
}

func (b *Backend) getMessage(r request) (QueueMessage, error) {
	id, err := queue.ParseID(r.path("id"))
	if err != nil {
		return QueueMessage{}, invalid("`postern queue list` shows the ids", "%q is not the id of a message", r.path("id"))
	}
	details, err := b.Queue.Show(r, id)
	if errors.Is(err, queue.ErrNoMessage) {
		return QueueMessage{}, &Error{"not_found", "the queue holds no message " + id.String(), "`postern queue list` shows all; it may have been delivered"}
	}
	message := QueueMessage{ID: details.ID.String(), EnvID: details.EnvID, RequireTLS: details.RequireTLS, Recipients: make([]QueueEntry, len(details.Recipients))}
	for i, e := range details.Recipients {
		message.Recipients[i] = queueEntry(e)
	}
	return message, err
}

func (b *Backend) changeQueue(r request, in QueueFilter, change func(context.Context, queue.Filter) (int64, error)) (QueueChange, error) {
	f, err := filter(in, true)
	if err != nil {
		return QueueChange{}, err
	}
	n, err := change(r, f)
	return QueueChange{Changed: n}, err
}

func (b *Backend) retryQueue(r request, in QueueFilter) (QueueChange, error) {
	return b.changeQueue(r, in, b.Queue.Retry)
}

func (b *Backend) holdQueue(r request, in QueueFilter) (QueueChange, error) {
	return b.changeQueue(r, in, b.Queue.Hold)
}

func (b *Backend) releaseQueue(r request, in QueueFilter) (QueueChange, error) {
	return b.changeQueue(r, in, b.Queue.Release)
}

func (b *Backend) dropQueue(r request, in QueueFilter) (QueueChange, error) {
	return b.changeQueue(r, in, b.Queue.Drop)
}

func (b *Backend) listSettings(request) ([]Setting, error) {
	all := b.Settings.List()
	list := make([]Setting, len(all))
	for i, s := range all {
		list[i] = setting(s)
	}
	return list, nil
}

func (b *Backend) getSetting(r request) (Setting, error) {
	s, err := b.Settings.Get(r.path("name"))
	if errors.Is(err, settings.ErrUnknown) {
		return Setting{}, noSetting(r.path("name"))
	}
	return setting(s), err
}

func noSetting(name string) *Error {
	return &Error{"not_found", "there is no setting " + name, "`postern settings list` shows all"}
}

func (b *Backend) setSetting(r request, in SettingValue) (Setting, error) {
	name := r.path("name")
	if _, err := b.Settings.Get(name); errors.Is(err, settings.ErrUnknown) {
		return Setting{}, noSetting(name)
	}
	if err := b.Settings.Set(r, name, in.Value); err != nil {
		if status, e := classify(err); status < 500 || e.Code != "internal" {
			return Setting{}, e
		}
		return Setting{}, split("invalid", err)
	}
	return b.getSetting(r)
}

func (b *Backend) resetSetting(r request) (Setting, error) {
	name := r.path("name")
	if err := b.Settings.Reset(r, name); errors.Is(err, settings.ErrUnknown) {
		return Setting{}, noSetting(name)
	} else if err != nil {
		return Setting{}, err
	}
	return b.getSetting(r)
}
