package digitalocean

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/digitalocean/godo"
	"golang.org/x/sync/errgroup"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
)

// Listing is what an account has of one inventory's at one moment. It is whole: where one part cannot be read there is no listing,
// so that what is missing in it does not exist.
type Listing struct {
	// Droplets carry the inventory's tag; those of one host in the order in which they count.
	Droplets   []godo.Droplet
	Volumes    []godo.Volume       // of the inventory's tag
	AllVolumes int                 // of the account
	Firewalls  []godo.Firewall     // all of the account
	VPCs       []*godo.VPC         // all of the account
	Addresses  []godo.ReservedIP   // all reserved ones of the account
	Records    []godo.DomainRecord // with the url's host as name
	Domain     bool                // whether the domain is managed in the account
	Keys       map[string]godo.Key // by fingerprint, those of the inventory
	Tags       []string            // all of the account
	Project    *godo.Project       // of the inventory's name
	Members    []string            // urns of what is in that project

	Plans map[int]string // of backups, by droplet: "daily", "weekly"; read only where a droplet has backups

	// Catalog is what can be had, read only where something is missing that counts against a limit, or a droplet has another size.
	Catalog *Catalog
}

// List reads all of it at once.
func (a *Account) List(ctx context.Context, inv *inventory.Inventory) (*Listing, error) {
	d, l := declared.In(inv).Account, &Listing{Keys: map[string]godo.Key{}}
	whole := ctx
	g, ctx := errgroup.WithContext(ctx)
	read := func(what string, f func() error) {
		g.Go(func() error {
			if err := f(); err != nil {
				return fmt.Errorf("read the account's %s: %w", what, err)
			}
			return nil
		})
	}
	read("droplets", func() (err error) {
		if l.Droplets, err = pages(func(o *godo.ListOptions) ([]godo.Droplet, *godo.Response, error) {
			return a.Droplets.ListByTag(ctx, d.Tag(), o)
		}); err != nil {
			return err
		}
		slices.SortStableFunc(l.Droplets, Elder)
		if slices.ContainsFunc(l.Droplets, func(one godo.Droplet) bool { return slices.Contains(one.Features, "backups") }) {
			if l.Plans, err = a.plans(ctx); err != nil {
				return err
			}
		}
		for _, one := range inv.Hosts {
			if one.Machine == nil {
				continue
			}
			n := slices.IndexFunc(l.Droplets, func(x godo.Droplet) bool { return d.HostOf(x.Tags) == one.Name })
			if n < 0 || l.Droplets[n].SizeSlug != dropletOf(&one).Size {
				l.Catalog = &Catalog{Images: map[string]godo.Image{}}
				return a.catalog(ctx, inv, l.Catalog)
			}
		}
		return nil
	})
	read("volumes", func() (err error) {
		all, err := pages(func(o *godo.ListOptions) ([]godo.Volume, *godo.Response, error) {
			return a.Storage.ListVolumes(ctx, &godo.ListVolumeParams{ListOptions: o})
		})
		l.AllVolumes = len(all)
		l.Volumes = slices.DeleteFunc(all, func(v godo.Volume) bool { return !slices.Contains(v.Tags, d.Tag()) })
		return err
	})
	read("firewalls", func() (err error) {
		l.Firewalls, err = pages(func(o *godo.ListOptions) ([]godo.Firewall, *godo.Response, error) { return a.Firewalls.List(ctx, o) })
		slices.SortStableFunc(l.Firewalls, func(x, y godo.Firewall) int {
			return cmp.Or(cmp.Compare(x.Created, y.Created), cmp.Compare(x.ID, y.ID))
		})
		return err
	})
	read("networks", func() (err error) {
		l.VPCs, err = pages(func(o *godo.ListOptions) ([]*godo.VPC, *godo.Response, error) { return a.VPCs.List(ctx, o) })
		return err
	})
	read("reserved IPs", func() (err error) {
		l.Addresses, err = pages(func(o *godo.ListOptions) ([]godo.ReservedIP, *godo.Response, error) {
			return a.ReservedIPs.List(ctx, o)
		})
		return err
	})
	read("tags", func() (err error) {
		l.Tags, err = a.TagNames(ctx)
		return err
	})
	read("ssh keys", func() error { return a.keys(ctx, d, l.Keys) })
	if d.Domain != "" {
		read("dns records", func() (err error) {
			l.Records, err = a.RecordsOf(ctx, d.Domain, inv.Hostname())
			if l.Domain = !Missing(err); !l.Domain {
				return nil
			}
			return err
		})
	}
	if d.Project != "" {
		read("project", func() error { return a.project(ctx, d.Project, l) })
	}
	if err := g.Wait(); err != nil {
		return l, err
	}
	if l.Catalog == nil && l.lacks(inv) {
		l.Catalog = &Catalog{Images: map[string]godo.Image{}}
		if err := a.catalog(whole, inv, l.Catalog); err != nil {
			return l, fmt.Errorf("read the account's limits: %w", err)
		}
	}
	return l, nil
}

