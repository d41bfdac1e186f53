package provision

import (
	"context"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/provision/stack"
)

// Destroying is the system in which no host has anything of the stack; volumes says that its volumes go, too.
func (s *System) Destroying(volumes bool) (*System, error) {
	out := *s
	var err error
	out.Graph, err = plan.NewGraph(stack.Destroy(s.Inventory, s.Stack, s.cloud, volumes))
	return &out, err
}

// DoomedVolumes are the volumes that a plan removes, each once.
func DoomedVolumes(p *report.Plan) (names []string) {
	for _, c := range p.Changes {
		if c.Planned.ID.Kind == "volume" && c.Planned.Act == resource.Remove {
			names = append(names, c.Planned.ID.Name)
		}
	}
	return names
}

// Remains says what destroying the stack leaves, in words.
type Remains struct {
	Left []string
	// Removed says that there was something.
	Removed bool
}

// DestroyStack removes the stack from all hosts, as a plan like any other.
func (p *Pass) DestroyStack(ctx, stop context.Context) (*Remains, error) {
	out := &Remains{Left: []string{}}
	result, err := p.carryOut(ctx, stop, func(_ context.Context, facts plan.Facts) error {
		w := &plan.World{Facts: facts, Options: p.Options}
		for _, r := range p.System.Resources {
			if l, ok := r.(*resource.Leftovers); ok {
				out.Left = append(out.Left, l.Stays(w)...)
			}
		}
		return nil
	})
	out.Removed = result != nil && len(result.Outcomes) > 0
	out.Left = append(out.Left, p.machinesLeft()...)
	return out, err
}
