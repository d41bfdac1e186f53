package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"provision/remote"
)

// BridgeNetwork is a network with a fixed subnet, made here and external to the compose projects,
// so that two projects share it and neither removes it.
type BridgeNetwork struct {
	Host, Stack, Name string
	Subnet            string
	Internal          bool // no way out
	// Order is that in which containers end.
	Order []Stopped
}

var (
	_ Resource  = (*BridgeNetwork)(nil)
	_ Uncertain = (*BridgeNetwork)(nil)
)

// NetworkID is the ID of a network.
func NetworkID(host, name string) ID { return ID{host, "network", name} }

// BridgeName is the name of a network's interface on the host. It is ours and not the engine's, which names it after the
// network's id, because rules that are there before the engine need to know it. It has the form of the engine's own,
// because firewalls know these (br-*), and no room for the name of the network.
func BridgeName(network string) string {
	sum := sha256.Sum256([]byte(network))
	return "br-" + hex.EncodeToString(sum[:6])
}

// Bridge is the network's interface on the host.
func (n *BridgeNetwork) Bridge() string { return BridgeName(n.Name) }

func (n *BridgeNetwork) ID() ID        { return NetworkID(n.Host, n.Name) }
func (n *BridgeNetwork) Needs() []ID   { return []ID{EngineID(n.Host)} }
func (n *BridgeNetwork) Probe(*Script) {} // the engine's record lists it

func (n *BridgeNetwork) Diff(w World) []Change {
	d, know := docker(w, n.Host)
	if know == Unknown {
		return nil
	}
	have, ok := d.Networks[n.Name]
	switch {
	case !ok:
		return []Change{{ID: n.ID(), Act: Add, Why: "the network does not exist"}}
	case have.Stack != n.Stack:
		return []Change{{
			ID: n.ID(), Act: Refuse, Risk: Preflight, Why: "a network of this name exists and is not ours",
			Hint: "give the stack another name: " + otherName(n.Stack) + "; or remove the network, if nobody needs it: docker network rm " + n.Name,
		}}
	case n.differs(have) != "":
		why, hint := n.differs(have), "take each off it (docker network disconnect "+n.Name+" CONTAINER); once the network is another one, it can be put back"
		if have.Subnet != n.Subnet {
			hint += "; or leave docker.subnets in stack.toml as they were"
		}
		if foreign := d.Foreign[n.Name]; len(foreign) > 0 {
			return []Change{{
				ID: n.ID(), Act: Refuse, Risk: Preflight, Why: why + ", but containers that do not belong to the stack are on it: " + strings.Join(slices.Sorted(slices.Values(foreign)), ", "), Hint: hint,
			}}
		}
		return []Change{{ID: n.ID(), Act: Replace, Risk: Interrupts, Why: why, Note: "its containers are stopped and made again"}}
	}
	return nil
}

// differs says in what a network is not as it should be; "" if it is.
func (n *BridgeNetwork) differs(have Network) string {
	switch {
	case have.Subnet != n.Subnet || have.Internal != fmt.Sprint(n.Internal):
		return fmt.Sprintf("it is %s (internal: %s), should be %s (internal: %t)", remote.Sanitize(have.Subnet), remote.Sanitize(have.Internal), n.Subnet, n.Internal)
	case have.IPv6 == "true":
		return "it has IPv6, which the stack does not use and no rule guards"
	case have.Bridge != n.Bridge():
		return fmt.Sprintf("its interface on the host is not called %s, by which the rules know it that close the network from outside", n.Bridge())
	}
	return ""
}

// WhyUnknown says that a network cannot be seen without its engine.
func (n *BridgeNetwork) WhyUnknown(w World) string { return engineUnknown(w, n.Host) }

func (n *BridgeNetwork) Do(ctx context.Context, r *Run, c Change) error {
	script := remote.Set("n", n.Name, "stack", n.Stack, "label", LabelStack)
	if c.Act == Replace {
		var names []string
		for _, s := range n.Order {
			names = append(names, s.Container)
		}
		script += remote.Args(names...) + scripts.With("network_end")
	}
	var options []string
	if n.Internal {
		options = append(options, "--internal")
	}
	_, err := r.Sh(ctx, n.Host, script+remote.Args(options...)+scripts.With("network_make", "bridge", bridgeOption+"="+n.Bridge(), "subnet", n.Subnet))
	return err
}
