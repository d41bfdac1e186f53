package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
	"provision/remote"
)

// Droplet is the machine that a host is. It is found by the tag of its name, which is written before
// it is asked for: there are never two for one name.
type Droplet struct {
	D       *declared.Account
	Host    *inventory.Host
	Stack   string
	Keys    []resource.ID
	Walls   []resource.ID
	Network *CloudNetwork
	Volume  *CloudVolume // nil for none
	Prints  []string     // fingerprints of the public keys that may log in
}

var (
	_ resource.Resource = (*Droplet)(nil)
	_ Looker            = (*Droplet)(nil)
	_ resource.Warner   = (*Droplet)(nil)
)

// DropletID is the ID of a host's droplet.
func DropletID(host string) resource.ID { return resource.ID{Kind: "droplet", Name: host} }

func (d *Droplet) ID() resource.ID        { return DropletID(d.Host.Name) }
func (d *Droplet) Probe(*resource.Script) {}

// Needs are all that it is created with: the firewalls are there before it.
func (d *Droplet) Needs() []resource.ID {
	needs := slices.Concat([]resource.ID{CloudAccountID(), d.Network.ID()}, d.Keys, d.Walls)
	if d.Volume != nil {
		needs = append(needs, d.Volume.ID())
	}
	return needs
}

// tags are those that it is created with, without those of its keys.
func (d *Droplet) tags() []string {
	tags := []string{d.D.Tag(), d.D.NameTag(d.Host.Name)}
	for _, role := range d.Host.Roles {
		tags = append(tags, d.D.RoleTag(role))
	}
	return tags
}

// named are the droplets of the host, the one that counts first.
func (d *Droplet) named(all []godo.Droplet) (out []godo.Droplet) {
	for _, one := range all {
		if d.D.HostOf(one.Tags) == d.Host.Name {
			out = append(out, one)
		}
	}
	return out
}

func (d *Droplet) Look(l *Listing) resource.Fact {
	found := d.named(l.Droplets)
	if len(found) == 0 {
		return absent()
	}
	one := found[0]
	public, _ := one.PublicIPv4()
	f := present("id", strconv.Itoa(one.ID), "status", one.Status, "size", one.SizeSlug, "disk", strconv.Itoa(one.Disk), "address", public,
		"tags", strings.Join(one.Tags, "\n"), "birth", declared.BirthKey(one.Tags), "features", strings.Join(one.Features, "\n"))
	if plan := l.Plans[one.ID]; plan != "" {
		f.Fields["plan"] = plan
	}
	if one.Region != nil {
		f.Fields["region"] = one.Region.Slug
	}
	if one.Size != nil {
		f.Fields["price"] = strconv.FormatFloat(one.Size.PriceMonthly, 'f', -1, 64)
	}
	if one.Image != nil {
		f.Fields["image"], f.Fields["image id"] = one.Image.Slug, strconv.Itoa(one.Image.ID)
	}
	for _, other := range found[1:] {
		kind := "used"
		if declared.BirthKey(other.Tags) != "" {
			kind = "newborn"
		}
		f.Fields[kind] += strconv.Itoa(other.ID) + "\n"
	}
	return f
}

func (d *Droplet) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(d.ID())
	want := dropletOf(d.Host)
	if know == resource.No {
		return []resource.Change{{
			ID: d.ID(), Act: resource.Add, Why: fmt.Sprintf("the droplet does not exist: %s, %s, %s", want.Size, want.Image, want.Region),
			Note: price(w, want.Size),
		}}
	}
	if know != resource.Yes {
		return nil
	}
	if refused := d.another(rec); refused != nil {
		return refused
	}
	var out []resource.Change
	if size := rec.Fields["size"]; size != want.Size {
		out = append(out, d.otherSize(w, rec))
	}
	if why := d.lacking(w, rec); why != nil {
		out = append(out, resource.Change{ID: d.ID(), Act: resource.Modify, Why: strings.Join(why, "; ")})
	}
	for id := range strings.Lines(rec.Fields["newborn"]) {
		out = append(out, resource.Change{
			ID: resource.ID{Kind: secondDroplet, Name: d.Host.Name + " " + strings.TrimSpace(id)}, Act: resource.Remove,
			Why: "it was made beside the one that counts, and nobody has ever logged in to it",
		})
	}
	return out
}

