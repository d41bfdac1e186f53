// Package cloud is what the rest of provision knows of a cloud: an account that machines are made in. Each cloud is a folder beside
// this file, and a row in package clouds.
package cloud

import (
	"context"
	"math"
	"time"

	"provision/inventory"
	"provision/provision/resource"
)

// Provider is one cloud with what an inventory declares in it. It asks nobody; Open does.
type Provider interface {
	// Noun is its word for a machine, for messages.
	Noun() string
	// Bind makes the resources of the account: what the declared machines are, and what each of them is made with.
	Bind(Site) (Bound, error)
	// Offer is the size and the region that the host's machine is made with; empty for a machine that exists already.
	Offer(*inventory.Host) (size, region string)
	// Ready are the resources that a host has to have before anything is done on it; none for a machine that exists already.
	Ready(*inventory.Host) []resource.ID
	// Disk is the disk that outlives the host's machine; nil where none is declared.
	Disk(*inventory.Host) *Disk
	// Of are the resources that a host's machine is made by, beside all that they need.
	Of(host string) []resource.ID
	// Role says what a resource of the account is to a plan.
	Role(resource.Resource) Role
	// Cost is what costs what is declared; false where the price of something is not known.
	Cost(resource.World) (Cost, bool)
	// Open makes the account's client, without a call. onWait is called before each longer wait; it may be nil.
	Open(ctx context.Context, pace Pace, onWait func(why string, wait time.Duration)) (Account, error)
}

// Role says what a resource of the account is to a plan.
type Role int

// The roles.
const (
	Thing    Role = iota // it exists in the account
	Question             // it makes nothing, and is asked of the account
	Surplus              // it is about what is declared no more
	Wait                 // something on a host waits for it
)

// Site is what a cloud has to know of the stack.
type Site struct {
	Stack  string
	Server *inventory.Host
	Caddy  resource.ID // the container that asks for a certificate
	Loaded resource.ID // its configuration, whose fact has the certificate that it shows
}

// Bound is what a cloud makes of a site.
type Bound struct {
	Resources []resource.Resource
	// Named is what makes the url's host lead to the server; zero where nothing does.
	Named resource.ID
}

// Disk is a disk that outlives the machine that it is attached to.
type Disk struct {
	// ID is the resource that makes it.
	ID resource.ID
	// Device is its path on the host.
	Device string
	// After are what has to be done before it is there.
	After []resource.ID
}

// Pace says how patiently an account is asked; zero values are the usual ones. Tests have less time.
type Pace struct{ Call, Pause, Deadline time.Duration }

// Account is an account that can be asked.
type Account interface {
	// List reads all that the account has of the inventory's. A listing is whole or there is none, so what it lacks does not exist.
	List(context.Context) (Listing, error)
	// Place is where a host's machine is now; false where there is no such machine.
	Place(ctx context.Context, host string) (Place, bool, error)
	// Holdings are what a listing has and what should be there, without what all of that costs.
	Holdings(Listing) *Holdings
	// Doom looks up what destroying one machine would take; nothing is done.
	Doom(l Listing, host string) (*Doomed, error)
	// Destroy removes one machine, and its volume if that is asked for.
	Destroy(ctx context.Context, w Work, d *Doomed, withVolume bool) error
	// Estate looks up all that there is of the inventory's, in the order in which it is destroyed; nothing is done.
	Estate(Listing) (*Estate, error)
	// DestroyAll destroys it, with the volumes if that is asked for, and says what could not be had. Killed in between, the next one
	// continues.
	DestroyAll(ctx context.Context, w Work, e *Estate, withVolumes bool) (stays []string, err error)
	// Until looks again and again, less and less often, until done says so. The error says what was waited for.
	Until(ctx context.Context, what string, done func(context.Context) (bool, error)) error
	// Moment is how long something may take that is usually there at once.
	Moment() time.Duration
	// Budget is how many calls the account has left this hour, of how many, and how many were made here.
	Budget() (left, limit, made int)
	// Explain adds to an error of the account what the API said, and what to do about it.
	Explain(error) *Error
	// Close ends the idle connections.
	Close()
}

