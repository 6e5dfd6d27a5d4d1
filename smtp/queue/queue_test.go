package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/db"
	"postern/internal/reply"
	"postern/smtp/queue"
)

func TestAMessageLeavesAsSoonAsItIsDurable(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.Start()
		synctest.Wait()
		begun := time.Now()
		id := l.enqueue(l.message("bob@a.test", "carol@b.test", "dave@a.test"))
		synctest.Wait()
		if time.Since(begun) != 0 {
			t.Errorf("it waited %v", time.Since(begun))
		}
		a := l.attempts[0]
		if a.message != id || a.text != "Received: by us.test\r\n"+body {
			t.Errorf("%+v", a)
		}
		if got := l.tried(); got != "a.test: bob@a.test, dave@a.test; b.test: carol@b.test" {
			t.Error(got)
		}
		l.mustBeEmpty()
		if len(l.told()) != 0 {
			t.Error("a notice of what went well")
		}
		if len(l.events) != 3 || l.events[0].Kind != queue.Delivered || l.events[0].Host != "mx.test[192.0.2.1]" {
			t.Errorf("%+v", l.events)
		}
	})
}

func TestATransactionThatFailsQueuesNothing(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.Start()
		no := errors.New("no")
		m := l.message("bob@a.test")
		err := l.db.Write(context.Background(), func(tx *db.Tx) error {
			if _, err := l.EnqueueTx(tx, m); err != nil {
				return err
			}
			return no
		})
		synctest.Wait()
		if !errors.Is(err, no) || l.left() != 0 || l.tried() != "" {
			t.Errorf("%v, %d left", err, l.left())
		}
		m.Recipients = nil
		if err := l.db.Write(context.Background(), func(tx *db.Tx) error { _, err := l.EnqueueTx(tx, m); return err }); err == nil {
			t.Error("a message for nobody was queued")
		}
	})
}

// The schedule of a destination that says "later" for ever: five minutes, doubled up to four hours, within jitter; a
// notice of delay once after four hours; a notice of failure after five days.
func TestTriesGoOnForFiveDaysAndTheSenderIsToldTwice(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.says(451, "4.7.1", "greylisted, come back later")
		l.Start()
		begun := time.Now()
		m := l.message("bob@a.test", "carol@a.test")
		m.EnvID, m.Recipients[0].ORCPT = "id+2Bx", "rfc822;robert@old.test"
		l.enqueue(m)
		time.Sleep(4*time.Hour - time.Second)
		if n := len(l.told()); n != 0 {
			t.Fatalf("%d notices before four hours", n)
		}
		time.Sleep(2 * time.Second)
		told := l.told()
		if len(told) != 1 || told[0].To.String() != "alice@us.test" || told[0].Account != 7 {
			t.Fatalf("after four hours: %+v", told)
		}
		for _, want := range []string{"Subject: Your message is delayed", "Action: delayed", "Status: 4.7.1", "Will-Retry-Until:", "Original-Envelope-Id: id+x",
			"Original-Recipient: rfc822; robert@old.test", "Final-Recipient: rfc822; carol@a.test", "Remote-MTA: dns; mx.test\r\n", "Diagnostic-Code: smtp; 451 4.7.1 greylisted,", "Auto-Submitted: auto-replied"} {
			if !strings.Contains(string(told[0].Message), want) {
				t.Errorf("the notice lacks %q:\n%s", want, told[0].Message)
			}
		}
		time.Sleep(5*24*time.Hour - 4*time.Hour - time.Minute)
		if n := len(l.told()); n != 0 || l.left() != 2 {
			t.Fatalf("%d more notices, %d left before the end", n, l.left())
		}
		time.Sleep(time.Hour)
		told = l.told()
		if len(told) != 1 || !strings.Contains(string(told[0].Message), "Action: failed\r\nStatus: 5.4.7\r\n") {
			t.Fatalf("at the end: %+v", told)
		}
		l.mustBeEmpty()
		checkIntervals(t, l.attempts, begun)
	})
}

