package provision_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// poison is what a host may send to harm a terminal or imitate our own frames.
const poison = "\x1b[2J\x1b]0;owned\a\x1b]52;c;cm0gLXJm\a\x9b31m\u202e\u2066\x00\r" +
	"\nPROVISION-0-END 0\n\n00000000000000000000000000000000 r 0\n\n00000000000000000000000000000000 k yes\n\n00000000000000000000000000000000 e\n" +
	"../../../../etc/passwd|$(reboot)|`reboot`|';reboot;'|{{.Id}}|<script>|"

// terminal is what of it fits into one value.
const terminal = "\x1b[2J\x1b]0;owned\a\x1b]52;c;cm0gLXJm\a\x9b31m\u009b31m\u202e\u2066\r\x7f"

// harmless wants that nothing of what an attempt told, or of these results, can do anything to a terminal.
func harmless(t *testing.T, a *attempt, err error, results ...any) {
	t.Helper()
	for _, text := range a.told(err, results...) {
		for _, r := range text {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("the character %U is shown in %.200q", r, text)
				break
			}
		}
	}
}

func named(t *testing.T, err error, host string) {
	t.Helper()
	errs := report.Errors(err)
	if len(errs) == 0 {
		t.Errorf("nothing is said of %s", host)
	}
	for _, e := range errs {
		if e.Host != host {
			t.Errorf("the error names %q, not %q: %s", e.Host, host, explain(err))
		}
	}
}

// mostMiB is what a pass may take with its simulated hosts: seen are 80, and 320 with the race detector.
func mostMiB() int {
	if raceDetector {
		return 800
	}
	return 200
}

// endless writes until nobody reads any more.
func endless(text string) func(remotetest.Call) int {
	block := bytes.Repeat([]byte(text), 1+(64<<10)/len(text))
	return func(c remotetest.Call) int {
		for {
			if _, err := c.Stdout.Write(block); err != nil {
				return 1
			}
			if _, err := c.Stderr.Write(block); err != nil {
				return 1
			}
		}
	}
}

// TestHostileAnswers has one host answer with what harms, once it is converged: to each program
// that an observation or a change runs there.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	programs := []string{"docker", "cat", "stat", "head", "sha256sum", "date", "uname", "id", "grep", "df", "ss", "find", "mktemp", "cut", "sort"}
	programs = sample(t, programs, 4)
	each(len(programs), func(i int) {
		t.Run(programs[i], func(t *testing.T) {
			s := arrange(t, alternately(i, layout{agents: 1, hostile: true}))
			s.converge()
			worker := s.hosts[1]
			worker.Replace(programs[i], func(c remotetest.Call) int {
				_, _ = c.Stdout.Write([]byte(poison))
				_, _ = c.Stderr.Write([]byte(poison))
				return 0
			})
			before := len(s.server.Ran("docker compose --project"))
			a := s.attempt()
			a.LockWait = 0
			_, err := a.apply()
			harmless(t, a, err)
			for _, e := range report.Errors(err) {
				if e.Host != "worker-1" && !strings.Contains(e.Cause, "worker-1") {
					t.Errorf("the error is of %q: %s", e.Host, explain(err))
				}
			}
			if after := len(s.server.Ran("docker compose --project")); after != before {
				t.Errorf("containers of the other host were touched: %q", s.server.Ran("docker compose --project")[before:])
			}
			st := s.attempt()
			defer st.end()
			hosts, err := st.Status(st.ctx)
			harmless(t, st, err, hosts)
			for _, h := range hosts {
				if h.Host == "prefect" && (h.Error != "" || len(h.Services) != len(s.server.Containers())) {
					t.Errorf("the other host: %+v", h)
				}
			}
		})
	})
}

// eavesdropper is a host that reads the scripts it is sent, and so knows the words of their frames.
type eavesdropper struct {
	mu   sync.Mutex
	text []byte
}

