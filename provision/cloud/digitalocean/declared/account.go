package declared

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"provision/inventory"
	"provision/inventory/strict"
)

// Account is the account that droplets are created in, and what they have in common.
type Account struct {
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

var (
	cloudName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	resolverName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?$`)
	cloudSlug    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
)

func (d *Account) check(c inventory.Checker) {
	at := func(name string) string { return strict.Key("digitalocean", name) }
	if !c.Has(at("monitoring")) {
		d.Monitoring = true
	}
	switch {
	case d.Name == "":
		c.Add(at("name"), "missing", `it is in the names and tags of all that is created: name = "prod"`)
	case !cloudName.MatchString(d.Name):
		c.Add(at("name"), strict.Show(d.Name)+" is not a name for tags", "lower-case letters, digits and dashes, at most 32")
	}
	if u, ok := c.Link(at("api_url"), d.APIURL, "https", "http"); ok && !SafeForToken(u) {
		c.Add(at("api_url"), "the token would be sent in the clear", "write https://; http:// is for this machine alone")
	}
	if d.Region == "" {
		c.Add(at("region"), "missing", `where everything is created: region = "fra1"`)
	}
	slugs(c, "digitalocean", &d.Region, &d.Image, &d.Size, "", "debian-13-x64", "s-2vcpu-4gb")
	if len(d.SSHKeys) == 0 {
		c.Add(at("ssh_keys"), "missing: without a key nobody can log in", `ssh_keys = ["~/.ssh/id_ed25519.pub"]`)
	}
	for n := range d.SSHKeys {
		c.Content(strict.Key(at("ssh_keys"), n), &d.SSHKeys[n], func(text []byte) error { _, err := publicKeys(text); return err })
	}
	if len(d.AdminCIDRs) == 0 {
		c.Add(at("admin_cidrs"), "missing: nobody could reach port 22", `the networks of the operators: admin_cidrs = ["203.0.113.7/32"]`)
	}
	for _, text := range []struct{ name, value string }{{"vpc", d.VPC}, {"project", d.Project}} {
		if c.Clean(at(text.name), text.value) && len(text.value) > 255 {
			c.Add(at(text.name), "is too long", "")
		}
	}
	if d.Resolver != "" && !resolverName.MatchString(d.Resolver) {
		c.Add(at("resolver"), strict.Show(d.Resolver)+" is not a DNS server", `write its address, for example "192.168.7.1" or "192.168.7.1:5353"`)
	}
	d.Domain = strings.ToLower(strings.TrimSuffix(d.Domain, "."))
	if d.Domain != "" && (!inventory.IsDNSName(d.Domain) || !strings.Contains(d.Domain, ".")) {
		c.Add(at("domain"), strict.Show(d.Domain)+" is not a domain", "")
	}
}

// slugs gives region, image and size their defaults and checks them.
func slugs(c inventory.Checker, table string, region, image, size *string, defaults ...string) {
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

// SafeForToken tells whether a token may be sent there: encrypted, or to this machine alone.
func SafeForToken(u *url.URL) bool {
	if u.Scheme != "http" {
		return u.Scheme == "https"
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