func checkIntervals(t *testing.T, attempts []attempt, begun time.Time) {
	t.Helper()
	wait := 5 * time.Minute
	for i := 1; i < len(attempts); i++ {
		got := attempts[i].at.Sub(attempts[i-1].at)
		// Two are drawn nearer: the one that tells of the delay and the last.
		notice := attempts[i].at.Sub(begun) == 4*time.Hour
		last := i == len(attempts)-1
		if got > wait*12/10 || (got < wait*8/10 && !notice && !last) {
			t.Errorf("attempt %d came %v after the one before, want about %v", i, got, wait)
		}
		wait = min(wait*2, 4*time.Hour)
		if len(attempts[i].to) != 2 {
			t.Errorf("attempt %d was for %q: what failed together is tried together", i, attempts[i].to)
		}
	}
	if end := attempts[len(attempts)-1].at.Sub(begun); end != 5*24*time.Hour {
		t.Errorf("the last attempt was after %v", end)
	}
	if n := len(attempts); n < 28 || n > 50 {
		t.Errorf("%d attempts", n)
	}
}

func TestAFailureIsToldToTheSenderAtOnce(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.says(550, "5.1.1", "no such user")
		l.Start()
		m := l.message("bob@a.test")
		m.Ret = "FULL"
		l.enqueue(m)
		m = l.message("bob@a.test")
		m.Ret = "HDRS"
		l.enqueue(m)
		synctest.Wait()
		told := l.told()
		if len(told) != 2 {
			t.Fatalf("%d notices", len(told))
		}
		full, head := string(told[0].Message), string(told[1].Message)
		if strings.Contains(head, "Content-Type: message/rfc822") {
			full, head = head, full
		}
		for _, want := range []string{"Content-Type: multipart/report; report-type=delivery-status;", "To: <alice@us.test>", "From: Mail Delivery System <MAILER-DAEMON@us.test>",
			"Reporting-MTA: dns; us.test", "Action: failed\r\nStatus: 5.1.1\r\n", "Diagnostic-Code: smtp; 550 5.1.1 no such user", "Received: by us.test\r\nSubject: hi\r\n"} {
			if !strings.Contains(full, want) || !strings.Contains(head, want) {
				t.Errorf("a notice lacks %q:\n%s\n%s", want, full, head)
			}
		}
		if !strings.Contains(full, "Content-Type: message/rfc822\r\n") || !strings.Contains(full, "Hello.") {
			t.Errorf("RET=FULL:\n%s", full)
		}
		if !strings.Contains(head, "Content-Type: text/rfc822-headers\r\n") || strings.Contains(head, "Hello.") {
			t.Errorf("RET=HDRS:\n%s", head)
		}
		l.mustBeEmpty()
	})
}

func TestNoticesGoOnlyToWhoWantsThem(t *testing.T) {
	for _, c := range []struct {
		name, outcome string // delivered, relayed, failed, delayed
		notify        queue.Notify
		null          bool
		want          string
	}{
		{"failed", "failed", 0, false, "failed"},
		{"failed, null sender", "failed", 0, true, ""},
		{"failed, NEVER", "failed", queue.NotifyNever, false, ""},
		{"failed, SUCCESS only", "failed", queue.NotifySuccess, false, ""},
		{"failed, FAILURE", "failed", queue.NotifyFailure, false, "failed"},
		{"delivered, SUCCESS at a server with DSN", "delivered", queue.NotifySuccess, false, ""},
		{"relayed", "relayed", 0, false, ""},
		{"relayed, SUCCESS", "relayed", queue.NotifySuccess | queue.NotifyFailure, false, "relayed"},
		{"relayed, SUCCESS, null sender", "relayed", queue.NotifySuccess, true, ""},
		{"delayed", "delayed", 0, false, "delayed"},
		{"delayed, DELAY", "delayed", queue.NotifyDelay, false, "delayed"},
		{"delayed, FAILURE only", "delayed", queue.NotifyFailure, false, ""},
		{"delayed, null sender", "delayed", 0, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				switch c.outcome {
				case "failed":
					l.says(554, "5.7.1", "no")
				case "delayed":
					l.says(451, "4.7.1", "later")
				case "relayed":
					l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
						return all(job, queue.Outcome{Relayed: true, Reply: "250 ok", Host: "mx.test[192.0.2.1]"})
					})
				}
				l.Start()
				m := l.message("bob@a.test")
				m.Recipients[0].Notify = c.notify
				if c.null {
					m.From = addr("alice@us.test")
					m.From.Local, m.From.Domain = "", ""
				}
				l.enqueue(m)
				time.Sleep(5 * time.Hour)
				synctest.Wait()
				got := ""
				for _, n := range l.told() {
					_, rest, _ := strings.Cut(string(n.Message), "Action: ")
					got += rest[:strings.Index(rest, "\r\n")]
				}
				if got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
				if c.outcome != "delayed" {
					l.mustBeEmpty()
				}
			})
		})
	}
}

