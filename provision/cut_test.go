package provision_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"provision/provision/report"
)

// TestCut cuts the connection of one host at random bytes of a first apply. That is no success and
// no hang, a change that was cut is unknown and not failed, and the next apply converges.
func TestCut(t *testing.T) {
	t.Parallel()
	cuts := often(t, 200, 8)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	generation := func(n int) layout { return alternately(n/2, split) }
	var totals [2][2]int64 // by layout and host
	for n := range totals {
		whole := arrange(t, generation(2*n))
		if _, err := whole.attempt().apply(); err != nil {
			t.Fatal(explain(err))
		}
		for i, h := range whole.hosts {
			c := h.Counts()
			totals[n][i] = c.BytesIn + c.BytesOut
		}
	}
	type cut struct {
		host int
		at   int64
	}
	all := make([]cut, cuts)
	for i := range all {
		host := i % 2
		// The handshake and the first answer are a small part of all bytes, and worth as many cuts.
		most := totals[i/2%2][host]
		if i%8 < 4 {
			most = 60_000
		}
		all[i] = cut{host, 1 + random.Int64N(most)}
	}
	each(cuts, func(i int) {
		c, total := all[i], totals[i/2%2]
		s := arrange(t, generation(i))
		defer s.fleet.Close()
		h := s.hosts[c.host]
		h.CutAfter(c.at)
		a := s.attempt()
		result, err := a.apply()
		switch count := h.Counts(); {
		case count.BytesIn+count.BytesOut < c.at:
			// The pass needed fewer bytes this time: there was no cut.
		case err == nil && h.Counts().Connections > 1:
			// A handshake that was cut is begun again; nothing had been asked yet.
		case err == nil:
			if c.at < total[c.host]*9/10 {
				t.Errorf("%s cut at byte %d of some %d: success", h.Name(), c.at, total[c.host])
			}
		case !isCode(err, report.ExitUnreachable, report.ExitStep, report.ExitUnknown):
			t.Errorf("%s cut at byte %d: %s", h.Name(), c.at, explain(err))
		}
		for _, e := range report.Errors(err) {
			if e.Host != h.Name() && !strings.Contains(e.Cause, h.Name()) {
				t.Errorf("%s cut at byte %d, and this is said: %s", h.Name(), c.at, explain(err))
			}
		}
		unsure := 0
		for _, o := range result.Outcomes {
			unsure += b2i(o.State == report.Unsure && o.Host == h.Name())
			if o.State == report.Failed && o.Host == h.Name() {
				t.Errorf("%s cut at byte %d: what was cut is said to have failed: %+v", h.Name(), c.at, o)
			}
		}
		if unsure > 1 {
			t.Errorf("%s cut at byte %d: %d changes are said to be unknown, and at most one was in hand", h.Name(), c.at, unsure)
		}
		if _, err := s.attempt().apply(); err != nil {
			t.Errorf("%s cut at byte %d, the next apply: %s", h.Name(), c.at, explain(err))
			return
		}
		if plan, err := s.attempt().plan(); err != nil || !plan.Empty() {
			t.Errorf("%s cut at byte %d, the plan after the next apply: %v %s", h.Name(), c.at, plan, explain(err))
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestCutAfterTheLogin cuts around the first command. Nothing was run then, so the connection is made once more, and nobody is told
// that the server lets nobody run commands.
func TestCutAfterTheLogin(t *testing.T) {
	t.Parallel()
	each(40, func(n int) {
		s := arrange(t, layout{})
		defer s.fleet.Close()
		at := int64(4000 + 60*n)
		s.server.CutAfter(at)
		if _, err := s.attempt().plan(); isCode(err, report.ExitPrivilege) {
			t.Errorf("cut at byte %d: %s", at, explain(err))
		}
	})
}
