package stack

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the same answer on machines without a database of time zones

	"provision/files"
	"provision/inventory/strict"
)

//go:embed zones.txt
var zonesText string

// zones are the time zones that the locked Prefect accepts. Any other one it refuses when a deployment is registered,
// which is the last step of an apply.
var zones = readZones()

func readZones() (names []string) {
	for line := range strings.Lines(zonesText) {
		if name := strings.TrimSpace(line); !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	return names
}

// formerNames are names of that list for zones that have been named or made since: with its rules they have the same time.
var formerNames = map[string]string{
	"Europe/Kyiv": "Europe/Kiev", "Pacific/Kanton": "Pacific/Enderbury", "America/Ciudad_Juarez": "America/Denver", "America/Coyhaique": "America/Punta_Arenas",
}

// zoneProblem says what is wrong with a time zone, and which one to take.
func zoneProblem(name string) (problem, hint string) {
	if slices.Contains(zones, name) {
		return "", ""
	}
	hint = `a name like "UTC" or "Europe/Berlin"`
	if name == "" || name == "Local" {
		return strict.Show(name) + " is not a time zone", hint
	}
	if n := slices.IndexFunc(zones, func(z string) bool { return strings.EqualFold(z, name) }); n >= 0 {
		return strict.Show(name) + " is not a time zone", fmt.Sprintf("write %q", zones[n])
	}
	if _, err := time.LoadLocation(name); err != nil {
		return strict.Show(name) + " is not a time zone", hint
	}
	if former := formerNames[name]; former != "" {
		hint = fmt.Sprintf("%q has the same time", former)
	}
	return fmt.Sprintf("%s is a time zone that Prefect %s does not know: its list is of 2020", strict.Show(name), files.Generations[0].Prefect), hint
}
