package resource

import (
	"context"
	"fmt"

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
		return []Change{{
			ID: n.ID(), Act: Replace, Risk: Interrupts, Note: "its containers are stopped and made again",
			Why: fmt.Sprintf("it is %s (internal: %s), should be %s (internal: %t)", remote.Sanitize(have.Subnet), remote.Sanitize(have.Internal), n.Subnet, n.Internal),
		}}
	}
	return nil
}

// Doubt says that a network cannot be seen without its engine.
func (n *BridgeNetwork) Doubt(w World) string { return engineDoubt(w, n.Host) }

func (n *BridgeNetwork) Do(ctx context.Context, r *Run, c Change) error {
	replace := ""
	if c.Act == Replace {
		replace = fmt.Sprintf(`for c in $(docker network inspect --format '{{range $id, $_ := .Containers}}{{$id}} {{end}}' "$n"); do docker rm -f "$c"; done
for c in $(docker ps -aq --filter network="$n" --filter %s); do docker rm -f "$c"; done
docker network rm "$n"
`, remote.Quote("label="+LabelStack+"="+n.Stack))
	}
	internal := ""
	if n.Internal {
		internal = "--internal "
	}
	_, err := r.Sh(ctx, n.Host, fmt.Sprintf("n=%s\n%sdocker network inspect \"$n\" >/dev/null 2>&1 || docker network create --driver bridge %s--subnet %s --label %s \"$n\"\n",
		remote.Quote(n.Name), replace, internal, remote.Quote(n.Subnet), remote.Quote(LabelStack+"="+n.Stack)))
	return err
}
