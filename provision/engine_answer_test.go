package provision_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestEngineAnswers: what the client prints and how it ends, which differs between its versions,
// and what is made of it. An engine that gives no answer says why in the client's own words.
func TestEngineAnswers(t *testing.T) {
	t.Parallel()
	const down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
	for name, c := range map[string]struct {
		out  string
		code int
		says string // of docker version, on stderr
		want string // why the engine is changed; "" nothing is
	}{
		"answers":              {"26.1.5,2.26.1-4,SETTINGS\n", 0, "", ""},
		"down, Docker 26":      {",2.26.1-4, false \n", 0, down, "the engine does not answer: " + down},
		"down, Docker 28":      {",, false \n", 1, down, "the engine does not answer: " + down},
		"down, Docker 20":      {"", 1, down, "the engine does not answer: " + down},
		"hangs":                {"", 124, "not asked", "the engine does not answer: no answer within 20 s"},
		"something else fails": {"", 125, "Error: no such thing", "the engine does not answer: Error: no such thing"},
		"fails without a word": {"", 127, "", "the engine does not answer: no answer"},
		"fails, and answers":   {"26.1.5,2.26.1-4,SETTINGS\n", 1, "Error: half an answer", "the engine does not answer: Error: half an answer"},
		"without Compose":      {"26.1.5,,SETTINGS\n", 0, "", "the installation is not complete"},
		"with other settings":  {"26.1.5,2.26.1-4,json-file false \n", 0, "", "the engine runs with other settings than daemon.json has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, single)
			s.converge()
			s.server.Replace("docker", func(call remotetest.Call) int {
				switch call.Argv[1] {
				case "info":
					var real strings.Builder
					call.Real(&real)
					_, settings, _ := strings.Cut(strings.TrimSpace(real.String()), "26.1.5+dfsg1,2.26.1-4,")
					fmt.Fprintln(call.Stderr, "WARNING: something that the client says on every call")
					fmt.Fprint(call.Stdout, strings.ReplaceAll(c.out, "SETTINGS", settings))
					return c.code
				case "version":
					fmt.Fprint(call.Stderr, c.says)
					return 1
				}
				return call.Real(call.Stdout)
			})
			plan, err := s.attempt().plan()
			if err != nil {
				t.Fatal(explain(err))
			}
			got := ""
			for _, change := range plan.Changes {
				if change.Step == "docker" {
					got = change.Why
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestExecDoesNotBegin: runc cannot begin a program in a container once, as on a busy host, or at all.
func TestExecDoesNotBegin(t *testing.T) {
	t.Parallel()
	const refusal = "OCI runtime exec failed: exec failed: unable to start container process: waiting for init preliminary setup: read init-p: connection reset by peer: unknown"
	for name, c := range map[string]struct {
		refused int // of the times that each command is asked
		code    int
	}{
		"once":   {1, 0},
		"always": {1000, report.ExitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, single)
			s.converge()
			var mu sync.Mutex
			asked := map[string]int{}
			s.server.Replace("docker", func(call remotetest.Call) int {
				if call.Argv[1] != "exec" {
					return call.Real(call.Stdout)
				}
				line := strings.Join(call.Argv, " ")
				mu.Lock()
				asked[line]++
				refused := asked[line] <= c.refused
				mu.Unlock()
				if refused {
					fmt.Fprintln(call.Stdout, refusal)
					return 126
				}
				return call.Real(call.Stdout)
			})
			plan, err := s.attempt().plan()
			if code := report.ExitCode(err); code != c.code || code == 0 && !plan.Empty() {
				t.Errorf("code %d, want %d: %s: %v", code, c.code, explain(err), plan)
			}
			if err != nil && !strings.Contains(explain(err), refusal) {
				t.Errorf("it does not say why: %s", explain(err))
			}
			if len(asked) < 4 {
				t.Errorf("only %d commands were asked in containers: %v", len(asked), asked)
			}
		})
	}
}
