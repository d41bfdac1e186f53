package stack

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"provision/inventory"
	"provision/inventory/strict"
)

// Load reads and checks a stack file; "" gives the built-in stack. With problems the stack holds what could be read, or is nil if the file is not TOML.
func Load(path string) (*Stack, strict.Problems) {
	if path == "" {
		return Default(), nil
	}
	doc, problems := strict.Open(path)
	if problems != nil {
		return nil, problems
	}
	return load(doc)
}

func load(doc *strict.Document) (*Stack, strict.Problems) {
	s := Default()
	if g := generationOf(doc.Text("prefect", "version")); g != nil {
		s = Of(*g)
	}
	s.File, s.Dir, s.doc = doc.File, doc.Dir, doc
	doc.Decode(s)
	c := checker{doc}
	c.name(s)
	c.prefect(s)
	c.image("postgres.image", s.Postgres.Image)
	if c.Has("postgres.url") && s.Generation().OldestDatabase == 0 {
		c.Add("postgres.url", "Prefect "+s.Prefect.Version+" has a database of its own", "")
	}
	c.image("caddy.image", s.Caddy.Image)
	if !userName.MatchString(s.UI.User) {
		c.Add("ui.user", strict.Show(s.UI.User)+" is not a user's name", "letters, digits, dots, dashes, underscores and @, at most 64, no dash first")
	}
	if s.Agent.Concurrency < 1 {
		c.Add("agent.concurrency", "must be 1 or more", "how many flow runs one host executes at once")
	}
	inventory.Queues(c.Document, "agent.queues", s.Agent.Queues)
	c.retention(s)
	c.backup(s)
	switch most := s.Generation().Servers; {
	case s.Scale.Servers < 1:
		c.Add("scale.servers", "must be 1 or more", "")
	case s.Scale.Servers > most && most == 1:
		c.Add("scale.servers", "Prefect "+s.Prefect.Version+" has one server", "write 1")
	case s.Scale.Servers > most:
		c.Add("scale.servers", fmt.Sprintf("must be %d at most", most), "each of them is one core of the host")
	}
	c.deployments(s, c.businessLogic(s))
	c.docker(&s.Docker)
	return s, doc.Problems()
}

// checker adds a problem to the document for everything that is not as it should be.
type checker struct{ *strict.Document }

var (
	stackName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	fingerprint = regexp.MustCompile(`^[0-9a-f]{40}$`)
	userName    = regexp.MustCompile(`^[A-Za-z0-9._@][A-Za-z0-9._@-]{0,63}$`)
)

// reservedNames have another meaning below the directory that stacks live in.
var reservedNames = []string{"lock", "engine"}

func (c checker) name(s *Stack) {
	switch {
	case !stackName.MatchString(s.Name):
		c.Add("name", strict.Show(s.Name)+" is not a stack's name", "lower-case letters, digits and dashes, at most 32, with a letter or digit first and last")
	case slices.Contains(reservedNames, s.Name):
		c.Add("name", fmt.Sprintf("%q is taken on the hosts by something else", s.Name), "")
	}
}

// image wants a name that Docker understands, with a version.
func (c checker) image(key, image string) {
	named, err := reference.ParseNormalizedNamed(image)
	switch {
	case err != nil:
		c.Add(key, strict.Show(image)+" is not an image", fmt.Sprintf("for example %q or %q", Default().Prefect.Image, "registry.example.org/"+Default().Prefect.Image))
	case reference.IsNameOnly(named):
		c.Add(key, strict.Show(image)+" has no tag, so it would be another image every time", "write the version behind a colon")
	}
}

func (c checker) docker(d *Docker) {
	c.OneOf("docker.source", d.Source, DockerAuto, DockerOfficial, DockerDistro, DockerPresent)
	if d.Key != "" {
		key := strings.TrimPrefix(strings.ToLower(strings.Join(strings.Fields(d.Key), "")), "0x")
		if !fingerprint.MatchString(key) {
			c.Add("docker.key", strict.Show(d.Key)+" is not a fingerprint", "all 40 hexadecimal digits of the primary key, which `gpg --show-keys FILE` prints: a shorter id can be imitated")
		}
		d.Key = key
	}
	subnets := d.Subnets.named()
	for n, subnet := range subnets {
		key := strict.Key("docker.subnets", subnet.name)
		switch {
		case !subnet.Addr().Is4():
			c.Add(key, fmt.Sprintf("%s is not an IPv4 network", subnet), "")
		case subnet.Bits() > 28 || subnet.Bits() < 8:
			c.Add(key, fmt.Sprintf("%s has not a fitting size", subnet), "/8 to /28; /24 is plenty")
		case !subnet.Addr().IsPrivate() && !sharedSpace.Contains(subnet.Addr()):
			c.Add(key, fmt.Sprintf("%s is not for private use: its real owner could not be reached any more", subnet), "choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
		}
		for _, other := range subnets[:n] {
			if subnet.Overlaps(other.Prefix) {
				at := key
				if !c.Has(at) { // the default stands in the way of what was given
					at = strict.Key("docker.subnets", other.name)
				}
				c.Add(at, fmt.Sprintf("%s (%s) overlaps %s (%s)", subnet, subnet.name, other, other.name), "each network needs its own")
			}
		}
	}
}

// sharedSpace is not among what netip calls private, and as good for this.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

type namedSubnet struct {
	name string
	netip.Prefix
}

func (s Subnets) named() []namedSubnet {
	return []namedSubnet{{"server", s.Server}, {"database", s.Database}, {"agent", s.Agent}}
}

// local says whether the path stays within the directory that it counts from.
func local(path string) bool {
	return filepath.IsLocal(path) && filepath.ToSlash(filepath.Clean(path)) == path
}
