package mailflow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"postern/internal/filter"
	"postern/internal/message"
)

// toldFor is how long it is remembered that an owner was told of a script that fails.
const toldFor = 365 * 24 * time.Hour

// tell writes to the owner of a script that failed, once of each version of it: the account's own to the account, others to the
// administrators.
func (y *sifted) tell(ctx context.Context, failed *filter.Failure) error {
	account, mark := failed.Owner.Account, failed.Mark()
	y.Log.Warn("a Sieve script failed", "script", failed.Name, "owner", failed.Owner.String(), "account", y.own.ID, "reason", failed.Reason)
	if told, err := y.Filters.Remembers(ctx, account, mark); err != nil || told {
		return err
	}
	p := &plan{}
	if account != 0 {
		p.accounts = []copyFor{{account: y.own.ID, to: y.own.Address}}
	} else {
		for _, a := range y.Directory.Administrators() {
			p.accounts = append(p.accounts, copyFor{account: a.ID, to: a.Address})
		}
	}
	if len(p.accounts) == 0 {
		return nil
	}
	notice, err := y.noticeParcel(p, fmt.Sprintf("The mail filter %q failed", failed.Name), y.failureText(failed))
	if err != nil {
		return err
	}
	ready, err := y.seal(ctx, notice)
	if err != nil {
		return err
	}
	y.p.notices = append(y.p.notices, &markedOnce{ready, y.Filters, account, mark, toldFor})
	return nil
}

func (y *sifted) failureText(failed *filter.Failure) string {
	whose := "Your Sieve script"
	if failed.Owner.Account == 0 {
		whose = "The Sieve script of " + failed.Owner.String() + ","
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q could not do what it should with a message:\n\n", whose, failed.Name)
	for line := range strings.Lines(failed.Reason) {
		fmt.Fprintf(&b, "  %s\n", foldedLine(strings.TrimRight(line, "\r\n")))
	}
	subject := y.p.parsed.Header.Get("Subject")
	where := "came for " + y.p.plan.accounts[y.i].to.String()
	if y.lies != "" {
		where = fmt.Sprintf("lies in the mailbox %q", y.lies)
	}
	fmt.Fprintf(&b, "\nThe message %s: %q.\n", where, foldedLine(message.DecodeHeader(subject)))
	b.WriteString("No mail is lost by this: a message that the script fails for is kept.\n\nMend the script, or switch it off. You are told of this once; when the script has changed and fails again, you are told again.\n")
	return b.String()
}
