package stack

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the same answer on machines without a database of time zones

	"provision/files/generation"
	"provision/inventory/strict"
)

// zoneProblem says what is wrong with a time zone, and which one to take. Prefect refuses one that it does not know when
// a deployment is registered, which is the last step of an apply.
func zoneProblem(known generation.Generation, name string) (problem, hint string) {
	zones := known.Zones
	if slices.Contains(zones.Names, name) {
		return "", ""
	}
	hint = `a name like "UTC" or "Europe/Berlin"`
	if name == "" || name == "Local" {
		return strict.Show(name) + " is not a time zone", hint
	}
	if n := slices.IndexFunc(zones.Names, func(z string) bool { return strings.EqualFold(z, name) }); n >= 0 {
		return strict.Show(name) + " is not a time zone", fmt.Sprintf("write %q", zones.Names[n])
	}
	if _, err := time.LoadLocation(name); err != nil {
		return strict.Show(name) + " is not a time zone", hint
	}
	if former := zones.Former[name]; former != "" {
		hint = fmt.Sprintf("%q has the same time", former)
	}
	return fmt.Sprintf("%s is a time zone that Prefect %s does not know: its list of time zones is from %d", strict.Show(name), known.Prefect, zones.Year), hint
}
