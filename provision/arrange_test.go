package provision_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"provision/provision"
	"provision/provision/report"
	"provision/provision/stack"
	"provision/remote"
	"provision/remote/remotetest"
)

// Most of the time a scenario waits for what it made hang, so there is room for more than a test a CPU.
// The race detector leaves less.
func TestMain(m *testing.M) {
	most := 8
	if raceDetector {
		most = 3
	}
	if err := flag.Set("test.parallel", strconv.Itoa(max(most, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// reporter is what the harness needs of a test; rapid's own T has it, too.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}

// layout says which hosts there are and what the files say beside them.
type layout struct {
	agents int                      // hosts beside the server's; 0: the server host is the agent host
	both   bool                     // the server host is an agent host in any case
	table  func(name string) string // further lines of a host's table
	top    string                   // the inventory's first lines; "" is a url
	ssh    string                   // further lines of [ssh]
	stack  string                   // stack.toml; "" is the built-in one
	// host changes how one host is made, and address the port at which it is reached.
	host    func(name string, o *remotetest.HostOptions)
	address func(h *remotetest.Host) (port int)
	// hostile hosts may lead to commands that the simulation does not know.
	hostile bool
}

var (
	single = layout{}
	split  = layout{agents: 1}
)

// site is a fleet of simulated hosts and the files that name them.
type site struct {
	t         reporter
	fleet     *remotetest.Fleet
	inventory string
	config    string // ssh_config; empty for none
	ssh       string // who reads it; empty for ssh itself
	server    *remotetest.Host
	hosts     []*remotetest.Host // the server first
}

// arrange boots the hosts of a layout and writes the files, below the test's own directory.
func arrange(t testing.TB, l layout) *site {
	t.Helper()
	s := arrangeIn(t, t.TempDir(), l)
	t.Cleanup(func() {
		if unknown := s.fleet.Unknown(); len(unknown) > 0 && !l.hostile {
			t.Errorf("the simulation does not know: %q", unknown)
		}
		s.fleet.Close()
	})
	return s
}

func arrangeIn(t reporter, dir string, l layout) *site {
	t.Helper()
	s := &site{t: t, fleet: remotetest.NewFleet(remotetest.Options{}), inventory: filepath.Join(dir, "onprem.toml")}
	if l.top == "" {
		l.top = "url = \"https://prefect.demo.test\"\n"
	}
	var b strings.Builder
	key, known := filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "known_hosts")
	fmt.Fprintf(&b, "%s\n[ssh]\nidentity_file = %q\nknown_hosts = %q\nconnect_timeout = \"30s\"\n%s\n", l.top, key, known, l.ssh)
	knownHosts := ""
	for n := range l.agents + 1 {
		name, roles := "prefect", `["server"]`
		switch {
		case n > 0:
			name, roles = fmt.Sprintf("worker-%d", n), `["agent"]`
		case l.agents == 0 || l.both:
			roles = `["server", "agent"]`
		}
		var o remotetest.HostOptions
		if l.host != nil {
			l.host(name, &o)
		}
		h, err := s.fleet.Host(name, o)
		if err != nil {
			t.Fatalf("%v", err)
		}
		port := h.Port()
		if l.address != nil {
			port = l.address(h)
		}
		s.hosts = append(s.hosts, h)
		knownHosts += fmt.Sprintf("[127.0.0.1]:%d %s\n", port, h.HostKey())
		fmt.Fprintf(&b, "\n[hosts.%s]\naddress = \"127.0.0.1\"\nport = %d\nuser = %q\nroles = %s\n", name, port, h.User(), roles)
		if l.table != nil {
			b.WriteString(l.table(name))
		}
	}
	s.server = s.hosts[0]
	s.write(key, string(s.fleet.ClientKeyPEM()))
	s.write(known, knownHosts)
	if l.stack != "" {
		s.write(filepath.Join(dir, "stack.toml"), l.stack)
		b2 := "stack = \"stack.toml\"\n" + b.String()
		b.Reset()
		b.WriteString(b2)
	}
	s.write(s.inventory, b.String())
	return s
}

func (s *site) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// connectTimeout changes what the files say about it.
func (s *site) connectTimeout(d string) {
	s.t.Helper()
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.write(s.inventory, strings.Replace(string(text), `connect_timeout = "30s"`, fmt.Sprintf("connect_timeout = %q", d), 1))
}

// limit bounds every pass of these tests. It is far above what one takes on a busy machine: a pass
// that is ended by it hangs.
const limit = 5 * time.Minute

// attempt is one pass with what it told.
type attempt struct {
	*provision.Pass

	ctx    context.Context
	cancel context.CancelFunc
	// on is called for each event, before it is recorded, by the goroutine that told it.
	on func(report.Event)

	dead   atomic.Bool // killed: see there
	mu     sync.Mutex
	events []report.Event
}

// attempt makes a pass as the command line does, with its own files instead of the user's.
func (s *site) attempt() *attempt {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	sys, err := provision.Load(ctx, s.inventory, "")
	if err != nil {
		cancel()
		s.t.Fatalf("load: %v", err)
	}
	a := &attempt{ctx: ctx, cancel: cancel}
	a.Pass = &provision.Pass{
		System: sys, Who: "a test", Options: map[string]bool{}, LockWait: limit,
		Confirm: func(context.Context, *report.Plan, bool) (bool, error) { return true, nil },
		Dialer: &remote.Dialer{ConfigFile: cmp.Or(s.config, os.DevNull), SSH: s.ssh, AgentSocket: "none", Observe: func(op remote.Op) {
			if !op.Done && a.dead.Load() {
				<-a.ctx.Done()
			}
		}},
		Events: func(e report.Event) {
			if a.on != nil {
				a.on(e)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if e.Type != "progress" || len(a.events) < 10_000 {
				a.events = append(a.events, e)
			}
		},
	}
	return a
}

// apply carries the attempt out and closes it.
func (a *attempt) apply() (*report.Report, error) {
	defer a.end()
	return a.Apply(a.ctx, a.ctx)
}

func (a *attempt) plan() (*report.Plan, error) {
	defer a.end()
	p, _, err := a.Plan(a.ctx)
	return p, err
}

func (a *attempt) end() {
	a.Close()
	a.cancel()
}

// kill has the effect of a SIGKILL of the controller: its connections end, it does nothing more,
// and what runs on the hosts goes on. The pass itself is wound up, but reaches nobody.
func (a *attempt) kill(s *site) {
	if a.dead.Swap(true) {
		return
	}
	for _, h := range s.hosts {
		h.Disconnect()
	}
	a.cancel()
}

// story is what an attempt did, to be read when a test fails.
func (a *attempt) story() string {
	var b strings.Builder
	for _, e := range a.seen() {
		if e.Plan != nil {
			b.WriteString("plan:\n" + announced(e.Plan))
		}
		if e.Type == "change" || e.Type == "note" || e.Type == "lock" {
			fmt.Fprintf(&b, "%s %s %s %s %s\n", e.Type, e.Host, e.Step, e.State, e.Text)
		}
	}
	return b.String()
}

// seen are the events so far.
func (a *attempt) seen() []report.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.events)
}

// converge applies, and wants success and an empty plan after it.
func (s *site) converge() *report.Report {
	s.t.Helper()
	result, err := s.attempt().apply()
	if err != nil {
		s.t.Fatalf("apply: %s", explain(err))
	}
	s.unchanged()
	return result
}

// unchanged wants a plan without changes and a passing verification.
func (s *site) unchanged() {
	s.t.Helper()
	result, err := s.attempt().apply()
	if err != nil {
		s.t.Fatalf("apply again: %s", explain(err))
	}
	if len(result.Outcomes) > 0 {
		s.t.Fatalf("the second apply changed something: %+v", result.Outcomes)
	}
	if unknown := s.fleet.Unknown(); len(unknown) > 0 {
		s.t.Fatalf("the simulation does not know: %s", strings.Join(unknown, "; "))
	}
}

// explain is an error with all that it says.
func explain(err error) string {
	var b strings.Builder
	for _, e := range report.Errors(err) {
		fmt.Fprintf(&b, "%d %v\n  evidence: %s\n  hint: %s\n", e.Code, e, e.Evidence, e.Hint)
	}
	return b.String()
}

// announced are the changes of a plan, each as "HOST STEP: WHY".
func announced(p *report.Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s %s: %s\n", c.Host, c.Act, c.Step, c.Why)
	}
	for _, l := range p.Later {
		fmt.Fprintf(&b, "%s later %s after %s\n", l.Host, l.Step, l.After)
	}
	return b.String()
}

// strings of everything that an attempt told, for those who look for what must not be in it.
func (a *attempt) told(err error, results ...any) (texts []string) {
	all, problem := json.Marshal(map[string]any{"events": a.seen(), "errors": report.Errors(err), "results": results})
	if problem != nil {
		panic(problem)
	}
	var tree any
	if problem := json.Unmarshal(all, &tree); problem != nil {
		panic(problem)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for k, x := range v {
				texts = append(texts, k)
				walk(x)
			}
		}
	}
	walk(tree)
	if err != nil {
		texts = append(texts, err.Error())
	}
	return texts
}

// isCode tells whether the error has that exit code.
func isCode(err error, codes ...int) bool { return slices.Contains(codes, report.ExitCode(err)) }

// prefect3 is a stack of the generation of Prefect 3.
var prefect3 = "[prefect]\nversion = \"" + stack.Generations()[1].Prefect + "\"\n"

// servers2 is one of Prefect 3 with several servers.
var servers2 = prefect3 + "[scale]\nservers = 2\n"

// alternately has every second of many sites be of Prefect 3, with several servers.
func alternately(n int, l layout) layout {
	if n%2 == 1 {
		l.stack = servers2 + l.stack
	}
	return l
}
