package provision

import (
	"context"
	"errors"

	"provision/provision/cloud"
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
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	doomed, err := p.account.Doom(l, name)
	if err != nil {
		return nil, usageOf(err)
	}
	return doomed, nil
}

// Destroy removes one machine, and its volume if that is asked for.
func (p *Pass) Destroy(ctx context.Context, doomed *Doomed, withVolume bool) error {
	return p.account.Destroy(ctx, p.work(), doomed, withVolume)
}

// Estate looks up what there is of the inventory's in the account; nothing is done.
func (p *Pass) Estate(ctx context.Context) (*Estate, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	estate, err := p.account.Estate(l)
	if err != nil {
		return nil, usageOf(err)
	}
	return estate, nil
}

// DestroyAll destroys it in order, and with it the volumes if that is asked for. Killed in between, the next one continues. It says
// what could not be had.
func (p *Pass) DestroyAll(ctx context.Context, e *Estate, withVolumes bool) (stays []string, err error) {
	return p.account.DestroyAll(ctx, p.work(), e, withVolumes)
}

// work is what the pass lends to the account.
func (p *Pass) work() cloud.Work {
	r := p.runner(1)
	return cloud.Work{
		Run: r,
		Progress: func(host, step, text string) {
			p.emit(Event{Type: "progress", Host: host, Step: step, Text: text})
		},
		Stop:   func(ctx context.Context, host string) error { return p.drained(ctx, r, host) },
		Failed: p.cloudError,
	}
}

// drained stops what works on a droplet. One that cannot be logged in to is past that; where somebody
// else works, or something runs that does not stop, nothing is deleted.
func (p *Pass) drained(ctx context.Context, r *resource.Run, name string) error {
	step := "destroy " + p.System.cloud.Noun() + " " + name
	err := resource.Drain(ctx, r, name, p.System.Stack.Name)
	if ctx.Err() != nil {
		return p.cloudError(step, context.Cause(ctx))
	}
	var own *Error
	if !errors.As(err, &own) {
		err = hostError(name, step, ExitStep, err)
	}
	switch ExitCode(err) {
	case ExitUnreachable, ExitAuth, ExitHostKey:
		p.emit(Event{Type: "note", Host: name, Text: "what works on it could not be stopped first: " + remote.Sanitize(err.Error())})
		return nil
	case ExitLocked:
		return &Error{Code: ExitLocked, Host: name, Step: step, Cause: own.Cause, Hint: "wait for it, then run the same command again; nothing of it was deleted"}
	case ExitStep:
		errors.As(err, &own)
		own.Hint = "fix it and run the same command again; a " + p.System.cloud.Noun() + " that is switched off on the account's page is deleted as it is"
	}
	return err
}
