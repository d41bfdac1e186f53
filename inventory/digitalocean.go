package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"provision/inventory/strict"
)

// DigitalOcean is the account that droplets are created in, and what they have in common.
type DigitalOcean struct {
	// Name is in the names and tags of all that is created. Two inventories of one account need two.
	Name string `toml:"name"`
	// Token is an API token of the account. Without it the environment's DIGITALOCEAN_TOKEN, then its DIGITALOCEAN_ACCESS_TOKEN.
	Token strict.SecretRef `toml:"token"`
	// APIURL is another endpoint of the API. Without it the environment's DIGITALOCEAN_API_URL, then DigitalOcean's own.
	APIURL string `toml:"api_url"`
	// Region is where everything is created, for example "fra1".
	Region string `toml:"region"`
	// Image is the system of the droplets; default "debian-13-x64".
	Image string `toml:"image"`
	// Size is the droplets' size; default "s-2vcpu-4gb".
	Size string `toml:"size"`
	// SSHKeys are files with the public keys that may log in.
	SSHKeys []string `toml:"ssh_keys"`
	// VPC is the name of an existing private network; without it one is made.
	VPC string `toml:"vpc"`
	// AdminCIDRs are the networks that may reach port 22.
	AdminCIDRs []netip.Prefix `toml:"admin_cidrs"`
	// Domain is managed in the account; the url's host gets its record in it. Without it DNS is left alone.
	Domain string `toml:"domain"`
	// Resolver is a DNS server, HOST or HOST:PORT, that is asked where the url's host leads before a certificate is asked for; without
	// it the system's. "none" asks nobody.
	Resolver string `toml:"resolver"`
	// Project is the name of the project that everything is put into; without it the account's default.
	Project string `toml:"project"`
	// Monitoring installs DigitalOcean's metrics agent; default true.
	Monitoring bool `toml:"monitoring"`
	// Backups are DigitalOcean's own, of whole droplets, once a week. A droplet that has daily ones keeps them.
	Backups bool `toml:"backups"`

	hosts []string // that are droplets
}