func TestEachRecipientHasItsOwnFate(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			list := all(job, queue.Outcome{Host: "mx.test[192.0.2.1]"})
			for i, r := range job.Recipients {
				switch r.Address[:2] {
				case "no":
					list[i].Err, list[i].Remote, list[i].Reply = reply.New(550, "5.1.1", "no"), true, "550 5.1.1 no"
				case "la":
					list[i].Err = reply.New(450, "4.2.2", "later")
				}
			}
			return list
		})
		l.Start()
		l.enqueue(l.message("ok1@a.test", "no1@a.test", "later@a.test", "no2@a.test", "ok2@a.test"))
		synctest.Wait()
		told := l.told()
		if len(told) != 1 || strings.Count(string(told[0].Message), "Action: failed") != 2 {
			t.Errorf("%d notices", len(told))
		}
		list, err := l.List(context.Background(), queue.Filter{})
		if err != nil || len(list) != 1 || list[0].To != "later@a.test" || list[0].LastError != "450 4.2.2 later" || list[0].Attempts != 1 || list[0].Active {
			t.Errorf("%+v, %v", list, err)
		}
		l.tried()
		l.says(550, "5.0.0", "x")
		time.Sleep(10 * time.Minute)
		if got := l.tried(); got != "a.test: later@a.test" {
			t.Error(got)
		}
		l.mustBeEmpty()
	})
}

func TestManyRecipientsGoInPortions(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		var to []string
		for i := range 250 {
			to = append(to, fmt.Sprintf("r%d@a.test", i))
		}
		l.enqueue(l.message(to...))
		l.Start()
		synctest.Wait()
		seen := map[string]int{}
		for _, a := range l.attempts {
			if len(a.to) > 100 {
				t.Errorf("%d recipients at once", len(a.to))
			}
			for _, r := range a.to {
				seen[r]++
			}
		}
		if len(l.attempts) != 3 || len(seen) != 250 {
			t.Errorf("%d attempts for %d recipients", len(l.attempts), len(seen))
		}
		l.mustBeEmpty()
	})
}

func TestDeliveriesAtOnceAreBounded(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.limits = queue.Limits{Concurrency: 7, PerDomain: 3}
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			time.Sleep(time.Second)
			return all(job, queue.Outcome{})
		})
		for i := range 60 {
			l.enqueue(l.message(fmt.Sprintf("r@d%d.test", i%5)))
		}
		l.Start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if l.busiest[""] != 7 || l.busiest["d0.test"] > 3 || l.busiest["d0.test"] < 2 {
			t.Errorf("at once: %v", l.busiest)
		}
		l.mustBeEmpty()
	})
}

func TestALineIsUsedForSeveralMessages(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.limits.PerDomain = 1
		for range 40 {
			l.enqueue(l.message("r@a.test"))
		}
		l.Start()
		synctest.Wait()
		if l.lines["a.test"] != 1 || len(l.attempts) != 40 {
			t.Errorf("%d lines for %d messages", l.lines["a.test"], len(l.attempts))
		}
		for i := 1; i < 40; i++ {
			if l.attempts[i].message < l.attempts[i-1].message {
				t.Error("the later message went first")
			}
		}
	})
}

