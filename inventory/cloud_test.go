package inventory

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/inventory/strict"
)

// moons is a cloud: it makes a pair of machines of each table.
type moons struct {
	Planet *planet `toml:"planet"`
	All    []moon  `toml:"moons,named"`
}

type planet struct {
	Zone string `toml:"zone"`
}

type moon struct {
	Name   string `toml:"-"`
	Roles  []Role `toml:"roles"`
	Colour string `toml:"colour"`
}

func newMoons() Tables { return &moons{} }

func (m *moons) Check(c Checker) {
	for n := range m.All {
		key := strict.Key("moons", m.All[n].Name)
		c.HostName(key, m.All[n].Name)
		c.HostRoles(key, &m.All[n].Roles)
		c.OneOf(strict.Key(key, "colour"), m.All[n].Colour, "grey", "red")
	}
}

func (m *moons) Members() (all []Member) {
	for n := range m.All {
		one := &m.All[n]
		for _, end := range []string{"-1", "-2"} {
			all = append(all, Member{Key: strict.Key("moons", one.Name), Name: one.Name + end, Roles: one.Roles, User: "armstrong", Kind: "moon", Machine: one})
		}
	}
	return all
}

func (m *moons) Machines() string { return "moons" }

func (m *moons) DestroyAll() string {
	if m.Planet == nil {
		return ""
	}
	return "dig"
}

func (m *moons) Domain() string {
	if m.Planet == nil {
		return ""
	}
	return m.Planet.Zone
}

// TestCloud: what a cloud declares becomes hosts, with the defaults of all hosts.
func TestCloud(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inv, problems := parseAndLoad(filepath.Join(dir, "onprem.toml"), "[ssh]\nuser = \"ops\"\njump = \"bastion\"\n[hosts.prefect]\naddress = \"10.0.0.1\"\nroles = [\"server\"]\n"+
		"[planet]\n[moons.io]\nroles = [\"agent\"]\ncolour = \"red\"\n", newMoons)
	if problems != nil {
		t.Fatal(problems)
	}
	io := &inv.Clouds[0].(*moons).All[0]
	for n, machine := range []any{io, io, nil} {
		if inv.Hosts[n].Machine != machine {
			t.Errorf("%s is made from %v", inv.Hosts[n].Name, inv.Hosts[n].Machine)
		}
	}
	one := Host{Name: "io-1", User: "armstrong", Jump: "bastion", HostKeyChecking: "strict", Roles: []Role{RoleAgent}, Machine: io}
	two := one
	two.Name = "io-2"
	want := []Host{one, two, {Name: "prefect", Address: "10.0.0.1", User: "ops", Jump: "bastion", HostKeyChecking: "strict", Roles: []Role{RoleServer}}}
	if diff := cmp.Diff(want, inv.Hosts); diff != "" {
		t.Error(diff)
	}
}

// TestMistakesWithACloud: its tables are read as strictly as the others, and its members keep the rules for all hosts.
func TestMistakesWithACloud(t *testing.T) {
	t.Parallel()
	const url = "url = \"https://prefect.example.org\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", `onprem.toml:1: hosts: there is no host; add [hosts.NAME] with address and roles, or [moons.NAME]`},
		{"no member", "[planet]", `onprem.toml:1: hosts: there is no host; add [moons.NAME]; to have nothing at all, put back what there was, then: dig`},
		{"unknown keys", host + "[mons.a]\n[planet]\nzoe = 1\n[other]", `
onprem.toml:4: mons: unknown key; did you mean moons?
onprem.toml:6: planet.zoe: unknown key; did you mean zone?
onprem.toml:7: other: unknown key; known here: hosts, moons, planet, site, ssh, stack, sudo, tls, url`},
		{"its own check", url + "[moons.a]\nroles = [\"server\"]\ncolour = \"blue\"", `
onprem.toml:3: moons.a.roles: there are two servers: a-1 and a-2; one host has the server role
onprem.toml:4: moons.a.colour: "blue" is unknown here; known: grey, red`},
		{"not tables", "moons = 1\n[hosts.a]\naddress = \"10.0.0.1\"\nroles = [\"agent\"]", `onprem.toml:1: moons: must be tables, not a whole number; write [moons.NAME]`},
		{"names", host + "[hosts.A-2]\naddress = \"10.0.0.2\"\nroles = []\n[moons.a]\nroles = [\"agent\"]\ncolour = \"red\"", `onprem.toml:7: moons.a: there is a host named "A-2" already, in line 4`},
		{"no url", "[moons.a]\nroles = [\"server\"]\ncolour = \"red\"", `
onprem.toml:1: url: missing: the server is a moon, whose address is not known beforehand; url = "https://prefect.example.org"
onprem.toml:2: moons.a.roles: there are two servers: a-1 and a-2; one host has the server role`},
		{"url outside of its domain", url + host + "[planet]\nzone = \"example.net\"", `onprem.toml:1: url: prefect.example.org is not in the domain example.net, which gets its record`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, problems := parseAndLoad(filepath.Join(dir, "onprem.toml"), c.text, newMoons)
			got := strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), "")
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
