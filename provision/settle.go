package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
)

// observePause is how long a host that contradicts itself is given at first to settle.
const observePause = 500 * time.Millisecond

// settle says what differs, and waits where that is only a matter of time. The parts of a host are
// asked one after the other, so of one where something is just starting or ending the answers can
// contradict each other: what cannot be observed is asked for again before that is taken for a fault.
// A container whose health check has not answered yet, as after a reboot, is waited for, unless there
// is something to change first, or what it needs cannot be observed: it will not be healthy before that is mended.
// The facts are those of the last look.
func (p *Pass) settle(ctx context.Context, facts plan.Facts) (*report.Plan, error) {
	begun := time.Now()
	told := map[resource.ID]bool{}
	for tries, waited := 0, false; ; {
		plan, err := p.diff(facts)
		unknown := report.ExitCode(err) == report.ExitUnknown
		if !unknown && (err != nil || !plan.Empty()) {
			return plan, err
		}
		hosts, pause := p.starting(facts, told, err), observePause<<tries
		switch {
		case len(hosts) > 0 && time.Since(begun) < resource.StartPatience:
			pause, tries, waited = 4*observePause, 0, true
		case waited: // what the other hosts said is of the time before
			hosts, pause, waited = p.System.HostNames(), 0, false
		case unknown && tries < 3:
			hosts = hostsOf(err)
			tries++
		default:
			return plan, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if failed := p.observe(ctx, hosts, facts); failed != nil {
			return nil, failed
		}
	}
}

// unanswered asks the ways to the server again that got no answer: on a busy machine one answer may be late, and nothing is wrong.
func (p *Pass) unanswered(ctx context.Context, facts plan.Facts) error {
	return p.askAgain(ctx, func() (bool, error) {
		routes := map[resource.ID]string{} // to their hosts
		for _, r := range p.System.Resources {
			if route, ok := r.(*resource.Route); ok && p.limitHas(route.Host) && !p.fleet().IsGone(route.Host) && route.Unanswered(&plan.World{Facts: facts}) {
				routes[route.ID()] = route.Host
			}
		}
		if len(routes) == 0 {
			return true, nil
		}
		now := plan.Facts{}
		if err := p.observe(ctx, slices.Sorted(maps.Values(routes)), now); err != nil {
			return false, err
		}
		for id := range routes {
			if fact, ok := now[id]; ok {
				facts[id] = fact
			}
		}
		return false, nil
	})
}

// askAgain asks up to four times until there is an answer.
func (p *Pass) askAgain(ctx context.Context, ask func() (answered bool, err error)) error {
	for tries := 0; ; tries++ {
		if answered, err := ask(); answered || err != nil || tries == 3 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(observePause << tries):
		}
	}
}

// starting are the hosts with a container that has yet to say whether it is healthy, and needs nothing that cannot
// be observed, as unknown says; each is told of once.
func (p *Pass) starting(facts plan.Facts, told map[resource.ID]bool, unknown error) []string {
	cannot := map[[2]string]bool{}
	for _, e := range report.Errors(unknown) {
		cannot[[2]string{e.Host, e.Step}] = true
	}
	var hosts []string
	w := &plan.World{Facts: facts, Options: p.Options}
	for _, r := range p.System.Resources {
		s, ok := r.(*resource.Service)
		if !ok || !p.limitHas(s.Host) || p.fleet().IsGone(s.Host) || !s.Starting(w) {
			continue
		}
		if len(cannot) > 0 && slices.ContainsFunc(p.System.Needs(s.ID()), func(id resource.ID) bool { return cannot[[2]string{id.Host, id.String()}] }) {
			continue
		}
		if !told[s.ID()] {
			told[s.ID()] = true
			p.emit(report.Event{Type: "note", Host: s.Host, Step: s.ID().String(), Text: fmt.Sprintf("waiting for %s to be healthy, at most %.0f minutes: it has just been started", s.Container, resource.StartPatience.Minutes())})
		}
		if !slices.Contains(hosts, s.Host) {
			hosts = append(hosts, s.Host)
		}
	}
	return hosts
}

// hostsOf are the hosts that an error is about.
func hostsOf(err error) []string {
	var hosts []string
	for _, e := range report.Errors(err) {
		if !slices.Contains(hosts, e.Host) {
			hosts = append(hosts, e.Host)
		}
	}
	return hosts
}