func TestADestinationWithMuchMailLeavesRoomForOthers(t *testing.T) {
	inLab(t, func(l *lab) {
		l.limits = queue.Limits{MaxActive: 1000, PerDomain: 2}
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			if job.Destination == "slow.test" {
				time.Sleep(time.Hour)
			}
			return all(job, queue.Outcome{})
		})
		var messages []queue.Message
		for range 1500 {
			messages = append(messages, l.message("r@slow.test"))
		}
		l.enqueueAll(messages)
		l.enqueue(l.message("r@quick.test"))
		l.Start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, err := l.Count(context.Background(), queue.Filter{Domain: "quick.test"}); err != nil || n != 0 {
			t.Errorf("%d wait behind the slow destination, %v", n, err)
		}
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome { return all(job, queue.Outcome{}) })
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		l.mustBeEmpty()
	})
}

func TestMuchMailForAQuickDestinationDoesNotWait(t *testing.T) {
	inLab(t, func(l *lab) {
		l.limits.MaxActive = 1000
		var messages []queue.Message
		for i := range 2000 {
			to := []string{"r@quick.test"}
			if i%100 == 0 {
				for j := range 150 {
					to = append(to, fmt.Sprintf("r%d@quick.test", j))
				}
			}
			messages = append(messages, l.message(to...))
		}
		l.enqueueAll(messages)
		begun := time.Now()
		l.Start()
		synctest.Wait()
		if took := time.Since(begun); took != 0 {
			t.Errorf("it took %v", took)
		}
		n := 0
		for _, a := range l.attempts {
			n += len(a.to)
		}
		if n != 2000+20*150 {
			t.Errorf("%d recipients were tried", n)
		}
		l.mustBeEmpty()
	})
}

func TestAnUnreachableDestinationRestsWithAllItsMail(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.limits.PerDomain = 1
		var up atomic.Bool
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			if job.Destination == "down.test" && !up.Load() {
				return all(job, queue.Outcome{Err: reply.New(451, "4.4.1", "not reached"), Unreachable: true})
			}
			return all(job, queue.Outcome{})
		})
		for range 50 {
			l.enqueue(l.message("r@down.test"))
		}
		l.enqueue(l.message("r@up.test"))
		l.Start()
		synctest.Wait()
		if got := l.tried(); got != "down.test: r@down.test; up.test: r@up.test" {
			t.Errorf("one attempt tells for all: %s", got)
		}
		if n := l.left(); n != 50 {
			t.Errorf("%d left", n)
		}
		l.enqueue(l.message("new@down.test"))
		synctest.Wait()
		if got := l.tried(); got != "" {
			t.Errorf("while it rests: %s", got)
		}
		up.Store(true)
		time.Sleep(61 * time.Second)
		if got := l.tried(); got != "down.test: new@down.test" {
			t.Errorf("after its rest: %s", got)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		l.mustBeEmpty()
	})
}

func TestAManualRetryEndsTheRestOfAnUnreachableDestination(t *testing.T) {
	inLab(t, func(l *lab) {
		var up atomic.Bool
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			if !up.Load() {
				return all(job, queue.Outcome{Err: reply.New(451, "4.4.1", "not reached"), Unreachable: true})
			}
			return all(job, queue.Outcome{})
		})
		l.enqueue(l.message("r@down.test"))
		l.Start()
		synctest.Wait()
		up.Store(true)
		if n, err := l.Retry(context.Background(), queue.Filter{}); n != 1 || err != nil {
			t.Fatalf("%d chosen, %v", n, err)
		}
		synctest.Wait()
		l.mustBeEmpty()
	})
}

