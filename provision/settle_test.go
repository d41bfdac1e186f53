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
