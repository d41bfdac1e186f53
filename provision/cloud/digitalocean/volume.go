package digitalocean

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// CloudVolume is block storage for one droplet, which outlives it. It is made without a file system:
// whether it is blank is asked on the droplet.
type CloudVolume struct {
	D    *declared.Account
	Host *inventory.Host
}

var (
	_ resource.Resource = (*CloudVolume)(nil)
	_ Looker            = (*CloudVolume)(nil)
)

// CloudVolumeID is the ID of a host's volume.
func CloudVolumeID(host string) resource.ID { return resource.ID{Kind: "block volume", Name: host} }

func (v *CloudVolume) ID() resource.ID { return CloudVolumeID(v.Host.Name) }
func (v *CloudVolume) Needs() []resource.ID {
	return []resource.ID{CloudAccountID(), CloudTagID(v.D.Tag())}
}
func (v *CloudVolume) Probe(*resource.Script) {}

func (v *CloudVolume) in(all []godo.Volume) *godo.Volume {
	for n := range all {
		if all[n].Name == v.D.VolumeName(v.Host.Name) {
			return &all[n]
		}
	}
	return nil
}

func (v *CloudVolume) Look(l *Listing) resource.Fact {
	one := v.in(l.Volumes)
	if one == nil {
		return absent()
	}
	region := ""
	if one.Region != nil {
		region = one.Region.Slug
	}
	var on []string
	for _, id := range one.DropletIDs {
		on = append(on, strconv.Itoa(id))
	}
	return present("id", one.ID, "size", strconv.FormatInt(one.SizeGigaBytes, 10), "region", region, "on", strings.Join(on, "\n"))
}

func (v *CloudVolume) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(v.ID())
	want := dropletOf(v.Host)
	refuse := func(why, hint string) []resource.Change {
		return []resource.Change{{ID: v.ID(), Act: resource.Refuse, Risk: resource.Data, Why: why, Hint: hint}}
	}
	if know == resource.No {
		return []resource.Change{{ID: v.ID(), Act: resource.Add, Why: fmt.Sprintf("the volume does not exist: %d GiB in %s", want.Volume, want.Region)}}
	}
	size, err := strconv.Atoi(rec.Fields["size"])
	switch {
	case know != resource.Yes || err != nil:
		return nil
	case rec.Fields["region"] != want.Region:
		return refuse(fmt.Sprintf("the volume with the data is in %s, and the droplet is to be in %s, where it cannot be attached", clean(rec.Fields["region"]), want.Region),
			"keep the region; to move, make a snapshot of the volume, and a volume from it in the other region")
	case size > int(want.Volume):
		return refuse(fmt.Sprintf("the volume has %d GiB, and a volume cannot shrink to %d", size, want.Volume), fmt.Sprintf(`write volume = "%dGiB"`, size))
	case size < int(want.Volume):
		return []resource.Change{{ID: v.ID(), Act: resource.Modify, Why: fmt.Sprintf("it has %d GiB, should have %d", size, want.Volume), Note: "it grows while it is in use; it cannot shrink again"}}
	}
	return nil
}

func (v *CloudVolume) find(ctx context.Context, a *Account) (*godo.Volume, error) {
	all, err := a.Volumes(ctx, v.D.Tag())
	return v.in(all), err
}

func (v *CloudVolume) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	want := dropletOf(v.Host)
	one, err := once(ctx, r, v.ID(), func(ctx context.Context) (*godo.Volume, error) {
		return v.find(ctx, account(r))
	}, func(ctx context.Context) (*godo.Volume, error) {
		made, _, err := account(r).Storage.CreateVolume(ctx, &godo.VolumeCreateRequest{
			Region: want.Region, Name: v.D.VolumeName(v.Host.Name), Description: "made by provision: the database of " + v.D.Name,
			SizeGigaBytes: int64(want.Volume), Tags: []string{v.D.Tag()},
		})
		return made, err
	})
	if err != nil || one.SizeGigaBytes >= int64(want.Volume) {
		return err
	}
	return act(ctx, r, "the volume grows", func(ctx context.Context) (*godo.Action, error) {
		action, _, err := account(r).StorageActions.Resize(ctx, one.ID, int(want.Volume), want.Region)
		return action, err
	})
}

// act begins an action as soon as no other is pending, and waits for its end. An action whose reply
// was lost is seen by the next observation.
func act(ctx context.Context, r *resource.Run, what string, begin func(context.Context) (*godo.Action, error)) error {
	var id int
	err := account(r).WhenFree(ctx, what, func(ctx context.Context) error {
		action, err := begin(ctx)
		if err == nil {
			id = action.ID
		}
		return err
	})
	if err != nil {
		return err
	}
	return account(r).Done(ctx, what, id)
}
