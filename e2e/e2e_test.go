//go:build linux && e2e

// Package e2e runs the product's real binary against real hosts: systemd, OpenSSH, apt, Docker,
// PostgreSQL, Caddy, Prefect. What it asserts is what is on the hosts afterwards, looked at from
// outside and not through the product.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

var binary string

func TestMain(m *testing.M) {
	if missing := lab.Missing(); missing != "" {
		fmt.Println("e2e cannot run:", missing)
		if os.Getenv("CI") != "" {
			os.Exit(1)
		}
	}
	dir, err := os.MkdirTemp("", "provision-e2e")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "provision")
	out, err := exec.Command("go", "build", "-o", binary, "provision/cmd/provision").CombinedOutput()
	if err != nil {
		fmt.Printf("build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// site is a lab with an inventory, and the binary to run on it.
type site struct {
	*testing.T
	lab       *lab.Lab
	inventory string
	env       []string
	heard     *bytes.Buffer // all that provision said; nil: nobody wants to know
	of        *generation
	elsewhere func(sql string) string // asks a database that is not the stack's own; nil: it is
}

func newSite(t *testing.T, name string, of *generation, hosts ...lab.HostOptions) (*site, []*lab.Host) {
	t.Helper()
	s := emptySite(t, name, of)
	for _, o := range hosts {
		if _, err := s.lab.Host(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	s.writeInventory()
	return s, s.lab.Hosts()
}

// emptySite is a lab without hosts, and with the mirror that they get a generation's images from.
func emptySite(t *testing.T, name string, of *generation) *site {
	t.Helper()
	if missing := lab.Missing(); missing != "" {
		t.Skip(missing)
	}
	l, err := lab.New(t.Context(), lab.Options{Name: name, Log: t.Logf, ImageSets: []string{of.images}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := l.StartMirror(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &site{T: t, lab: l, of: of}
}

func (s *site) writeInventory() {
	s.Helper()
	inventory, err := s.lab.WriteInventory(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.inventory = inventory
	s.edit("stack.toml", "[docker]", s.of.stack+"[backup]\nat = \""+backupAt+"\"\n\n[docker]")
}

// backupAt is the time of the daily backup: far from now, whenever the scenarios run. Those that want a backup make one.
var backupAt = time.Now().UTC().Add(12 * time.Hour).Format("15:04")

// provision runs the binary and wants this exit code.
func (s *site) provision(want int, args ...string) (stdout, stderr string) {
	s.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, "-i", s.inventory)...)
	cmd.Env = append(os.Environ(), s.env...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		s.Fatal(err)
	}
	if s.heard != nil {
		s.heard.Write(o.Bytes())
		s.heard.Write(e.Bytes())
	}
	s.Logf("provision %s: exit %d after %s", strings.Join(args, " "), code, time.Since(start).Round(100*time.Millisecond))
	if code != want {
		s.Fatalf("provision %s: exit %d, want %d\n%s\n%s", strings.Join(args, " "), code, want, o.String(), e.String())
	}
	return o.String(), e.String()
}

// edit replaces text in the inventory or the stack file.
func (s *site) edit(file, old, new string) {
	s.Helper()
	path := filepath.Join(filepath.Dir(s.inventory), file)
	text, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		s.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s *site) on(h *lab.Host, line string) string {
	s.Helper()
	out, err := h.Shell(s.Context(), line)
	if err != nil && strings.Contains(err.Error()+out, "OCI runtime exec failed") {
		s.Logf("on %s: %s: once more after %v", h.Name, line, err) // runc did not begin it; that is not what is tested
		out, err = h.Shell(s.Context(), line)
	}
	if err != nil {
		s.Fatalf("on %s: %s: %v", h.Name, line, err)
	}
	return strings.TrimSpace(out)
}

func (s *site) want(h *lab.Host, line, want string) {
	s.Helper()
	if got := s.on(h, line); got != want {
		s.Errorf("on %s: %s\n got %q\nwant %q", h.Name, line, got, want)
	}
}

func (s *site) contains(text, want string) {
	s.Helper()
	if !strings.Contains(text, want) {
		s.Errorf("not found: %q in\n%s", want, text)
	}
}

type outcome struct {
	Host, Step, Act, State string
	Seconds                float64
}

type report struct {
	Report *struct {
		Outcomes []outcome
		Stats    struct{ Connections, Execs int }
		Seconds  float64
	}
	events []string // all lines, this one last
}

// apply carries out what differs and returns the last line of the stream of events.
func (s *site) apply() report {
	s.Helper()
	out, _ := s.provision(0, "apply", "--yes", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var r report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || r.Report == nil {
		s.Fatalf("the last line is no report: %v\n%s", err, lines[len(lines)-1])
	}
	r.events = lines
	s.Logf("apply: %d changes, %.1f s, %d connections, %d execs", len(r.Report.Outcomes), r.Report.Seconds, r.Report.Stats.Connections, r.Report.Stats.Execs)
	for _, o := range r.Report.Outcomes {
		if o.Seconds >= 5 {
			s.Logf("%4.0f s  %s: %s %s", o.Seconds, o.Host, o.Act, o.Step)
		}
	}
	return r
}

// again wants an apply that changes nothing, with one connection and one exec for each host. On a busy machine a health check may be
// late, and is waited for by asking again: one of three applies has to do without.
func (s *site) again(hosts int) {
	s.Helper()
	for left := 2; ; left-- {
		r := s.apply()
		if n := len(r.Report.Outcomes); n != 0 {
			s.Errorf("the second apply made %d changes: %v", n, r.Report.Outcomes)
		}
		st := r.Report.Stats
		if st.Connections == hosts && st.Execs == hosts {
			return
		}
		if left == 0 || st.Connections != hosts {
			s.Errorf("the second apply took %d connections and %d execs for %d hosts", st.Connections, st.Execs, hosts)
			return
		}
	}
}

// hardened wants every container of the stack on a host to be what SECURITY asks: no root, nothing
// writable, no capabilities, and no secret in its definition.
func (s *site) hardened(h *lab.Host, n int) {
	s.Helper()
	out := s.on(h, `docker inspect --format '{{.Name}} {{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} {{.State.Health.Status}}' $(docker ps -q)`)
	lines := strings.Split(out, "\n")
	if len(lines) != n {
		s.Errorf("%s runs %d containers, want %d:\n%s", h.Name, len(lines), n, out)
	}
	for _, l := range lines {
		if !regexp.MustCompile(`^/\S+ (10001:10001|10002:10002|10003:10003|999:999) true \[ALL\] \[\] healthy$`).MatchString(l) {
			s.Errorf("container on %s: %s", h.Name, l)
		}
	}
	s.want(h, `for f in $(find /var/lib/provision/prefect -path '*secrets*' -type f ! -name '*.crt' ! -name authority ! -name '*hashed'); do docker inspect $(docker ps -aq) | grep -cFf $f; done | sort -u`, "0")
}

// query asks the database, not the API.
func (s *site) query(h *lab.Host, sql string) string {
	s.Helper()
	if s.elsewhere != nil {
		return s.elsewhere(sql)
	}
	return s.on(h, "docker exec prefect-postgres psql -U prefect -d prefect -Atqc "+"'"+strings.ReplaceAll(sql, "'", `'\''`)+"'")
}

// run creates a flow run of a deployment in the API and waits until it has ended.
func (s *site) run(server *lab.Host, flow, deployment string) (run string) {
	s.Helper()
	id := s.query(server, fmt.Sprintf("select d.id from deployment d join flow f on f.id = d.flow_id where f.name = '%s' and d.name = '%s'", flow, deployment))
	create := fmt.Sprintf(`import json,urllib.request as u
r=u.Request("http://127.0.0.1:4200/api/deployments/%s/create_flow_run",b"{}",{"Content-Type":"application/json"})
print(json.load(u.urlopen(r))["id"])`, id)
	run = s.on(server, "docker exec prefect-server python -c '"+create+"'")
	state := ""
	for deadline := time.Now().Add(8 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Second) {
		state = s.query(server, "select state_type from flow_run where id = '"+run+"'")
		if state == "COMPLETED" || state == "FAILED" || state == "CRASHED" {
			break
		}
	}
	if state != "COMPLETED" {
		s.Errorf("run of %s/%s: %s\n%s", flow, deployment, state, s.query(server, "select message from log where flow_run_id = '"+run+"'"))
	}
	return run
}

func runLocal(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}