// More than a share of an unreachable destination's mail: it comes into memory portion by portion, and all of it leaves
// once the destination is back.
func TestMuchMailForAnUnreachableDestinationIsNotForgotten(t *testing.T) {
	inLab(t, func(l *lab) {
		l.limits = queue.Limits{MaxActive: 1000, PerDomain: 1}
		var up atomic.Bool
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			if !up.Load() {
				return all(job, queue.Outcome{Err: reply.New(451, "4.4.1", "not reached"), Unreachable: true})
			}
			return all(job, queue.Outcome{})
		})
		var messages []queue.Message
		for range 450 {
			messages = append(messages, l.message("r@down.test"))
		}
		l.enqueueAll(messages)
		l.Start()
		time.Sleep(10 * time.Minute)
		if n := len(l.attempts); n < 4 || n > 20 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		up.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		l.mustBeEmpty()
	})
}

func TestWhatWasQueuedIsSentAfterARestart(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.says(451, "4.3.0", "later")
		first := l.enqueue(l.message("bob@a.test"))
		l.Start()
		synctest.Wait()
		l.tried()
		l.close()
		l.open()
		second := l.enqueue(l.message("carol@b.test"))
		if second <= first {
			t.Errorf("ids went from %d to %d", first, second)
		}
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome { return all(job, queue.Outcome{}) })
		l.Start()
		synctest.Wait()
		if got := l.tried(); got != "b.test: carol@b.test" {
			t.Errorf("at once: %s", got)
		}
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		if got := l.tried(); got != "a.test: bob@a.test" {
			t.Errorf("in its time: %s", got)
		}
		l.mustBeEmpty()
	})
}

// While the database refuses the result nothing is sent again.
func TestAResultThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.fails = 5
		l.Start()
		l.enqueue(l.message("bob@a.test"))
		time.Sleep(24 * time.Second)
		if l.left() != 1 {
			t.Error("the row is gone although its transaction failed")
		}
		time.Sleep(10 * time.Second)
		if got := l.tried(); got != "a.test: bob@a.test" {
			t.Errorf("sent again: %s", got)
		}
		l.mustBeEmpty()
	})
}

func TestARecipientStaysUntilItsSenderCanBeTold(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.noBounce = errors.New("disk full")
		l.says(550, "5.1.1", "no")
		l.Start()
		l.enqueue(l.message("bob@a.test"))
		time.Sleep(time.Hour)
		if l.left() != 1 {
			t.Fatal("gone without a word")
		}
		l.mu.Lock()
		l.noBounce = nil
		l.mu.Unlock()
		time.Sleep(time.Hour)
		if len(l.told()) != 1 {
			t.Error("the sender was not told")
		}
		l.mustBeEmpty()
	})
}

// The receiver of a notice may be removed between its making and its transaction: it is made anew.
func TestANoticeThatCannotBeWrittenIsMadeAnew(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.stale = 2
		l.says(550, "5.1.1", "no")
		l.Start()
		l.enqueue(l.message("bob@a.test"))
		time.Sleep(time.Minute)
		if len(l.told()) != 1 {
			t.Errorf("told %d times", len(l.told()))
		}
		if got := l.tried(); got != "a.test: bob@a.test" {
			t.Errorf("sent again: %s", got)
		}
		l.mustBeEmpty()
	})
}

func TestAMessageWhoseContentCannotBeReadIsTriedAgainAndReportedInTheEnd(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		m := l.message("bob@a.test")
		content := l.blobs[m.BlobID]
		l.mu.Lock()
		delete(l.blobs, m.BlobID)
		l.mu.Unlock()
		l.enqueue(m)
		l.Start()
		time.Sleep(5 * time.Hour)
		if told := l.told(); l.tried() != "" || l.left() != 1 || len(told) != 1 || !strings.Contains(string(told[0].Message), "could not be read here") {
			t.Errorf("%d left, %d notices", l.left(), len(told))
		}
		l.mu.Lock()
		l.blobs[m.BlobID] = content
		l.mu.Unlock()
		time.Sleep(5 * time.Hour)
		if got := l.tried(); got != "a.test: bob@a.test" {
			t.Errorf("%q", got)
		}
		l.mustBeEmpty()
	})
}

