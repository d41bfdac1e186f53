package inventory

import (
	"cmp"
	"slices"

	"provision/inventory/strict"
)

// Cloud makes the empty tables of one cloud. The clouds that there are have their rows in package clouds.
type Cloud func() Tables

// Tables are what an inventory declares in one cloud: a pointer to a struct whose fields are tables at the top of the file, as those
// of Inventory are. Load decodes into it and asks it; what it holds is known to its cloud alone.
type Tables interface {
	// Check reports the mistakes in the tables, and gives defaults their place. The rules for all hosts are checked by Load.
	Check(Checker)
	// Members are the hosts that are declared, in the order of their tables.
	Members() []Member
	// Machines is the name of the table that has a table per machine.
	Machines() string
	// DestroyAll is the command that destroys all that there is in the account; "" where the file declares no account.
	DestroyAll() string
	// Domain is the domain in which the url's host gets its record; "" for none.
	Domain() string
}

// Member is a host that a cloud makes.
type Member struct {
	// Key is the table that declares it; several members may have one.
	Key, Name string
	Roles     []Role
	// User is the login user.
	User        string
	Concurrency int
	Queues      []string
	// Kind is the cloud's word for such a machine, for messages about an address that is not known beforehand; "" where a mistake
	// says already that it cannot be made.
	Kind string
	// Machine becomes the Host's.
	Machine any
}

// members are the hosts of the clouds.
func (i *Inventory) members() []Member {
	var all []Member
	for _, tables := range i.Clouds {
		all = append(all, tables.Members()...)
	}
	return all
}

// everybody are the members of the clouds after the hosts that exist already, as far as the rules for the whole fleet go.
func (i *Inventory) everybody() []Member {
	var all []Member
	for _, h := range i.Hosts {
		all = append(all, Member{Key: strict.Key("hosts", h.Name), Name: h.Name, Roles: h.Roles})
	}
	return append(all, i.members()...)
}

// made makes a host of every member, so that from here on a machine is a machine: its address and its host key come from the cloud
// when it is dialled.
func (i *Inventory) made() {
	for _, m := range i.members() {
		i.Hosts = append(i.Hosts, Host{
			Name: m.Name, User: m.User, IdentityFile: i.SSH.IdentityFile, Jump: i.SSH.Jump, Roles: m.Roles, Concurrency: m.Concurrency, Queues: m.Queues,
			KnownHosts: i.SSH.KnownHosts, HostKeyChecking: i.SSH.HostKeyChecking, ConnectTimeout: i.SSH.ConnectTimeout, Machine: m.Machine,
		})
	}
	slices.SortFunc(i.Hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
}

// madeServer is the cloud's word for the machine with the server role; "" where that exists already.
func (i *Inventory) madeServer() string {
	for _, m := range i.members() {
		if m.Kind != "" && slices.Contains(m.Roles, RoleServer) {
			return m.Kind
		}
	}
	return ""
}

// firstHost says how a file without hosts gets one.
func (i *Inventory) firstHost() string {
	hint := "add [hosts.NAME] with address and roles"
	for _, tables := range i.Clouds {
		machine := "[" + tables.Machines() + ".NAME]"
		if destroy := tables.DestroyAll(); destroy != "" {
			return "add " + machine + "; to have nothing at all, put back what there was, then: " + destroy
		}
		hint += ", or " + machine
	}
	return hint
}
