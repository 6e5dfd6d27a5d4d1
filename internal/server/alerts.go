package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/antispam/outbound"
	"postern/antispam/scanner"
	"postern/dnsbl"
	"postern/internal/clock"
)

// Alert is something that the administrator has to put right.
type Alert struct {
	// Key tells alerts apart: the same trouble again counts up the one that is there.
	Key string `json:"key"`
	// Title is a line, Text tells what happened and what to do.
	Title string    `json:"title"`
	Text  string    `json:"text"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Count int       `json:"count"`
}

const (
	maxAlerts    = 1000
	alertsAgain  = 24 * time.Hour // a trouble that lasts is told of again after this time
	alertExpires = 7 * 24 * time.Hour
)

// Alerts keeps what is wrong and tells each trouble once a day.
type Alerts struct {
	clock clock.Clock
	log   *slog.Logger

	mu     sync.Mutex
	alerts map[string]*Alert
	told   map[string]time.Time
	tell   func(context.Context, Alert)
}

// NewAlerts makes an empty list.
func NewAlerts(c clock.Clock, log *slog.Logger) *Alerts {
	return &Alerts{clock: c, log: log, alerts: map[string]*Alert{}, told: map[string]time.Time{}}
}

// OnAlert sets who is told of new troubles, besides the log. The function may take its time.
func (a *Alerts) OnAlert(tell func(context.Context, Alert)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tell = tell
}

// Raise notes a trouble. It never waits.
func (a *Alerts) Raise(key, title, text string) {
	now := a.clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	alert := a.alerts[key]
	if alert == nil {
		if len(a.alerts) >= maxAlerts {
			return
		}
		alert = &Alert{Key: key, First: now}
		a.alerts[key] = alert
	}
	alert.Title, alert.Text, alert.Last, alert.Count = title, text, now, alert.Count+1
	if told, ok := a.told[key]; ok && now.Sub(told) < alertsAgain {
		return
	}
	a.told[key] = now
	a.log.Warn("alert", "key", key, "title", title, "text", text)
	if a.tell != nil {
		go a.tell(context.Background(), *alert)
	}
}

func (a *Alerts) forget(now time.Time) {
	for key, alert := range a.alerts {
		if now.Sub(alert.Last) > alertExpires {
			delete(a.alerts, key)
			delete(a.told, key)
		}
	}
}

// List gives the troubles, latest first.
func (a *Alerts) List() []Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Alert, 0, len(a.alerts))
	for _, alert := range a.alerts {
		list = append(list, *alert)
	}
	slices.SortFunc(list, func(x, y Alert) int { return cmp.Or(y.Last.Compare(x.Last), cmp.Compare(x.Key, y.Key)) })
	return list
}

// OnHold raises that an account was put on hold. Each hold is told, however soon it follows another.
func (a *Alerts) OnHold(h outbound.Alert) {
	a.Raise(holdKey(h.Hold), h.Title, h.Text)
}

// StillOnHold lists the holds from before the start, which were told when they came to be.
func (a *Alerts) StillOnHold(holds []outbound.Hold) {
	a.mu.Lock()
	for _, h := range holds {
		a.told[holdKey(h)] = a.clock.Now()
	}
	a.mu.Unlock()
	for _, h := range holds {
		a.OnHold(h.Alert())
	}
}

func holdKey(h outbound.Hold) string { return fmt.Sprintf("outbound/%d/%d", h.Account, h.Since.Unix()) }

// Lifted notes that a hold was ended: there is nothing to look after any more.
func (a *Alerts) Lifted(h outbound.Hold) { a.over(fmt.Sprintf("outbound/%d/", h.Account)) }

// BlockList raises what a block list's checker found wrong.
func (a *Alerts) BlockList(b dnsbl.Alert) {
	a.Raise("dnsbl/"+b.Zone+"/"+string(b.Problem), "Block list "+b.Zone+": "+string(b.Problem), b.Text)
}

// Scanner raises what is wrong with an external scanner.
func (a *Alerts) Scanner(s scanner.Alert) {
	a.Raise("scanner/"+s.Scanner+"/"+string(s.Trouble), "Scanner "+s.Scanner+": "+string(s.Trouble), s.Text)
}

// ScannerRecovered notes that a scanner answers again: its troubles are over.
func (a *Alerts) ScannerRecovered(name string) {
	a.over("scanner/" + name + "/")
	a.log.Info("the scanner answers again", "scanner", name)
}

// over takes back the troubles whose keys begin so.
func (a *Alerts) over(prefix string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key := range a.alerts {
		if strings.HasPrefix(key, prefix) {
			delete(a.alerts, key)
			delete(a.told, key)
		}
	}
}
