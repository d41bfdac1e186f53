// Package generation says what a generation of the stack is: its containers, its images, what tokens may do at its API.
// Each generation is a package of its own, which gives one Generation, and a row in package files.
package generation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/files/compose"
	"provision/files/naming"
)

// Part is a container of the stack, or a program that runs once in one. All that the rest of provision has to know of it stands in its row: what is bound
// to hosts, rendered, drawn, stopped and removed goes through the rows of the generation.
type Part struct {
	Name string // of the Compose service; the container is called after it
	Role string // of the hosts that it runs on
	// Title is whose the user id is, in messages.
	Title string
	UID   string // of user and group; parts of one Title share it. A new one is naming.UID(N), with the next N that no part has
	Image string // one of the Image constants, or the reference of an image that is pulled
	// Networks are kinds of networks.
	Networks []naming.Network
	Volumes  []PartVolume
	// Secrets is the directory below secrets/ that the container sees as /run/secrets; "" is none.
	Secrets string
	// Password is the file in Secrets with a password that is born on the host. Those who call the part find it in their own Secrets, under the
	// same name.
	Password string
	// AtStart says that the container reads secrets and authorities at its start only, so it is replaced when they change.
	AtStart bool
	// Calls are the parts that it asks. They start before it and stop after it.
	Calls []Call
	// CalledAt is how those who ask it do, for people.
	CalledAt string
	// Replicas says how many alike there are on a host; nil is one. Who calls the part calls all of them, and the entrance leads to each.
	Replicas func(Input) int
	// Most is how many Replicas can ever say, so that those that are no longer wanted are stopped in their turn; 0 is one.
	Most int
	// Once is a program that is run by hand and has no lasting container.
	Once bool
	// Entrance is what the url leads to, and Polls is what asks there for work.
	Entrance, Polls bool
	// When says whether the part is there; nil is always.
	When func(Input) bool
	// Define gives the rest of the service. It is pure.
	Define func(Input, Site) (compose.Service, error)

	// Timeout is how many seconds it may take to be healthy; 0 is the resource's own.
	Timeout int
	// Note says what its replacement interrupts.
	Note func(Input) string
	// Removed says what its end means, where that is more than its absence.
	Removed string
	// StoppedFor is the part that this one is stopped for, before that is replaced.
	StoppedFor string
	// RunsFor is the part that this one, which runs once, is run for before that is replaced, and Doing says to people what it does.
	RunsFor, Doing string

	row string // name of the row that a replica is made of
}

// Row is the name of the part's row: that of a replica has no number.
func (p Part) Row() string { return cmp.Or(p.row, p.Name) }

// replicas are the part's containers, or the part itself where there is one.
func (p Part) replicas(in Input) Parts {
	if p.Replicas == nil {
		return p.numbered(1)
	}
	return p.numbered(p.Replicas(in))
}

// numbered are n containers of the part.
func (p Part) numbered(n int) (out Parts) {
	for k := range n {
		one := p
		one.Name, one.row = naming.Replica(p.Name, k+1), p.Name
		out = append(out, one)
	}
	return out
}

// PartVolume is a volume of a part.
type PartVolume struct {
	Name   naming.Volume
	Target string
}

// Call is a part that another one asks.
type Call struct {
	Part    string
	Healthy bool // Compose waits until it is healthy, and not only until it is started
}

// The images of the stack, in the order in which they come to a host.
const (
	ImagePostgres = "postgres"
	ImagePrefect  = "prefect"
	ImageBusiness = "business-logic"
	ImageCaddy    = "caddy"
	ImageBackup   = "backup"
)

