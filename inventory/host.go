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
func (c Checker) ssh(s *SSH) {
	c.user("ssh.user", s.User)
	c.file("ssh.identity_file", &s.IdentityFile)
	c.path("ssh.known_hosts", &s.KnownHosts)
	if c.Has("ssh.host_key_checking") && !slices.Contains([]string{"strict", "accept-new"}, s.HostKeyChecking) {
		c.Add("ssh.host_key_checking", strict.Show(s.HostKeyChecking)+" is unknown here", `"strict" or "accept-new"; host keys are always verified`)
	}
	c.jump("ssh.jump", s.Jump)
}

// host checks one host and gives it the defaults.
func (c Checker) host(h *Host, defaults *SSH) {
	key := strict.Key("hosts", h.Name)
	c.HostName(key, h.Name)
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
	c.HostRoles(key, &h.Roles)
	c.Work(key, h.Roles, h.Concurrency, h.Queues)

	h.User = cmp.Or(h.User, defaults.User)
	h.IdentityFile = cmp.Or(h.IdentityFile, defaults.IdentityFile)
	if !c.Has(strict.Key(key, "jump")) {
		h.Jump = defaults.Jump
	}
	h.KnownHosts = defaults.KnownHosts
	h.HostKeyChecking = defaults.HostKeyChecking
	h.ConnectTimeout = defaults.ConnectTimeout
}

func (c Checker) hostKey(key, text string) {
	if text == "" {
		return
	}
	_, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 || len(rest) > 0 || strings.ContainsFunc(text, strict.Control) {
		c.Add(key, "not a host key", `the type and the key as in known_hosts, without the host: "ssh-ed25519 AAAA..."`)
	}
}

// HostRoles checks the list of a host's roles, which must be there even if it is empty.
func (c Checker) HostRoles(key string, roles *[]Role) {
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

// Work checks what only agents have. A host that is being cleaned may keep it.
func (c Checker) Work(key string, roles []Role, concurrency int, queues []string) {
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

// names refuses two of the same name, also where only letter case tells them apart, and a host named after a role that others have:
// --limit takes both names and roles.
func (c Checker) names(inv *Inventory) {
	seen, all := map[string]Member{}, inv.everybody()
	holders := map[Role][]Member{}
	for _, m := range all {
		for _, role := range m.Roles {
			if h := holders[role]; len(h) == 0 || h[len(h)-1].Name != m.Name { // a role may be written twice
				holders[role] = append(holders[role], m)
			}
		}
	}
	for _, m := range all {
		if first, ok := seen[strings.ToLower(m.Name)]; ok {
			c.Add(m.Key, fmt.Sprintf("there is a host named %q already, in line %d", first.Name, c.Line(first.Key)), "")
		}
		seen[strings.ToLower(m.Name)] = m
		for _, other := range holders[Role(m.Name)] {
			if other.Name != m.Name {
				c.Add(m.Key, fmt.Sprintf("is named like the role of %q, so --limit %s would be ambiguous", other.Name, m.Name), "give it another name")
			}
		}
	}
}

// addresses refuses two hosts that are one machine.
func (c Checker) addresses(inv *Inventory) {
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
func (c Checker) roles(inv *Inventory) {
	members := inv.everybody()
	if len(members) == 0 {
		c.Add("hosts", "there is no host", inv.firstHost())
		return
	}
	server, used, told := "", false, c.Unusable("hosts")
	for _, tables := range inv.Clouds {
		told = told || c.Unusable(tables.Machines())
	}
	for _, m := range members {
		used = used || len(m.Roles) > 0
		told = told || c.Unusable(m.Key) || c.Told(strict.Key(m.Key, "roles"))
		if !slices.Contains(m.Roles, RoleServer) {
			continue
		}
		if server != "" {
			c.Add(strict.Key(m.Key, "roles"), fmt.Sprintf("there are two servers: %s and %s", server, m.Name), "one host has the server role")
		}
		server = m.Name
	}
	if used && server == "" && !told {
		c.Add("hosts", "no host has the server role", `give one roles = ["server"], or ["server", "agent"] for both on one host`)
	}
}
