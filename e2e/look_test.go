//go:build linux && e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/e2e/lab"
)

// stage is one scenario of several that a site goes through. A failed one ends the test: what comes
// after it would meet hosts in a state that nobody described.
func (s *site) stage(name string, f func(s *site)) {
	s.Helper()
	begun := time.Now()
	ok := s.Run(name, func(t *testing.T) {
		inner := *s
		inner.T = t
		f(&inner)
	})
	s.Logf("%s took %s", name, time.Since(begun).Round(time.Second))
	if !ok {
		s.FailNow()
	}
}

// until waits for something to become true. The limit is for hosts that never come to it, not a measure. It asks less and less often:
// most questions are a program in a container, which takes CPU from what is waited for.
func (s *site) until(what string, limit time.Duration, true func() bool) {
	s.Helper()
	pause := 300 * time.Millisecond
	for deadline := time.Now().Add(limit); !true(); pause = min(pause*5/4, 2*time.Second) {
		time.Sleep(pause)
		if time.Now().After(deadline) {
			s.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// containers are the ids of a host's containers by name, the stopped ones too.
func (s *site) containers(h *lab.Host) map[string]string {
	s.Helper()
	out := map[string]string{}
	for line := range strings.Lines(s.on(h, `docker ps -a --no-trunc --format '{{.Names}} {{.ID}}'`)) {
		if name, id, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			out[name] = id
		}
	}
	return out
}

// replaced are the names whose container is another one than before, or gone, or new.
func replaced(before, after map[string]string) []string {
	names := map[string]bool{}
	for name := range before {
		names[name] = before[name] != after[name]
	}
	for name := range after {
		names[name] = before[name] != after[name]
	}
	maps.DeleteFunc(names, func(_ string, changed bool) bool { return !changed })
	return slices.Sorted(maps.Keys(names))
}

// onlyReplaced wants exactly these containers of a host to be other ones than before.
func (s *site) onlyReplaced(h *lab.Host, before map[string]string, want ...string) {
	s.Helper()
	if got := replaced(before, s.containers(h)); !slices.Equal(got, want) {
		s.Errorf("on %s other containers than before: %q, want %q", h.Name, got, want)
	}
}

var imageTag = regexp.MustCompile(`:[0-9a-f]{16}\b`)

// planned makes a plan and returns its changes as "HOST: ACT STEP", sorted, without images' tags, and
// all of its text.
func (s *site) planned() (changes []string, text string) {
	s.Helper()
	out, _ := s.provision(2, "plan", "--detailed-exitcode", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var e struct {
		Plan struct {
			Changes []struct{ Host, Step, Act, Why, Note, Diff string }
			Later   []struct{ Host, Step, After string }
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		s.Fatalf("the last line is no plan: %v\n%s", err, lines[len(lines)-1])
	}
	var all strings.Builder
	for _, c := range e.Plan.Changes {
		changes = append(changes, fmt.Sprintf("%s: %s %s", c.Host, c.Act, imageTag.ReplaceAllString(c.Step, "")))
		fmt.Fprintf(&all, "%s: %s %s: %s\n  %s\n%s", c.Host, c.Act, c.Step, c.Why, c.Note, c.Diff)
	}
	for _, l := range e.Plan.Later {
		fmt.Fprintf(&all, "%s: %s: checked after %s\n", l.Host, l.Step, l.After)
	}
	slices.Sort(changes)
	return changes, all.String()
}

// plans wants a plan of exactly these changes, and returns all of its text.
func (s *site) plans(want ...string) string {
	s.Helper()
	got, text := s.planned()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Fatalf("the plan is\n  %s\nwant\n  %s\nin full\n%s", strings.Join(got, "\n  "), strings.Join(want, "\n  "), text)
	}
	return text
}

// names wants a plan that says all of these.
func (s *site) names(want ...string) {
	s.Helper()
	_, text := s.planned()
	for _, w := range want {
		s.contains(text, w)
	}
}

// process is a provision that runs beside the test.
type process struct {
	s           *site
	cmd         *exec.Cmd
	out, errors spoken
	ended       chan error
}

// spoken can be read while it is still being written.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *spoken) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *spoken) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// start runs the binary and does not wait for it. It does not outlive the test.
func (s *site) start(args ...string) *process {
	s.Helper()
	p := &process{s: s, ended: make(chan error, 1)}
	p.cmd = exec.CommandContext(s.Context(), binary, append(args, "-i", s.inventory)...)
	p.cmd.Env = append(os.Environ(), s.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errors
	if err := p.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// wait returns the exit code and all that was said.
func (p *process) wait(limit time.Duration) (int, string) {
	p.s.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.s.Fatal(err)
		}
		return p.cmd.ProcessState.ExitCode(), p.out.String() + p.errors.String()
	case <-time.After(limit):
		p.kill()
		p.s.Fatalf("provision did not end within %s\n%s%s", limit, p.out.String(), p.errors.String())
		panic("unreachable")
	}
}

// kill ends the process as a crash of the operator's machine would, and fails if it had ended by itself.
func (p *process) kill() {
	p.s.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.s.Fatalf("kill: %v", err)
	}
	<-p.ended
	if p.cmd.ProcessState.Exited() {
		p.s.Fatalf("it had ended by itself with %d\n%s%s", p.cmd.ProcessState.ExitCode(), p.out.String(), p.errors.String())
	}
}

// api asks the Prefect server from within its own container, past Caddy, and wants success.
func (s *site) api(server *lab.Host, method, path, body string) string {
	s.Helper()
	const ask = `import os,urllib.request as u
b=os.environ["B"].encode() or None
print(u.urlopen(u.Request("http://127.0.0.1:4200/api"+os.environ["P"],b,{"Content-Type":"application/json"},method=os.environ["M"]),timeout=20).read().decode())`
	return s.on(server, fmt.Sprintf("docker exec -e M=%s -e P=%s -e B=%s prefect-server python -c %s", quote(method), quote(path), quote(body), quote(ask)))
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// deployment is the id of a deployment in the database.
func (s *site) deployment(server *lab.Host, flow, name string) string {
	s.Helper()
	return s.query(server, fmt.Sprintf("select d.id from deployment d join flow f on f.id = d.flow_id where f.name = '%s' and d.name = '%s'", flow, name))
}

// begin creates a flow run and waits until its code has said that it runs.
func (s *site) begin(server *lab.Host, flow, name, says, parameters string) string {
	s.Helper()
	var run struct{ ID string }
	if err := json.Unmarshal([]byte(s.api(server, "POST", "/deployments/"+s.deployment(server, flow, name)+"/create_flow_run", `{"parameters":`+parameters+`}`)), &run); err != nil {
		s.Fatal(err)
	}
	s.until(flow+" says "+says, 8*time.Minute, func() bool {
		return s.query(server, fmt.Sprintf("select count(*) from log where flow_run_id = '%s' and message like '%s%%'", run.ID, says)) != "0"
	})
	return run.ID
}

// ended waits until a run is in a final state, and returns it.
func (s *site) ended(server *lab.Host, run string) string {
	s.Helper()
	state := ""
	s.until("the end of run "+run, 8*time.Minute, func() bool {
		state = s.query(server, "select state_type from flow_run where id = '"+run+"'")
		return state == "COMPLETED" || state == "FAILED" || state == "CRASHED" || state == "CANCELLED"
	})
	return state
}

// healthy waits until these containers of a host are, looked at by the host's own Docker.
func (s *site) healthy(h *lab.Host, names ...string) {
	s.Helper()
	s.listed(h, "health=healthy", names)
}

// running waits until these containers of a host run and no others, healthy or not yet.
func (s *site) running(h *lab.Host, names ...string) {
	s.Helper()
	s.listed(h, "status=running", names)
}

func (s *site) listed(h *lab.Host, filter string, names []string) {
	s.Helper()
	slices.Sort(names)
	want := strings.Join(names, " ")
	got := ""
	for deadline := time.Now().Add(8 * time.Minute); ; time.Sleep(time.Second) {
		// Right after a reboot the engine may not answer yet.
		out, err := h.Shell(s.Context(), `docker ps --filter `+filter+` --format '{{.Names}}' | sort | xargs`)
		if got = strings.TrimSpace(out); err == nil && got == want {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s on %s: %q, want %q", filter, h.Name, got, want)
		}
	}
}

// project copies the flows of testdata to where a test may change them.
func (s *site) project() string {
	s.Helper()
	dir := filepath.Join(filepath.Dir(s.inventory), "flows")
	if err := os.CopyFS(dir, os.DirFS(s.of.flows)); err != nil {
		s.Fatal(err)
	}
	for _, name := range s.of.others {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			s.Fatal(err)
		}
	}
	return dir
}

// add appends to the inventory or the stack file.
func (s *site) add(file, text string) {
	s.Helper()
	path := filepath.Join(filepath.Dir(s.inventory), file)
	old, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, append(old, text...), 0o600); err != nil {
		s.Fatal(err)
	}
}

// together does one thing on several hosts at the same time.
func (s *site) together(hosts []*lab.Host, do func(context.Context, *lab.Host) error) {
	s.Helper()
	failed := make(chan error, len(hosts))
	for _, h := range hosts {
		go func() { failed <- do(s.Context(), h) }()
	}
	for range hosts {
		if err := <-failed; err != nil {
			s.Error(err)
		}
	}
	if s.Failed() {
		s.FailNow()
	}
}
