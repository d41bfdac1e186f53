package files

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"provision/files/compose"
	"provision/files/filestest"
	"provision/files/generation"
	"provision/files/naming"
)

// each runs a test for every generation.
func each(t *testing.T, test func(*testing.T, generation.Generation)) {
	t.Helper()
	for _, g := range Generations {
		t.Run("prefect "+g.Major(), func(t *testing.T) {
			t.Parallel()
			test(t, g)
		})
	}
}

const stackID = "3f0c3c55-8b0f-4b53-9d0e-0f2f3c0f6a11"

func serverProject(g generation.Generation) generation.Input {
	return generation.Input{
		Stack: "prefect", ID: stackID,
		Images: map[string]string{generation.ImagePostgres: g.Postgres, generation.ImagePrefect: "prefect-prefect:0123456789abcdef", generation.ImageCaddy: "prefect-caddy:fedcba9876543210"},
		TLS:    generation.TLSInternal, PublicURL: "https://prefect.example.org",
	}
}

func agentProject(g generation.Generation) generation.Input {
	return generation.Input{
		Stack: "prefect", ID: stackID, Host: "worker-1",
		Images: map[string]string{generation.ImagePrefect: "prefect-prefect:0123456789abcdef", generation.ImageBusiness: "prefect-business-logic:0011223344556677"},
		TLS:    generation.TLSInternal, PublicURL: "https://prefect.example.org", CA: true, ExtraHosts: map[string]string{"prefect.example.org": "192.168.7.11"},
		Queues: []string{"default"}, Concurrency: 10, StopGrace: 2 * time.Minute,
	}
}

// variant is a project as one role has it.
type variant struct {
	g    generation.Generation
	role string
	in   generation.Input
}

func (v variant) Render() (compose.Rendered, error) { return v.g.Parts.Render(v.role, v.in) }

func server(g generation.Generation, change func(*generation.Input)) variant {
	in := serverProject(g)
	change(&in)
	return variant{g, naming.RoleServer, in}
}

func agent(g generation.Generation, change func(*generation.Input)) variant {
	in := agentProject(g)
	change(&in)
	return variant{g, naming.RoleAgent, in}
}

func composeVariants(g generation.Generation) map[string]variant {
	all := map[string]variant{
		"server": server(g, func(*generation.Input) {}),
		"server-single": server(g, func(s *generation.Input) {
			s.AgentHere = true
			s.Stack = "reports"
		}),
		"server-off": server(g, func(s *generation.Input) {
			s.TLS, s.PublicURL, s.AgentHere = generation.TLSOff, "http://192.0.2.7:4200", true
		}),
		"server-settings": server(g, func(s *generation.Input) {
			s.PublicURL = "https://[2001:db8::7]:9443"
			s.Settings = map[string]string{"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_API_DATABASE_TIMEOUT": "20", "PREFECT_UI_URL": "$HOME ${X} \"'\n: no"}
			s.Proxy, s.NoProxy = "http://proxy.example.org:3128", []string{".example.org"}
		}),
		"agent":       agent(g, func(*generation.Input) {}),
		"agent-serve": agent(g, func(a *generation.Input) { a.Serve, a.APIAll = true, true }),
		"agent-public": agent(g, func(a *generation.Input) {
			a.TLS, a.CA, a.ExtraHosts, a.Queues = generation.TLSACME, false, nil, []string{"default", "large jobs"}
			a.Proxy = "http://proxy.example.org:3128"
		}),
	}
	if g.Servers > 1 {
		all["server-scaled"] = server(g, func(s *generation.Input) { s.Servers = 2 })
	}
	all["server-retention"] = server(g, func(s *generation.Input) { s.Retention = generation.Retention{Runs: 90 * time.Hour, Events: time.Hour} })
	all["agent-pickles"] = agent(g, func(a *generation.Input) { a.AnyPickles = true })
	if g.CutRuns {
		all["agent-retry"] = agent(g, func(a *generation.Input) { a.RetryCutRuns = true })
	}
	return all
}

func TestComposeGolden(t *testing.T) {
	t.Parallel()
	each(t, testComposeGolden)
}

