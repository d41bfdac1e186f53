package provision_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"provision/provision/report"
)

// TestStarting: what has just been started, as by a reboot, is waited for before it is judged, and said
// to be waited for; but not where there is something to change first.
func TestStarting(t *testing.T) {
	t.Parallel()
	// It takes until somebody says that it waits, or for good.
	rebooted := func(t *testing.T) *site {
		s := arrange(t, split)
		s.converge()
		for _, h := range s.hosts {
			h.SetHealthDelay("prefect-server", 365*24*time.Hour)
			h.Reboot()
		}
		return s
	}
	upOnceWaitedFor := func(s *site, a *attempt) {
		a.on = func(e report.Event) {
			if e.Type == "note" && strings.Contains(e.Text, "waiting for prefect-server to be healthy") {
				for _, h := range s.hosts {
					h.SetHealthDelay("prefect-server", 0)
				}
			}
		}
	}
	waits := func(a *attempt) (n int) {
		for _, e := range a.seen() {
			if e.Type == "note" && e.Host == "prefect" && strings.Contains(e.Text, "waiting for prefect-server to be healthy") {
				n++
			}
		}
		return n
	}
	t.Run("verify", func(t *testing.T) {
		t.Parallel()
		s := rebooted(t)
		a := s.attempt()
		defer a.end()
		upOnceWaitedFor(s, a)
		if err := a.Verify(a.ctx, nil); err != nil {
			t.Errorf("%s\n%s", explain(err), a.story())
		}
		if waits(a) != 1 {
			t.Errorf("said %d times what is waited for:\n%s", waits(a), a.story())
		}
	})
	t.Run("apply", func(t *testing.T) {
		t.Parallel()
		s := rebooted(t)
		a := s.attempt()
		upOnceWaitedFor(s, a)
		result, err := a.apply()
		if err != nil || len(result.Outcomes) > 0 || waits(a) != 1 {
			t.Errorf("%s, %d outcomes:\n%s", explain(err), len(result.Outcomes), a.story())
		}
	})
	t.Run("a change comes first", func(t *testing.T) {
		t.Parallel()
		s := rebooted(t)
		appended(base+"/agent/compose.yaml")(t, s)
		a := s.attempt()
		plan, err := a.plan()
		if err != nil || plan.Empty() || waits(a) > 0 {
			t.Errorf("%s\n%s", explain(err), a.story())
		}
	})
	t.Run("left out", func(t *testing.T) {
		t.Parallel()
		s := rebooted(t)
		a := s.attempt()
		a.Limit = []string{"worker-1"}
		if _, err := a.plan(); err != nil || waits(a) > 0 {
			t.Errorf("%s\n%s", explain(err), a.story())
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		s := rebooted(t)
		a := s.attempt()
		defer a.end()
		stop, interrupt := context.WithCancel(a.ctx)
		var begun time.Time
		a.on = func(e report.Event) {
			if e.Type == "note" && begun.IsZero() {
				begun = time.Now()
				interrupt()
			}
		}
		_, err := a.Apply(a.ctx, stop)
		if !isCode(err, report.ExitInterrupted) || begun.IsZero() || time.Since(begun) > 30*time.Second {
			t.Errorf("%s, %s after the interruption\n%s", explain(err), time.Since(begun), a.story())
		}
	})
}
