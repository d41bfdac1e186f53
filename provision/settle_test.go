package provision_test

import (
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestSettling looks at a host at the moment at which one of its containers ends and starts again:
// the parts of the answer contradict each other. That is asked again, and reported only if it stays.
func TestSettling(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.converge()
	broken := remotetest.Failure{
		Match: `^docker exec prefect-postgres `, Code: 1,
		Stderr: "Error response from daemon: container 5c97 is not running\n",
	}
	s.server.Fail(broken)
	plan, err := s.attempt().plan()
	if err != nil || !plan.Empty() {
		t.Errorf("for one moment: %v %s", plan, explain(err))
	}
	broken.Nth = -1
	s.server.Fail(broken)
	_, err = s.attempt().plan()
	errs := report.Errors(err)
	if len(errs) != 1 || errs[0].Code != report.ExitUnknown || errs[0].Host != "prefect" || !strings.Contains(errs[0].Cause, "is not running") {
		t.Errorf("for good: %s", explain(err))
	}
}

// TestLateAnswers: one question of a check that gets no answer in time, as on a busy machine, is asked again; only one that never
// gets any is a fault.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	worker := s.hosts[1]
	const late = `{"ok": false, "again": true, "error": "GET /work_pools: timed out"}`
	asks := []remotetest.Failure{
		{Match: `^docker exec prefect-agent .*check$`, Code: 1, Stderr: late},
		{Match: `^docker exec prefect-agent .*check$`, Code: 124},
		{Match: `^docker exec prefect-agent .*check --deep$`, Code: 124},
	}
	for _, f := range asks {
		worker.Fail(f)
		a := s.attempt()
		if err := a.Verify(a.ctx, nil); err != nil {
			t.Errorf("%s, late once: %s", f.Match, explain(err))
		}
		a.end()
		worker.Fail(f)
		if _, err := s.attempt().apply(); err != nil {
			t.Errorf("%s, late once: %s", f.Match, explain(err))
		}
	}
	asks[0].Nth = -1
	worker.Fail(asks[0])
	if _, err := s.attempt().apply(); !isCode(err, report.ExitUnhealthy) || !strings.Contains(err.Error(), "GET /work_pools: timed out") {
		t.Errorf("for good: %s", explain(err))
	}
}

// TestEngineBusy: a container that was just started is not taken for absent where the engine gives no answer for once.
func TestEngineBusy(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.server.Fail(remotetest.Failure{Match: `^docker inspect --type container --format .*OOMKilled.* prefect-server$`, Code: 1, Stderr: "Error response from daemon: context deadline exceeded\n"})
	s.converge()
}
