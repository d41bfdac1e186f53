package stack

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud/clouds"
)

// badCases are texts with every line that must be said about them, and nothing else.
var badCases = []struct{ name, text, want string }{
	{"syntax", "name = prefect", `stack.toml:1: not TOML: expected value but found "prefect" instead`},
	{"unknown keys", "nam = \"x\"\n[postgress]\nimage = \"x\"\n[business_logic]\nstopgrace = \"1m\"\n[[deployments]]\nflow = \"hello.py:hello\"\n[[deployments]]\nflow = \"hello.py:hello\"\nname = \"b\"\nqeue = \"x\"\nschedule = { cron = \"@daily\", tz = \"UTC\" }", `
stack.toml:1: nam: unknown key; did you mean name?
stack.toml:2: postgress: unknown key; did you mean postgres?
stack.toml:5: business_logic.stopgrace: unknown key; did you mean stop_grace?
stack.toml:11: deployments[1].qeue: unknown key; did you mean queue?
stack.toml:12: deployments[1].schedule.tz: unknown key; known here: cron, interval, timezone`},
	{"wrong types", "deployments = 5\n[agent]\nconcurrency = 1.5\nqueues = \"a\"\n[docker]\nsubnets = [\"10.0.0.0/24\"]\n[business_logic]\nstop_grace = 120\n[prefect]\nsettings = \"x\"", `
stack.toml:1: deployments: must be tables, each under [[deployments]], not a whole number
stack.toml:3: agent.concurrency: must be a whole number, not a number with a fraction
stack.toml:4: agent.queues: must be a list, not a string; put it in brackets
stack.toml:6: docker.subnets: must be a table, not a list
stack.toml:8: business_logic.stop_grace: must be a duration, not a whole number; write a number with its unit, in quotes: "10s"
stack.toml:10: prefect.settings: must be a table; for example { PREFECT_LOGGING_LEVEL = "INFO" }`},
	{"names", "name = \"Prefect\"", `stack.toml:1: name: "Prefect" is not a stack's name; lower-case letters, digits and dashes, at most 32, with a letter or digit first and last`},
	{"name with a path", "name = \"../x\"", `stack.toml:1: name: "../x" is not a stack's name; lower-case letters, digits and dashes, at most 32, with a letter or digit first and last`},
	{"name empty", "name = \"\"", `stack.toml:1: name: "" is not a stack's name; lower-case letters, digits and dashes, at most 32, with a letter or digit first and last`},
	{"name of the lock", "name = \"lock\"", `stack.toml:1: name: "lock" is taken on the hosts by something else`},

	{"prefect 3", "[prefect]\nversion = \"3.8.3\"", `stack.toml:2: prefect.version: 3.8.3 is not supported: this provision sets up Prefect 2.20.25 and 3.9.1; write "3.9.1"`},
	{"prefect 2.19", "[prefect]\nversion = \"2.19.9\"", `stack.toml:2: prefect.version: 2.19.9 is not supported: this provision sets up Prefect 2.20.25 and 3.9.1; write "2.20.25"`},
	{"prefect 4", "[prefect]\nversion = \"4.0.0\"", `stack.toml:2: prefect.version: 4.0.0 is not supported: this provision sets up Prefect 2.20.25 and 3.9.1; write "3.9.1"`},
	{"ages", "[prefect]\nversion = \"3.9.1\"\n[retention]\nruns = \"90 days\"\nevents = 7", `
stack.toml:4: retention.runs: "90 days" is not an age; whole days or hours: "90d", "36h"; or "forever"
stack.toml:5: retention.events: must be an age, in quotes; for example "90d", "36h" or "forever"`},
	{"ages that cannot be", "[prefect]\nversion = \"3.9.1\"\n[retention]\nruns = \"0d\"\nevents = \"forever\"", `
stack.toml:4: retention.runs: must be an hour or more; "forever" keeps everything
stack.toml:5: retention.events: events cannot be kept for ever: Prefect deletes them; for example "30d"`},
	{"an age that Prefect refuses", "[prefect]\nversion = \"3.9.1\"\n[retention]\nruns = \"1h\"", `stack.toml:4: retention.runs: must be more than an hour: none that is younger is deleted`},
	{"too many servers", "[prefect]\nversion = \"3.9.1\"\n[scale]\nservers = 9", `stack.toml:4: scale.servers: must be 8 at most; each of them is one core of the host`},
	{"no server", "[prefect]\nversion = \"3.9.1\"\n[scale]\nservers = 0", `stack.toml:4: scale.servers: must be 1 or more`},
	{"several servers of Prefect 2", "[scale]\nservers = 2", `stack.toml:2: scale.servers: Prefect 2.20.25 has one server; write 1`},
	{"an age below the least of Prefect 2", "[retention]\nruns = \"1h\"", `stack.toml:2: retention.runs: must be more than an hour: none that is younger is deleted`},
	{"what Prefect 2 has not", "[retention]\nruns = \"90d\"\nevents = \"7d\"\n[business_logic]\ncut_runs = \"retry\"", `
stack.toml:3: retention.events: Prefect 2.20.25 has no events
stack.toml:5: business_logic.cut_runs: Prefect 2.20.25 has no way to begin a run again that was cut off; write "crash"`},
	{"prefect without all numbers", "[prefect]\nversion = \"2.20\"", `stack.toml:2: prefect.version: "2.20" is not a version; all three numbers: write "2.20.25"`},
	{"images", "[prefect]\nimage = \"python\"\n[postgres]\nimage = \"Postgres:13\"\n[caddy]\nimage = \"\"", `
stack.toml:2: prefect.image: "python" has no tag, so it would be another image every time; write the version behind a colon
stack.toml:4: postgres.image: "Postgres:13" is not an image; for example "python:3.8-slim" or "registry.example.org/python:3.8-slim"
stack.toml:6: caddy.image: "" is not an image; for example "python:3.8-slim" or "registry.example.org/python:3.8-slim"`},
	{"image that is shell text", "[caddy]\nimage = \"caddy:2; reboot\"", `stack.toml:2: caddy.image: "caddy:2; reboot" is not an image; for example "python:3.8-slim" or "registry.example.org/python:3.8-slim"`},
	{"settings", "[prefect.settings]\nPREFECT_API_KEY = \"canary\"\nHOME = \"/\"\nprefect_home = \"/\"\nPREFECT_LOGGING_LEVEL = \"a\\nb\"\nPREFECT_HOME = \"/\"", `
stack.toml:2: prefect.settings.PREFECT_API_KEY: is set by provision: each agent host has tokens of its own
stack.toml:3: prefect.settings.HOME: is not a setting of Prefect; they begin with PREFECT_
stack.toml:4: prefect.settings.prefect_home: is not a setting of Prefect; they begin with PREFECT_
stack.toml:5: prefect.settings.PREFECT_LOGGING_LEVEL: has control characters
stack.toml:6: prefect.settings.PREFECT_HOME: is set by provision: it is where the volume is mounted`},
	{"settings of settings", "[prefect.settings]\nPREFECT_X = [1]", `stack.toml:1: prefect.settings: PREFECT_X must be a string, a number, or true or false`},

	{"login", "[ui]\nuser = \"a:b\"\npassword = \"canary\"", `
stack.toml:2: ui.user: "a:b" is not a user's name; letters, digits, dots, dashes, underscores and @, at most 64, no dash first
stack.toml:3: ui.password: a secret does not belong in this file, which is read, copied and committed by many; write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }`},
	{"agent", "[agent]\nconcurrency = 0\nqueues = [\"host-a\", \"a;b\"]", `
stack.toml:2: agent.concurrency: must be 1 or more; how many flow runs one host executes at once
stack.toml:3: agent.queues[0]: "host-a" is a name for a host's own queue, which it polls in any case
stack.toml:3: agent.queues[1]: "a;b" is not a queue's name: letters, digits, dots, dashes and underscores, at most 64, no dash first`},
	{"modes", "[business_logic]\nexecution = \"docker\"\napi = \"flow\"\nstop_grace = \"0s\"\npickled_results = \"all\"\n[docker]\nsource = \"Distro\"", `
stack.toml:2: business_logic.execution: "docker" is unknown here; known: bridge, serve
stack.toml:3: business_logic.api: "flow" is unknown here; did you mean "flows"?
stack.toml:4: business_logic.stop_grace: must be longer than nothing
stack.toml:5: business_logic.pickled_results: "all" is unknown here; known: own, any
stack.toml:7: docker.source: "Distro" is unknown here; did you mean "distro"?`},

	{"a short key", "[docker]\nkey = \"0EBFCD88\"", "stack.toml:2: docker.key: \"0EBFCD88\" is not a fingerprint; all 40 hexadecimal digits of the primary key, which `gpg --show-keys FILE` prints: a shorter id can be imitated"},

	{"subnets", "[docker.subnets]\nserver = \"10.210.0.0/23\"\ndatabase = \"10.210.2.5/24\"\nagent = \"10.210.0.128/25\"", `
stack.toml:3: docker.subnets.database: "10.210.2.5/24" has bits set behind its prefix; did you mean "10.210.2.0/24"?
stack.toml:4: docker.subnets.agent: 10.210.0.128/25 (agent) overlaps 10.210.0.0/23 (server); each network needs its own`},
	{"subnet over a default", "[docker]\nsubnets = { server = \"10.210.2.0/24\" }", `stack.toml:2: docker.subnets.server: 10.210.2.0/24 (agent) overlaps 10.210.2.0/24 (server); each network needs its own`},
	{"subnets of other kinds", "[docker.subnets]\nserver = \"fd00::/64\"\ndatabase = \"10.9.0.0/30\"\nagent = \"8.8.8.0/24\"", `
stack.toml:2: docker.subnets.server: fd00::/64 is not an IPv4 network
stack.toml:3: docker.subnets.database: 10.9.0.0/30 has not a fitting size; /8 to /28; /24 is plenty
stack.toml:4: docker.subnets.agent: 8.8.8.0/24 is not for private use: its real owner could not be reached any more; choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16`},

	{"flows", "[business_logic]\npath = \"flows\"\n" +
		"[[deployments]]\n[[deployments]]\nflow = \"hello.py\"\n[[deployments]]\nflow = \"../hello.py:hello\"\n[[deployments]]\nflow = \"/etc/hello.py:hello\"\n" +
		"[[deployments]]\nflow = \"hello.py:he llo\"\n[[deployments]]\nflow = \"other.py:hello\"\n[[deployments]]\nflow = \"reports:daily\"", `
stack.toml:3: deployments[0].flow: missing; the file within the project, and the function in it: "hello.py:hello"
stack.toml:5: deployments[1].flow: "hello.py" is not a file and a function; the file within the project, and the function in it: "hello.py:hello"
stack.toml:7: deployments[2].flow: "../hello.py" is not a path within the project; the file within the project, and the function in it: "hello.py:hello"
stack.toml:9: deployments[3].flow: "/etc/hello.py" is not a path within the project; the file within the project, and the function in it: "hello.py:hello"
stack.toml:11: deployments[4].flow: "hello.py:he llo" is not a file and a function; the file within the project, and the function in it: "hello.py:hello"
stack.toml:13: deployments[5].flow: there is no file "other.py" in the project
stack.toml:15: deployments[6].flow: "reports:daily" is not a file and a function; the file within the project, and the function in it: "hello.py:hello"`},
	{
		"flow without a project", "[[deployments]]\nflow = \"etl.py:etl\"",
		`stack.toml:2: deployments[0].flow: "etl.py:etl" is not in the built-in project, which has hello.py:hello alone; set [business_logic] path to the directory of your project`,
	},
	{"no project", "[business_logic]\npath = \"none\"\n[[deployments]]\nflow = \"etl.py:etl\"", `stack.toml:2: business_logic.path: "none" is not a directory; the directory of a Poetry project, the one with pyproject.toml`},
	{"deployments", hello + "name = \"a/b\"\nqueue = \"a b\"\ntags = [\"ok\", \"\"]\n" + hello + "name = \"x\"\n" + hello + "name = \"x\"", `
stack.toml:3: deployments[0].name: "a/b" is not a deployment's name; 1 to 128 characters, none of / % & < > among them
stack.toml:4: deployments[0].queue: "a b" is not a queue's name: letters, digits, dots, dashes and underscores, at most 64, no dash first
stack.toml:5: deployments[0].tags[1]: "" is not a tag; 1 to 128 characters, none of / % & < > among them
stack.toml:9: deployments[2]: "hello.py:hello" has a deployment named "x" already, in line 6; give it another name`},
	{"parameters", hello + "parameters = { when = 2026-01-01, deep = [ { n = nan } ], ok = 1 }", `
stack.toml:3: deployments[0].parameters.deep[0].n: this number has no form in JSON
stack.toml:3: deployments[0].parameters.when: a date or time has no form in JSON; write it in quotes`},
	{"schedules", hello + "schedule = { cron = \"0 6 * * *\", interval = \"1h\" }\n" + hello + "name = \"b\"\nschedule = { timezone = \"UTC\" }\n" + hello + "name = \"c\"\nschedule = { cron = \"0 6 * *\", timezone = \"Berlin\" }\n" +
		hello + "name = \"d\"\nschedule = { interval = \"1 day\" }\n" + hello + "name = \"e\"\nschedule = { interval = \"1h\", timezone = \"UTC\" }\n" + hello + "name = \"f\"\nschedule = { cron = \"@daily\", timezone = \"Local\" }", `
stack.toml:3: deployments[0].schedule: has both cron and interval; keep one, or make two deployments
stack.toml:7: deployments[1].schedule: has neither cron nor interval; for example { cron = "0 6 * * *" } or { interval = "15m" }
stack.toml:11: deployments[2].schedule.cron: "0 6 * *" has 4 fields, not 5; minute, hour, day of month, month, day of week: "0 6 * * *" is every day at six
stack.toml:11: deployments[2].schedule.timezone: "Berlin" is not a time zone; a name like "UTC" or "Europe/Berlin"
stack.toml:15: deployments[3].schedule.interval: "1 day" is not a duration; write a number with its unit: "30s", "15m", "24h"
stack.toml:19: deployments[4].schedule.timezone: is for cron: an interval is the same everywhere
stack.toml:23: deployments[5].schedule.timezone: "Local" is not a time zone; a name like "UTC" or "Europe/Berlin"`},
}

