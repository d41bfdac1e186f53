package digitalocean

import (
	"context"
	"errors"
	"fmt"

	"github.com/digitalocean/godo"

	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// removeSecond removes what was made beside the droplet that counts, and nothing that anybody ever
// logged in to.
func (d *Droplet) removeSecond(ctx context.Context, r *resource.Run) error {
	found, err := account(r).Named(ctx, d.D, d.Host.Name)
	for n, one := range found {
		if n > 0 && declared.BirthKey(one.Tags) != "" {
			err = errors.Join(err, Destroy(ctx, r, one))
		}
	}
	return err
}

// Destroy deletes a droplet by its number and waits until it is gone, then deletes the tags that
// were its alone. Volumes stay.
func Destroy(ctx context.Context, r *resource.Run, one godo.Droplet) error {
	what := fmt.Sprintf("droplet %d is gone", one.ID)
	if err := account(r).WhenFree(ctx, what, func(ctx context.Context) error {
		_, err := account(r).Droplets.Delete(ctx, one.ID)
		return ignoreStatus(err, 404)
	}); err != nil {
		return err
	}
	if err := account(r).Until(ctx, what, func(ctx context.Context) (bool, error) {
		_, _, err := account(r).Droplets.Get(ctx, one.ID)
		return Missing(err), ignoreStatus(err, 404)
	}); err != nil {
		return err
	}
	for _, t := range one.Tags {
		if declared.HostKeys([]string{t}) == nil && declared.BirthKey([]string{t}) == "" {
			continue
		}
		if _, err := account(r).Tags.Delete(ctx, t); ignoreStatus(err, 404) != nil {
			return err
		}
	}
	return nil
}

// DestroyAddress gives up a reserved address.
func DestroyAddress(ctx context.Context, r *resource.Run, ip string) error {
	return account(r).WhenFree(ctx, "the reserved IP "+ip+" is given up", func(ctx context.Context) error {
		_, err := account(r).ReservedIPs.Delete(ctx, ip)
		return ignoreStatus(err, 404)
	})
}

// DestroyVolume deletes a volume with its data, once no droplet has it any more.
func DestroyVolume(ctx context.Context, r *resource.Run, id string) error {
	err := account(r).Until(ctx, "the volume is free", func(ctx context.Context) (bool, error) {
		v, _, err := account(r).Storage.GetVolume(ctx, id)
		if Missing(err) {
			return true, nil
		}
		return err == nil && len(v.DropletIDs) == 0, err
	})
	if err != nil {
		return err
	}
	return account(r).WhenFree(ctx, "the volume is deleted", func(ctx context.Context) error {
		_, err := account(r).Storage.DeleteVolume(ctx, id)
		return ignoreStatus(err, 404)
	})
}