func testComposeGolden(t *testing.T, g generation.Generation) {
	for name, p := range composeVariants(g) {
		c, err := p.Render()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		filestest.Golden(t, "compose/"+g.Major()+"/"+name+".yaml", c.YAML)
	}
}

// composeDocument reads a rendered project as Compose would before it substitutes variables.
type composeDocument struct {
	Name     string
	Services map[string]struct {
		Image           string
		User            string
		ReadOnly        bool     `yaml:"read_only"`
		CapDrop         []string `yaml:"cap_drop"`
		CapAdd          []string `yaml:"cap_add"`
		SecurityOpt     []string `yaml:"security_opt"`
		PidsLimit       int      `yaml:"pids_limit"`
		Ulimits         map[string]int
		Privileged      bool
		Init            bool
		Restart         string
		Profiles        []string
		Environment     map[string]string
		Labels          map[string]string
		Command         []string
		Logging         struct{ Driver string }
		HealthCheck     map[string]any `yaml:"healthcheck"`
		Volumes         []struct{ Type, Source, Target string }
		Networks        map[string]any
		Ports           []struct{ Target, Published, Protocol string }
		StopGracePeriod string `yaml:"stop_grace_period"`
	}
	Networks, Volumes map[string]struct {
		Name     string
		External bool
	}
}

