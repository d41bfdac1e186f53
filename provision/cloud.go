package provision

import (
	"context"

	"provision/provision/plan"
	"provision/provision/resource"
)

// survey is one reading of the account while the hosts are read beside it.
type survey struct {
	done  chan struct{}
	facts plan.Facts
	err   error
}

// survey begins to read the account; nil where there is none.
func (p *Pass) survey(ctx context.Context) *survey {
	if !p.System.hasCloud() {
		return nil
	}
	s := &survey{done: make(chan struct{}), facts: plan.Facts{}}
	go func() {
		defer close(s.done)
		l, err := p.fleet().Look(ctx)
		if s.err = err; err != nil {
			return
		}
		for _, r := range p.System.Resources {
			if fact, ok := l.Fact(r); ok {
				s.facts[r.ID()] = fact
			}
		}
	}()
	return s
}

// wait says whether the account was read.
func (s *survey) wait() bool {
	if s == nil {
		return true
	}
	<-s.done
	return s.err == nil
}

// blank are the facts of a host that is absent.
func (p *Pass) blank(resources []resource.Resource) plan.Facts {
	script := resource.NewScript(p.nonce)
	for _, r := range resources {
		r.Probe(script)
	}
	return script.Absent()
}