const (
	secondDroplet = "second droplet"
	dropletSize   = "size of droplet"
)

// another refuses what could only be had by making another droplet.
func (d *Droplet) another(rec resource.Record) []resource.Change {
	want := dropletOf(d.Host)
	byHand := fmt.Sprintf("to replace it: provision droplet destroy %s, then provision apply; a volume and a reserved IP of its own stay", d.Host.Name)
	refuse := func(why, hint string) []resource.Change {
		return []resource.Change{{ID: d.ID(), Act: resource.Refuse, Risk: resource.Data, Why: why, Hint: hint}}
	}
	switch {
	case rec.Fields["used"] != "":
		return refuse("several droplets carry its tag: "+strings.Join(append([]string{rec.Fields["id"]}, strings.Fields(rec.Fields["used"])...), ", "),
			"find out which one is the host, and take the tag "+d.D.NameTag(d.Host.Name)+" from the others")
	case rec.Fields["region"] != want.Region:
		return refuse(fmt.Sprintf("it is in %s, should be in %s: a droplet cannot move", clean(rec.Fields["region"]), want.Region), byHand)
	case isNumber(want.Image) && rec.Fields["image id"] != want.Image:
		return refuse(fmt.Sprintf("it was made from image %s, should be from %s: a droplet is not replaced silently", clean(rec.Fields["image id"]), want.Image), byHand)
	case !isNumber(want.Image) && rec.Fields["image"] != "" && rec.Fields["image"] != want.Image: // an old image loses its name
		return refuse(fmt.Sprintf("it was made from %s, should be from %s: a droplet is not replaced silently", clean(rec.Fields["image"]), want.Image), byHand)
	}
	return nil
}

// isNumber tells an image's number from its slug.
func isNumber(image string) bool {
	_, err := strconv.Atoi(image)
	return err == nil
}

// otherSize is carried out only where the operator asked for it by name: the droplet is off meanwhile.
// What cannot be had is refused before that.
func (d *Droplet) otherSize(w resource.World, rec resource.Record) resource.Change {
	have, want := rec.Fields["size"], dropletOf(d.Host).Size
	c := resource.Change{ID: resource.ID{Kind: dropletSize, Name: d.Host.Name}, Why: fmt.Sprintf("it is %s, should be %s", clean(have), want)}
	if offers, ok := catalog(w); ok {
		if why, hint := d.noSuchSize(offers, rec); why != "" {
			c.Act, c.Risk, c.Hint = resource.Refuse, resource.Cloud, hint
			c.Why += ": " + why
			return c
		}
	}
	if !w.Option("resize") {
		c.Act, c.Risk = resource.Refuse, resource.Data
		c.Hint = fmt.Sprintf("the droplet is off for some minutes while it gets another size, its disk stays as it is: provision apply --resize; to keep the one that it has: size = %q", have)
		return c
	}
	c.Act, c.Risk = resource.Modify, resource.Interrupts
	c.Note = "running flows have their time to end, then the droplet is switched off for some minutes, and everything on it with it"
	if was, will := price(w, have), price(w, want); was != "" && will != "" {
		c.Note = strings.TrimSuffix(was, " a month") + " to " + will + "; " + c.Note
	}
	return c
}

// noSuchSize says why the droplet cannot get its size, and which ones it can.
func (d *Droplet) noSuchSize(offers Catalog, rec resource.Record) (why, hint string) {
	want := dropletOf(d.Host)
	disk, _ := strconv.Atoi(rec.Fields["disk"])
	var sizes []string
	why = fmt.Sprintf("there is no size %q", want.Size)
	for _, s := range offers.Sizes {
		offered := s.Available && slices.Contains(s.Regions, want.Region)
		if offered && s.Disk >= disk {
			sizes = append(sizes, s.Slug)
		}
		switch {
		case s.Slug != want.Size:
		case !offered:
			why = fmt.Sprintf("the size %q cannot be had in %s", s.Slug, want.Region)
		case s.Disk < disk:
			why = fmt.Sprintf("the size %q has a disk of %d GiB, and the droplet has one of %d", s.Slug, s.Disk, disk)
		default:
			return "", ""
		}
	}
	return why, nearest("sizes that it can get", want.Size, sizes)
}

