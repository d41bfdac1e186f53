package stack

import (
	"fmt"
	"strings"
)

// EndOfLife says, in one line, which parts of the stack get no more updates from their makers.
func EndOfLife(s *Stack) []string {
	var old []string
	for _, e := range s.Generation().Ended {
		if strings.Contains(s.Prefect.Image, e.Image) || strings.Contains(s.Postgres.Image, e.Image) {
			old = append(old, e.Name)
		}
	}
	if old == nil {
		return nil
	}
	return []string{fmt.Sprintf("past their end of life, so without security updates: %s", strings.Join(old, ", "))}
}
