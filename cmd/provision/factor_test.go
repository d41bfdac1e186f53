//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/remote/remotetest"
)

// guarded is an inventory of two hosts that want a second factor beside the key.
func guarded(t *testing.T) (inventory string, fleet *remotetest.Fleet) {
	t.Helper()
	fleet = remotetest.NewFleet(remotetest.Options{})
	t.Cleanup(fleet.Close)
	dir := t.TempDir()
	text := "url = \"https://prefect.example.org\"\n\n[ssh]\nidentity_file = \"key\"\nknown_hosts = \"known_hosts\"\n"
	for _, name := range []string{"prefect", "worker"} {
		h, err := fleet.Host(name, remotetest.HostOptions{Login: remotetest.Login{Challenge: func(ask func(string, ...string) ([]string, error)) bool {
			got, err := ask("It is \x1b[31mus", "Password: ", "Verification code: ")
			return err == nil && len(got) == 2 && got[0] == "open "+name && got[1] == "123456"
		}}})
		if err != nil {
			t.Fatal(err)
		}
		role := map[string]string{"prefect": "server", "worker": "agent"}[name]
		text += fmt.Sprintf("\n[hosts.%s]\naddress = \"127.0.0.1\"\nport = %d\nroles = [%q]\n", name, h.Port(), role)
	}
	inventory = filepath.Join(dir, "onprem.toml")
	for file, content := range map[string][]byte{"onprem.toml": []byte(text), "key": fleet.ClientKeyPEM(), "known_hosts": []byte(fleet.KnownHosts())} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return inventory, fleet
}

// TestSecondFactor answers the questions of two hosts, one after the other, on a board and in lines.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"board": nil, "lines": {"CI=true"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inventory, _ := guarded(t)
			s := open(t, 120, 40, env, "provision", "plan", "-i", inventory)
			seen, first := 0, ""
			for range 2 {
				s.waitAfter(seen, "| Password:")
				text := s.text()[seen:]
				host := "prefect"
				if strings.Contains(text, "worker: the host asks root") {
					host = "worker"
				}
				if host == first {
					t.Errorf("%s is asked twice", host)
				}
				first = host
				s.waitAfter(seen, host+": answer: ")
				if !strings.Contains(s.text()[seen:], `| It is \x1b[31mus`) {
					t.Errorf("what the server says is not shown as data: %q", s.text()[seen:])
				}
				seen = len(s.text())
				s.typed("open " + host + "\n")
				s.waitAfter(seen, "| Verification code:")
				s.waitAfter(seen, host+": answer: ")
				seen = len(s.text())
				s.typed("123456\n")
			}
			s.wait("Docker is not installed")
			s.exit(0)
			for _, secret := range []string{"open prefect", "open worker", "123456"} {
				if strings.Contains(s.text(), secret) {
					t.Errorf("%q is shown", secret)
				}
			}
		})
	}
}

// TestSecondFactorDeclined: Ctrl-C at the question ends at once.
func TestSecondFactorDeclined(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"plan", "status", "apply"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			inventory, _ := guarded(t)
			s := open(t, 120, 40, nil, "provision", verb, "-i", inventory)
			s.wait(": answer: ")
			s.typed("\x03")
			s.exit(130)
		})
	}
}

// TestSecondFactorWithoutTerminal: one line a host, which names the method.
func TestSecondFactorWithoutTerminal(t *testing.T) {
	t.Parallel()
	inventory, _ := guarded(t)
	for _, verb := range [][]string{{"plan"}, {"apply", "--yes"}, {"verify"}, {"status"}} {
		code, _, errs := capture(t, append(verb, "-i", inventory)...)
		if n := strings.Count(errs, "error: "); code != 12 || n != 2 || strings.Count(errs, "wants a second factor (keyboard-interactive)") != 2 {
			t.Errorf("%s: exit %d\n%s", verb[0], code, errs)
		}
	}
}