func TestShutdownWaitsForWhatIsUnderWay(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.limits.PerDomain = 1
		l.setDeliver(func(ctx context.Context, job *queue.Job) []queue.Outcome {
			select {
			case <-ctx.Done():
				return all(job, queue.Outcome{Untried: true})
			case <-time.After(10 * time.Second):
				return all(job, queue.Outcome{})
			}
		})
		l.enqueue(l.message("bob@a.test"))
		l.enqueue(l.message("carol@a.test"))
		l.Start()
		synctest.Wait()
		begun := time.Now()
		if err := l.Shutdown(context.Background()); err != nil || time.Since(begun) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if l.left() != 1 || l.tried() != "a.test: bob@a.test" {
			t.Errorf("%d left", l.left())
		}
	})
}

func TestShutdownAbandonsWhatTakesTooLong(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.setDeliver(func(ctx context.Context, job *queue.Job) []queue.Outcome {
			<-ctx.Done()
			return all(job, queue.Outcome{Untried: true})
		})
		l.enqueue(l.message("bob@a.test"))
		l.Start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		if err := l.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		list, err := l.List(context.Background(), queue.Filter{})
		if err != nil || len(list) != 1 || list[0].Attempts != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestCommands(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.says(451, "4.3.0", "later")
		l.Start()
		m := l.message("bob@a.test", "carol@b.test")
		m.EnvID, m.SMTPUTF8, m.Ret = "x", true, "HDRS"
		one := l.enqueue(m)
		m = l.message("dave@a.test")
		m.Hold, m.From = true, addr("erin@us.test")
		two := l.enqueue(m)
		synctest.Wait()
		l.tried()
		ctx := context.Background()
		must := func(n int64, err error) func(want int64, what string) {
			return func(want int64, what string) {
				t.Helper()
				if err != nil || n != want {
					t.Errorf("%s: %d, %v, want %d", what, n, err, want)
				}
			}
		}
		yes, seven := true, int64(7)
		must(l.Count(ctx, queue.Filter{}))(3, "all")
		must(l.Count(ctx, queue.Filter{Domain: "A.test"}))(2, "by domain")
		must(l.Count(ctx, queue.Filter{From: "erin@us.test"}))(1, "by sender")
		must(l.Count(ctx, queue.Filter{To: "carol@b.test", Account: &seven}))(1, "by recipient")
		must(l.Count(ctx, queue.Filter{Held: &yes}))(1, "held")
		must(l.Count(ctx, queue.Filter{Messages: []queue.ID{one, two}, Domain: "b.test"}))(1, "by message")

		d, err := l.Show(ctx, one)
		if err != nil || d.EnvID != "x" || !d.SMTPUTF8 || d.Body8Bit || len(d.Recipients) != 2 || d.Recipients[0].Attempts != 1 ||
			d.Recipients[0].LastHost != "mx.test[192.0.2.1]" || d.Recipients[0].NextAttempt.IsZero() {
			t.Errorf("%+v, %v", d, err)
		}
		if _, err := l.Show(ctx, 1); !errors.Is(err, queue.ErrNoMessage) {
			t.Errorf("%v", err)
		}
		must(l.Hold(ctx, queue.Filter{Domain: "b.test"}))(1, "hold")
		must(l.Retry(ctx, queue.Filter{}))(1, "retry passes over what is held")
		synctest.Wait()
		if got := l.tried(); got != "a.test: bob@a.test" {
			t.Errorf("retry: %s", got)
		}
		time.Sleep(24 * time.Hour)
		l.tried()
		list, err := l.List(ctx, queue.Filter{Held: &yes})
		if err != nil || len(list) != 2 || !list[0].NextAttempt.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
		must(l.Release(ctx, queue.Filter{}))(2, "release")
		synctest.Wait()
		if got := l.tried(); got != "a.test: dave@a.test; b.test: carol@b.test" {
			t.Errorf("release: %s", got)
		}
		must(l.Drop(ctx, queue.Filter{To: "bob@a.test"}))(1, "drop one")
		must(l.Drop(ctx, queue.Filter{}))(2, "drop all")
		l.mustBeEmpty()
		l.told()
		time.Sleep(24 * time.Hour)
		if l.tried() != "" || len(l.told()) != 0 {
			t.Error("what was dropped lives")
		}
	})
}