func parse(t *testing.T, c compose.Rendered) composeDocument {
	t.Helper()
	var d composeDocument
	if err := yaml.Unmarshal(c.YAML, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestComposeHardening holds for every service of every variant.
func TestComposeHardening(t *testing.T) {
	t.Parallel()
	each(t, testComposeHardening)
}

func testComposeHardening(t *testing.T, g generation.Generation) {
	for name, p := range composeVariants(g) {
		c, err := p.Render()
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, c)
		secrets := map[string]string{}
		for _, described := range c.Services {
			s, ok := d.Services[described.Name]
			if !ok {
				t.Fatalf("%s: %s is described but not rendered", name, described.Name)
			}
			where := name + "/" + described.Name
			uid, _, _ := strings.Cut(s.User, ":")
			if uid == "" || uid == "0" || uid == "root" {
				t.Errorf("%s: user %q", where, s.User)
			}
			if !s.ReadOnly || !s.Init || s.Privileged || len(s.CapAdd) > 0 || s.PidsLimit <= 0 || s.Logging.Driver != "local" ||
				!slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || !maps.Equal(s.Ulimits, map[string]int{"core": 0}) {
				t.Errorf("%s: not hardened: %+v", where, s)
			}
			if oneShot := len(s.Profiles) > 0; oneShot != described.OneShot || (s.Restart == "no") != oneShot || (s.HealthCheck == nil) != oneShot {
				t.Errorf("%s: one-shot %v, restart %q, health check %v", where, oneShot, s.Restart, s.HealthCheck)
			}
			if s.Labels["provision.definition"] != described.Definition || s.Labels["provision.stack"] == "" || s.Labels["provision.id"] != stackID {
				t.Errorf("%s: labels %v", where, s.Labels)
			}
			wantMounts := ""
			if len(described.Mounts) > 0 {
				wantMounts = "${" + described.MountsVar + ":-}"
			}
			if s.Labels["provision.mounts"] != wantMounts {
				t.Errorf("%s: mounts label %q", where, s.Labels["provision.mounts"])
			}
			for _, m := range s.Volumes {
				if strings.Contains(m.Source, "docker.sock") {
					t.Errorf("%s: mounts the engine", where)
				}
				if m.Target != "/run/secrets" {
					continue
				}
				of := func(service string) string {
					parts := g.Parts.Of(p.role, p.in)
					return parts[slices.IndexFunc(parts, func(o generation.Part) bool { return o.Name == service })].Secrets
				}
				if other, taken := secrets[m.Source]; taken && of(other) != of(described.Name) {
					t.Errorf("%s: shares its secrets with %s", where, other)
				}
				secrets[m.Source] = described.Name
			}
			for key, value := range s.Environment {
				if (strings.Contains(key, "PASSWORD") || strings.Contains(key, "KEY") || strings.Contains(key, "TOKEN")) && !strings.HasPrefix(value, "/run/secrets/") && key != "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT" {
					t.Errorf("%s: a secret's value in the environment: %s", where, key)
				}
			}
			for network := range s.Networks {
				if !d.Networks[network].External || d.Networks[network].Name != network {
					t.Errorf("%s: network %s is not external", where, network)
				}
			}
		}
		for volume, v := range d.Volumes {
			if !v.External || v.Name != volume {
				t.Errorf("%s: volume %s is not external", name, volume)
			}
		}
		if db, ok := d.Services["caddy"]; ok {
			if _, reaches := db.Networks[strings.TrimSuffix(d.Name, "-server")+"-database-network"]; reaches {
				t.Errorf("%s: caddy reaches the database", name)
			}
			for other, s := range d.Services {
				if other != "caddy" && len(s.Ports) > 0 {
					t.Errorf("%s: %s publishes ports", name, other)
				}
			}
		}
	}
}

func definitions(t *testing.T, p variant) map[string]string {
	t.Helper()
	c, err := p.Render()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range c.Services {
		out[s.Name] = s.Definition
	}
	return out
}

func changed(before, after map[string]string) []string {
	var names []string
	for name, digest := range before {
		if after[name] != digest {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestComposeDefinitions names, for each change of what is rendered, the services that it replaces.
func TestComposeDefinitions(t *testing.T) {
	t.Parallel()
	each(t, testComposeDefinitions)
}

func testComposeDefinitions(t *testing.T, g generation.Generation) {
	servers := []struct {
		name   string
		change func(*generation.Input)
		want   []string
	}{
		{"nothing", func(*generation.Input) {}, nil},
		{"identity", func(s *generation.Input) { s.ID = "other" }, nil},
		{"database image", func(s *generation.Input) { s.Images[generation.ImagePostgres] = "postgres:13.23" }, []string{"postgres"}},
		{"prefect image", func(s *generation.Input) { s.Images[generation.ImagePrefect] = "prefect-prefect:new" }, []string{"migrate", "server"}},
		{"caddy image", func(s *generation.Input) { s.Images[generation.ImageCaddy] = "prefect-caddy:new" }, []string{"caddy"}},
		{"setting", func(s *generation.Input) { s.Settings = map[string]string{"PREFECT_LOGGING_LEVEL": "DEBUG"} }, []string{"migrate", "server"}},
		{"url's port", func(s *generation.Input) { s.PublicURL += ":9443" }, []string{"caddy", "migrate", "server"}},
		{"other certificates", func(s *generation.Input) { s.TLS = generation.TLSFiles }, nil},
		{"an agent on the same host", func(s *generation.Input) { s.AgentHere = true }, []string{"caddy"}},
	}
	for _, tt := range servers {
		if diff := cmp.Diff(tt.want, changed(definitions(t, server(g, func(*generation.Input) {})), definitions(t, server(g, tt.change)))); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
	agents := []struct {
		name   string
		change func(*generation.Input)
		want   []string
	}{
		{"nothing", func(*generation.Input) {}, nil},
		{"concurrency", func(a *generation.Input) { a.Concurrency = 11 }, []string{"agent"}},
		{"queues", func(a *generation.Input) { a.Queues = []string{"default", "more"} }, []string{"agent"}},
		{"flows", func(a *generation.Input) { a.Images[generation.ImageBusiness] = "prefect-business-logic:new" }, []string{"business-logic", "describe"}},
		{"prefect image", func(a *generation.Input) { a.Images[generation.ImagePrefect] = "prefect-prefect:new" }, []string{"agent"}},
		{"stop grace", func(a *generation.Input) { a.StopGrace = time.Minute }, []string{"business-logic"}},
		{"address of the server", func(a *generation.Input) { a.ExtraHosts = nil }, []string{"agent", "business-logic"}},
	}
	for _, tt := range agents {
		if diff := cmp.Diff(tt.want, changed(definitions(t, agent(g, func(*generation.Input) {})), definitions(t, agent(g, tt.change)))); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

// TestComposeValuesStayValues puts hostile text where a user's text goes, and reads it back as Compose would.
func TestComposeValuesStayValues(t *testing.T) {
	t.Parallel()
	each(t, testComposeValuesStayValues)
}

func testComposeValuesStayValues(t *testing.T, g generation.Generation) {
	for _, hostile := range []string{
		"${PROVISION_MOUNTS_SERVER:-}", "$HOME", "$$", "a: b", "x\n    privileged: true", "#c", "'", `"`, "yes", "0x10", "1e3", "~", "", " ", "- a", "&a", "*a", "!!binary x", "{a: b}", "[", "2001-01-01", "12:30:45", "\u0085", "\u2028", "\ttab", "\x01",
	} {
		c, err := server(g, func(s *generation.Input) { s.Settings = map[string]string{"PREFECT_X": hostile} }).Render()
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, c)
		if got := strings.ReplaceAll(d.Services["server"].Environment["PREFECT_X"], "$$", "$"); got != hostile {
			t.Errorf("setting %q became %q", hostile, got)
		}
		if strings.Count(string(c.YAML), "${PROVISION") != strings.Count(string(c.YAML), "$${PROVISION")+1 {
			t.Errorf("setting %q is substituted", hostile)
		}
		c, err = agent(g, func(a *generation.Input) { a.Queues = []string{hostile} }).Render()
		if err != nil {
			t.Fatal(err)
		}
		command := parse(t, c).Services["agent"].Command
		if !slices.ContainsFunc(command, func(word string) bool { return strings.ReplaceAll(word, "$$", "$") == hostile }) {
			t.Errorf("queue %q became %q", hostile, command)
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	each(t, testComposeRefuses)
}

func testComposeRefuses(t *testing.T, g generation.Generation) {
	refused := map[string]string{"LD_PRELOAD": "must begin with PREFECT_"}
	for _, name := range []string{"PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_PASSWORD", "PREFECT_SERVER_ENCRYPTION_KEY", "PREFECT_API_DATABASE_MIGRATE_ON_START", "PREFECT_HOME"} {
		refused[name] = "cannot be changed"
	}
	for setting, want := range refused {
		if _, err := server(g, func(s *generation.Input) { s.Settings = map[string]string{setting: "x"} }).Render(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", setting, err)
		}
	}
	if _, err := server(g, func(s *generation.Input) { s.PublicURL = "https://a b" }).Render(); err == nil {
		t.Error("a bad url is accepted")
	}
}

func TestComposeIsDeterministic(t *testing.T) {
	t.Parallel()
	each(t, testComposeIsDeterministic)
}

func testComposeIsDeterministic(t *testing.T, g generation.Generation) {
	for _, name := range slices.Sorted(maps.Keys(composeVariants(g))) {
		first, err := composeVariants(g)[name].Render()
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if again, _ := composeVariants(g)[name].Render(); string(again.YAML) != string(first.YAML) {
				t.Fatalf("%s: rendered differently", name)
			}
		}
	}
}

// TestParts: rows do not contradict each other, and those which do are found.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, g := range Generations {
		if err := g.Parts.Check(); err != nil {
			t.Errorf("Prefect %s: %v", g.Prefect, err)
		}
	}
	for want, parts := range map[string]generation.Parts{
		"two parts are called a": {{Name: "a"}, {Name: "a"}},

		"a and b have the user id 10003, and are not of one program": {{Name: "a", Title: "A", UID: naming.UID(3)}, {Name: "b", Title: "B", UID: naming.UID(3)}},
		"a calls b, which is no part of the same role":               {{Name: "a", Role: "server", Calls: []generation.Call{{Part: "b"}}}, {Name: "b", Role: "agent"}},
		"a calls nobody, which is no part of the same role":          {{Name: "a", Calls: []generation.Call{{Part: "nobody"}}}},
		"b stands after a, which it calls":                           {{Name: "a"}, {Name: "b", Calls: []generation.Call{{Part: "a"}}}},
	} {
		if err := parts.Check(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
