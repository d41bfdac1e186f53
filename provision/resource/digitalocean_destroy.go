package resource

import (
	"context"
	"errors"
	"fmt"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/remote"
)

// removeSecond removes what was made beside the droplet that counts, and nothing that anybody ever
// logged in to.
func (d *Droplet) removeSecond(ctx context.Context, r *Run) error {
	found, err := r.Account.Named(ctx, d.D, d.Host.Name)
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

// drain has the agent take no more runs, gives those that run their time to end, and then has the
// database write what it holds to the volume, which outlives the machine. An engine that gives no
// answer is not one that runs nothing.
const drain = `timeout 20 docker version >/dev/null 2>&1 || die "Docker gives no answer, so nobody knows what runs there"
for c in agent business-logic caddy server postgres; do
	n=%s-$c
	! docker inspect --type container "$n" >/dev/null 2>&1 || docker stop "$n" >/dev/null
done
sync`

// Drain stops what works on a host of the stack, in the order in which it may.
func Drain(ctx context.Context, r *Run, host, stack string) error {
	_, err := r.Sh(ctx, host, "! command -v docker >/dev/null || {\n"+fmt.Sprintf(drain, remote.Quote(stack))+"\n}")
	return err
}

// wake starts what drain has stopped: the engine leaves that stopped when the machine comes up.
const wake = `t=0
until docker version >/dev/null 2>&1; do
	[ $t -lt 120 ] || die "Docker gives no answer since the machine was switched on"
	t=$((t + 1)); sleep 1
done
for c in postgres server caddy business-logic agent; do
	n=%s-$c
	! docker inspect --type container "$n" >/dev/null 2>&1 || docker start "$n" >/dev/null
done`

// Wake dials a host that was drained and switched off and on, and starts what works on it.
func Wake(ctx context.Context, r *Run, host, stack string) error {
	if err := r.Redial(ctx, host); err != nil {
		return err
	}
	_, err := r.Sh(ctx, host, "! command -v docker >/dev/null || {\n"+fmt.Sprintf(wake, remote.Quote(stack))+"\n}")
	return err
}

// DestroyAddress gives up a reserved address.
func DestroyAddress(ctx context.Context, r *Run, ip string) error {
	return r.Account.WhenFree(ctx, "the reserved IP "+ip+" is given up", func(ctx context.Context) error {
		_, err := r.Account.ReservedIPs.Delete(ctx, ip)
		return unless(err, 404)
	})
}

// DestroyVolume deletes a volume with its data, once no droplet has it any more.
func DestroyVolume(ctx context.Context, r *Run, id string) error {
	err := r.Account.Until(ctx, "the volume is free", func(ctx context.Context) (bool, error) {
		v, _, err := r.Account.Storage.GetVolume(ctx, id)
		if inventory.Missing(err) {
			return true, nil
		}
		return err == nil && len(v.DropletIDs) == 0, err
	})
	if err != nil {
		return err
	}
	return r.Account.WhenFree(ctx, "the volume is deleted", func(ctx context.Context) error {
		_, err := r.Account.Storage.DeleteVolume(ctx, id)
		return unless(err, 404)
	})
}
