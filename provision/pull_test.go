package provision_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestPullWithoutATerminal: where script(1) is missing or has no terminals, images are pulled all the
// same, and layers are told of.
func TestPullWithoutATerminal(t *testing.T) {
	t.Parallel()
	for name, ill := range map[string]func(*remotetest.Host){
		"no program":   func(h *remotetest.Host) { h.Remove("/usr/bin/script") },
		"no terminals": func(h *remotetest.Host) { h.Replace("script", func(remotetest.Call) int { return 1 }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, single)
			ill(s.server)
			a := s.attempt()
			if _, err := a.apply(); err != nil {
				t.Fatal(explain(err))
			}
			layers := int64(0)
			for _, e := range a.events {
				if p := e.Progress; p != nil && p.What == "pull" {
					layers = max(layers, p.Done)
					if p.Unit != "layers" {
						t.Fatalf("told in %s", p.Unit)
					}
				}
			}
			if layers != 4 {
				t.Errorf("%d layers are told of", layers)
			}
		})
	}
}

// TestPullAsksForNoLogin: a client that asks for a name on its terminal reads an empty line at once.
func TestPullAsksForNoLogin(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	var asked atomic.Bool
	s.server.Replace("docker", func(c remotetest.Call) int {
		if c.Argv[1] == "pull" {
			if typed, err := io.ReadAll(c.Stdin); err != nil || string(typed) != "\n" {
				t.Errorf("typed: %q, %v", typed, err)
			}
			asked.Store(true)
		}
		return c.Real(c.Stdout)
	})
	s.converge()
	if !asked.Load() {
		t.Error("nothing was pulled")
	}
}

// TestPullRefused: what the registry said is the reason, and where a login would help that is said.
func TestPullRefused(t *testing.T) {
	t.Parallel()
	const login = "the registry wants a login for caddy:2, or has no such image: docker login on the host"
	for said, want := range map[string]string{
		"Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login'": login,
		"Error response from daemon: unauthorized: authentication required":                                             login,
		"Error: Cannot perform an interactive login from a non TTY device":                                              login,
		"Error: Non-null Username Required":                                                                             login,
		"Error response from daemon: no space left on the device":                                                       "cannot pull caddy:2",
	} {
		t.Run(said, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, single)
			s.server.Fail(remotetest.Failure{Match: "^docker pull caddy:2$", Nth: -1, Code: 1, Stderr: said + "\n"})
			_, err := s.attempt().apply()
			if text := explain(err); !isCode(err, report.ExitStep) || !strings.Contains(text, said) || !strings.Contains(text, want) {
				t.Errorf("%s", text)
			}
		})
	}
	s := arrange(t, single)
	s.server.Fail(remotetest.Failure{Match: "^docker pull caddy:2$", Nth: -1, Code: 124})
	_, err := s.attempt().apply()
	if text := explain(err); !isCode(err, report.ExitStep) || !strings.Contains(text, "no end within 25 minutes") {
		t.Errorf("%s", text)
	}
}
