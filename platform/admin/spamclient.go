package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"postern/internal/verdict"
)

// Traces lists how messages were judged.
func (c *Client) Traces(ctx context.Context, f TraceFilter) (TracePage, error) {
	return call[TracePage](ctx, c, "POST", f, "/v1/spam/list")
}

// Trace gives the judgements of a transaction or a Message-ID, latest first.
func (c *Client) Trace(ctx context.Context, id string) ([]verdict.Trace, error) {
	return call[[]verdict.Trace](ctx, c, "GET", nil, "/v1/spam/traces/%s", id)
}

// Replay decides anew from what is stored; progress may be nil.
func (c *Client) Replay(ctx context.Context, in ReplayRequest, progress func(done, total int)) (ReplayReport, error) {
	resp, err := c.send(ctx, "POST", in, "/v1/spam/replay")
	if err != nil {
		return ReplayReport{}, err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var e ReplayEvent
		if err := lines.Decode(&e); err != nil {
			return ReplayReport{}, fmt.Errorf("the server stopped before the end: %w; see its log", err)
		}
		switch {
		case e.Error != nil:
			return ReplayReport{}, e.Error
		case e.Report != nil:
			return *e.Report, nil
		case progress != nil:
			progress(e.Done, e.Total)
		}
	}
}

// SpamPolicies lists the server's thresholds and those of domains and users that have their own.
func (c *Client) SpamPolicies(ctx context.Context) ([]SpamPolicy, error) {
	return call[[]SpamPolicy](ctx, c, "GET", nil, "/v1/spam/policies")
}

// SpamPolicy gives a scope's thresholds; a scope is "server", a domain or a user's address.
func (c *Client) SpamPolicy(ctx context.Context, scope string) (SpamPolicy, error) {
	return call[SpamPolicy](ctx, c, "GET", nil, "/v1/spam/policies/%s", scope)
}

// SetSpamPolicy changes a scope's thresholds.
func (c *Client) SetSpamPolicy(ctx context.Context, scope string, change ThresholdChange) (SpamPolicy, error) {
	return call[SpamPolicy](ctx, c, "PATCH", change, "/v1/spam/policies/%s", scope)
}

// ResetSpamPolicy gives a scope those of the next wider one again.
func (c *Client) ResetSpamPolicy(ctx context.Context, scope string) (SpamPolicy, error) {
	return call[SpamPolicy](ctx, c, "DELETE", nil, "/v1/spam/policies/%s", scope)
}

// Senders lists those that are allowed or blocked.
func (c *Client) Senders(ctx context.Context, f SenderFilter) ([]SenderEntry, error) {
	return call[[]SenderEntry](ctx, c, "POST", f, "/v1/spam/senders/list")
}

// AddSender allows or blocks a sender.
func (c *Client) AddSender(ctx context.Context, e SenderEntry) (SenderEntry, error) {
	return call[SenderEntry](ctx, c, "POST", e, "/v1/spam/senders")
}

// RemoveSender takes a sender out of a list.
func (c *Client) RemoveSender(ctx context.Context, e SenderEntry) (SenderEntry, error) {
	return call[SenderEntry](ctx, c, "POST", e, "/v1/spam/senders/remove")
}
