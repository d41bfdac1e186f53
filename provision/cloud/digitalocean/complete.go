package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/digitalocean/godo"

	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// active waits until the droplet is there and has an address, and switches it on if it is off. The
// error is errUnborn where its creation has failed. action is that of its creation, 0 where that is not known.
func (d *Droplet) active(ctx context.Context, r *resource.Run, id, action int) (one *godo.Droplet, err error) {
	said := ""
	var missing time.Time
	err = account(r).Until(ctx, fmt.Sprintf("droplet %s (id %d) becomes active", d.Host.Name, id), func(ctx context.Context) (bool, error) {
		one, _, err = account(r).Droplets.Get(ctx, id)
		switch {
		case Missing(err): // it takes a moment until a new one is found
			if missing.IsZero() {
				missing = time.Now()
			}
			if action == 0 && time.Since(missing) > account(r).Moment() {
				return false, fmt.Errorf("droplet %d is not there any more: %w", id, errUnborn)
			}
			return false, d.comes(ctx, r, id, action)
		case err != nil:
			return false, err
		case one.Status == "new":
			if err := d.comes(ctx, r, id, action); err != nil {
				return false, err
			}
		case one.Status == "off" && !one.Locked:
			r.Progress(d.ID(), "it is off; switching it on")
			_, _, err := account(r).DropletActions.PowerOn(ctx, id)
			if status := Status(err); status == 0 || status >= 500 {
				return false, nil // what became of it the next look says
			}
			return false, ignoreStatus(err, 422)
		}
		if one.Status != said {
			said = one.Status
			r.Progress(d.ID(), "droplet %d is %s", id, clean(said))
		}
		public, err := one.PublicIPv4()
		return one.Status == "active" && err == nil && public != "", nil
	})
	return one, err
}

// complete gives an active droplet what it lacks.
func (d *Droplet) complete(ctx context.Context, r *resource.Run, one *godo.Droplet) error {
	for _, t := range d.tags() {
		if !declared.HasTag(one.Tags, t) {
			if err := tag(ctx, r, t, one.ID); err != nil {
				return err
			}
		}
	}
	for _, t := range d.surplus(one.Tags) {
		_, err := account(r).Tags.UntagResources(ctx, t, &godo.UntagResourcesRequest{Resources: tagged(one.ID)})
		if ignoreStatus(err, 404) != nil {
			return err
		}
	}
	if d.Volume != nil {
		if err := d.attach(ctx, r, one); err != nil {
			return err
		}
	}
	if d.D.Backups && !slices.Contains(one.Features, "backups") {
		return act(ctx, r, "backups are switched on", func(ctx context.Context) (*godo.Action, error) {
			action, _, err := account(r).DropletActions.EnableBackupsWithPolicy(ctx, one.ID, BackupPolicy())
			return action, err
		})
	}
	return nil
}

func (d *Droplet) attach(ctx context.Context, r *resource.Run, one *godo.Droplet) error {
	volume, err := d.Volume.find(ctx, account(r))
	switch {
	case err != nil:
		return err
	case volume == nil:
		return errors.New("its volume is gone")
	case slices.Contains(volume.DropletIDs, one.ID):
		return nil
	case len(volume.DropletIDs) > 0:
		return fmt.Errorf("its volume %s is attached to droplet %d; detach it there first, when nothing uses it any more", volume.Name, volume.DropletIDs[0])
	}
	r.Progress(d.ID(), "attaching the volume %s", volume.Name)
	return act(ctx, r, "the volume is attached", func(ctx context.Context) (*godo.Action, error) {
		action, _, err := account(r).StorageActions.Attach(ctx, volume.ID, one.ID)
		return action, err
	})
}

// resize stops what works on the droplet, switches it off, changes its size and has everything run again, whatever became of it.
func (d *Droplet) resize(ctx context.Context, r *resource.Run) error {
	one, err := named(ctx, r, d.D, d.Host.Name)
	if err != nil {
		return err
	}
	id, size := one.ID, dropletOf(d.Host).Size
	drained := one.Status == "active" && declared.BirthKey(one.Tags) == ""
	if drained {
		r.Progress(d.ID(), "stopping what works on it")
		if err := resource.Drain(ctx, r, d.Host.Name, d.Stack); err != nil {
			return err
		}
	}
	if one.Status != "off" {
		err = d.off(ctx, r, id)
	}
	if err == nil {
		r.Progress(d.ID(), "giving it the size %s", size)
		// The disk is left as it is: one that has grown could never go back.
		err = act(ctx, r, "the size changes", func(ctx context.Context) (*godo.Action, error) {
			action, _, err := account(r).DropletActions.Resize(ctx, id, size, false)
			return action, err
		})
	}
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		r.Progress(d.ID(), "it keeps the size that it has: %s", clean(err.Error()))
	}
	if _, problem := d.active(ctx, r, id, 0); problem != nil {
		return errors.Join(err, problem)
	}
	if drained {
		r.Progress(d.ID(), "starting what was stopped")
		return errors.Join(err, resource.Wake(ctx, r, d.Host.Name, d.Stack))
	}
	return err
}

// off shuts the droplet down. The action promises that its system is asked to, and no more: where it does not do so in time, the
// droplet is switched off.
func (d *Droplet) off(ctx context.Context, r *resource.Run, id int) error {
	isOff := func(ctx context.Context) (bool, error) {
		one, _, err := account(r).Droplets.Get(ctx, id)
		return err == nil && one.Status == "off", err
	}
	r.Progress(d.ID(), "shutting it down")
	err := act(ctx, r, "the droplet is shut down", func(ctx context.Context) (*godo.Action, error) {
		action, _, err := account(r).DropletActions.Shutdown(ctx, id)
		return action, err
	})
	why := "has not shut down within " + account(r).Grace().String()
	switch {
	case errors.Is(err, ErrErrored):
		why = "could not be shut down"
	case err != nil:
		if already, problem := isOff(ctx); problem != nil || !already {
			return err
		}
		return nil
	default:
		err = account(r).UntilGrace(ctx, "the droplet is off", isOff)
		if !errors.Is(err, ErrNotWithin) {
			return err
		}
	}
	r.Progress(d.ID(), "it %s: switching it off; what works on it was stopped before", why)
	if err := act(ctx, r, "the droplet is switched off", func(ctx context.Context) (*godo.Action, error) {
		action, _, err := account(r).DropletActions.PowerOff(ctx, id)
		return action, err
	}); err != nil {
		if already, problem := isOff(ctx); problem != nil || !already {
			return err
		}
	}
	return account(r).Until(ctx, "the droplet is off", isOff)
}
