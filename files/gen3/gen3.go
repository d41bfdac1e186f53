// Package gen3 is the stack around Prefect 3: a worker that fetches runs, and business logic that executes them.
package gen3

import (
	"time"

	"provision/files/generation"
	"provision/files/glue"
)

// prefectVersion is the version of Prefect that the images of server and agent are locked to.
const prefectVersion = "3.9.1"

// Generation is that of Prefect 3.
var Generation = generation.Generation{
	Prefect:     prefectVersion,
	Says:        "workers, events, automations; gets updates",
	Python:      "python:3.13-slim",
	Postgres:    "postgres:17",
	Parts:       generation.Parts{glue.Caddy, servicesPart, serverPart, glue.Postgres, valkeyPart, migratePart, glue.BackupDump, glue.BackupStore, glue.BackupProve, agentPart, businessPart, glue.Describe},
	Glue:        glue.Programs,
	Routes:      routes,
	Owned:       owned,
	Zones:       zones,
	Project:     checkProject,
	ProjectHint: "the directory of a project of Poetry or uv, the one with pyproject.toml",
	Hello:       "hello.py:hello",
	Build:       images.Build,
	Retention:   generation.Retention{Runs: 90 * 24 * time.Hour, Events: 7 * 24 * time.Hour},
	CutRuns:     true,
	Servers:     maxServers,
	// Of Prefect's documents.
	OldestDatabase: 140009, DatabaseDriver: "asyncpg",
	// On a lab host a server is two processes with 370 MiB in all; the services and Valkey had 200 together where they ran without containers.
	FurtherServer: 400, BetweenServers: 250,
}