// Input is what the projects of one host are rendered from.
type Input struct {
	Stack  naming.Stack
	ID     string            // of the stack; empty where it is not known yet
	Host   string            // name in the inventory
	Images map[string]string // references, by the Image constants

	TLS       string
	PublicURL string            // scheme, host and optional port; the port is the one that is published
	Settings  map[string]string // further PREFECT_ settings of the server

	// AgentHere puts the entrance on the agents' network too, under the url's host: an agent lives on the same machine.
	AgentHere bool

	CA         bool              // agents trust ca/ca.pem instead of the public authorities at the API
	ExtraHosts map[string]string // name to address

	Queues      []string // shared queues; the host's own is added
	Concurrency int
	StopGrace   time.Duration // how long running flows may take to end before business-logic is killed

	Serve  bool // business-logic fetches its runs itself, with the run token; there is no agent
	APIAll bool // flows may do everything at the API

	Proxy   string
	NoProxy []string

	Retention    Retention
	RetryCutRuns bool // a run that is cut off begins again
	AnyPickles   bool // flows read results that are pickles from storages that others may write, too
	Servers      int  // of Prefect, that answer beside each other; 0 is one
	DatabasePort int  // of a database elsewhere, whose url is in the server's secrets; 0 is the stack's own

	Backup *Backup // nil for none
}

// Backup says what becomes of the stack's backups.
type Backup struct {
	Repository string // directory on the server host
	Keep       Keep
}

// Keep says of how many days, weeks and months the newest backup stays.
type Keep struct{ Daily, Weekly, Monthly int }

// DatabaseURL is the file in the server's secrets with the url of a database elsewhere.
const DatabaseURL = "database_url"

// Retention says how long things are kept in the database; 0 is for ever.
type Retention struct{ Runs, Events time.Duration }

// Parts are the rows of one generation, in the way of a request: who asks stands before who answers.
type Parts []Part

// Of are the parts of a role that are there, each replica on its own, programs that run once included.
func (ps Parts) Of(role string, in Input) (out Parts) {
	for _, p := range ps {
		if p.Role != role || p.When != nil && !p.When(in) {
			continue
		}
		var calls []Call
		for _, c := range p.Calls {
			called := ps.Named(c.Part)
			if called.When != nil && !called.When(in) {
				continue // it is not there
			}
			for _, called := range called.replicas(in) {
				calls = append(calls, Call{Part: called.Name, Healthy: c.Healthy})
			}
		}
		p.Calls = calls
		out = append(out, p.replicas(in)...)
	}
	return out
}

// Named is the part of this name; nil if there is none.
func (ps Parts) Named(name string) *Part {
	if n := slices.IndexFunc(ps, func(p Part) bool { return p.Name == name }); n >= 0 {
		return &ps[n]
	}
	return nil
}

// Starting are the parts in an order in which each comes after those that it calls.
func (ps Parts) Starting() Parts {
	out := slices.Clone(ps)
	slices.Reverse(out)
	return out
}

// Roled are all parts of a role, whether they are there or not, programs that run once included.
func (ps Parts) Roled(role string) (out Parts) {
	for _, p := range ps {
		if p.Role == role {
			out = append(out, p)
		}
	}
	return out
}

// Networks are the kinds of networks that the parts are on, in the way of a request.
func (ps Parts) Networks() (kinds []naming.Network) {
	for _, p := range ps {
		for _, n := range p.Networks {
			if !slices.Contains(kinds, n) {
				kinds = append(kinds, n)
			}
		}
	}
	return kinds
}

// Images are the images that the parts run, in the order in which they come to a host: the named ones, then those of one part.
func (ps Parts) Images() (images []string) {
	named := []string{ImagePostgres, ImagePrefect, ImageBusiness, ImageCaddy, ImageBackup}
	for _, image := range named {
		if slices.ContainsFunc(ps, func(p Part) bool { return p.Image == image }) {
			images = append(images, image)
		}
	}
	for _, p := range ps {
		if !slices.Contains(named, p.Image) && !slices.Contains(images, p.Image) {
			images = append(images, p.Image)
		}
	}
	return images
}

// Entrance is what the url leads to.
func (ps Parts) Entrance() *Part {
	return &ps[slices.IndexFunc(ps, func(p Part) bool { return p.Entrance })]
}

