package admin

import (
	"errors"
	"time"

	"postern/antispam/outbound"
)

// Hold is an account whose outgoing mail waits.
type Hold struct {
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason" doc:"Which limit of the settings outbound.* it passed."`
}

func (b *Backend) listHolds(r request) ([]Hold, error) {
	holds, err := b.Outbound.Holds(r)
	if err != nil {
		return nil, err
	}
	list := make([]Hold, len(holds))
	for i, h := range holds {
		list[i] = Hold{Address: h.Address, Since: h.Since, Reason: h.Reason}
	}
	return list, nil
}

// liftHold goes by the address that the hold has, since the account may be gone.
func (b *Backend) liftHold(r request) (Nothing, error) {
	a, err := parse(r.path("address"))
	if err != nil {
		return Nothing{}, err
	}
	holds, err := b.Outbound.Holds(r)
	if err != nil {
		return Nothing{}, err
	}
	lifted := false
	for _, h := range holds {
		held, err := parse(h.Address)
		if err != nil || held.Key() != a.Key() {
			continue
		}
		if err := b.Outbound.Lift(r, h.Account); err != nil && !errors.Is(err, outbound.ErrNotHeld) {
			return Nothing{}, err
		}
		lifted = true
	}
	if !lifted {
		return Nothing{}, &Error{"not_found", a.String() + " is not on hold", "`postern user holds` shows those that are"}
	}
	return Nothing{}, nil
}
