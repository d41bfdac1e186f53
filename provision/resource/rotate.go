package resource

import (
	"cmp"
	"context"
	"fmt"

	"provision/remote"
)

// RotateOption is the option that asks for a new value of a secret. It is given until the secret is seen with another value than
// the run first saw, so that the next round does not replace it again.
func RotateOption(id ID) string { return "rotate " + id.Host + " " + id.String() }

// Digested tells two values of a secret apart, within one run. It is no secret itself.
func Digested(f Fact) string { return cmp.Or(f.Fields["root"], f.Fields["sum"]) }

// nothingToRotate refuses to replace what is not there.
func nothingToRotate(id ID, why string) []Change {
	return []Change{{
		ID: id, Act: Refuse, Risk: Preflight, Why: fmt.Sprintf("there is no value to replace: %s", why),
		Hint: "provision apply makes one",
	}}
}

// Paused stops a container before a secret that it reads is replaced. If it ran on, it would work with a value that is refused,
// and its flow runs could not say how they ended. That the container starts again is the ordinary change of its [Service]: it
// reads another value, or it does not run. So a run that is killed here is healed by any other.
type Paused struct {
	Host, Container string
	// Secrets are those that it is stopped for, and Why says how it uses them.
	Secrets []ID
	Why     string
	// Before are those that stop earlier on the same host: who asks before who answers.
	Before []ID
}

var _ Resource = (*Paused)(nil)

// PausedID is the ID of the stop of a container.
func PausedID(host, container string) ID { return ID{host, "stop", container} }

func (p *Paused) ID() ID        { return PausedID(p.Host, p.Container) }
func (p *Paused) Needs() []ID   { return append([]ID{EngineID(p.Host)}, p.Before...) }
func (p *Paused) Probe(*Script) {} // the engine's record says what runs

func (p *Paused) Diff(w World) []Change {
	d, _ := docker(w, p.Host)
	if c, ok := d.Containers[p.Container]; !ok || c.State != "running" && c.State != "restarting" {
		return nil
	}
	for _, id := range p.Secrets {
		if w.Option(RotateOption(id)) {
			return []Change{{ID: p.ID(), Act: Modify, Why: p.Why}}
		}
	}
	return nil
}

// Do gives the container its own time to end, as a replacement does.
func (p *Paused) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, p.Host, remote.Set("c", p.Container)+`docker stop "$c" || ! docker inspect --type container "$c" >/dev/null 2>&1`)
	return err
}