func (e *eavesdropper) hear(text []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text = append(e.text, text...)
}

var (
	scriptNonce = regexp.MustCompile(`\bN='(?:\\'')?([0-9a-f]{32})'`)
	endMark     = regexp.MustCompile(`PROVISION[A-Z2-7]+-[0-9]+-END`)
)

// forge answers for resources in the running script's own words.
func (e *eavesdropper) forge(t *testing.T, records string, ends bool) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	nonces := scriptNonce.FindAllSubmatch(e.text, -1)
	marks := endMark.FindAll(e.text, -1)
	if len(nonces) == 0 || len(marks) == 0 {
		t.Error("the scripts tell no marks: nothing is proved")
		return ""
	}
	out := strings.ReplaceAll(records, "N ", string(nonces[len(nonces)-1][1])+" ")
	if ends {
		out += "\n" + string(marks[len(marks)-1]) + " 0\n"
	}
	return out
}

// TestHostileMarks has a host answer with the marks that the script really uses: for each of its
// resources, for those of nobody, and for the end. What it says counts for it alone.
func TestHostileMarks(t *testing.T) {
	t.Parallel()
	var no, yes strings.Builder
	for _, n := range append([]string{"-1", "99999999999999999999", "", "0 1", "x"}, numbers(300)...) {
		fmt.Fprintf(&no, "\nN r %s\n\nN k no\n", n)
		fmt.Fprintf(&yes, "\nN r %s\n\nN k yes\n\nN f json\n{}\nN f containers\n%s\nN f stat\n0:0 644\nN f \nN k \nN z\n", n, terminal)
	}
	cases := map[string]struct {
		program, records string
		ends             bool
	}{
		"all is gone":              {"stat", no.String(), false},
		"all is there":             {"df", yes.String(), false},
		"all is gone, from Docker": {"docker", no.String() + "\nN e\n", false},
		"the end, early":           {"uname", "\nN e\n", true},
		"the end, in the middle":   {"docker", yes.String() + "\nN e\n", true},
	}
	for i, name := range sample(t, slices.Sorted(maps.Keys(cases)), 3) {
		c := cases[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &eavesdropper{}
			s := arrange(t, alternately(i, layout{agents: 1, hostile: true, host: func(name string, o *remotetest.HostOptions) {
				if name == "worker-1" {
					o.Heard = e.hear
				}
			}}))
			s.converge()
			before := belongings(s.server)
			var forged atomic.Bool
			s.hosts[1].Replace(c.program, func(call remotetest.Call) int {
				code := call.Real(call.Stdout)
				_, _ = io.WriteString(call.Stdout, e.forge(t, c.records, c.ends))
				forged.Store(true)
				return code
			})
			p := s.attempt()
			plan, err := p.plan()
			harmless(t, p, err)
			if !forged.Load() || err == nil && plan.Empty() {
				t.Fatal("what was forged did not arrive")
			}
			for _, c := range orEmpty(plan).Changes {
				if c.Host != "worker-1" {
					t.Errorf("a change of the other host: %s %s %s: %s", c.Host, c.Act, c.Step, c.Why)
				}
			}
			a := s.attempt()
			_, err = a.apply()
			harmless(t, a, err)
			for _, e := range report.Errors(err) {
				if e.Host != "worker-1" {
					t.Errorf("the error is of %q: %s", e.Host, explain(err))
				}
			}
			if d := cmp.Diff(before, belongings(s.server)); d != "" {
				t.Errorf("the other host is not as it was: %s", d)
			}
			st := s.attempt()
			defer st.end()
			hosts, err := st.Status(st.ctx)
			harmless(t, st, err, hosts)
			for _, h := range hosts {
				if h.Host == "prefect" && (h.Error != "" || len(h.Problems) > 0 || len(h.Services) != len(s.server.Containers())) {
					t.Errorf("the other host: %+v", h)
				}
			}
		})
	}
}

