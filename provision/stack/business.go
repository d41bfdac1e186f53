package stack

import (
	"os"
	"strings"

	"provision/inventory/strict"
)

// businessLogic says whether the project's files can be looked at.
func (c checker) businessLogic(s *Stack) bool {
	b := &s.BusinessLogic
	c.OneOf("business_logic.execution", b.Execution, ExecutionBridge, ExecutionServe)
	c.OneOf("business_logic.api", b.API, APIFlows, APIAll)
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
	if problem, hint := s.Generation().Project(b.Path, shown); problem != "" {
		c.Add(key, problem, hint)
	}
	return true
}
