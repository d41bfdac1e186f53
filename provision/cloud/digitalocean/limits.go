package digitalocean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/platform"
	"provision/provision/resource"
	"provision/remote"
)

// Looker is a resource of a cloud account: its Host is empty, it has no part in a host's script, and
// its fact is read from a listing of the account. A listing is whole or there is none, so what it
// lacks does not exist.
type Looker interface {
	Look(*Listing) resource.Fact
}

// present is the fact of something that exists; its fields come in pairs of name and value.
func present(fields ...string) resource.Fact {
	f := resource.Fact{Know: resource.Yes, Record: resource.Record{Fields: map[string]string{}}}
	for n := 0; n+1 < len(fields); n += 2 {
		f.Fields[fields[n]] = fields[n+1]
	}
	return f
}

// absent is the fact of something that does not exist.
func absent() resource.Fact {
	return resource.Fact{Know: resource.No, Record: resource.Record{Fields: map[string]string{}}}
}

// CloudAccount is the account itself: what it may create is compared with what is declared, before
// anything is created.
type CloudAccount struct {
	D     *declared.Account
	Hosts []*inventory.Host // those that are droplets
}

var (
	_ resource.Resource = (*CloudAccount)(nil)
	_ Looker            = (*CloudAccount)(nil)
)

// CloudAccountID is the ID of the account.
func CloudAccountID() resource.ID { return resource.ID{Kind: "account", Name: "digitalocean"} }

func (c *CloudAccount) ID() resource.ID        { return CloudAccountID() }
func (c *CloudAccount) Needs() []resource.ID   { return nil }
func (c *CloudAccount) Probe(*resource.Script) {}

// Look keeps the catalog, which is read only where a droplet is missing or has another size.
func (c *CloudAccount) Look(l *Listing) resource.Fact {
	if l.Catalog == nil {
		return present()
	}
	text, err := json.Marshal(l.Catalog)
	if err != nil {
		return resource.Fact{Record: resource.Record{Why: err.Error(), Fields: map[string]string{}}}
	}
	return present("catalog", string(text), "volumes", strconv.Itoa(l.AllVolumes), "addresses", strconv.Itoa(len(l.Addresses)))
}

// catalog is what the account may create, if that was asked.
func catalog(w resource.World) (c Catalog, ok bool) {
	rec, _ := w.Fact(CloudAccountID())
	ok = json.Unmarshal([]byte(rec.Fields["catalog"]), &c) == nil
	return c, ok
}

// price is what a size costs, in words; "" where it is not known.
func price(w resource.World, size string) string {
	c, _ := catalog(w)
	for _, s := range c.Sizes {
		if s.Slug == size {
			return fmt.Sprintf("$%.2f a month", s.PriceMonthly)
		}
	}
	return ""
}

func (c *CloudAccount) Diff(w resource.World) []resource.Change {
	have, ok := catalog(w)
	if !ok {
		return nil
	}
	var out []resource.Change
	refuse := func(why, hint string) {
		if !slices.ContainsFunc(out, func(c resource.Change) bool { return c.Why == why }) {
			out = append(out, resource.Change{ID: c.ID(), Act: resource.Refuse, Risk: resource.Cloud, Why: why, Hint: hint})
		}
	}
	if s := have.Account.Status; s != "active" && s != "warning" {
		refuse("the account is "+clean(s)+": "+clean(have.Account.StatusMessage), "see the account's page at DigitalOcean")
	}
	missing := 0
	for _, h := range c.Hosts {
		if _, know := w.Fact(DropletID(h.Name)); know != resource.No {
			continue
		}
		missing++
		c.offered(have, dropletOf(h), refuse)
	}
	volumes, addresses := 0, 0
	for _, h := range c.Hosts {
		if _, know := w.Fact(CloudVolumeID(h.Name)); dropletOf(h).Volume > 0 && know == resource.No {
			volumes++
		}
		if _, know := w.Fact(ReservedIPID(h.Name)); dropletOf(h).ReservedIP && know == resource.No {
			addresses++
		}
	}
	rec, _ := w.Fact(CloudAccountID())
	count := func(field string) int { n, _ := strconv.Atoi(rec.Fields[field]); return n }
	for _, l := range []struct {
		what              string
		limit, has, wants int
	}{
		{"droplets", have.Account.DropletLimit, have.Droplets, missing},
		{"volumes", have.Account.VolumeLimit, count("volumes"), volumes},
		{"reserved IPs", have.Account.ReservedIPLimit, count("addresses"), addresses},
	} {
		if l.wants > 0 && l.limit > 0 && l.has+l.wants > l.limit { // no limit is told to a token that may not read them
			refuse(fmt.Sprintf("the account may have %d %s and has %d; %d more are declared", l.limit, l.what, l.has, l.wants),
				"remove what is no longer needed, or have the limit raised on the account's page")
		}
	}
	return out
}