// Droplet is one machine, or Count alike, to be created.
type Droplet struct {
	// Name is the host's name; with a Count the hosts are NAME-1, NAME-2 and so on.
	Name string `toml:"-"`
	// Roles is what the host is for. Empty cleans it of the stack and keeps the volumes.
	Roles []Role `toml:"roles"`
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

var (
	cloudName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	resolverName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?$`)
	cloudSlug    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
)

func (c checker) digitalocean(do *DigitalOcean) {
	at := func(name string) string { return strict.Key("digitalocean", name) }
	if !c.Has(at("monitoring")) {
		do.Monitoring = true
	}
	switch {
	case do.Name == "":
		c.Add(at("name"), "missing", `it is in the names and tags of all that is created: name = "prod"`)
	case !cloudName.MatchString(do.Name):
		c.Add(at("name"), strict.Show(do.Name)+" is not a name for tags", "lower-case letters, digits and dashes, at most 32")
	}
	if u, ok := c.link(at("api_url"), do.APIURL, "https", "http"); ok && !SafeForToken(u) {
		c.Add(at("api_url"), "the token would be sent in the clear", "write https://; http:// is for this machine alone")
	}
	if do.Region == "" {
		c.Add(at("region"), "missing", `where everything is created: region = "fra1"`)
	}
	c.slugs("digitalocean", &do.Region, &do.Image, &do.Size, "", "debian-13-x64", "s-2vcpu-4gb")
	if len(do.SSHKeys) == 0 {
		c.Add(at("ssh_keys"), "missing: without a key nobody can log in", `ssh_keys = ["~/.ssh/id_ed25519.pub"]`)
	}
	for n := range do.SSHKeys {
		c.content(strict.Key(at("ssh_keys"), n), &do.SSHKeys[n], func(text []byte) error { _, err := publicKeys(text); return err })
	}
	if len(do.AdminCIDRs) == 0 {
		c.Add(at("admin_cidrs"), "missing: nobody could reach port 22", `the networks of the operators: admin_cidrs = ["203.0.113.7/32"]`)
	}
	for _, text := range []struct{ name, value string }{{"vpc", do.VPC}, {"project", do.Project}} {
		if c.clean(at(text.name), text.value) && len(text.value) > 255 {
			c.Add(at(text.name), "is too long", "")
		}
	}
	if do.Resolver != "" && !resolverName.MatchString(do.Resolver) {
		c.Add(at("resolver"), strict.Show(do.Resolver)+" is not a DNS server", `write its address, for example "192.168.7.1" or "192.168.7.1:5353"`)
	}
	do.Domain = strings.ToLower(strings.TrimSuffix(do.Domain, "."))
	if do.Domain != "" && (!isDNSName(do.Domain) || !strings.Contains(do.Domain, ".")) {
		c.Add(at("domain"), strict.Show(do.Domain)+" is not a domain", "")
	}
}

// SafeForToken tells whether a token may be sent there: encrypted, or to this machine alone.
func SafeForToken(u *url.URL) bool {
	if u.Scheme != "http" {
		return u.Scheme == "https"
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// volumes refuses two droplets whose volumes would have one name.
func (c checker) volumes(inv *Inventory) {
	seen := map[string]*Droplet{}
	for n := range inv.Droplets {
		d := &inv.Droplets[n]
		if d.Volume == 0 || inv.DigitalOcean == nil {
			continue
		}
		name := inv.DigitalOcean.VolumeName(d.Names()[0])
		if first := seen[name]; first != nil {
			c.Add(strict.Key(strict.Key("droplets", d.Name), "volume"), fmt.Sprintf("is called %s, as that of %s: a volume's name has no dots", name, first.Name), "give one of the two another name")
		}
		seen[name] = d
	}
}

// publicKeys reads a file with one public key on each line, as authorized_keys has them.
func publicKeys(text []byte) ([]PublicKey, error) {
	if strings.Contains(string(text), "PRIVATE KEY") {
		return nil, errors.New("is a private key; the public one ends in .pub")
	}
	var out []PublicKey
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
		switch {
		case err != nil && len(out) == 0:
			return nil, errors.New("has no public key in OpenSSH's form")
		case err != nil:
			return nil, fmt.Errorf("has something else than a public key in OpenSSH's form in its line %d", number)
		case len(options) > 0:
			return nil, fmt.Errorf("has a key with options in its line %d, which the account does not keep: it could log in without them", number)
		}
		out = append(out, PublicKey{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), comment, ssh.FingerprintLegacyMD5(key)})
	}
	if len(out) == 0 {
		return nil, errors.New("has no public key in OpenSSH's form")
	}
	return out, nil
}

// PublicKey is a key of ssh_keys as the API knows it.
type PublicKey struct{ Text, Comment, Fingerprint string }

// PublicKeys reads the files of ssh_keys: every key of each of them, and each key once.
func (d *DigitalOcean) PublicKeys() ([]PublicKey, error) {
	var out []PublicKey
	for _, name := range d.SSHKeys {
		text, err := strict.ReadFile(name, MaxFile)
		if err != nil {
			return nil, fmt.Errorf("read ssh_keys: %w", err)
		}
		keys, err := publicKeys(text)
		if err != nil {
			return nil, fmt.Errorf("read ssh_keys: %s %w", name, err)
		}
		for _, k := range keys {
			if !slices.ContainsFunc(out, func(o PublicKey) bool { return o.Text == k.Text }) {
				out = append(out, k)
			}
		}
	}
	return out, nil
}

// slugs gives region, image and size their defaults and checks them.
func (c checker) slugs(table string, region, image, size *string, defaults ...string) {
	for n, slug := range []struct {
		name  string
		value *string
	}{{"region", region}, {"image", image}, {"size", size}} {
		if *slug.value == "" {
			*slug.value = defaults[n]
			continue
		}
		if len(*slug.value) > 128 || !cloudSlug.MatchString(*slug.value) {
			c.Add(strict.Key(table, slug.name), strict.Show(*slug.value)+" is not a name that DigitalOcean uses", "`doctl compute "+slug.name+" list` shows them")
		}
	}
}

func (c checker) droplet(d *Droplet, do *DigitalOcean) {
	key := strict.Key("droplets", d.Name)
	c.name(key, d.Name)
	if do == nil {
		c.Add(key, "there is no [digitalocean] to create it in", "")
		do = &DigitalOcean{}
	}
	c.slugs(key, &d.Region, &d.Image, &d.Size, do.Region, do.Image, do.Size)
	c.role(key, &d.Roles)
	c.work(key, d.Roles, d.Concurrency, d.Queues)
	if c.Has(strict.Key(key, "count")) && (d.Count < 1 || d.Count > maxCount) {
		c.Add(strict.Key(key, "count"), fmt.Sprintf("must be 1 to %d", maxCount), "remove the table to have none")
	}
	d.Count = max(d.Count, 0)
	for _, name := range d.Names() {
		if len(name) > maxHostName {
			c.name(key, name)
		}
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

// droplets makes a host of every droplet, so that from here on a machine is a machine: its address and its host key come from the
// API when it is dialled. The images that DigitalOcean has log root in.
func (i *Inventory) droplets() {
	for n := range i.Droplets {
		d := &i.Droplets[n]
		for _, name := range d.Names() {
			i.Hosts = append(i.Hosts, Host{
				Name: name, User: "root", IdentityFile: i.SSH.IdentityFile, Jump: i.SSH.Jump, Roles: d.Roles, Concurrency: d.Concurrency, Queues: d.Queues,
				KnownHosts: i.SSH.KnownHosts, HostKeyChecking: i.SSH.HostKeyChecking, ConnectTimeout: i.SSH.ConnectTimeout, Machine: d,
			})
			if i.DigitalOcean != nil {
				i.DigitalOcean.hosts = append(i.DigitalOcean.hosts, name)
			}
		}
	}
	slices.SortFunc(i.Hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
}
