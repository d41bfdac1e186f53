package digitalocean

import (
	"context"
	"fmt"

	"github.com/digitalocean/godo"

	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
)

// doomed is what the account knows of a droplet that is to be destroyed.
type doomed struct {
	droplet godo.Droplet
	volume  string // its id; empty if it has none of ours
}

// Doom looks up what would be destroyed.
func (c *client) Doom(of cloud.Listing, host string) (*cloud.Doomed, error) {
	l, d, found := of.(*listing).Listing, c.p.d, &doomed{}
	out := &cloud.Doomed{Name: host, Found: found}
	if v := c.volumeOf(l.Volumes, host); v != nil {
		out.Volume, found.volume = v.Name, v.ID
	}
	for _, ip := range d.Addresses(l.Tags, host) {
		out.Left = append(out.Left, "the reserved IP "+ip+", which costs something as long as no droplet has it")
	}
	for _, one := range l.Droplets {
		if d.HostOf(one.Tags) == host {
			found.droplet = one
			return out, nil
		}
	}
	if out.Volume != "" {
		return out, nil
	}
	return nil, nothing(fmt.Sprintf("there is no droplet %s with the tag %s", host, d.Tag()))
}

// Destroy removes one droplet, and its volume if that is asked for.
func (c *client) Destroy(ctx context.Context, w cloud.Work, d *cloud.Doomed, withVolume bool) error {
	found, step := d.Found.(*doomed), "destroy droplet "+d.Name
	if err := c.end(ctx, w, d.Name, found.droplet); err != nil {
		return err
	}
	if found.volume == "" || !withVolume {
		return nil
	}
	w.Progress(d.Name, step, "deleting the volume "+found.volume)
	return w.Failed(step, DestroyVolume(ctx, w.Run, found.volume))
}

// end removes one droplet and the tag of its name. What works on it ends as at a replacement, as far
// as it can be reached.
func (c *client) end(ctx context.Context, w cloud.Work, name string, one godo.Droplet) error {
	step := "destroy droplet " + name
	if one.ID != 0 {
		if declared.BirthKey(one.Tags) == "" && one.Status == "active" {
			w.Progress(name, step, "stopping what works on it")
			if err := w.Stop(ctx, name); err != nil {
				return err
			}
		}
		w.Progress(name, step, fmt.Sprintf("deleting droplet %d", one.ID))
		if err := Destroy(ctx, w.Run, one); err != nil {
			return w.Failed(step, err)
		}
	}
	return w.Failed(step, c.DeleteTag(ctx, c.p.d.NameTag(name)))
}
