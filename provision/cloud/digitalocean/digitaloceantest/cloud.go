package digitaloceantest

import (
	"cmp"
	"fmt"
	"net/http/httptest"
	"sync"
	"time"
)

// Token is the token of the account's owner: every call is allowed to it.
const Token = "dop_v1_0000000000000000000000000000000000000000000000000000000000000000"

// Options describe an account. The zero value is a fresh account without anything in it.
type Options struct {
	// Tokens are further tokens with the scopes they have, such as "droplet:read".
	Tokens map[string][]string
	// DropletLimit is how many droplets the account may have; default 25.
	DropletLimit int
	// Status of the account; default "active".
	Status string

	// ActionLooks is how many looks at an action, or at what it changes, still see it in progress;
	// default 1, negative for none. A refusal because it is pending counts as a look.
	ActionLooks int
	// ActionTime is how long an action takes at least.
	ActionTime time.Duration
	// DeleteLooks is how many looks still see a droplet that was deleted. Its volumes and reserved IP
	// are free after that.
	DeleteLooks int
	// NotFoundLooks is how often a droplet, volume or firewall is answered with 404 right after it was created.
	NotFoundLooks int
	// UnlistedLooks is how many lists of droplets lack one that was just created.
	UnlistedLooks int

	// MemberLooks is how many deletions of a private network are still refused because of members after the last one has gone.
	MemberLooks int
	// AddressEnd is the status of an action on a reserved IP that has ended; default "completed". The real one has been seen to say "done".
	AddressEnd string
	// ReservedIPLimit and VolumeLimit are how many of these the account may have; default 3 and 100.
	ReservedIPLimit, VolumeLimit int

	// UnservedLooks is how many questions to the name server do not see a record that was just created.
	UnservedLooks int

	// Hourly and Burst limit the calls in an hour and in a minute; default 5000 and none, where the
	// real one has 250.
	Hourly, Burst int
	// Now is the clock; default time.Now. [Cloud.Advance] is added to it.
	Now func() time.Time

	// Boot is called when a droplet becomes active and says which machine it is. It should return
	// as soon as the address is known: a real droplet is active before sshd answers, too. An error
	// ends the droplet's create action as errored. Without Boot droplets have addresses at which
	// nothing answers.
	Boot func(Droplet) (Machine, error)
	// Attached is called when a volume was attached to a droplet that is there already, or detached.
	Attached func(d Droplet, v Volume, on bool)
	// Reserved are the addresses that can be reserved, in their order; default those of 203.0.113.0/24.
	Reserved []string
	// Assigned is called when a droplet has got a reserved address, or given it up.
	Assigned func(d Droplet, ip string, on bool)
	// Power is called when a droplet is powered off or on, Gone when it was deleted.
	Power func(d Droplet, on bool)
	Gone  func(Droplet)
}

// Machine is what stands behind a droplet.
type Machine struct {
	Address string // public IPv4 address, as the API shows it
	Private string // private one; by default the next one of the droplet's VPC
	Port    int    // of its sshd; default 22
}

// Cloud is one account. It is safe for concurrent use.
type Cloud struct {
	options Options
	server  *httptest.Server
	closing chan struct{}
	once    sync.Once

	mu        sync.Mutex
	advanced  time.Duration
	serial    map[string]int
	faults    []*Fault
	onRequest func(Call)
	calls     []Call
	recent    []time.Time // of the calls that count against the limits
	keyLists  []time.Time

	keys        []*Key
	tags        []string
	vpcs        []*VPC
	firewalls   []*Firewall
	droplets    []*Droplet
	volumes     []*Volume
	reservedIPs []*ReservedIP
	domains     []*domain
	projects    []*Project
	actions     []*action
	fresh       map[string]*fresh // by urn
}

// New starts the API of an account on loopback. Close it.
func New(o Options) *Cloud {
	o.DropletLimit = cmp.Or(o.DropletLimit, 25)
	o.Status = cmp.Or(o.Status, "active")
	o.ActionLooks = max(cmp.Or(o.ActionLooks, 1), 0)
	o.Hourly = cmp.Or(o.Hourly, 5000)
	o.AddressEnd = cmp.Or(o.AddressEnd, "completed")
	o.ReservedIPLimit, o.VolumeLimit = cmp.Or(o.ReservedIPLimit, 3), cmp.Or(o.VolumeLimit, 100)
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cloud{options: o, closing: make(chan struct{}), serial: map[string]int{}, fresh: map[string]*fresh{}}
	c.projects = []*Project{{ID: c.uuid("project"), Name: "first-project", Purpose: "Just trying out DigitalOcean", Environment: "Development", Default: true, CreatedAt: c.stamp()}}
	c.server = httptest.NewServer(c.router())
	return c
}

// URL is the endpoint.
func (c *Cloud) URL() string { return c.server.URL }

// Close ends the server and every call that hangs.
func (c *Cloud) Close() {
	c.once.Do(func() {
		close(c.closing)
		c.server.Close()
	})
}

// Advance moves the account's clock, by which actions that take time end and rate limits are lifted.
func (c *Cloud) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advanced += d
}

func (c *Cloud) now() time.Time { return c.options.Now().Add(c.advanced) }

func (c *Cloud) stamp() string { return c.now().UTC().Format(time.RFC3339) }

// number is the next number of a kind. Kinds begin far apart, so that an id of one is never that of another.
func (c *Cloud) number(kind string) int {
	c.serial[kind]++
	return map[string]int{"key": 40_000_000, "record": 70_000_000, "droplet": 500_000_000, "action": 2_000_000_000}[kind] + c.serial[kind]
}

func (c *Cloud) uuid(kind string) string {
	c.serial[kind]++
	prefix := map[string]int{"project": 0xa1, "vpc": 0xb2, "firewall": 0xc3, "volume": 0xd4, "request": 0xe5}[kind]
	return fmt.Sprintf("%02x000000-0000-4000-8000-%012x", prefix, c.serial[kind])
}

// fresh is what a thing that was just created still hides from.
type fresh struct{ gets, lists int }

func (c *Cloud) born(urn string) {
	c.fresh[urn] = &fresh{c.options.NotFoundLooks, c.options.UnlistedLooks}
}

// hidden tells whether a get or a list does not see a thing yet, and counts as a look at it.
func (c *Cloud) hidden(urn string, list bool) bool {
	f := c.fresh[urn]
	if f == nil {
		return false
	}
	left := &f.gets
	if list {
		left = &f.lists
	}
	if *left > 0 {
		*left--
		return true
	}
	return false
}