func numbers(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// belongings are the stack's files and containers on a host.
func belongings(h *remotetest.Host) map[string]string {
	out := map[string]string{}
	for _, f := range h.Files("/var/lib/provision") {
		text, _ := h.ReadFile(f.Path)
		out[f.Path] = fmt.Sprint(f.FileMode, f.UID, f.GID, " ", string(text))
	}
	for _, c := range h.Containers() {
		out["container "+c.Name] = c.ID + " " + c.State.Status
	}
	return out
}

// TestHostileValues has one value of an otherwise valid answer carry what harms a terminal. Unlike
// an answer that is not understood, such a value goes on: into plans, errors, status and reports.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	put := func(path, old, new string) func(*testing.T, *site) {
		return func(t *testing.T, s *site) {
			for _, h := range s.hosts {
				text, err := h.ReadFile(path)
				if err != nil {
					continue
				}
				if !strings.Contains(string(text), old) {
					t.Fatalf("%s has no %q: %s", path, old, text)
				}
				if err := h.WriteFile(path, strings.Replace(string(text), old, new, 1), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// says has the answers of docker that were asked for with these words changed.
	says := func(words string, change func(string) string) func(*testing.T, *site) {
		return func(_ *testing.T, s *site) {
			for _, h := range s.hosts {
				h.Replace("docker", func(c remotetest.Call) int {
					if !strings.Contains(strings.Join(c.Argv, " "), words) {
						return c.Real(c.Stdout)
					}
					var out bytes.Buffer
					code := c.Real(&out)
					_, _ = io.WriteString(c.Stdout, change(out.String()))
					return code
				})
			}
		}
	}
	more := func(line string) func(string) string { return func(out string) string { return out + line + "\n" } }
	instead := func(what string) func(string) string {
		return func(out string) string {
			return regexp.MustCompile(what).ReplaceAllLiteralString(out, "shown"+terminal)
		}
	}
	// field puts a version of this beginning, which provision refuses, into a field of docker info.
	field := func(n int, version string) func(string) string {
		return func(out string) string {
			fields := strings.Split(out, ",")
			fields[n] = version + "shown" + terminal
			return strings.Join(fields, ",")
		}
	}
	prefect := func(change func(answer map[string]any)) func(*testing.T, *site) {
		return says("provision_glue.observe", func(out string) string {
			answer := map[string]any{}
			if err := json.Unmarshal([]byte(out), &answer); err != nil {
				return out
			}
			change(answer)
			text, _ := json.Marshal(answer)
			return string(text)
		})
	}
	cases := map[string]struct {
		do func(*testing.T, *site)
		// shown is what has to be told, so that a value which goes nowhere does not pass for a harmless one.
		shown string
	}{
		"the system's name": {func(t *testing.T, s *site) {
			put("/etc/os-release", "PRETTY_NAME=\"Debian", "PRETTY_NAME=\"shown "+terminal)(t, s)
			put("/etc/os-release", "ID=debian", "ID=other")(t, s)
		}, "shown"},
		"daemon.json":          {put("/etc/docker/daemon.json", "{", "{\"shown"+terminal+"\": 1,"), "shown"},
		"a compose file":       {put(base+"/agent/compose.yaml", "name:", "# shown "+terminal+"\nname:"), "shown"},
		"the Caddyfile":        {put(base+"/server/caddy/Caddyfile", "{", "# shown "+terminal+"\n{"), "shown"},
		"the identity":         {put(base+"/id", "\n", "shown"+terminal+"\n"), "shown"},
		"a container's name":   {says("inspect --type container", more("/shown"+terminal+strings.Repeat("|"+terminal, 11)+"|prefect-agent|agent|False")), "shown"},
		"a container's image":  {says("inspect --type container", instead(`prefect-prefect:[0-9a-f]{16}`)), "shown"},
		"a container's state":  {says("inspect --type container", instead(`running`)), "shown"},
		"a container's health": {says("inspect --type container", instead(`healthy`)), "shown"},
		"a network's name":     {says("network inspect", more("shown"+terminal+"|id|10.99.0.0/16|false|prefect||false")), "shown"},
		"a network's subnet":   {says("network inspect", instead(`10\.210\.0\.0/24`)), "shown"},
		"an image's name":      {says("image ls", more("prefect-prefect"+terminal+":0123456789abcdef|2026-01-01")), ""},
		"the engine's version": {func(t *testing.T, s *site) {
			for _, h := range s.hosts {
				h.Remove("/var/lib/provision/engine") // a foreign engine, which is not mended
			}
			says("docker info", field(0, "19.03"))(t, s)
		}, "shown"},
		"the version of Compose": {func(t *testing.T, s *site) {
			for _, h := range s.hosts {
				h.Remove("/var/lib/provision/engine")
			}
			says("docker info", field(1, "1.0"))(t, s)
		}, "shown"},
		"a volume's name": {says("volume", more("prefect-postgres"+terminal+"|prefect|")), ""},
		"a deployment's name": {prefect(func(a map[string]any) {
			a["deployments"] = append(a["deployments"].([]any), map[string]any{"entrypoint": "shown" + terminal, "name": terminal, "tags": []string{"provision:prefect", terminal}})
		}), "shown"},
		"a queue's name": {prefect(func(a map[string]any) {
			a["queues"] = append(a["queues"].([]any), map[string]any{"name": "host-shown" + terminal})
		}), "host-shown"},
		"an error of Prefect": {prefect(func(a map[string]any) { a["queues"] = map[string]any{"error": "shown" + terminal} }), "shown"},
		"a run's executor": {prefect(func(a map[string]any) {
			a["runs"] = map[string]any{"hosts": map[string]any{"agent-worker-1" + terminal: map[string]int{terminal: 1}}}
		}), ""},
		"the agent's check": {says("provision_glue.check", func(string) string { return `{"ok": false, "error": ` + quoteJSON("shown"+terminal) + `}` }), "shown"},
	}
	for i, name := range sample(t, slices.Sorted(maps.Keys(cases)), 8) {
		c := cases[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, alternately(i, layout{agents: 1, hostile: true}))
			if _, err := s.attempt().apply(); err != nil {
				t.Fatal(explain(err))
			}
			c.do(t, s)
			p := s.attempt()
			plan, planned := p.plan()
			harmless(t, p, planned, plan)
			told := strings.Join(p.told(planned, plan), "\n")
			st := s.attempt()
			defer st.end()
			hosts, err := st.Status(st.ctx)
			harmless(t, st, err, hosts)
			told += strings.Join(st.told(err, hosts), "\n")
			v := s.attempt()
			defer v.end()
			err = v.Verify(v.ctx, nil)
			harmless(t, v, err)
			a := s.attempt()
			a.LockWait = 0
			result, err := a.apply()
			harmless(t, a, err, result)
			told += strings.Join(a.told(err, result), "\n")
			if !strings.Contains(told, c.shown) {
				t.Errorf("%q is told nowhere", c.shown)
			}
		})
	}
}

func quoteJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestEndlessOutput has one host that never stops to talk: while it is observed, and while a change
// runs on it. The memory stays bounded, and it is given up. Each case has a process of its own, whose
// peak is measured: after the pass most of it is free again.
func TestEndlessOutput(t *testing.T) {
	t.Parallel()
	const child = "PROVISION_TEST_ENDLESS"
	for name, c := range map[string]struct{ program, text string }{
		"observation":       {"uname", "x"},
		"observation_lines": {"df", "\n"},
		"a_change":          {"dpkg-query", "progress\r\n"},
	} {
		if os.Getenv(child) == name {
			endlessly(t, c.program, c.text)
		}
		if os.Getenv(child) != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEndlessOutput$", "-test.v")
			cmd.Env = append(os.Environ(), child+"="+name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			peak := regexp.MustCompile(`peak (\d+) MiB`).FindSubmatch(out)
			switch {
			case peak == nil && runtime.GOOS == "linux":
				t.Fatalf("the peak was not told\n%s", out)
			case peak == nil:
				t.Skip("only Linux tells the peak")
			}
			if n, _ := strconv.Atoi(string(peak[1])); n > mostMiB() {
				t.Errorf("the process took %d MiB", n)
			}
		})
	}
}

