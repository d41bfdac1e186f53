package provision_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// guards are the rules of a host that close networks.
func guards(h *remotetest.Host) (out []string) {
	for _, r := range h.Rules() {
		if strings.Contains(r, "PROVISION-") {
			out = append(out, r)
		}
	}
	return out
}

// closed wants the networks of a host closed from outside, these and no others, and each by the name of its interface.
func closed(t *testing.T, h *remotetest.Host, subnets ...string) {
	t.Helper()
	var want []string
	if subnets != nil {
		want = []string{"mangle OUTPUT -j PROVISION-OUT", "mangle PREROUTING -j PROVISION-IN"}
	}
	for _, subnet := range subnets {
		bridge := ""
		for _, n := range h.Networks() {
			if n.IPAM.Config[0].Subnet == subnet {
				bridge = n.Options["com.docker.network.bridge.name"]
			}
		}
		if bridge == "" || len(bridge) > 15 { // which is what the kernel takes
			t.Errorf("%s: the interface of %s is called %q", h.Name(), subnet, bridge)
		}
		const begun = " -m conntrack --ctstate INVALID,NEW,UNTRACKED"
		want = append(want, "mangle PROVISION-IN -d "+subnet+" ! -i "+bridge+begun+" -j DROP", "mangle PROVISION-OUT -d "+subnet+begun+" -m owner --socket-exists ! --uid-owner 0 -j DROP")
	}
	slices.Sort(want)
	if got := guards(h); !slices.Equal(got, want) {
		t.Errorf("%s has the rules\n%s\nwant\n%s", h.Name(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const serverSubnet, databaseSubnet, agentSubnet = "10.210.0.0/24", "10.210.1.0/24", "10.210.2.0/24"

// TestNetworksAreClosed has the rules on every host with a network of the stack: at once, after a reboot, after they were
// taken away by hand, after a change of subnet, and no longer on a host that is cleaned.
func TestNetworksAreClosed(t *testing.T) {
	t.Parallel()
	const subnets = "[docker]\nsubnets = { server = \"10.210.0.0/24\", database = \"10.210.1.0/24\", agent = %q }\n"
	s := arrange(t, layout{agents: 1, stack: fmt.Sprintf(subnets, agentSubnet)})
	worker := s.hosts[1]
	s.converge()
	all := func() {
		t.Helper()
		closed(t, s.server, serverSubnet, databaseSubnet)
		closed(t, worker, agentSubnet)
	}
	all()
	for _, h := range s.hosts {
		h.Reboot()
	}
	all()
	s.converge()
	for name, what := range map[string][2]string{
		"a rule":   {"iptables -w -t mangle -D PROVISION-IN $(iptables_rule)", "the rules are not in place"},
		"the way":  {"iptables -w -t mangle -D OUTPUT -j PROVISION-OUT", "the rules are not in place"},
		"the unit": {"echo >>/etc/systemd/system/provision-networks.service", "its unit differs"},
		"the boot": {"systemctl disable provision-networks", "its systemd unit is not enabled"},
		"all":      {"rm /etc/systemd/system/provision-networks.service", "accounts of this host and its neighbours could reach containers past the published ports"},
	} {
		_, words, _ := strings.Cut(guards(worker)[2], "PROVISION-IN ")
		sh(t, s, 1, strings.Replace(what[0], "$(iptables_rule)", words, 1))
		p, err := s.attempt().plan()
		if err != nil {
			t.Fatal(explain(err))
		}
		if got := announced(p); !strings.Contains(got, "worker-1 ") || !strings.Contains(got, "networks closed from outside: "+what[1]) || len(p.Changes) != 1 {
			t.Errorf("%s is gone, and the plan is\n%s", name, got)
		}
		s.converge()
		all()
	}
	s.stack(fmt.Sprintf(subnets, "10.222.2.0/24"))
	s.converge()
	closed(t, worker, "10.222.2.0/24")
}

// TestNetworksOfBefore: an installation of a version without the rules gets other networks, once, and keeps its data.
func TestNetworksOfBefore(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	const older = `systemctl disable provision-networks; rm /etc/systemd/system/provision-networks.service
for c in PREROUTING:PROVISION-IN OUTPUT:PROVISION-OUT; do iptables -t mangle -D "${c%%:*}" -j "${c#*:}"; iptables -t mangle -F "${c#*:}"; done
for n in $(docker network ls --filter label=provision.stack=prefect --format '{{.Name}}'); do
	on=$(docker ps -a --filter network="$n" --format '{{.Names}}'); subnet=$(docker network inspect --format '{{range .IPAM.Config}}{{.Subnet}}{{end}}' "$n")
	i=; [ "$(docker network inspect --format '{{.Internal}}' "$n")" = false ] || i=--internal
	for c in $on; do docker network disconnect "$n" "$c"; done
	docker network rm "$n"; docker network create $i --subnet "$subnet" --label provision.stack=prefect "$n"
	for c in $on; do docker network connect --alias "${c#prefect-}" "$n" "$c"; done
done`
	volumes := fmt.Sprint(s.server.Volumes())
	for n := range s.hosts {
		sh(t, s, n, strings.ReplaceAll(older, "%%", "%"))
		closed(t, s.hosts[n])
	}
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	got := announced(p)
	for _, want := range []string{
		"prefect replace network prefect-server-network: its interface on the host is not called br-", "prefect replace network prefect-database-network: ", "worker-1 replace network prefect-agent-network: ",
		"prefect replace container prefect-postgres: network prefect-database-network, which it is on, changes", "prefect replace container prefect-server: ", "prefect replace container prefect-caddy: ",
		"worker-1 replace container prefect-agent: ", "worker-1 replace container prefect-business-logic: ", "prefect add networks closed from outside: ", "worker-1 add networks closed from outside: ",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not in the plan once:\n%s", want, got)
		}
	}
	result, err := s.attempt().apply()
	if err != nil {
		t.Fatal(explain(err))
	}
	if len(result.Outcomes) != len(p.Changes) {
		t.Errorf("%d changes were made, want the %d of the plan", len(result.Outcomes), len(p.Changes))
	}
	closed(t, s.server, serverSubnet, databaseSubnet)
	closed(t, s.hosts[1], agentSubnet)
	if now := fmt.Sprint(s.server.Volumes()); now != volumes {
		t.Errorf("volumes before and after:\n%s\n%s", volumes, now)
	}
	s.converge()
}

// TestNoIptables: a foreign engine without iptables is named before anything is changed.
func TestNoIptables(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.Docker = "running" }})
	s.server.Remove("/usr/bin/iptables")
	result, err := s.attempt().apply()
	if !isCode(err, report.ExitPreflight) || len(result.Outcomes) != 0 || !strings.Contains(explain(err), "there is no iptables") {
		t.Errorf("%d changes: %s", len(result.Outcomes), explain(err))
	}
}
