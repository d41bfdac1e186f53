package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"provision/inventory/strict"
)

// ssh checks the defaults of all hosts and makes their paths usable.
func (c checker) ssh(s *SSH) {
	c.user("ssh.user", s.User)
	c.file("ssh.identity_file", &s.IdentityFile)
	c.path("ssh.known_hosts", &s.KnownHosts)
	if c.Has("ssh.host_key_checking") && !slices.Contains([]string{"strict", "accept-new"}, s.HostKeyChecking) {
		c.Add("ssh.host_key_checking", strict.Show(s.HostKeyChecking)+" is unknown here", `"strict" or "accept-new"; host keys are always verified`)
	}
	c.jump("ssh.jump", s.Jump)
}

// host checks one host and gives it the defaults.
func (c checker) host(h *Host, defaults *SSH) {
	key := strict.Key("hosts", h.Name)
	c.name(key, h.Name)
	if h.Address == "" {
		c.Add(strict.Key(key, "address"), "missing", `where the host is reached: address = "10.0.0.11"`)
	} else {
		c.address(strict.Key(key, "address"), &h.Address)
	}
	c.port(strict.Key(key, "port"), h.Port)
	c.user(strict.Key(key, "user"), h.User)
	c.file(strict.Key(key, "identity_file"), &h.IdentityFile)
	c.jump(strict.Key(key, "jump"), h.Jump)
	c.hostKey(strict.Key(key, "host_key"), h.HostKey)
	if h.InternalAddress != "" {
		addr, err := netip.ParseAddr(h.InternalAddress)
		if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
			c.Add(strict.Key(key, "internal_address"), strict.Show(h.InternalAddress)+" is not an IP address", "containers map the url's host to it, so a name will not do")
		} else {
			h.InternalAddress = addr.Unmap().String()
		}
	}
	c.role(key, &h.Roles)
	c.work(key, h.Roles, h.Concurrency, h.Queues)

	h.User = cmp.Or(h.User, defaults.User)
	h.IdentityFile = cmp.Or(h.IdentityFile, defaults.IdentityFile)
	if !c.Has(strict.Key(key, "jump")) {
		h.Jump = defaults.Jump
	}
	h.KnownHosts = defaults.KnownHosts
	h.HostKeyChecking = defaults.HostKeyChecking
	h.ConnectTimeout = defaults.ConnectTimeout
}

func (c checker) hostKey(key, text string) {
	if text == "" {
		return
	}
	_, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 || len(rest) > 0 || strings.ContainsFunc(text, strict.Control) {
		c.Add(key, "not a host key", `the type and the key as in known_hosts, without the host: "ssh-ed25519 AAAA..."`)
	}
}

// role checks the list of a host's or droplet's roles, which must be there even if it is empty.
func (c checker) role(key string, roles *[]Role) {
	list := strict.Key(key, "roles")
	if !c.Has(list) {
		c.Add(list, "missing", `what the host is for: roles = ["server"], ["agent"] or both; [] cleans it of the stack`)
	}
	for n, role := range *roles {
		if c.OneOf(strict.Key(list, n), string(role), string(RoleServer), string(RoleAgent)) && slices.Index(*roles, role) < n {
			c.Add(strict.Key(list, n), fmt.Sprintf("%q is named twice", role), "")
		}
	}
	if *roles == nil {
		*roles = []Role{}
	}
}

// work checks what only agents have. A host that is being cleaned may keep it.
func (c checker) work(key string, roles []Role, concurrency int, queues []string) {
	if c.Has(strict.Key(key, "concurrency")) && concurrency < 1 {
		c.Add(strict.Key(key, "concurrency"), "must be 1 or more", "how many flow runs the host executes at once")
	}
	Queues(c.Document, strict.Key(key, "queues"), queues)
	if len(roles) == 0 || slices.Contains(roles, RoleAgent) {
		return
	}
	for _, name := range []string{"concurrency", "queues"} {
		if c.Has(strict.Key(key, name)) {
			c.Add(strict.Key(key, name), "is for hosts with the agent role, which this one does not have", `add "agent" to its roles, or remove the key`)
		}
	}
}

// member is a host or a droplet, as far as the rules for the whole fleet go.
type member struct {
	key, name string
	roles     []Role
}

func (i *Inventory) members() []member {
	var all []member
	for _, h := range i.Hosts {
		all = append(all, member{strict.Key("hosts", h.Name), h.Name, h.Roles})
	}
	for _, d := range i.Droplets {
		for _, name := range d.Names() {
			all = append(all, member{strict.Key("droplets", d.Name), name, d.Roles})
		}
	}
	return all
}

// names refuses two of the same name, also where only letter case tells them apart, and a host named after a role that others have:
// --limit takes both names and roles.
func (c checker) names(inv *Inventory) {
	seen, all := map[string]member{}, inv.members()
	holders := map[Role][]member{}
	for _, m := range all {
		for _, role := range m.roles {
			if h := holders[role]; len(h) == 0 || h[len(h)-1].name != m.name { // a role may be written twice
				holders[role] = append(holders[role], m)
			}
		}
	}
	for _, m := range all {
		if first, ok := seen[strings.ToLower(m.name)]; ok {
			c.Add(m.key, fmt.Sprintf("there is a host named %q already, in line %d", first.name, c.Line(first.key)), "")
		}
		seen[strings.ToLower(m.name)] = m
		for _, other := range holders[Role(m.name)] {
			if other.name != m.name {
				c.Add(m.key, fmt.Sprintf("is named like the role of %q, so --limit %s would be ambiguous", other.name, m.name), "give it another name")
			}
		}
	}
}

// addresses refuses two hosts that are one machine.
func (c checker) addresses(inv *Inventory) {
	seen := map[string]string{}
	for _, h := range inv.Hosts {
		if h.Address == "" {
			continue
		}
		machine := fmt.Sprintf("%s %d %s", h.Address, cmp.Or(h.Port, 22), h.Jump)
		if first, ok := seen[machine]; ok {
			c.Add(strict.Key("hosts", h.Name, "address"), fmt.Sprintf("is the address and port of %q, too", first), "one machine is one host: give it both roles")
			continue
		}
		seen[machine] = h.Name
	}
}

// roles wants one server for all, as soon as anything has a role.
func (c checker) roles(inv *Inventory) {
	members := inv.members()
	if len(members) == 0 {
		hint := "add [hosts.NAME] with address and roles, or [droplets.NAME]"
		if inv.DigitalOcean != nil {
			hint = "add [droplets.NAME]; to have nothing at all, put back what there was, then: provision droplet destroy --all"
		}
		c.Add("hosts", "there is no host", hint)
		return
	}
	server, used, told := "", false, c.Unusable("hosts") || c.Unusable("droplets")
	for _, m := range members {
		used = used || len(m.roles) > 0
		told = told || c.Unusable(m.key) || c.Told(strict.Key(m.key, "roles"))
		if !slices.Contains(m.roles, RoleServer) {
			continue
		}
		if server != "" {
			c.Add(strict.Key(m.key, "roles"), fmt.Sprintf("there are two servers: %s and %s", server, m.name), "one host has the server role")
		}
		server = m.name
	}
	if used && server == "" && !told {
		c.Add("hosts", "no host has the server role", `give one roles = ["server"], or ["server", "agent"] for both on one host`)
	}
}
