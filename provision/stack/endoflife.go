package stack

import (
	"fmt"
	"strings"
)

// EndOfLife says, in one line, which parts of the stack get no more updates from their makers.
func EndOfLife(s *Stack) []string {
	var old []string
	if strings.HasPrefix(s.Prefect.Version, "2.") {
		old = append(old, "Prefect "+s.Prefect.Version)
	}
	if strings.Contains(s.Prefect.Image, "python:3.8") {
		old = append(old, "Python 3.8")
	}
	if strings.Contains(s.Postgres.Image, "postgres:13") {
		old = append(old, "PostgreSQL 13")
	}
	if old == nil {
		return nil
	}
	return []string{fmt.Sprintf("past their end of life, so without security updates: %s", strings.Join(old, ", "))}
}
