package provision_test

import (
	"path/filepath"
	"testing"
)

// TestAnotherMajorVersion names an image of PostgreSQL that does not read the data that is there.
func TestAnotherMajorVersion(t *testing.T) {
	s := arrange(t, layout{stack: "[postgres]\nimage = \"postgres:13.3\"\n"})
	s.converge()
	file := filepath.Join(filepath.Dir(s.inventory), "stack.toml")
	s.write(file, "[postgres]\nimage = \"postgres:16.4\"\n")
	s.refused("volume prefect-postgres", "written by PostgreSQL 13", "the stack has 16", "keep postgres.image at a version 13")
	s.write(file, "[postgres]\nimage = \"postgres:13.23-bookworm\"\n")
	s.converge()
}