func endlessly(t *testing.T, program, text string) {
	s := arrange(t, split)
	s.hosts[1].Replace(program, endless(text))
	a := s.attempt()
	_, err := a.apply()
	if !isCode(err, report.ExitUnknown) {
		t.Errorf("%s", explain(err))
	}
	named(t, err, "worker-1")
	harmless(t, a, err)
	status, _ := os.ReadFile("/proc/self/status")
	if peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); peak != nil {
		kib, _ := strconv.Atoi(string(peak[1]))
		t.Logf("peak %d MiB", kib>>10)
	}
}

// TestLyingSFTP has an SFTP server that tells wrong sizes: what is staged there counts as not
// arrived, and the other host goes on.
func TestLyingSFTP(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(int64) int64{
		"less": func(n int64) int64 { return n - 1 }, "more": func(n int64) int64 { return n + 1<<40 }, "below nothing": func(int64) int64 { return -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 1, host: func(name string, o *remotetest.HostOptions) {
				if name == "worker-1" {
					o.SFTPSize = func(_ string, n int64) int64 { return lie(n) }
				}
			}})
			a := s.attempt()
			result, err := a.apply()
			if !isCode(err, report.ExitStep) {
				t.Errorf("%s", explain(err))
			}
			named(t, err, "worker-1")
			harmless(t, a, err)
			for _, o := range result.Outcomes {
				if o.Host == "prefect" && o.State != report.Done {
					t.Errorf("the other host: %+v", o)
				}
			}
		})
	}
}

