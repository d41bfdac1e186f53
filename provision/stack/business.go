package stack

import (
	"fmt"
	"os"
	"strings"

	"provision/inventory/strict"
)

// businessLogic says whether the project's files can be looked at.
func (c checker) businessLogic(s *Stack) bool {
	b := &s.BusinessLogic
	c.OneOf("business_logic.execution", b.Execution, ExecutionBridge, ExecutionServe)
	c.OneOf("business_logic.api", b.API, APIFlows, APIAll)
	c.OneOf("business_logic.cut_runs", b.CutRuns, CutCrash, CutRetry)
	if b.CutRuns == CutRetry && !s.Generation().CutRuns {
		c.Add("business_logic.cut_runs", "Prefect "+s.Prefect.Version+" has no way to begin a run again that was cut off", fmt.Sprintf("write %q", CutCrash))
	}
	c.OneOf("business_logic.pickled_results", b.PickledResults, PicklesOwn, PicklesAny)
	const key = "business_logic.path"
	if b.Path == "" {
		return false
	}
	if strings.ContainsFunc(b.Path, strict.Control) {
		c.Add(key, "has control characters", "")
		return false
	}
	shown := b.Path
	b.Path = c.Path(b.Path)
	if info, err := os.Stat(b.Path); err != nil || !info.IsDir() {
		c.Add(key, strict.Show(shown)+" is not a directory", s.Generation().ProjectHint)
		return false
	}
	if problem, hint := s.Generation().Project(b.Path, shown, s.Prefect.Image); problem != "" {
		c.Add(key, problem, hint)
	}
	return true
}
