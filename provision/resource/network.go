package resource

import (
	"context"
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
}

var (
	_ Resource = (*BridgeNetwork)(nil)
	_ Doubter  = (*BridgeNetwork)(nil)
)

// NetworkID is the ID of a network.
func NetworkID(host, name string) ID { return ID{host, "network", name} }

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
			Hint: "remove it (docker network rm " + n.Name + ") or choose another stack name",
		}}
	case have.Subnet != n.Subnet || have.Internal != fmt.Sprint(n.Internal):
		why := fmt.Sprintf("it is %s (internal: %s), should be %s (internal: %t)", remote.Sanitize(have.Subnet), remote.Sanitize(have.Internal), n.Subnet, n.Internal)
		if foreign := d.Foreign[n.Name]; len(foreign) > 0 {
			return []Change{{
				ID: n.ID(), Act: Refuse, Risk: Preflight, Why: why + ", but containers of others are on it: " + strings.Join(slices.Sorted(slices.Values(foreign)), ", "),
				Hint: "take each off it (docker network disconnect " + n.Name + " CONTAINER), or leave docker.subnets in stack.toml as they were",
			}}
		}
		return []Change{{ID: n.ID(), Act: Replace, Risk: Interrupts, Why: why, Note: "its containers are stopped and made again"}}
	}
	return nil
}

// Doubt says that a network cannot be seen without its engine.
func (n *BridgeNetwork) Doubt(w World) string { return engineDoubt(w, n.Host) }

func (n *BridgeNetwork) Do(ctx context.Context, r *Run, c Change) error {
	replace := ""
	if c.Act == Replace {
		var names string
		for _, service := range order {
			names += " " + remote.Quote(n.Stack+"-"+service)
		}
		replace = fmt.Sprintf(endContainers, remote.Quote(n.Stack), names)
	}
	internal := ""
	if n.Internal {
		internal = "--internal "
	}
	_, err := r.Sh(ctx, n.Host, fmt.Sprintf("n=%s\n%sdocker network inspect \"$n\" >/dev/null 2>&1 || docker network create --driver bridge %s--subnet %s --label %s \"$n\"\n",
		remote.Quote(n.Name), replace, internal, remote.Quote(n.Subnet), remote.Quote(LabelStack+"="+n.Stack)))
	return err
}

// endContainers ends the stack's containers on a network, in their order and each with its own time to do
// so, and then the network. What is of others stays, and so does all else.
const endContainers = `stack=%s
on=$(docker ps -a --filter network="$n" --format '{{.Label "provision.stack"}}|{{.Names}}')
foreign=$(printf '%%s\n' "$on" | grep -v "^$stack|" | sed 's/.*|//')
[ -z "$foreign" ] || die "containers of others are on it:" $foreign
for c in%s $(printf '%%s\n' "$on" | sed 's/.*|//'); do
	printf '%%s\n' "$on" | grep -qxF "$stack|$c" && docker inspect --type container "$c" >/dev/null 2>&1 || continue
	{ docker stop "$c" && docker rm "$c"; } || ! docker inspect --type container "$c" >/dev/null 2>&1 || die "$c cannot be removed"
done
! docker network inspect "$n" >/dev/null 2>&1 || docker network rm "$n"
`
