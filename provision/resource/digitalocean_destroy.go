package resource

import (
	"context"
	"errors"
	"fmt"

	"github.com/digitalocean/godo"

	"provision/inventory"
)

// removeSecond removes what was made beside the droplet that counts, and nothing that anybody ever
// logged in to.
func (d *Droplet) removeSecond(ctx context.Context, r *Run) error {
	found, err := r.Account.Named(ctx, d.D.NameTag(d.Host.Name))
	for n, one := range found {
		if n > 0 && inventory.BirthKey(one.Tags) != "" {
			err = errors.Join(err, Destroy(ctx, r, one))
		}
	}
	return err
}

// Destroy deletes a droplet by its number and waits until it is gone, then deletes the tags that
// were its alone. Volumes stay.
func Destroy(ctx context.Context, r *Run, one godo.Droplet) error {
	what := fmt.Sprintf("droplet %d is gone", one.ID)
	if err := r.Account.WhenFree(ctx, what, func(ctx context.Context) error {
		_, err := r.Account.Droplets.Delete(ctx, one.ID)
		return unless(err, 404)
	}); err != nil {
		return err
	}
	if err := r.Account.Until(ctx, what, func(ctx context.Context) (bool, error) {
		_, _, err := r.Account.Droplets.Get(ctx, one.ID)
		return inventory.Missing(err), unless(err, 404)
	}); err != nil {
		return err
	}
	for _, t := range one.Tags {
		if inventory.HostKeys([]string{t}) == nil && inventory.BirthKey([]string{t}) == "" {
			continue
		}
		if _, err := r.Account.Tags.Delete(ctx, t); unless(err, 404) != nil {
			return err
		}
	}
	return nil
}
