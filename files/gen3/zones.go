package gen3

import (
	_ "embed"
	"strings"

	"provision/files/generation"
)

//go:embed zones.txt
var zonesText string

// zones are the time zones that the locked Prefect accepts.
var zones = generation.Zones{Names: readZones(), Year: 2026}

func readZones() (names []string) {
	for line := range strings.Lines(zonesText) {
		if name := strings.TrimSpace(line); !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	return names
}