// Stopping are the parts, with all replicas that there can be, in the order in which they end: who asks before who answers, and agents
// before the server, so that runs can report.
func (ps Parts) Stopping() (out Parts) {
	for _, role := range []string{naming.RoleAgent, naming.RoleServer} {
		for _, p := range ps.Roled(role) {
			if !p.Once {
				out = append(out, p.numbered(max(p.Most, 1))...)
			}
		}
	}
	return out
}

// Render gives the Compose project of a role. It is pure and deterministic.
func (ps Parts) Render(role string, in Input) (compose.Rendered, error) {
	site, err := ParseSite(in.TLS, in.PublicURL)
	if err != nil {
		return compose.Rendered{}, err
	}
	services := map[string]*compose.Service{}
	for _, p := range ps.Of(role, in) {
		s, err := p.Define(in, site)
		if err != nil {
			return compose.Rendered{}, err
		}
		services[p.Name] = p.complete(s, in)
	}
	return compose.Project{Name: in.Stack.Project(role), Services: services}.Render(in.Stack, in.ID)
}

// complete gives a service what its row says.
func (p Part) complete(s compose.Service, in Input) *compose.Service {
	s.Image, s.User = cmp.Or(in.Images[p.Image], p.Image), p.UID+":"+p.UID
	if p.Once {
		s.Profiles = []string{p.Name}
	} else {
		s.ContainerName = in.Stack.Container(p.Name)
	}
	if len(p.Networks) == 0 {
		s.NetworkMode = "none"
	}
	for _, n := range p.Networks {
		if s.Networks == nil {
			s.Networks = map[string]compose.Attachment{}
		}
		if _, given := s.Networks[in.Stack.Network(n)]; !given {
			s.Networks[in.Stack.Network(n)] = compose.Attachment{}
		}
	}
	dir := in.Stack.RoleDir(p.Role)
	var mounts []compose.Mount
	for _, v := range p.Volumes {
		mounts = append(mounts, compose.Volume(in.Stack.Volume(v.Name), v.Target))
	}
	mounts = append(mounts, s.Volumes...)
	for _, m := range s.Volumes {
		if p.AtStart && m.Type == "bind" {
			s.StartMounts = append(s.StartMounts, strings.TrimPrefix(m.Source, dir+"/"))
		}
	}
	if p.Secrets != "" {
		mounts = append(mounts, compose.Bind(dir+"/secrets/"+p.Secrets, "/run/secrets"))
		if p.AtStart {
			s.StartMounts = append(s.StartMounts, "secrets/"+p.Secrets)
		}
	}
	s.Volumes = mounts
	for _, c := range p.Calls {
		if s.DependsOn == nil {
			s.DependsOn = map[string]compose.Dependency{}
		}
		condition := "service_started"
		if c.Healthy {
			condition = "service_healthy"
		}
		s.DependsOn[c.Part] = compose.Dependency{Condition: condition}
	}
	return compose.Harden(s)
}

// Check finds rows that contradict each other.
func (ps Parts) Check() error {
	for n, p := range ps {
		if ps.Named(p.Name) != &ps[n] {
			return fmt.Errorf("two parts are called %s", p.Name)
		}
		if o := slices.IndexFunc(ps, func(o Part) bool { return o.UID == p.UID && o.Title != p.Title }); o >= 0 && p.UID != "" {
			return fmt.Errorf("%s and %s have the user id %s, and are not of one program", ps[min(n, o)].Name, ps[max(n, o)].Name, p.UID)
		}
		for _, c := range p.Calls {
			called := ps.Named(c.Part)
			if called == nil || called.Role != p.Role {
				return fmt.Errorf("%s calls %s, which is no part of the same role", p.Name, c.Part)
			}
			if slices.IndexFunc(ps, func(o Part) bool { return o.Name == c.Part }) < n && !p.Once {
				return fmt.Errorf("%s stands after %s, which it calls", p.Name, c.Part)
			}
		}
		for _, other := range []string{p.StoppedFor, p.RunsFor} {
			if o := ps.Named(other); other != "" && (o == nil || o.Role != p.Role) {
				return fmt.Errorf("%s stops or runs for %s, which is no part of the same role", p.Name, other)
			}
		}
	}
	return nil
}
