package stack

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"provision/inventory"
	"provision/inventory/strict"
)

var same = cmp.Options{cmpopts.IgnoreUnexported(Stack{}), cmpopts.EquateComparable(netip.Prefix{})}

// loadText loads the text as DIR/stack.toml. Problems come as lines without DIR.
func loadText(t testing.TB, dir, text string) (*Stack, string) {
	t.Helper()
	s, problems := parseAndLoad(filepath.Join(dir, "stack.toml"), text)
	return s, strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), "")
}

func parseAndLoad(path, text string) (*Stack, strict.Problems) {
	doc, problems := strict.Parse(path, []byte(text))
	if problems != nil {
		return nil, problems
	}
	return load(doc)
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	pyproject = "[tool.poetry]\nname = \"flows\"\npackage-mode = false\n[tool.poetry.dependencies]\npython = \">=3.8,<3.9\"\nprefect = \"2.20.25\"\n"
	lock      = "[[package]]\nname = \"idna\"\nversion = \"3.7\"\n[[package]]\nname = \"prefect\"\nversion = \"2.20.25\"\n[metadata]\nlock-version = \"2.0\"\n"
)

// project writes a Poetry project with a flow.
func project(t testing.TB, dir, name string) {
	t.Helper()
	write(t, dir, name+"/pyproject.toml", pyproject)
	write(t, dir, name+"/poetry.lock", lock)
	write(t, dir, name+"/hello.py", "")
	write(t, dir, name+"/reports/daily.py", "")
}

// TestStackFileIsTheDefault: the file at the root is what `provision init` writes, and each generation's says what its defaults are.
func TestStackFileIsTheDefault(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../stack.toml")
	if err != nil {
		t.Fatal(err)
	}
	newest := Generations()[len(Generations())-1]
	if diff := cmp.Diff(Template(newest), string(text)); diff != "" {
		t.Errorf("stack.toml at the root is not the template: %s", diff)
	}
	for _, g := range Generations() {
		dir := t.TempDir()
		got, problems := loadText(t, dir, Template(g))
		if problems != "" {
			t.Fatal(problems)
		}
		want := Of(g)
		want.File, want.Dir = filepath.Join(dir, "stack.toml"), dir
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("Prefect %s: %s", g.Prefect, diff)
		}
		// A file that names the version alone is that stack, too.
		got, _ = loadText(t, dir, "[prefect]\nversion = \""+g.Prefect+"\"")
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("Prefect %s by its version: %s", g.Prefect, diff)
		}
	}
}

// Every key of the stack is in the file, as a key or as a commented one.
func TestStackFileExplainsEveryKey(t *testing.T) {
	t.Parallel()
	var keys func(reflect.Type) []string
	keys = func(in reflect.Type) []string {
		var all []string
		for i := range in.NumField() {
			field := in.Field(i)
			name := field.Tag.Get("toml")
			if name == "" || name == "-" {
				continue
			}
			all = append(all, name)
			of := field.Type
			for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
				of = of.Elem()
			}
			if of.Kind() == reflect.Struct && of != reflect.TypeFor[netip.Prefix]() {
				all = append(all, keys(of)...)
			}
		}
		return all
	}
	all := keys(reflect.TypeFor[Stack]())
	if len(all) < 30 {
		t.Fatalf("only %d keys: %v", len(all), all)
	}
	for _, name := range all {
		if !regexp.MustCompile(`(?m)(^(# )?|[{,] )` + name + ` = |\[` + name + `\]`).MatchString(Template(Generations()[len(Generations())-1])) {
			t.Errorf("%s is not in stack.toml", name)
		}
	}
}

func TestDesignExample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	project(t, dir, "flows")
	text, err := os.ReadFile("testdata/design/stack.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, problems := loadText(t, dir, string(text))
	if problems != "" {
		t.Fatal(problems)
	}
	want := Default()
	want.File, want.Dir = filepath.Join(dir, "stack.toml"), dir
	want.BusinessLogic.Path = filepath.Join(dir, "flows")
	want.Deployments = []Deployment{{
		Flow: "hello.py:hello", Name: "default", Queue: "default",
		Schedule:   &Schedule{Cron: "0 6 * * *", Timezone: "UTC"},
		Parameters: map[string]any{"name": "world"}, Tags: []string{},
	}}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}

func TestLoadKeepsWhatIsGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	project(t, dir, "my flows")
	got, problems := loadText(t, dir, `
name = "second"
[prefect]
settings = { PREFECT_LOGGING_LEVEL = "DEBUG", PREFECT_API_DEFAULT_LIMIT = 100, PREFECT_SERVER_ANALYTICS_ENABLED = false, PREFECT_RATIO = 0.5 }
[ui]
password = { env = "UI" }
[agent]
queues = ["a", "b"]
[business_logic]
path = "my flows"
execution = "serve"
api = "all"
stop_grace = "90s"
[[deployments]]
flow = "reports/daily.py:daily"
queue = "host-worker-1"
schedule.interval = "15m"
[deployments.parameters]
days = 7
ratio = 1.5
deep = { list = [1, "two", { three = true }], none = [] }
[[deployments]]
flow = "reports/daily.py:daily"
name = "at six"
schedule = { cron = "*/5 6-8,20 1 jan-mar MON", timezone = "Europe/Berlin" }
[docker]
source = "distro"
subnets = { agent = "192.168.50.0/24" }
`)
	if problems != "" {
		t.Fatal(problems)
	}
	want := Default()
	want.File, want.Dir, want.Name = filepath.Join(dir, "stack.toml"), dir, "second"
	want.Prefect.Settings = Settings{
		"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_API_DEFAULT_LIMIT": "100",
		"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_RATIO": "0.5",
	}
	want.UI.Password.Env = "UI"
	want.Agent.Queues = []string{"a", "b"}
	want.BusinessLogic = BusinessLogic{Path: filepath.Join(dir, "my flows"), Execution: ExecutionServe, API: APIAll, StopGrace: 90 * time.Second, CutRuns: CutCrash, PickledResults: PicklesOwn}
	want.Deployments = []Deployment{
		{
			Flow: "reports/daily.py:daily", Name: "default", Queue: "host-worker-1", Schedule: &Schedule{Interval: 15 * time.Minute},
			Parameters: map[string]any{"days": int64(7), "ratio": 1.5, "deep": map[string]any{"list": []any{int64(1), "two", map[string]any{"three": true}}, "none": []any{}}},
		},
		{Flow: "reports/daily.py:daily", Name: "at six", Queue: "default", Schedule: &Schedule{Cron: "*/5 6-8,20 1 jan-mar MON", Timezone: "Europe/Berlin"}},
	}
	want.Docker.Source = DockerDistro
	want.Docker.Subnets.Agent = netip.MustParsePrefix("192.168.50.0/24")
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}

func TestOwnWorkOverTheStacks(t *testing.T) {
	t.Parallel()
	s := Default()
	if diff := cmp.Diff([]string{"default"}, s.Queues(&inventory.Host{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{}, s.Queues(&inventory.Host{Queues: []string{}})); diff != "" {
		t.Error(diff)
	}
	if got := s.Concurrency(&inventory.Host{}); got != 10 {
		t.Error(got)
	}
	if got := s.Concurrency(&inventory.Host{Concurrency: 2}); got != 2 {
		t.Error(got)
	}
}

func TestBuiltInProjectHasItsFlow(t *testing.T) {
	t.Parallel()
	for _, g := range Generations() {
		file, function, _ := strings.Cut(g.Hello, ":")
		text, err := os.ReadFile(filepath.Join("../../files/gen"+g.Major()+"/prefect/hello", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\ndef "+function+"(") {
			t.Errorf("%s has no function %s", file, function)
		}
	}
	if _, problems := loadText(t, t.TempDir(), "[[deployments]]\nflow = \"hello.py:hello\""); problems != "" {
		t.Error(problems)
	}
}

// TestRetention: each generation keeps what its Prefect would, and a stack may say otherwise.
func TestRetention(t *testing.T) {
	t.Parallel()
	const three, day = "[prefect]\nversion = \"3.9.1\"\n", Age(24 * time.Hour)
	for text, want := range map[string]Retention{
		"":                                      {},
		"[retention]\nruns = \"90d\"":           {Runs: 90 * day},
		"[retention]\nruns = \"36h\"":           {Runs: 36 * minAge},
		"[retention]\nruns = \"forever\"":       {},
		three:                                   {Runs: 90 * day, Events: 7 * day},
		three + "[retention]\nruns = \"30d\"":   {Runs: 30 * day, Events: 7 * day},
		three + "[retention]\nevents = \"30d\"": {Runs: 90 * day, Events: 30 * day},
		three + "[retention]\nruns=\"forever\"": {Events: 7 * day},
	} {
		s, problems := loadText(t, t.TempDir(), text)
		if problems != "" || s.Retention != want {
			t.Errorf("%q: %+v, want %+v\n%s", text, s.Retention, want, problems)
		}
	}
}
