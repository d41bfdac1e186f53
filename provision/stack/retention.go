package stack

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"provision/files/generation"
	"provision/inventory/strict"
)

// Age is how long something is kept: whole days or hours; 0 is for ever.
type Age time.Duration

// forever is how files write the Age 0.
const forever = "forever"

// minAge is an hour.
const minAge = Age(time.Hour)

// DecodeTOML takes "90d", "36h" and "forever".
func (a *Age) DecodeTOML(value any) (problem, hint string) {
	text, ok := value.(string)
	if !ok {
		return "must be an age, in quotes", `for example "90d", "36h" or "forever"`
	}
	if text == forever {
		*a = 0
		return "", ""
	}
	number, unit := text, Age(0)
	if len(text) > 0 {
		number, unit = text[:len(text)-1], map[byte]Age{'d': Age(24 * time.Hour), 'h': Age(time.Hour)}[text[len(text)-1]]
	}
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case err != nil || unit == 0 || strings.HasPrefix(number, "+"):
		return strict.Show(text) + " is not an age", `whole days or hours: "90d", "36h"; or "forever"`
	case n == 0:
		return "must be an hour or more", fmt.Sprintf("%q keeps everything", forever)
	}
	*a = Age(n) * unit
	return "", ""
}

// String is the Age as a file has it.
func (a Age) String() string {
	switch day := Age(24 * time.Hour); {
	case a == 0:
		return forever
	case a%day == 0:
		return strconv.Itoa(int(a/day)) + "d"
	default:
		return strconv.Itoa(int(a/minAge)) + "h"
	}
}

// Retention says how long things are kept in the database.
type Retention struct {
	// Runs are flow runs that have ended, with their states, task runs, logs and artifacts: "90d", "36h" or "forever".
	//
	// If nothing is said, the older generation keeps them for ever.
	Runs Age `toml:"runs"`
	// Events of runs, deployments and agents; the older generation has none.
	Events Age `toml:"events"`
}

// retention are the rules of [retention].
func (c checker) retention(s *Stack) {
	if s.Retention.Runs > 0 && s.Retention.Runs <= minAge {
		c.Add("retention.runs", "must be more than an hour: none that is younger is deleted", "")
	}
	switch {
	case !c.Has("retention.events"):
	case s.Generation().Retention.Events == 0:
		c.Add("retention.events", "Prefect "+s.Prefect.Version+" has no events", "")
	case s.Retention.Events == 0:
		c.Add("retention.events", "events cannot be kept for ever: Prefect deletes them", `for example "30d"`)
	}
}

// forServer is what the server is told.
func (r Retention) forServer() generation.Retention {
	return generation.Retention{Runs: time.Duration(r.Runs), Events: time.Duration(r.Events)}
}