// hello is a deployment of the built-in flow. It takes two lines.
const hello = "[[deployments]]\nflow = \"hello.py:hello\"\n"

func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	project(t, dir, "flows")
	for _, c := range badCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, got := loadText(t, dir, c.text)
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "canary") {
				t.Error("the message has the secret in it")
			}
		})
	}
}

func TestCron(t *testing.T) {
	t.Parallel()
	for line, bad := range map[string]string{
		"0 6 * * *": "", "*/15 0-6/2,12 1,15 jan,JUL sun-Tue": "", "0 0 31 12 7": "", "@hourly": "",
		"60 * * * *": "minute", "* 24 * * *": "hour", "* * 0 * *": "day of month", "* * * 13 *": "month", "* * * * 8": "day of week",
		"*/0 * * * *": "minute", "5-1 * * * *": "minute", "+5 * * * *": "minute", "1,, * * * *": "minute", "- * * * *": "minute", "* * * foo *": "month", "* * * * mon-sun": "day of week",
		"@never": "1 fields", "": "0 fields", "0 0 6 * * *": "6 fields", "0 6 * *\n*": "control",
	} {
		got := cronProblem(line)
		if bad == "" && got != "" || !strings.Contains(got, bad) {
			t.Errorf("%q: %q, want %q", line, got, bad)
		}
	}
}