// Listing is one reading of an account.
type Listing interface {
	// Fact is what the listing says of a resource; false for one that is not of the account.
	Fact(resource.Resource) (resource.Fact, bool)
	// Places are where the machines are, by host.
	Places() map[string]Place
}

// Place is where a machine is found, as the account tells it. Its host key is known by the account alone, so whoever may read the
// account verifies every dial.
type Place struct {
	Address string
	Sums    []string // of the host keys that it may show
	// Newborn says that nobody has finished the first login: the machine is as blank as it was made.
	Newborn bool
}

// Error is an error with its cause in words and what to do about it.
type Error struct {
	Err         error
	Cause, Hint string
	// Usage says that what was asked for is not there, or not declared.
	Usage bool
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Work is what a run lends to an account for changes that are in no plan.
type Work struct {
	Run *resource.Run
	// Progress shows a line; an empty host is the account.
	Progress func(host, step, text string)
	// Stop ends what works on a host, as far as it can be reached.
	Stop func(ctx context.Context, host string) error
	// Failed is the error of a step.
	Failed func(step string, err error) error
}

// Doomed is what destroying one machine would take, and what it would leave.
type Doomed struct {
	Name   string
	Volume string   // its name; empty if it has none of ours
	Left   []string // what stays, in words
	// Found is what the account knows of it.
	Found any
}

// Estate is all that an account has of one inventory's.
type Estate struct {
	// Name is the one that the inventory gives the account.
	Name string
	// Goes and Stays are all of it in words, but for volumes.
	Goes, Stays []string
	// Volumes are their names, which stay unless all of them are named, and VolumesInWords say what is on each.
	Volumes, VolumesInWords []string
	// Found is what the account knows of it.
	Found any
}

// Machine is one machine, or one that is declared and does not exist.
type Machine struct {
	Name     string           `json:"name"`
	ID       int              `json:"id,omitempty"`
	Status   string           `json:"status"` // as the cloud names it; "missing" where it is declared only
	Address  string           `json:"address,omitempty"`
	Reserved string           `json:"reserved_ip,omitempty"` // which the url's record leads to
	Size     string           `json:"size,omitempty"`
	Region   string           `json:"region,omitempty"`
	Roles    []inventory.Role `json:"roles,omitempty"`
	Monthly  float64          `json:"monthly,omitempty"` // dollars
	Declared bool             `json:"declared"`
	// SetUp says that the first login is done.
	SetUp bool `json:"set_up"`
}

// Holdings are what an account has of an inventory's, and what it should have.
type Holdings struct {
	Droplets []Machine `json:"droplets"` // those that are declared, and those that carry the inventory's tag
	Left     []Spare   `json:"left"`
	Declared Cost      `json:"declared"` // what costs what is declared
	Existing Cost      `json:"existing"` // and what is there
}

// Spare is something of the inventory's that costs money and that nothing declares.
type Spare struct {
	Kind    string  `json:"kind"` // volume, reserved ip
	Name    string  `json:"name"`
	Region  string  `json:"region,omitempty"`
	Host    string  `json:"host,omitempty"`    // that an address is remembered for
	Droplet int     `json:"droplet,omitempty"` // that has it
	GiB     int64   `json:"gib,omitempty"`
	Monthly float64 `json:"monthly"` // dollars
}

// Cost is US dollars a month, by what they are for; traffic and taxes are not in it.
type Cost struct {
	Droplets  float64 `json:"droplets"`
	Backups   float64 `json:"backups"`
	Volumes   float64 `json:"volumes"`
	Addresses float64 `json:"addresses"` // reserved ones that no droplet has
}

// Total is all of it.
func (c Cost) Total() float64 { return Cents(c.Droplets + c.Backups + c.Volumes + c.Addresses) }

// InCents is the cost without what is below a cent.
func (c Cost) InCents() Cost {
	return Cost{Cents(c.Droplets), Cents(c.Backups), Cents(c.Volumes), Cents(c.Addresses)}
}

// Cents leaves nothing of a sum below a cent.
func Cents(dollars float64) float64 { return math.Round(dollars*100) / 100 }
