// Package gen2 is the stack around Prefect 2: an agent that fetches runs, and business logic that executes them.
package gen2

import (
	"provision/files/generation"
	"provision/files/glue"
)

// prefectVersion is the version of Prefect that the images of server and agent are locked to.
const prefectVersion = "2.20.25"

// resultBlock is the storage that registration makes for results which flows keep.
const resultBlock = "local-file-system/provision-results"

// Generation is that of Prefect 2.
var Generation = generation.Generation{
	Prefect:  prefectVersion,
	Says:     "the original design; gets no updates any more",
	Python:   "python:3.8-slim",
	Postgres: "postgres:13.3",
	Ended: []generation.Ended{
		{Name: "Prefect " + prefectVersion},
		{Name: "Python 3.8", Image: "python:3.8"},
		{Name: "PostgreSQL 13", Image: "postgres:13"},
	},
	Parts:       generation.Parts{glue.Caddy, retentionPart, serverPart, glue.Postgres, migratePart, glue.BackupDump, glue.BackupStore, glue.BackupProve, agentPart, businessPart, glue.Describe},
	Glue:        glue.Programs,
	Routes:      routes,
	Owned:       owned,
	Zones:       zones,
	Project:     checkProject,
	ProjectHint: "the directory of a Poetry project, the one with pyproject.toml",
	Hello:       "hello.py:hello",
	Build:       images.Build,
	Servers:     1,
}
