package declared

import (
	"fmt"
	"strconv"
	"strings"

	"provision/inventory"
	"provision/inventory/strict"
)

// Droplet is one machine, or Count alike, to be created.
type Droplet struct {
	// Name is the host's name; with a Count the hosts are NAME-1, NAME-2 and so on.
	Name string `toml:"-"`
	// Roles is what the host is for. Empty cleans it of the stack and keeps the volumes.
	Roles []inventory.Role `toml:"roles"`
	// Count is how many there are; without it one, which has no number.
	//
	// It is 0 if it is not given.
	Count int `toml:"count"`
	// Region is [digitalocean] region unless given.
	Region string `toml:"region"`
	// Image is [digitalocean] image unless given.
	Image string `toml:"image"`
	// Size is [digitalocean] size unless given.
	Size string `toml:"size"`
	// Volume is the size of a block volume for the database, for example "20GiB"; without it there is none.
	//
	// It is 0 for none.
	Volume GiB `toml:"volume"`
	// ReservedIP gives it an address that outlives the droplet.
	ReservedIP bool `toml:"reserved_ip"`
	// Concurrency is how many flow runs it executes at once; default the stack's [agent] concurrency.
	//
	// It is 0 if it is not given.
	Concurrency int `toml:"concurrency"`
	// Queues are the shared queues that it polls; default the stack's [agent] queues. Its own queue comes on top.
	//
	// They are nil if they are not given.
	Queues []string `toml:"queues"`
}

// GiB is a size in units of 2^30 bytes, written "20GiB".
type GiB int

// DecodeTOML takes a string of digits and the unit.
func (g *GiB) DecodeTOML(value any) (problem, hint string) {
	text, ok := value.(string)
	if digits, unit := strings.CutSuffix(text, "GiB"); ok && unit {
		if n, err := strconv.Atoi(digits); err == nil && n >= 1 && n <= 16384 && strconv.Itoa(n) == digits {
			*g = GiB(n)
			return "", ""
		}
	}
	return "not a size", `write it as "20GiB", 1 to 16384`
}

// Names are the names of the hosts that the droplet stands for.
func (d *Droplet) Names() []string {
	if d.Count < 1 {
		return []string{d.Name}
	}
	var names []string
	for n := range min(d.Count, maxCount) {
		names = append(names, fmt.Sprintf("%s-%d", d.Name, n+1))
	}
	return names
}

const (
	maxCount      = 500
	maxVolumeName = 64
)

// check checks a droplet of the account, which is nil where the file has none.
func (d *Droplet) check(c inventory.Checker, do *Account) {
	key := strict.Key("droplets", d.Name)
	c.HostName(key, d.Name)
	if do == nil {
		c.Add(key, "there is no [digitalocean] to create it in", "")
		do = &Account{}
	}
	slugs(c, key, &d.Region, &d.Image, &d.Size, do.Region, do.Image, do.Size)
	c.HostRoles(key, &d.Roles)
	c.Work(key, d.Roles, d.Concurrency, d.Queues)
	if c.Has(strict.Key(key, "count")) && (d.Count < 1 || d.Count > maxCount) {
		c.Add(strict.Key(key, "count"), fmt.Sprintf("must be 1 to %d", maxCount), "remove the table to have none")
	}
	d.Count = max(d.Count, 0)
	for _, name := range d.Names() {
		c.HostName(key, name)
	}
	if d.Volume > 0 && d.Count > 1 {
		c.Add(strict.Key(key, "volume"), "is for one droplet, and there are several", "")
	}
	if n := len(do.VolumeName(d.Names()[0])); d.Volume > 0 && n > maxVolumeName {
		c.Add(strict.Key(key, "volume"), fmt.Sprintf("its name would have %d characters, and DigitalOcean allows %d", n, maxVolumeName), "choose shorter names")
	}
	if d.ReservedIP && d.Count > 1 {
		c.Add(strict.Key(key, "reserved_ip"), "is for one droplet, and there are several", "")
	}
}
