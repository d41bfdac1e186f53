//go:build linux && e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// generation is what the scenarios have to know of a generation of the stack.
type generation struct {
	images   string   // the set that the lab's mirror has
	stack    string   // the first table of its stack.toml
	flows    string   // a project with flows of the user's own
	others   []string // files of it that are left out: another kind of lock
	postgres string
	python   string
	ui       []string // its pages of flow runs: Prefect 3 has two UIs
	// split is its stack on two hosts, as it is kept for scenarios that need no blank one.
	split *siteKind
}

var (
	gen2 = &generation{images: "gen2", flows: "testdata/flows", postgres: "postgres:13.3", python: "python:3.8-slim", ui: []string{"/flow-runs"}, split: splitSite("split2")}
	gen3 = &generation{
		images: "gen3", stack: "[prefect]\nversion = \"3.9.1\"\n\n", flows: "testdata/flows3", others: []string{"poetry.lock"}, postgres: "postgres:17", python: "python:3.13-slim",
		ui:    []string{"/runs", "/v2/runs"},
		split: splitSite("split3"),
	}
)

// settings gives the server settings; back takes them away.
func (s *site) settings(list string) (back func()) {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.inventory), "stack.toml"))
	if err != nil {
		s.Fatal(err)
	}
	if !strings.Contains(string(text), "[prefect]\n") {
		s.edit("stack.toml", "[docker]", "[prefect]\n\n[docker]")
	}
	line := "settings = { " + list + " }\n"
	s.edit("stack.toml", "[prefect]\n", "[prefect]\n"+line)
	return func() { s.edit("stack.toml", line, "") }
}
