package listen

import "sync"

// Accounts counts the sessions of each account. The zero value has none.
type Accounts struct {
	mu       sync.Mutex
	sessions map[int64]int
}

// Enter counts a session of an account in, unless there are limit of them or more, and reports whether it did.
func (a *Accounts) Enter(account int64, limit int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions[account] >= limit {
		return false
	}
	if a.sessions == nil {
		a.sessions = make(map[int64]int)
	}
	a.sessions[account]++
	return true
}

// Leave counts out a session that Enter counted in.
func (a *Accounts) Leave(account int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions[account]--; a.sessions[account] <= 0 {
		delete(a.sessions, account)
	}
}