// lacking says what an existing droplet lacks and can be given.
func (d *Droplet) lacking(w resource.World, rec resource.Record) (why []string) {
	tags := strings.Split(rec.Fields["tags"], "\n")
	if status := rec.Fields["status"]; rec.Fields["birth"] != "" || status == "new" {
		return []string{"it was made and is not set up yet"} // how far it has come changes while one looks
	} else if status != "active" {
		why = append(why, fmt.Sprintf("it is %s, should be active", clean(status)))
	}
	for _, t := range d.tags() {
		if !declared.HasTag(tags, t) {
			why = append(why, "it lacks the tag "+t)
		}
	}
	for _, t := range d.surplus(tags) {
		why = append(why, "it should not have the tag "+t)
	}
	if d.Volume != nil {
		volume, know := w.Fact(d.Volume.ID())
		switch {
		case know == resource.No, know == resource.Yes && volume.Fields["on"] == "":
			why = append(why, "its volume is not attached")
		case know == resource.Yes && volume.Fields["on"] != rec.Fields["id"]:
			why = append(why, "its volume is attached to droplet "+clean(volume.Fields["on"]))
		}
	}
	if has := slices.Contains(strings.Split(rec.Fields["features"], "\n"), "backups"); d.D.Backups && !has && rec.Fields["status"] == "active" {
		why = append(why, "it has no backups")
	}
	return why
}

// Warn names what differs and is left to the operator: what only a new droplet would have, and what costs or may be wanted.
func (d *Droplet) Warn(w resource.World) (out []string) {
	rec, know := w.Fact(d.ID())
	if know != resource.Yes || rec.Fields["status"] == "new" {
		return nil
	}
	features := strings.Split(rec.Fields["features"], "\n")
	say := func(why string) { out = append(out, fmt.Sprintf("droplet %s %s", d.Host.Name, why)) }
	switch monitored := slices.Contains(features, "monitoring"); {
	case d.D.Monitoring && !monitored:
		say("has no monitoring, which comes with a droplet's creation only; by hand, DigitalOcean's metrics agent can be installed on it")
	case !d.D.Monitoring && monitored:
		say("has monitoring, and digitalocean.monitoring is false; its metrics agent can be removed by hand")
	}
	if slices.Contains(features, "backups") && !d.D.Backups {
		say("has backups, which cost something, and digitalocean.backups is false; they are switched off on the account's page")
	}
	return out
}

// surplus are tags of roles that the host does not have any more.
func (d *Droplet) surplus(tags []string) (out []string) {
	for _, role := range []inventory.Role{inventory.RoleServer, inventory.RoleAgent} {
		if t := d.D.RoleTag(role); slices.Contains(tags, t) && !d.Host.Has(role) {
			out = append(out, t)
		}
	}
	return out
}

func (d *Droplet) Do(ctx context.Context, r *resource.Run, c resource.Change) error {
	switch c.ID.Kind {
	case secondDroplet:
		return d.removeSecond(ctx, r)
	case dropletSize:
		return d.resize(ctx, r)
	}
	one, err := d.running(ctx, r)
	if err != nil {
		return err
	}
	return d.complete(ctx, r, one)
}

// named is the droplet of a host, which has to be there.
func named(ctx context.Context, r *resource.Run, d *declared.Account, host string) (godo.Droplet, error) {
	found, err := account(r).Named(ctx, d, host)
	switch {
	case err != nil:
		return godo.Droplet{}, err
	case len(found) == 0:
		return godo.Droplet{}, fmt.Errorf("the droplet of %s is gone", host)
	}
	return found[0], nil
}

func tagged(id int) []godo.Resource {
	return []godo.Resource{{ID: strconv.Itoa(id), Type: godo.DropletResourceType}}
}

// tag puts a tag on a droplet; it may be repeated.
func tag(ctx context.Context, r *resource.Run, name string, id int) error {
	if err := makeTag(ctx, r, name); err != nil {
		return err
	}
	var last error
	err := account(r).Appears(ctx, "the tag "+name, func(ctx context.Context) (bool, error) {
		_, last = account(r).Tags.TagResources(ctx, name, &godo.TagResourcesRequest{Resources: tagged(id)})
		return last == nil, ignoreStatus(last, 404, 429, 500, 502, 503, 504)
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// shortSum is a fingerprint in a message.
func shortSum(sum string) string { return remote.Sanitize(sum[:min(len(sum), 16)]) }
