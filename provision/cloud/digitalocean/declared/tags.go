package declared

import (
	"net/netip"
	"slices"
	"strings"

	"provision/inventory"
)

// Tags are all that is remembered of a droplet beside what it is: whose it is, which host it is, what it is for, and by which
// keys it is known. DigitalOcean allows letters, digits, colons, dashes and underscores in them; names of hosts have dots and no underscores.
// Tags that differ by case only are one, which keeps the letters that it was made with: a host that is renamed by case only is the same.
const (
	tagPrefix     = "provision:"
	hostKeyPrefix = tagPrefix + "hostkey:"
	birthPrefix   = tagPrefix + "birth:"
)

// Tag is on all that was made for this inventory and can carry a tag.
func (d *Account) Tag() string { return tagPrefix + d.Name }

// NameTag is on the one droplet that is the host of that name.
func (d *Account) NameTag(host string) string {
	return d.Tag() + ":name:" + strings.ReplaceAll(host, ".", "_")
}

// RoleTag is on the droplets with that role; firewalls go by it.
func (d *Account) RoleTag(role inventory.Role) string { return d.Tag() + ":role:" + string(role) }

// AddressTag remembers which reserved IP is the host's, which cannot carry a tag itself. It is on nothing.
func (d *Account) AddressTag(host, address string) string {
	return d.addressPrefix(host) + strings.ReplaceAll(address, ".", "-")
}

func (d *Account) addressPrefix(host string) string { return d.NameTag(host) + ":address:" }

// HostKeyTag says that a droplet may show the key with this hexadecimal SHA-256.
func HostKeyTag(sum string) string { return hostKeyPrefix + sum }

// BirthTag says that a droplet has not been logged in to yet, and which key it was made with.
func BirthTag(sum string) string { return birthPrefix + sum }

// HostOf is the name of the host that a droplet with these tags is; "" if they name none of this inventory.
func (d *Account) HostOf(tags []string) string {
	for _, t := range tags {
		if name, ok := strings.CutPrefix(t, d.NameTag("")); ok && name != "" && !strings.Contains(name, ":") {
			return d.declared(strings.ReplaceAll(name, "_", "."))
		}
	}
	return ""
}

// declared is a host's name as the inventory writes it, where it is there.
func (d *Account) declared(name string) string {
	for _, host := range d.hosts {
		if strings.EqualFold(host, name) {
			return host
		}
	}
	return name
}

// HasTag tells whether a tag is among others.
func HasTag(tags []string, tag string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, tag) })
}

// VolumeName is what the volume of a host is called: lower case, a letter first, no dots.
func (d *Account) VolumeName(host string) string {
	return "provision-" + d.Name + "-" + strings.ReplaceAll(strings.ToLower(host), ".", "-")
}

// HostKeys are the fingerprints among the tags.
func HostKeys(tags []string) []string { return suffixes(tags, hostKeyPrefix) }

// BirthKey is the fingerprint that a droplet was made with as long as it was not logged in to; "" after that.
func BirthKey(tags []string) string {
	for _, sum := range suffixes(tags, birthPrefix) {
		return sum
	}
	return ""
}

// Named are the hosts that the tags of the account name.
func (d *Account) Named(tags []string) (hosts []string) {
	for _, text := range suffixes(tags, d.NameTag("")) {
		name, _, _ := strings.Cut(text, ":")
		if name = d.declared(strings.ReplaceAll(name, "_", ".")); !slices.Contains(hosts, name) {
			hosts = append(hosts, name)
		}
	}
	return hosts
}

// Addresses are the addresses that the tags of the account remember for a host.
func (d *Account) Addresses(tags []string, host string) (out []string) {
	for _, text := range suffixes(tags, d.addressPrefix(host)) {
		if addr, err := netip.ParseAddr(strings.ReplaceAll(text, "-", ".")); err == nil {
			out = append(out, addr.String())
		}
	}
	return out
}

func suffixes(tags []string, prefix string) (out []string) {
	for _, t := range tags {
		if len(t) > len(prefix) && strings.EqualFold(t[:len(prefix)], prefix) {
			out = append(out, t[len(prefix):])
		}
	}
	return out
}