func TestProject(t *testing.T) {
	t.Parallel()
	with := func(command string) string {
		return "; with Poetry 1.8.5 and a Python 3.8 run: cd flows && poetry " + command
	}
	for _, c := range []struct {
		name, pyproject, lock, want string
	}{
		{"good", pyproject, lock, ""},
		{"nothing", "", "", `"flows" has no pyproject.toml` + with(`init --no-interaction --python ">=3.8,<3.9" --dependency prefect==2.20.25 && poetry lock`)},
		{"no lock", pyproject, "", `"flows" has no poetry.lock` + with("lock")},
		{"project of Poetry 2", "[project]\nname = \"flows\"\n", lock, `pyproject.toml of "flows" has no [tool.poetry], which Poetry 1.8.5 needs; Poetry 2 and [project] need a newer Python than 3.8`},
		{
			"lock of Poetry 2", pyproject, strings.Replace(lock, `"2.0"`, `"2.1"`, 1),
			`poetry.lock of "flows" was written by Poetry 2 (lock-version "2.1"); images are built with Poetry 1.8.5, which writes 2.0` + with("lock --no-update"),
		},
		{
			"lock of an old Poetry", pyproject, strings.Replace(lock, `"2.0"`, `"1.1"`, 1),
			`poetry.lock of "flows" was written by another Poetry (lock-version "1.1"); images are built with Poetry 1.8.5, which writes 2.0` + with("lock --no-update"),
		},
		{"another Prefect", pyproject, strings.Replace(lock, "2.20.25", "2.19.0", 1), `poetry.lock of "flows" has prefect "2.19.0", the stack has 2.20.25` + with("add --lock prefect==2.20.25")},
		{"no Prefect", pyproject, strings.Replace(lock, "prefect", "perfect", 1), `poetry.lock of "flows" has no prefect` + with("add --lock prefect==2.20.25")},
		{"broken project", "[tool", lock, `pyproject.toml of "flows": line 1 is not TOML`},
		{"broken lock", pyproject, "\n=\n", `poetry.lock of "flows": line 2 is not TOML` + with("lock")},
		{"lock of another shape", pyproject, "package = 5", `poetry.lock of "flows": is not what Poetry writes` + with("lock")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "flows/hello.py", "")
			for name, text := range map[string]string{"pyproject.toml": c.pyproject, "poetry.lock": c.lock} {
				if text != "" {
					write(t, dir, "flows/"+name, text)
				}
			}
			_, got := loadText(t, dir, "[business_logic]\npath = \"flows\"\n"+hello)
			if c.want != "" {
				c.want = "stack.toml:2: business_logic.path: " + c.want
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestProject3: a project for Prefect 3 has a lock of uv or of Poetry 2.
func TestProject3(t *testing.T) {
	t.Parallel()
	const (
		project    = "[project]\nname = \"flows\"\nrequires-python = \">=3.12,<3.14\"\n"
		uvLock     = "version = 1\nrevision = 3\nrequires-python = \">=3.12, <3.14\"\n[[package]]\nname = \"flows\"\nsource = { virtual = \".\" }\n[[package]]\nname = \"prefect\"\nversion = \"3.9.1\"\nsource = { registry = \"https://index.example.org/simple\" }\n"
		poetryLock = "[[package]]\nname = \"prefect\"\nversion = \"3.9.1\"\n[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.12,<3.14\"\n"
		run        = "; run: cd flows && "
	)
	for _, c := range []struct {
		name, file, lock, want string
	}{
		{"uv", "uv.lock", uvLock, ""},
		{"Poetry", "poetry.lock", poetryLock, ""},
		{"no lock", "none", "", `"flows" has neither uv.lock nor poetry.lock` + run + "uv lock"},
		{"another Prefect in uv", "uv.lock", strings.Replace(uvLock, "3.9.1", "3.8.0", 1), `uv.lock of "flows" has prefect "3.8.0", the stack has 3.9.1` + run + "uv add prefect==3.9.1"},
		{"another Prefect in Poetry", "poetry.lock", strings.Replace(poetryLock, "3.9.1", "2.20.25", 1), `poetry.lock of "flows" has prefect "2.20.25", the stack has 3.9.1` + run + "poetry add --lock prefect==3.9.1"},
		{"no Prefect", "uv.lock", strings.Replace(uvLock, "prefect", "perfect", 1), `uv.lock of "flows" has no prefect` + run + "uv add prefect==3.9.1"},
		{"lock of Poetry 1", "poetry.lock", strings.Replace(poetryLock, `"2.1"`, `"2.0"`, 1), `poetry.lock of "flows" has the format "2.0", and format 2.1 is read` + run + "poetry lock"},
		{"another format of uv", "uv.lock", strings.Replace(uvLock, "version = 1\n", "version = 2\n", 1), `uv.lock of "flows" has the format "2", and format 1 is read` + run + "uv lock"},
		{"an older Python", "uv.lock", strings.Replace(uvLock, ">=3.12, <3.14", ">=3.8, <3.13", 1), `uv.lock of "flows" is for Python ">=3.8, <3.13", the stack's image has 3.13; write a requires-python that takes it into pyproject.toml, then run: cd flows && uv lock`},
		{
			"a directory", "uv.lock", uvLock + "[[package]]\nname = \"mine\"\nversion = \"1\"\nsource = { directory = \"mine\" }\n",
			`uv.lock of "flows" has "mine" from "mine", which no hash vouches for; put it into the project's own directory: flows import what lies beside them, and what lies in src`,
		},
		{
			"git", "poetry.lock", poetryLock + "[[package]]\nname = \"mine\"\nversion = \"1\"\n[package.source]\ntype = \"git\"\nurl = \"https://git.example.org/mine\"\n",
			`poetry.lock of "flows" has "mine" from "https://git.example.org/mine", which no hash vouches for; put it into the project's own directory: flows import what lies beside them, and what lies in src`,
		},
		{"not TOML", "uv.lock", "\n=\n", `uv.lock of "flows": line 2 is not TOML` + run + "uv lock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "flows/hello.py", "")
			write(t, dir, "flows/pyproject.toml", project)
			write(t, dir, "flows/"+c.file, c.lock)
			_, got := loadText(t, dir, "[prefect]\nversion = \"3.9.1\"\n[business_logic]\npath = \"flows\"\n"+hello)
			if c.want != "" {
				c.want = "stack.toml:4: business_logic.path: " + c.want
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadBothReportsBothTogether(t *testing.T) {
	t.Parallel()
	const hosts = "[hosts.prefect]\naddress = \"10.0.0.11\"\ninternal_address = \"10.210.1.9\"\nroles = [\"server\"]\n[hosts.worker-1]\naddress = \"10.210.2.7\"\nroles = [\"agent\"]\nqueues = [\"heavy\"]\n"
	for _, c := range []struct{ name, inventory, stack, override, want string }{
		{"good", strings.NewReplacer("10.210.1.9", "10.0.1.9", "10.210.2.7", "10.0.0.12").Replace(hosts), "", "", ""},
		{"mistakes in both", "stack = \"stack.toml\"\nur = \"x\"\n" + hosts, "nam = \"x\"\n" + hello + "queue = \"haevy\"\n" + hello + "name = \"own\"\nqueue = \"host-worker-1\"\n" + hello + "name = \"not\"\nqueue = \"host-prefect\"\n" + hello + "name = \"bad\"\nqueue = \"-\"\n", "", `
onprem.toml:2: ur: unknown key; did you mean url?
stack.toml:1: nam: unknown key; did you mean name?
stack.toml:16: deployments[3].queue: "-" is not a queue's name: letters, digits, dots, dashes and underscores, at most 64, no dash first
stack.toml:4: deployments[0].queue: no agent host of onprem.toml polls the queue "haevy"; did you mean "heavy"?
stack.toml:12: deployments[2].queue: no agent host of onprem.toml polls the queue "host-prefect"; polled: heavy, host-worker-1
stack.toml:1: docker.subnets.database: 10.210.1.0/24 has the internal_address 10.210.1.9 of prefect in it; containers could not reach the host; choose another network
stack.toml:1: docker.subnets.agent: 10.210.2.0/24 has the address 10.210.2.7 of worker-1 in it; containers could not reach the host; choose another network`},
		{"built-in stack", hosts, "", "", `
built-in stack: docker.subnets.database: 10.210.1.0/24 has the internal_address 10.210.1.9 of prefect in it; containers could not reach the host; choose another network
built-in stack: docker.subnets.agent: 10.210.2.0/24 has the address 10.210.2.7 of worker-1 in it; containers could not reach the host; choose another network`},
		{"no agent", "stack = \"stack.toml\"\n[hosts.a]\naddress = \"10.0.0.11\"\nroles = [\"server\"]", hello, "", `
stack.toml:1: deployments[0].queue: no agent host of onprem.toml polls the queue "default"; give a host the agent role`},
		{
			"droplets poll, too", "url = \"https://prefect.example.org\"\nstack = \"stack.toml\"\n[digitalocean]\nname = \"a\"\nregion = \"fra1\"\nssh_keys = [\"id.pub\"]\nadmin_cidrs = [\"10.0.0.0/8\"]\ntoken = { env = \"T\" }\n[droplets.a]\nroles = [\"server\"]\n[droplets.w]\nroles = [\"agent\"]\ncount = 2",
			hello + "queue = \"host-w-2\"\n" + hello + "name = \"b\"", "", `onprem.toml:6: digitalocean.ssh_keys[0]: "id.pub" does not exist`,
		},
		{"a mirror's key without the mirror", "stack = \"stack.toml\"\n" + strings.NewReplacer("10.210.1.9", "10.0.1.9", "10.210.2.7", "10.0.0.12").Replace(hosts), "[docker]\nkey = \"0x00112233 44556677 8899AABB CCDDEEFF 00112233\"\n", "", `
stack.toml:2: docker.key: the key is that of a mirror, and onprem.toml names none; set site.docker_repository there, or remove docker.key for Docker's own repository and key`},
		{"Docker's own key", "stack = \"stack.toml\"\n" + strings.NewReplacer("10.210.1.9", "10.0.1.9", "10.210.2.7", "10.0.0.12").Replace(hosts), "[docker]\nkey = \"9DC8 5822 9FC7 DD38 854A  E2D8 8D81 803C 0EBF CD88\"\n", "", ""},
		{"neither is TOML", "stack = \"stack.toml\"\n[", "x", "stack.toml", `
onprem.toml:2: not TOML: unexpected end of table name (table names cannot be empty)
stack.toml:1: not TOML: unexpected EOF; expected key separator '='`},
		{"no stack file", "stack = \"none.toml\"\n" + strings.NewReplacer("10.210.1.9", "10.0.1.9", "10.210.2.7", "10.0.0.12").Replace(hosts), "", "", "none.toml: does not exist; onprem.toml names it; correct the name there, or remove the key stack for the built-in one"},
		{
			"another stack file", "stack = \"none.toml\"\n" + strings.NewReplacer("10.210.1.9", "10.0.1.9", "10.210.2.7", "10.0.0.12").Replace(hosts), "name = \"X\"", "stack.toml",
			`stack.toml:1: name: "X" is not a stack's name; lower-case letters, digits and dashes, at most 32, with a letter or digit first and last`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "onprem.toml", c.inventory)
			write(t, dir, "stack.toml", c.stack)
			if c.override != "" {
				c.override = filepath.Join(dir, c.override)
			}
			inv, s, problems := LoadBoth(filepath.Join(dir, "onprem.toml"), c.override, clouds.Declared()...)
			got := strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), "")
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
			if c.want == "" && (inv == nil || s == nil || s.Name != "prefect") {
				t.Errorf("%v %v", inv, s)
			}
		})
	}
}

// FuzzLoad wants an answer to any text: no panic, every problem on one printable line with its file and line,
// and nothing in it of a literal where a secret's reference belongs.
func FuzzLoad(f *testing.F) {
	const canary = "c4naryc4nary"
	forms := []string{`"` + canary + `"`, `'` + canary + `'`, canary, `"""` + canary + `"""`, `{ env = "` + canary + `!" }`, `[ "` + canary + `" ]`, `{ value = ` + canary + ` }`, `"` + canary, canary + `" }`}
	for n, c := range badCases {
		f.Add(c.text, "", uint8(n))
		f.Add("", c.text, uint8(n))
	}
	for _, g := range Generations() {
		f.Add(Template(g), "", uint8(1))
	}
	dir := f.TempDir()
	project(f, dir, "flows")
	inv := &inventory.Inventory{Hosts: []inventory.Host{{Name: "a", Address: "10.210.1.9", Roles: []inventory.Role{inventory.RoleAgent}}}}
	f.Fuzz(func(t *testing.T, before, after string, form uint8) {
		if strings.Contains(before+after, "/dev/") || strings.Contains(before+after, canary[:4]) {
			return
		}
		text := before + "\n[ui]\npassword = " + forms[int(form)%len(forms)] + "\n" + after
		s, problems := parseAndLoad(filepath.Join(dir, "stack.toml"), text)
		if s == nil && problems.Err() == nil {
			t.Fatal("neither a stack nor a problem")
		}
		if s != nil {
			problems = append(problems, Check(inv, s)...)
		}
		for _, p := range problems {
			line := p.String()
			if p.Line < 1 || p.Line > 1+strings.Count(text, "\n") || p.File == "" || strings.ContainsFunc(line, strict.Control) {
				t.Errorf("%q: %q", text, line)
			}
			if strings.Contains(line, canary) {
				t.Errorf("%q: the message has the secret in it: %s", text, line)
			}
		}
		if fmt.Sprint(s) == "" {
			t.Error("a stack without words")
		}
	})
}