// lacks tells whether a volume or a reserved IP has yet to be made.
func (l *Listing) lacks(inv *inventory.Inventory) bool {
	d := declared.In(inv).Account
	return slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool {
		if h.Machine == nil {
			return false
		}
		volume := slices.ContainsFunc(l.Volumes, func(v godo.Volume) bool { return v.Name == d.VolumeName(h.Name) })
		remembered := d.Addresses(l.Tags, h.Name)
		address := slices.ContainsFunc(l.Addresses, func(ip godo.ReservedIP) bool { return slices.Contains(remembered, ip.IP) })
		return dropletOf(&h).Volume > 0 && !volume || dropletOf(&h).ReservedIP && !address
	})
}

// plans are the plans of all droplets that have backups.
func (a *Account) plans(ctx context.Context) (map[int]string, error) {
	out := map[int]string{}
	for o := (&godo.ListOptions{Page: 1, PerPage: 200}); ; o.Page++ {
		some, resp, err := a.Droplets.ListBackupPolicies(ctx, o)
		if err != nil {
			return nil, err
		}
		for id, p := range some {
			if p != nil && p.BackupPolicy != nil {
				out[id] = p.BackupPolicy.Plan
			}
		}
		if len(some) == 0 || resp.Links == nil || resp.Links.IsLastPage() {
			return out, nil
		}
	}
}

// BackupPolicy is sent where backups are switched on: once a week. Without one they are made daily, which costs half as much again.
func BackupPolicy() *godo.DropletBackupPolicyRequest {
	hour := 4
	return &godo.DropletBackupPolicyRequest{Plan: WeeklyBackups, Weekday: "SUN", Hour: &hour}
}

// WeeklyBackups is the plan of one backup a week.
const WeeklyBackups = "weekly"

// keys are asked for one by one: a list of them may be had ten times a minute only.
func (a *Account) keys(ctx context.Context, d *declared.Account, into map[string]godo.Key) error {
	keys, err := d.PublicKeys()
	if err != nil {
		return err
	}
	for _, k := range keys {
		found, _, err := a.Keys.GetByFingerprint(ctx, k.Fingerprint)
		switch {
		case err == nil:
			into[k.Fingerprint] = *found
		case !Missing(err):
			return err
		}
	}
	return nil
}

func (a *Account) project(ctx context.Context, name string, l *Listing) error {
	all, err := a.ProjectList(ctx)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(all, func(p godo.Project) bool { return p.Name == name })
	if n < 0 {
		return nil
	}
	l.Project = &all[n]
	members, err := pages(func(o *godo.ListOptions) ([]godo.ProjectResource, *godo.Response, error) {
		return a.Projects.ListResources(ctx, l.Project.ID, o)
	})
	for _, m := range members {
		l.Members = append(l.Members, m.URN)
	}
	return err
}

// Elder sorts droplets of the same name so that every operator picks the same one: one that has been set up
// before one that has not, then the older one.
func Elder(x, y godo.Droplet) int {
	newborn := func(d godo.Droplet) int {
		if declared.BirthKey(d.Tags) != "" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(newborn(x), newborn(y)), cmp.Compare(x.Created, y.Created), cmp.Compare(x.ID, y.ID))
}

