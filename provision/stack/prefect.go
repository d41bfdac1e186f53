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

func (c checker) prefect(p *Prefect) {
	switch {
	case !version.MatchString(p.Version):
		c.Add("prefect.version", strict.Show(p.Version)+" is not a version", fmt.Sprintf("all three numbers, as in %q", Default().Prefect.Version))
	case p.Version != Default().Prefect.Version:
		// The images' own lock file pins it.
		c.Add("prefect.version", p.Version+" is not supported: this provision sets up Prefect "+Default().Prefect.Version, fmt.Sprintf("write %q", Default().Prefect.Version))
	}
	c.image("prefect.image", p.Image)
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		key := strict.Key("prefect.settings", name)
		switch {
		case !settingName.MatchString(name):
			c.Add(key, "is not a setting of Prefect", "they begin with PREFECT_")
		case owned[name] != "":
			c.Add(key, "is set by provision: "+owned[name], "")
		case strings.ContainsFunc(p.Settings[name], strict.Control):
			c.Add(key, "has control characters", "")
		}
	}
}

// owned settings are those that the stack stands on, with what provision does about them. Read only.
var owned = map[string]string{
	"PREFECT_API_URL":                       "it follows from the inventory's url",
	"PREFECT_API_KEY":                       "each agent host has tokens of its own",
	"PREFECT_API_DATABASE_CONNECTION_URL":   "the database is the stack's own",
	"PREFECT_API_DATABASE_PASSWORD":         "the password is born on the server and stays there",
	"PREFECT_API_DATABASE_MIGRATE_ON_START": "the database is migrated before the server starts",
	"PREFECT_API_SSL_CERT_FILE":             "trust follows from [tls] and [site] in the inventory",
	"PREFECT_API_TLS_INSECURE_SKIP_VERIFY":  "certificates are always verified",
	"PREFECT_SERVER_ENCRYPTION_KEY":         "the key is born with the data and kept on the server",
	"PREFECT_SERVER_API_HOST":               "Caddy stands in front of it",
	"PREFECT_SERVER_API_PORT":               "Caddy stands in front of it",
	"PREFECT_SERVER_API_KEEPALIVE_TIMEOUT":  "it must fit Caddy's",
	"PREFECT_SERVER_CORS_ALLOWED_ORIGINS":   "it follows from the inventory's url",
	"PREFECT_UI_STATIC_DIRECTORY":           "the container is read-only",
	"PREFECT_UI_SERVE_BASE":                 "Prefect answers at its host's root",
	"PREFECT_UI_API_URL":                    "it follows from the inventory's url",
	"PREFECT_UI_URL":                        "it follows from the inventory's url",
	"PREFECT_HOME":                          "it is where the volume is mounted",
	"PREFECT_PROFILES_PATH":                 "the containers have no profiles",
	"PREFECT_LOCAL_STORAGE_PATH":            "it is where the volume is mounted",
	"PREFECT_EXPERIMENTAL_EVENTS":           "Caddy has no route for events",
}