// TestSilentHost has a host that takes the connection and never says anything.
func TestSilentHost(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, host: func(name string, o *remotetest.HostOptions) { o.Silent = name == "worker-1" }})
	s.connectTimeout("8s")
	a := s.attempt()
	_, err := a.apply()
	if !isCode(err, report.ExitUnreachable) {
		t.Errorf("%s", explain(err))
	}
	named(t, err, "worker-1")
	if errs := report.Errors(err); !strings.Contains(errs[0].Cause, "no SSH session within 8s") || !strings.Contains(errs[0].Evidence, "said nothing") {
		t.Errorf("%s", explain(err))
	}
	for _, e := range a.seen() {
		if e.Type == "change" {
			t.Errorf("something was changed: %+v", e)
		}
	}
}

// TestHostileStaging has a host name a directory of its choice as the place to stage files in.
func TestHostileStaging(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/var/tmp/../../etc", "/", "/var/tmp/.provision-aaaaaaaa/../../../etc", "/var/tmp/.provision-aaaa\x1baaa", "", "/var/tmp/.provision-aaaaaaaa\n/etc"} {
		s := arrange(t, split)
		s.hosts[1].Replace("mktemp", func(c remotetest.Call) int {
			_, _ = c.Stdout.Write([]byte(dir + "\n"))
			return 0
		})
		a := s.attempt()
		_, err := a.apply()
		if !isCode(err, report.ExitStep) {
			t.Errorf("%q: %s", dir, explain(err))
		}
		named(t, err, "worker-1")
		harmless(t, a, err)
		for _, h := range s.hosts {
			if h.Counts().SFTP > 0 {
				t.Errorf("%q: something was uploaded to %s", dir, h.Name())
			}
		}
		for _, rm := range s.hosts[1].Ran("rm -rf") {
			if !strings.HasPrefix(rm, "rm -rf /var/tmp/.provision-") {
				t.Errorf("%q: %q ran", dir, rm)
			}
		}
	}
}
