package provision

import (
	"context"
	"errors"

	"provision/provision/cloud"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/remote"
)

// What destroying takes, as the cloud's package shows it.
type (
	Doomed = cloud.Doomed
	Estate = cloud.Estate
)

// Doom looks up what destroying one machine would take; nothing is done.
func (p *Pass) Doom(ctx context.Context, name string) (*Doomed, error) {
	a, l, err := p.fleet().Listing(ctx)
	if err != nil {
		return nil, err
	}
	doomed, err := a.Doom(l, name)
	if err != nil {
		return nil, report.UsageOf(err)
	}
	return doomed, nil
}

// Destroy removes one machine, and its volume if that is asked for.
func (p *Pass) Destroy(ctx context.Context, doomed *Doomed, withVolume bool) error {
	return p.fleet().Asked().Destroy(ctx, p.work(), doomed, withVolume)
}

// Estate looks up what there is of the inventory's in the account; nothing is done.
func (p *Pass) Estate(ctx context.Context) (*Estate, error) {
	a, l, err := p.fleet().Listing(ctx)
	if err != nil {
		return nil, err
	}
	estate, err := a.Estate(l)
	if err != nil {
		return nil, report.UsageOf(err)
	}
	return estate, nil
}

// DestroyAll destroys it in order, and with it the volumes if that is asked for. Killed in between, the next one continues. It says
// what could not be had.
func (p *Pass) DestroyAll(ctx context.Context, e *Estate, withVolumes bool) (stays []string, err error) {
	return p.fleet().Asked().DestroyAll(ctx, p.work(), e, withVolumes)
}

// work is what the pass lends to the account.
func (p *Pass) work() cloud.Work {
	r := p.runner(1)
	return cloud.Work{
		Run: r,
		Progress: func(host, step, text string) {
			p.emit(report.Event{Type: "progress", Host: host, Step: step, Text: text})
		},
		Stop:   func(ctx context.Context, host string) error { return p.drained(ctx, r, host) },
		Failed: p.fleet().CloudError,
	}
}

// drained stops what works on a droplet. One that cannot be logged in to is past that; where somebody
// else works, or something runs that does not stop, nothing is deleted.
func (p *Pass) drained(ctx context.Context, r *resource.Run, name string) error {
	step := "destroy " + p.System.cloud.Noun() + " " + name
	err := resource.Drain(ctx, r, name, p.System.Stack.Name)
	if ctx.Err() != nil {
		return p.fleet().CloudError(step, context.Cause(ctx))
	}
	var own *report.Error
	if !errors.As(err, &own) {
		err = report.HostError(name, step, report.ExitStep, err)
	}
	switch report.ExitCode(err) {
	case report.ExitUnreachable, report.ExitAuth, report.ExitHostKey:
		p.emit(report.Event{Type: "note", Host: name, Text: "what works on it could not be stopped first: " + remote.Sanitize(err.Error())})
		return nil
	case report.ExitLocked:
		return &report.Error{Code: report.ExitLocked, Host: name, Step: step, Cause: own.Cause, Hint: "wait for it, then run the same command again; nothing of it was deleted"}
	case report.ExitStep:
		errors.As(err, &own)
		own.Hint = "fix it and run the same command again; a " + p.System.cloud.Noun() + " that is switched off on the account's page is deleted as it is"
	}
	return err
}