// Named are the droplets that are the host of that name, the one that counts first.
func (a *Account) Named(ctx context.Context, d *declared.Account, host string) ([]godo.Droplet, error) {
	found, err := pages(func(o *godo.ListOptions) ([]godo.Droplet, *godo.Response, error) {
		return a.Droplets.ListByTag(ctx, d.Tag(), o)
	})
	found = slices.DeleteFunc(found, func(one godo.Droplet) bool { return d.HostOf(one.Tags) != host })
	slices.SortStableFunc(found, Elder)
	return found, err
}

// Volumes are those that carry the tag.
func (a *Account) Volumes(ctx context.Context, tag string) ([]godo.Volume, error) {
	all, err := pages(func(o *godo.ListOptions) ([]godo.Volume, *godo.Response, error) {
		return a.Storage.ListVolumes(ctx, &godo.ListVolumeParams{ListOptions: o})
	})
	return slices.DeleteFunc(all, func(v godo.Volume) bool { return !slices.Contains(v.Tags, tag) }), err
}

// FirewallList are all firewalls, the oldest first: of several with one name that one counts.
func (a *Account) FirewallList(ctx context.Context) ([]godo.Firewall, error) {
	all, err := pages(func(o *godo.ListOptions) ([]godo.Firewall, *godo.Response, error) { return a.Firewalls.List(ctx, o) })
	slices.SortStableFunc(all, func(x, y godo.Firewall) int {
		return cmp.Or(cmp.Compare(x.Created, y.Created), cmp.Compare(x.ID, y.ID))
	})
	return all, err
}

// Networks are all private networks.
func (a *Account) Networks(ctx context.Context) ([]*godo.VPC, error) {
	return pages(func(o *godo.ListOptions) ([]*godo.VPC, *godo.Response, error) { return a.VPCs.List(ctx, o) })
}

// Reserved are all reserved IPs.
func (a *Account) Reserved(ctx context.Context) ([]godo.ReservedIP, error) {
	return pages(func(o *godo.ListOptions) ([]godo.ReservedIP, *godo.Response, error) {
		return a.ReservedIPs.List(ctx, o)
	})
}

// TagNames are all tags.
func (a *Account) TagNames(ctx context.Context) (names []string, err error) {
	all, err := pages(func(o *godo.ListOptions) ([]godo.Tag, *godo.Response, error) { return a.Tags.List(ctx, o) })
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names, err
}

// DeleteTag deletes a tag, whatever case it was made with. One that is not there is no error.
func (a *Account) DeleteTag(ctx context.Context, name string) error {
	_, err := a.Tags.Delete(ctx, name)
	if !Missing(err) {
		return err
	}
	all, err := a.TagNames(ctx)
	for _, t := range all {
		if strings.EqualFold(t, name) {
			_, err = a.Tags.Delete(ctx, t)
		}
	}
	if Missing(err) {
		return nil
	}
	return err
}

// ProjectList are all projects.
func (a *Account) ProjectList(ctx context.Context) ([]godo.Project, error) {
	return pages(func(o *godo.ListOptions) ([]godo.Project, *godo.Response, error) { return a.Projects.List(ctx, o) })
}

// RecordsOf are the records of that full name, the oldest first.
func (a *Account) RecordsOf(ctx context.Context, domain, name string) ([]godo.DomainRecord, error) {
	all, err := pages(func(o *godo.ListOptions) ([]godo.DomainRecord, *godo.Response, error) {
		return a.Domains.RecordsByName(ctx, domain, name, o)
	})
	slices.SortStableFunc(all, func(x, y godo.DomainRecord) int { return cmp.Compare(x.ID, y.ID) })
	return all, err
}

// pages reads all pages of a list.
func pages[T any](read func(*godo.ListOptions) ([]T, *godo.Response, error)) (all []T, err error) {
	for o := (&godo.ListOptions{Page: 1, PerPage: 200}); ; o.Page++ {
		some, resp, err := read(o)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) == 0 || resp.Links == nil || resp.Links.IsLastPage() {
			return all, nil
		}
	}
}
