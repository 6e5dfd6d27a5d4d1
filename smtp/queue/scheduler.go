package queue

import "context"

type scheduler struct{ q *Queue }

func (s *scheduler) init(q *Queue) { s.q = q }

// due wakes the scheduler for rows whose next attempt is at.
func (q *Queue) due(at int64) {}

func (q *Queue) isActive(id ID) bool { return false }

// Start begins to send.
func (q *Queue) Start() {}

// Shutdown stops to send: jobs under way are finished, or abandoned when ctx ends.
func (q *Queue) Shutdown(ctx context.Context) error { return nil }
