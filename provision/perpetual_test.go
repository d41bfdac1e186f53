package provision_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"provision/provision"
	"provision/remote/remotetest"
)

// files are a valid inventory's first lines and a valid stack, as people might write them.
func files(t *rapid.T) (top, stack string, agents int) {
	oneOf := func(label string, list ...string) string { return rapid.SampledFrom(list).Draw(t, label) }
	maybe := func(label, text string) string {
		if rapid.Bool().Draw(t, label) {
			return text
		}
		return ""
	}
	number := func(label string, least, most int) int { return rapid.IntRange(least, most).Draw(t, label) }
	agents = number("agents", 0, 2)
	host := oneOf("url's host", "prefect.demo.test", "a.b.c.example.org", "10.9.8.7", "xn--bcher-kva.example")
	var b strings.Builder
	switch oneOf("tls", "internal", "internal", "off", "acme") {
	case "off":
		fmt.Fprintf(&b, "url = \"http://%s:4200\"\n[tls]\nmode = \"off\"\nallow_plaintext = true\n", host)
	case "acme":
		b.WriteString("url = \"https://prefect.example.org\"\n[tls]\nmode = \"acme\"\n" + maybe("email", "email = \"ops@example.org\"\n"))
	default:
		fmt.Fprintf(&b, "url = \"https://%s\"\n", host)
	}
	b.WriteString(maybe("site", "[site]\npip_index = \"https://mirror.example.org/simple\"\n"+maybe("image mirror", "image_mirror = \"registry.example.org/hub\"\n")+
		maybe("proxy", "proxy = \"http://proxy.example.org:3128\"\nno_proxy = [\"10.0.0.0/8\", \".example.org\"]\n")))
	top = b.String()

	b.Reset()
	name := rapid.StringMatching(`[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,5})?`).Draw(t, "name")
	fmt.Fprintf(&b, "name = %q\n", name)
	b.WriteString(maybe("settings", "[prefect]\nsettings = { PREFECT_LOGGING_LEVEL = \"DEBUG\", PREFECT_API_DEFAULT_LIMIT = \""+fmt.Sprint(number("limit", 1, 200))+"\" }\n"))
	b.WriteString(maybe("ui", "[ui]\nuser = \""+rapid.StringMatching(`[a-z][a-z0-9._-]{0,12}`).Draw(t, "user")+"\"\n"))
	queues := []string{"default"}
	if rapid.Bool().Draw(t, "queues") {
		queues = rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9]{0,8}`), 1, 3, rapid.ID).Draw(t, "queue names")
	}
	fmt.Fprintf(&b, "[agent]\nconcurrency = %d\nqueues = [\"%s\"]\n", number("concurrency", 1, 50), strings.Join(queues, `", "`))
	fmt.Fprintf(&b, "[business_logic]\napi = %q\nstop_grace = \"%ds\"\n", oneOf("api", "flows", "all"), number("grace", 1, 600))
	for i := range number("deployments", 0, 3) {
		fmt.Fprintf(&b, "[[deployments]]\nflow = \"hello.py:hello\"\nname = \"d%d\"\nqueue = %q\n", i, oneOf("queue", queues...))
		b.WriteString(oneOf("schedule", "", "schedule = { cron = \"0 6 * * *\", timezone = \"Europe/Berlin\" }\n", "schedule = { interval = \"15m\" }\n"))
		b.WriteString(maybe("parameters", "parameters = { name = \"it's \\\"quoted\\\" $(x) ${y} ü\" }\n"))
		b.WriteString(maybe("tags", "tags = [\"nightly\", \"a b\"]\n"))
	}
	n := number("subnet", 1, 250)
	b.WriteString(maybe("subnets", fmt.Sprintf("[docker]\nsubnets = { server = \"10.220.%d.0/24\", database = \"10.221.%[1]d.0/24\", agent = \"10.222.%[1]d.0/24\" }\n", n)))
	return top, b.String(), agents
}

// TestPerpetualDifferences brings up what random valid files say. After it nothing differs: a plan
// that always finds something to do would restart people's services for ever.
func TestPerpetualDifferences(t *testing.T) {
	t.Parallel()
	checks := 300
	if testing.Short() || raceDetector {
		checks = 8
	}
	dir := t.TempDir()
	var tried, most atomic.Int64
	each(workers, func(n int) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			failed := false
			count := 0
			rapid.Check(t, func(r *rapid.T) {
				// What failed once is looked at as often as rapid likes, to find its smallest form.
				if count++; count > checks/workers && !failed {
					return
				}
				defer func() { failed = failed || r.Failed() }()
				tried.Add(1)
				if rounds := int64(settles(r, filepath.Join(dir, fmt.Sprint(n)))); rounds > most.Load() {
					most.Store(rounds)
				}
			})
		})
	})
	t.Logf("%d sites, at most %d rounds", tried.Load(), most.Load())
}

func settles(t *rapid.T, dir string) (rounds int) {
	top, stack, agents := files(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	s := arrangeIn(t, dir, layout{agents: agents, top: top, stack: stack, host: func(_ string, o *remotetest.HostOptions) {
		o.User = rapid.SampledFrom([]string{"root", "root", "ops"}).Draw(t, "login")
		o.Docker = rapid.SampledFrom([]string{"", "", "running", "stopped"}).Draw(t, "Docker")
		o.Distro = rapid.SampledFrom([]string{"debian 13", "ubuntu 24.04"}).Draw(t, "system")
	}})
	defer s.fleet.Close()
	report, err := s.attempt().apply()
	if err != nil {
		t.Fatalf("apply: %s\n%s\n%s", explain(err), top, stack)
	}
	plan, err := s.attempt().plan()
	if err != nil || !plan.Empty() {
		t.Fatalf("the plan after it: %s %s\n%s\n%s", explain(err), announced(orEmpty(plan)), top, stack)
	}
	if unknown := s.fleet.Unknown(); len(unknown) > 0 {
		t.Fatalf("the simulation does not know: %q", unknown)
	}
	return report.Rounds - 1
}

func orEmpty(p *provision.Plan) *provision.Plan {
	if p == nil {
		return &provision.Plan{}
	}
	return p
}
