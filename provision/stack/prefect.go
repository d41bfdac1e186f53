package stack

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"provision/inventory/strict"
)

// Settings are PREFECT_ settings as a container's environment has them.
type Settings map[string]string

// DecodeTOML takes strings, and numbers and truth values as their text.
func (s *Settings) DecodeTOML(value any) (problem, hint string) {
	table, ok := value.(map[string]any)
	if !ok {
		return "must be a table", `for example { PREFECT_LOGGING_LEVEL = "INFO" }`
	}
	*s = Settings{}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		switch value := table[name].(type) {
		case string:
			(*s)[name] = value
		case bool:
			(*s)[name] = strconv.FormatBool(value)
		case int64:
			(*s)[name] = strconv.FormatInt(value, 10)
		case float64:
			(*s)[name] = strconv.FormatFloat(value, 'g', -1, 64)
		default:
			return fmt.Sprintf("%s must be a string, a number, or true or false", strict.Key("", name)), ""
		}
	}
	return "", ""
}

var (
	version     = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)
	settingName = regexp.MustCompile(`^PREFECT_[A-Z0-9_]+$`)
)

// nearest is what to write in place of a version that is not there: the one that begins as it does, or the newest.
func nearest(version string) string {
	all := Versions()
	major, _, _ := strings.Cut(version, ".")
	for _, v := range all {
		if strings.HasPrefix(v, major+".") {
			return fmt.Sprintf("write %q", v)
		}
	}
	return fmt.Sprintf("write %q", all[len(all)-1])
}

func (c checker) prefect(s *Stack) {
	p, known := &s.Prefect, s.Generation()
	switch {
	case !version.MatchString(p.Version):
		c.Add("prefect.version", strict.Show(p.Version)+" is not a version", "all three numbers: "+nearest(p.Version))
	case p.Version != known.Prefect:
		// The images' own lock file pins it.
		c.Add("prefect.version", p.Version+" is not supported: this provision sets up Prefect "+strings.Join(Versions(), " and "), nearest(p.Version))
	}
	c.image("prefect.image", p.Image)
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		key := strict.Key("prefect.settings", name)
		switch {
		case !settingName.MatchString(name):
			c.Add(key, "is not a setting of Prefect", "they begin with PREFECT_")
		case known.Owned[name] != "":
			c.Add(key, "is set by provision: "+known.Owned[name], "")
		case strings.ContainsFunc(p.Settings[name], strict.Control):
			c.Add(key, "has control characters", "")
		}
	}
}
