package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/resource"
	"provision/remote"
)

// Doomed is what destroying one droplet would take, and what it would leave.
type Doomed struct {
	Name    string
	Droplet godo.Droplet
	Volume  string // its name; empty if it has none of ours
	volume  string
	Left    []string // what stays, in words
}

// Doom looks up what would be destroyed; nothing is done.
func (p *Pass) Doom(ctx context.Context, name string) (*Doomed, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	d := p.System.Inventory.DigitalOcean
	doomed := &Doomed{Name: name}
	for _, v := range l.Volumes {
		if v.Name == d.VolumeName(name) {
			doomed.Volume, doomed.volume = v.Name, v.ID
		}
	}
	for _, ip := range d.Addresses(l.Tags, name) {
		doomed.Left = append(doomed.Left, "the reserved IP "+ip+", which costs something as long as no droplet has it")
	}
	for _, one := range l.Droplets {
		if d.HostOf(one.Tags) == name {
			doomed.Droplet = one
			return doomed, nil
		}
	}
	if doomed.Volume != "" {
		return doomed, nil
	}
	return nil, Usage("provision droplet list", "there is no droplet %s with the tag %s", name, d.Tag())
}

// Destroy removes one droplet, and its volume if that is asked for.
func (p *Pass) Destroy(ctx context.Context, doomed *Doomed, withVolume bool) error {
	r := p.runner(1)
	step := "destroy droplet " + doomed.Name
	if err := p.end(ctx, r, doomed.Name, doomed.Droplet); err != nil {
		return err
	}
	if doomed.volume == "" || !withVolume {
		return nil
	}
	p.emit(Event{Type: "progress", Host: doomed.Name, Step: step, Text: "deleting the volume " + doomed.Volume})
	return hostError("", step, ExitCloud, resource.DestroyVolume(ctx, r, doomed.volume))
}

// end removes one droplet and the tag of its name. What works on it ends as at a replacement, as far
// as it can be reached.
func (p *Pass) end(ctx context.Context, r *resource.Run, name string, one godo.Droplet) error {
	step := "destroy droplet " + name
	if one.ID != 0 {
		if inventory.BirthKey(one.Tags) == "" && one.Status == "active" {
			p.emit(Event{Type: "progress", Host: name, Step: step, Text: "stopping what works on it"})
			if err := p.drained(ctx, r, name); err != nil {
				return err
			}
		}
		p.emit(Event{Type: "progress", Host: name, Step: step, Text: fmt.Sprintf("deleting droplet %d", one.ID)})
		if err := resource.Destroy(ctx, r, one); err != nil {
			return hostError("", step, ExitCloud, err)
		}
	}
	return hostError("", step, ExitCloud, r.Account.DeleteTag(ctx, p.System.Inventory.DigitalOcean.NameTag(name)))
}

// drained stops what works on a droplet. One that cannot be logged in to is past that; where somebody
// else works, or something runs that does not stop, nothing is deleted.
func (p *Pass) drained(ctx context.Context, r *resource.Run, name string) error {
	step := "destroy droplet " + name
	err := resource.Drain(ctx, r, name, p.System.Stack.Name)
	if ctx.Err() != nil {
		return hostError("", step, ExitCloud, context.Cause(ctx))
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
		own.Hint = "mend it, then run the same command again; a droplet that is switched off on the account's page is deleted as it is"
	}
	return err
}
