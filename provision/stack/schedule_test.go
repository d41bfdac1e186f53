package stack

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// said are the problems of a stack with one deployment of this schedule.
func said(t *testing.T, schedule string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stack.toml")
	if err := os.WriteFile(file, []byte(hello+"schedule = { "+schedule+" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems := Load(file)
	var all []string
	for _, p := range problems {
		all = append(all, strings.TrimPrefix(p.String(), file))
	}
	return strings.Join(all, "\n")
}

// TestTimeZones refuses what Prefect would refuse when the deployment is registered.
func TestTimeZones(t *testing.T) {
	t.Parallel()
	const at = ":3: deployments[0].schedule.timezone: "
	for zone, want := range map[string]string{
		"UTC": "", "Europe/Berlin": "", "Europe/Kiev": "", "US/Eastern": "", "Etc/GMT+5": "", "America/Argentina/Buenos_Aires": "",
		"Europe/Kyiv":           at + `"Europe/Kyiv" is a time zone that Prefect 2.20.25 does not know: its list of time zones is from 2020; "Europe/Kiev" has the same time`,
		"America/Ciudad_Juarez": at + `"America/Ciudad_Juarez" is a time zone that Prefect 2.20.25 does not know: its list of time zones is from 2020; "America/Denver" has the same time`,
		"Factory":               at + `"Factory" is a time zone that Prefect 2.20.25 does not know: its list of time zones is from 2020; a name like "UTC" or "Europe/Berlin"`,
		"posix/Europe/Berlin":   at + `"posix/Europe/Berlin" is not a time zone; a name like "UTC" or "Europe/Berlin"`,
		"localtime":             at + `"localtime" is not a time zone; a name like "UTC" or "Europe/Berlin"`,
		"europe/berlin":         at + `"europe/berlin" is not a time zone; write "Europe/Berlin"`,
		"Mars/Olympus":          at + `"Mars/Olympus" is not a time zone; a name like "UTC" or "Europe/Berlin"`,
		"../etc/passwd":         at + `"../etc/passwd" is not a time zone; a name like "UTC" or "Europe/Berlin"`,
		"# The time zones":      at + `"# The time zones" is not a time zone; a name like "UTC" or "Europe/Berlin"`,
	} {
		got := said(t, `cron = "0 6 * * *", timezone = "`+zone+`"`)
		// Where this machine has a database of its own, it can know more names than Go's.
		if strings.HasPrefix(zone, "posix/") || zone == "localtime" || zone == "europe/berlin" {
			got = regexp.MustCompile(`is a time zone that Prefect \S+ does not know: its list of time zones is from 2020;`).ReplaceAllString(got, "is not a time zone;")
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", zone, got, want)
		}
	}
	if !strings.Contains(said(t, `cron = "0 6 * * *", timezone = ""`), `"" is not a time zone`) {
		t.Error("an empty time zone is taken")
	}
}

// TestCronThatNeverComes has what croniter of the lock finds no date for, and neighbours for which it finds one.
func TestCronThatNeverComes(t *testing.T) {
	t.Parallel()
	for line, never := range map[string]bool{
		"0 0 30 2 *": true, "0 0 31 2 *": true, "0 0 31 4 *": true, "0 0 31 4,6,9,11 *": true, "0 0 30,31 feb *": true, "0 0 30-31 2 *": true,
		"0 0 31 4-6/2 *": true, "0 0 31 */12 *": false, "0 0 31 2/2 *": false, "0 0 30 2 1": true, "0 0 31 jun mon": true, "0 0 31/2 2 *": false,
		"0 0 29 2 *": false, "0 0 30 4 *": false, "0 0 31 1,2 *": false, "0 0 31 * *": false, "0 0 */31 2 *": false, "0 0 28-31 2 *": false, "0 0 * 2 *": false,
		"0 0 31 3-4 *": false, "0 0 31 9/2 *": true, "@daily": false, "@yearly": false, "0 0 31 */2 *": false,
	} {
		got, want := said(t, `cron = "`+line+`"`), ""
		if never {
			want = `:3: deployments[0].schedule.cron: "` + line + `" never comes: none of its months has such a day`
		}
		if got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

// TestIntervals refuses intervals that Prefect would refuse, and those that nobody means.
func TestIntervals(t *testing.T) {
	t.Parallel()
	const at = ":3: deployments[0].schedule.interval: "
	for interval, want := range map[string]string{
		"1s": "", "24h": "", "87600h": "",
		"0s": at + "must be longer than nothing", "-15m": at + "must be longer than nothing", "1500ms": at + "must be whole seconds",
		"87700h": at + "is longer than ten years", "2500000h": at + "is longer than ten years", "99999999h": at + `"99999999h" is not a duration; write a number with its unit: "30s", "15m", "24h"`,
	} {
		if got := said(t, `interval = "`+interval+`"`); got != want {
			t.Errorf("%s: %s", interval, got)
		}
	}
}
