package resource

import (
	"context"
	"fmt"
	"strings"

	"provision/provision/platform"
	"provision/remote"
)

// NetworkGuard keeps everybody but the containers on a network from starting a connection to one of
// them: the host's own accounts, root aside, and the machines around it. Published ports are reached
// under the host's address, so they work as before. Prefect's API is on such a network without a
// login of its own.
//
// The rules stand before the engine translates addresses. They are in the mangle table and not in raw,
// because there an answer to a container can be told from a new connection: one to a service of the
// host that runs under an account of its own has to work. The engine, its proxy among it, is root.
// A unit puts the rules back at boot and whenever the engine starts.
type NetworkGuard struct {
	Host     string
	Networks []*BridgeNetwork
}

var _ Resource = (*NetworkGuard)(nil)

// NetworkGuardID is the ID of the rules that close a host's networks.
func NetworkGuardID(host string) ID { return ID{host, "networks", "closed from outside"} }

func (g *NetworkGuard) ID() ID { return NetworkGuardID(g.Host) }

// Needs are the networks: rules for a bridge that is not there yet would close the one before it.
func (g *NetworkGuard) Needs() []ID {
	needs := []ID{EngineID(g.Host)}
	for _, n := range g.Networks {
		needs = append(needs, n.ID())
	}
	return needs
}

const (
	guardName = "provision-networks"
	guardUnit = "/etc/systemd/system/" + guardName + ".service"
	guardIn   = "PROVISION-IN"
	guardOut  = "PROVISION-OUT"
)

// guardChains are the chains of the rules, each with the chain that leads to it.
var guardChains = [2][2]string{{"PREROUTING", guardIn}, {"OUTPUT", guardOut}}

// rules are what the two chains hold.
func (g *NetworkGuard) rules() (rules []string) {
	const begun = " -m conntrack --ctstate INVALID,NEW,UNTRACKED"
	for _, n := range g.Networks {
		// A packet that belongs to no socket any more is the kernel's, at the end of a connection.
		rules = append(rules,
			guardIn+" -d "+n.Subnet+" ! -i "+n.Bridge()+begun+" -j DROP",
			guardOut+" -d "+n.Subnet+begun+" -m owner --socket-exists ! --uid-owner 0 -j DROP")
	}
	return rules
}

// unit is the text of the unit. The chains are filled in one step, so they are never seen empty.
func (g *NetworkGuard) unit() string {
	var b strings.Builder
	for _, line := range []string{"*mangle", ":" + guardIn + " - [0:0]", ":" + guardOut + " - [0:0]"} {
		fmt.Fprintf(&b, `echo "%s"; `, line)
	}
	for _, r := range g.rules() {
		fmt.Fprintf(&b, `echo "-A %s"; `, r)
	}
	run := "{ " + b.String() + `echo COMMIT; } | iptables-restore -w -n`
	for _, c := range guardChains {
		run += fmt.Sprintf(" && { iptables -w -t mangle -C %s -j %s 2>/dev/null || iptables -w -t mangle -I %[1]s -j %s; }", c[0], c[1])
	}
	return `[Unit]
Description=The networks of the stack are closed from outside (provision)
` + afterFirewalls + `Before=docker.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c '` + run + `'

[Install]
WantedBy=multi-user.target docker.service
`
}

// afterFirewalls has a unit wait for what may empty all tables of the kernel's firewall when it starts.
const afterFirewalls = "After=nftables.service netfilter-persistent.service ufw.service firewalld.service\n"

func (g *NetworkGuard) Probe(s *Script) {
	var rules []string
	for _, c := range guardChains {
		rules = append(rules, c[0]+" -j "+c[1])
	}
	s.Once("guardenabled", remote.Function("guardenabled", platform.Systemd.Enabled(guardName)))
	s.Record(g.ID(), remote.Args(append(rules, g.rules()...)...)+scripts.With("guard_probe", "unit", guardUnit))
}

func (g *NetworkGuard) Diff(w World) []Change {
	rec, know := w.Fact(g.ID())
	_, engine := w.Fact(EngineID(g.Host))
	c := Change{ID: g.ID(), Act: Modify}
	switch {
	case know == Unknown:
		return nil
	case engine == Yes && rec.Fields["iptables"] == "":
		return []Change{{
			ID: g.ID(), Act: Refuse, Risk: Preflight, Why: "there is no iptables, so the stack's networks cannot be closed: accounts of this host and its neighbours would reach Prefect without a login",
			Hint: hostFamily(w, g.Host).Packages.Words().Install + " iptables (nft alone is not enough: the engine itself works with iptables)",
		}}
	case know == No:
		c.Act, c.Why = Add, "accounts of this host and its neighbours could reach containers past the published ports"
	case rec.Fields["sum"] != digest([]byte(g.unit())):
		c.Why = "its unit differs"
	case rec.Fields["enabled"] != "enabled":
		c.Why = "its systemd unit is not enabled"
	case rec.Fields["rules"] != "yes":
		c.Why = "the rules are not in place"
	default:
		return nil
	}
	return []Change{c}
}

func (g *NetworkGuard) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, g.Host, remote.Args(g.rules()...)+startAtBoot(guardName)+scripts.With("guard_change", "unit", guardUnit, "text", g.unit()))
	return err
}

// removeGuard takes the unit away, with its rules.
func removeGuard() string {
	var chains []string
	for _, c := range guardChains {
		chains = append(chains, c[0]+":"+c[1])
	}
	init := platform.Systemd
	return remote.Args(chains...) + remote.Function("disable", init.Disable(guardName)) + remote.Function("reread", init.Reread()) + scripts.With("guard_remove", "unit", guardUnit)
}

// startAtBoot defines start, which starts a unit whose file is new, now and at each boot.
func startAtBoot(unit string) string {
	init := platform.Systemd
	return remote.Function("start", init.Reread()+"\n"+init.Enable(unit)+"\n"+init.Restart(unit))
}