// offered refuses a region, size or image that cannot be had, and names those that can.
func (c *CloudAccount) offered(have Catalog, d *declared.Droplet, refuse func(why, hint string)) {
	var regions, sizes []string
	for _, r := range have.Regions {
		if r.Available {
			regions = append(regions, r.Slug)
		}
	}
	known := slices.Contains(regions, d.Region)
	if !known {
		refuse(fmt.Sprintf("droplets.%s: there is no region %q to create in", d.Name, d.Region), "regions are: "+list(regions))
	}
	var size godo.Size
	for _, s := range have.Sizes {
		if s.Available && (!known || slices.Contains(s.Regions, d.Region)) {
			sizes = append(sizes, s.Slug)
			if s.Slug == d.Size {
				size = s
			}
		}
	}
	if size.Slug == "" {
		refuse(fmt.Sprintf("droplets.%s: there is no size %q in %s", d.Name, d.Size, d.Region), nearest("sizes there are", d.Size, sizes))
	}
	if n := slices.IndexFunc(have.Regions, func(r godo.Region) bool { return r.Slug == d.Region }); known {
		features := have.Regions[n].Features
		if d.Volume > 0 && !slices.Contains(features, "storage") {
			refuse(fmt.Sprintf("droplets.%s: the region %s has no volumes", d.Name, d.Region), "choose another region, or leave out volume")
		}
		if c.D.Backups && !slices.Contains(features, "backups") {
			refuse(fmt.Sprintf("droplets.%s: the region %s has no backups", d.Name, d.Region), "choose another region, or backups = false")
		}
	}
	image, found := have.Images[d.Image]
	var images []string
	for _, slug := range have.Offered {
		if id, _, _ := strings.Cut(slug, "-"); supported(id) {
			images = append(images, slug)
		}
	}
	switch {
	case !found:
		refuse(fmt.Sprintf("droplets.%s: there is no image %q", d.Name, d.Image), "images are: "+list(images))
	case image.Public && !supported(image.Distribution):
		refuse(fmt.Sprintf("droplets.%s: the image %q is of %s, which is not supported", d.Name, d.Image, clean(image.Distribution)), "images are: "+list(images))
	case known && len(image.Regions) > 0 && !slices.Contains(image.Regions, d.Region):
		refuse(fmt.Sprintf("droplets.%s: the image %q is not in %s", d.Name, d.Image, d.Region), "it is in: "+list(image.Regions))
	case size.Slug != "" && size.Disk < image.MinDiskSize:
		refuse(fmt.Sprintf("droplets.%s: the image %q wants a disk of %d GB, and the size %q has %d", d.Name, d.Image, image.MinDiskSize, d.Size, size.Disk), "choose a larger size")
	}
}

// supported tells whether a distribution is one that we install on, by its name at DigitalOcean. An image of the account's own may
// be of one that DigitalOcean does not know: that is asked on the droplet.
func supported(distribution string) bool {
	f, known := platform.Find(strings.ToLower(distribution))
	return known && f.Images
}

func (c *CloudAccount) Do(context.Context, *resource.Run, resource.Change) error { return nil }

func list(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return clean(strings.Join(names, ", "))
}

// once makes something that would be there twice if it were asked for twice. find is asked first,
// and again where the answer leaves open whether it was made, or says that somebody else was faster.
func once[T any](ctx context.Context, r *resource.Run, id resource.ID, find, create func(context.Context) (*T, error)) (*T, error) {
	found, err := find(ctx)
	if err != nil || found != nil {
		return found, err
	}
	made, refusal := create(ctx)
	if refusal == nil {
		return made, nil
	}
	if Refused(refusal) {
		if found, err = find(ctx); err != nil || found == nil {
			return nil, errors.Join(refusal, err)
		}
		return found, nil
	}
	r.Progress(id, "the reply was lost; looking whether it was made")
	if err := account(r).Appears(ctx, id.String(), func(ctx context.Context) (bool, error) {
		found, err = find(ctx)
		return found != nil, err
	}); err != nil {
		return nil, fmt.Errorf("%w; whether it was made is not known: %w", refusal, err)
	}
	return found, nil
}

// ignoreStatus returns nil if err is an error of the API with one of these statuses, and err otherwise.
func ignoreStatus(err error, ignored ...int) error {
	if slices.Contains(ignored, Status(err)) {
		return nil
	}
	return err
}

// clean makes what the API answered printable.
func clean(s string) string { return remote.Sanitize(s) }