func TestCommandsOnManyWorkInSteps(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		for range 5 {
			var to []string
			for i := range 150 {
				to = append(to, fmt.Sprintf("r%d@d%d.test", i, i%3))
			}
			l.enqueue(l.message(to...))
		}
		ctx := context.Background()
		if n, err := l.Hold(ctx, queue.Filter{Limit: 333}); n != 333 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		l.Start()
		synctest.Wait()
		if n := l.left(); n != 333 {
			t.Errorf("%d left", n)
		}
		if n, err := l.Drop(ctx, queue.Filter{}); n != 333 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		l.mustBeEmpty()
	})
}

// Rows that were held or dropped while an attempt was under way stay what they were made.
func TestCommandsDuringAnAttemptCount(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
			time.Sleep(time.Minute)
			return all(job, queue.Outcome{Err: reply.New(451, "4.0.0", "later")})
		})
		l.enqueue(l.message("held@a.test"))
		l.enqueue(l.message("dropped@b.test"))
		l.Start()
		synctest.Wait()
		list, _ := l.List(context.Background(), queue.Filter{})
		if len(list) != 2 || !list[0].Active {
			t.Errorf("%+v", list)
		}
		if _, err := l.Hold(context.Background(), queue.Filter{Domain: "a.test"}); err != nil {
			t.Error(err)
		}
		if _, err := l.Drop(context.Background(), queue.Filter{Domain: "b.test"}); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		list, _ = l.List(context.Background(), queue.Filter{})
		if len(list) != 1 || !list[0].Held || list[0].Attempts != 1 || len(l.attempts) != 2 {
			t.Errorf("%+v", list)
		}
	})
}

func TestTheLifetimeOfAMessageCanBeShorter(t *testing.T) {
	inBothLabs(t, func(l *lab) {
		l.says(451, "4.0.0", "later")
		l.Start()
		m := l.message("bob@a.test")
		m.Lifetime = 20 * time.Minute
		l.enqueue(m)
		time.Sleep(21 * time.Minute)
		synctest.Wait()
		if len(l.told()) != 1 {
			t.Error("not told in time")
		}
		l.mustBeEmpty()
	})
}

func TestManyMessagesLeaveAndEachOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.limits.MaxActive = 300
		l.Start()
		for round := range 10 {
			var messages []queue.Message
			for i := range 200 {
				messages = append(messages, l.message(fmt.Sprintf("r@d%d.test", (i+round)%37)))
			}
			l.enqueueAll(messages)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		seen := map[queue.ID]int{}
		for _, a := range l.attempts {
			seen[a.message]++
		}
		if len(seen) != 2000 || len(l.attempts) != 2000 {
			t.Errorf("%d attempts for %d messages", len(l.attempts), len(seen))
		}
		l.mustBeEmpty()
	})
}

func TestIDsAreReadAsTheyAreShown(t *testing.T) {
	for _, id := range []queue.ID{1, 1764000000000000, math.MaxInt64} {
		for _, s := range []string{id.String(), strings.ToLower(id.String())} {
			if got, err := queue.ParseID(s); got != id || err != nil {
				t.Errorf("%s: %d, %v", s, got, err)
			}
		}
	}
	for _, s := range []string{"", "0", "-1", "ä", "ZZZZZZZZZZZZZZZZZZZZ", "1 2"} {
		if id, err := queue.ParseID(s); err == nil {
			t.Errorf("%q is %d", s, id)
		}
	}
}
