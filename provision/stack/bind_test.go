package stack

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"provision/inventory/strict"
	"provision/provision/cloud/clouds"
	"provision/provision/resource"
)

// TestServicesNeedTheirNetworks: no container is started before the networks that its compose file puts it on.
func TestServicesNeedTheirNetworks(t *testing.T) {
	t.Parallel()
	for name, hosts := range map[string]string{
		"single": "[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"agent\"]\n",
		"split":  "[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\"]\n[hosts.worker-1]\naddress = \"10.0.0.21\"\nroles = [\"agent\"]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "onprem.toml", hosts)
			inv, s, problems := LoadBoth(filepath.Join(dir, "onprem.toml"), "")
			if problems != nil {
				t.Fatal(problems)
			}
			resources, err := Bind(t.Context(), inv, s, clouds.Of(inv))
			if err != nil {
				t.Fatal(err)
			}
			files := map[resource.ID][]byte{}
			for _, r := range resources {
				if f, ok := r.(*resource.File); ok {
					files[f.ID()] = f.Content
				}
			}
			attached := 0
			for _, r := range resources {
				service, ok := r.(*resource.Service)
				if !ok {
					continue
				}
				var project struct {
					Services map[string]struct{ Networks map[string]any }
				}
				if err := yaml.Unmarshal(files[resource.ID{Host: service.Host, Kind: "file", Name: service.Dir + "/compose.yaml"}], &project); err != nil {
					t.Fatal(err)
				}
				for network := range project.Services[service.Service].Networks {
					attached++
					if !slices.Contains(service.Needs(), resource.NetworkID(service.Host, network)) {
						t.Errorf("%s on %s does not need %s, which it is on", service.Container, service.Host, network)
					}
				}
			}
			if attached < 6 {
				t.Errorf("only %d attachments were found", attached)
			}
		})
	}
}

// TestPasswordThatCannotBeHashed is found before the first connection: bcrypt takes 72 bytes.
func TestPasswordThatCannotBeHashed(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		72: "",
		73: "stack.toml:2: ui.password: a password cannot be longer than 72 bytes",
	} {
		dir := t.TempDir()
		write(t, dir, "onprem.toml", "stack = \"stack.toml\"\n[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"agent\"]\n")
		write(t, dir, "stack.toml", "[ui]\npassword = { file = \"password\" }\n")
		write(t, dir, "password", strings.Repeat("x", n)+"\n")
		inv, s, problems := LoadBoth(filepath.Join(dir, "onprem.toml"), "")
		if problems != nil {
			t.Fatal(problems)
		}
		_, err := Bind(t.Context(), inv, s, clouds.Of(inv))
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%d bytes: %s", n, got)
		}
		var p strict.Problems
		if want != "" && !errors.As(err, &p) { // which ends with 3
			t.Errorf("%d bytes: %T", n, err)
		}
	}
}

// TestMemory: what hosts need is counted for what runs on them.
func TestMemory(t *testing.T) {
	t.Parallel()
	for scale, want := range map[string]int{"": 1350, "[scale]\nservers = 2\n": 2000, "[scale]\nservers = 3\n": 2400} {
		dir := t.TempDir()
		write(t, dir, "onprem.toml", "stack = \"stack.toml\"\n[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"agent\"]\n")
		write(t, dir, "stack.toml", "[prefect]\nversion = \"3.9.1\"\n"+scale)
		inv, s, problems := LoadBoth(filepath.Join(dir, "onprem.toml"), "")
		if problems != nil {
			t.Fatal(problems)
		}
		resources, err := Bind(t.Context(), inv, s, clouds.Of(inv))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range resources {
			if system, ok := r.(*resource.System); ok && system.MinMemory != want {
				t.Errorf("%q needs %d MiB, want %d", scale, system.MinMemory, want)
			}
		}
	}
}
