// Package inventory says where the stack runs: the hosts, how they are reached, the public name, and the network's ways out.
// It reads one TOML file strictly, reports every mistake in it with its line, and gives defaults their place.
// It knows nothing of what runs on the hosts, dials nothing, and resolves a secret only when asked to.
package inventory

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"provision/inventory/strict"
)

// Inventory is a file like onprem.toml after Load: checked, with defaults filled in and paths ready to open.
type Inventory struct {
	// File is the inventory's path, as it was given.
	File string `toml:"-"`
	// Dir is what relative paths in the file count from.
	Dir string `toml:"-"`

	// Stack is the path of the stack file; without it the built-in stack.
	Stack string `toml:"stack"`
	// URL is how browsers and agents reach the server, without a slash at its end. Default: https://ADDRESS of the server, or
	// http://ADDRESS:4200 with tls off. Where the server is a droplet it must be given: its address is not known beforehand.
	URL string `toml:"url"`
	// TLS says where the server's certificate comes from.
	TLS TLS `toml:"tls"`
	// Site is this network's ways out.
	Site Site `toml:"site"`
	// SSH has the defaults of all hosts.
	//
	// Load has put them into each Host.
	SSH SSH `toml:"ssh"`
	// Sudo says how login users other than root become root.
	Sudo Sudo `toml:"sudo"`
	// Hosts are the machines that exist already, by name.
	//
	// Load has added one for every member of the clouds.
	Hosts []Host `toml:"hosts,named"`
	// Clouds are the tables of the clouds that Load was given.
	Clouds []Tables `toml:"-"`

	doc *strict.Document
}

// Role is what a host is for.
type Role string

// The roles.
const (
	RoleServer Role = "server" // Prefect server, its database, and Caddy in front
	RoleAgent  Role = "agent"  // Prefect agent and business logic
)

// Host is one machine that is reached over SSH. Empty ways of reaching it are left to ~/.ssh/config and OpenSSH's defaults.
type Host struct {
	// Name is the host's name in this inventory: letters, digits, dots and dashes.
	Name string `toml:"-"`
	// Address is where it is dialled: an IP address or a DNS name.
	Address string `toml:"address"`
	// Port is its SSH port; without it ~/.ssh/config, then 22.
	//
	// It is 0 if none is given.
	Port int `toml:"port"`
	// User is the login user; default [ssh] user.
	User string `toml:"user"`
	// IdentityFile is the private key to log in with; default [ssh] identity_file.
	IdentityFile string `toml:"identity_file"`
	// Jump is a chain of hosts to go through, [user@]host[:port][,..]; default [ssh] jump, "" here switches that off.
	Jump string `toml:"jump"`
	// HostKey is the only host key to accept, "ssh-ed25519 AAAA..."; without it known_hosts decides.
	HostKey string `toml:"host_key"`
	// InternalAddress is the IP address under which the agents reach this host when it is the server.
	InternalAddress string `toml:"internal_address"`
	// Roles is what the host is for. Empty cleans it of the stack and keeps the volumes.
	Roles []Role `toml:"roles"`
	// Concurrency is how many flow runs it executes at once; default the stack's [agent] concurrency.
	//
	// It is 0 if it is not given.
	Concurrency int `toml:"concurrency"`
	// Queues are the shared queues that it polls; default the stack's [agent] queues. Its own queue comes on top.
	//
	// They are nil if they are not given.
	Queues []string `toml:"queues"`

	// KnownHosts is [ssh] known_hosts.
	KnownHosts string `toml:"-"`
	// HostKeyChecking is [ssh] host_key_checking, "strict" or "accept-new".
	HostKeyChecking string `toml:"-"`
	// ConnectTimeout is [ssh] connect_timeout.
	ConnectTimeout time.Duration `toml:"-"`
	// Machine is what the host is made from, which its cloud alone knows; nil for a machine that exists already. Otherwise Address is
	// empty and HostKey, too.
	Machine any `toml:"-"`
}

// SSH has the defaults for all hosts.
type SSH struct {
	// User is the login user; without it ~/.ssh/config, then the local user's name.
	User string `toml:"user"`
	// IdentityFile is the private key to log in with; without it ~/.ssh/config, the SSH agent, and OpenSSH's usual names.
	IdentityFile string `toml:"identity_file"`
	// KnownHosts is the file of trusted host keys; without it ~/.ssh/config, then ~/.ssh/known_hosts.
	KnownHosts string `toml:"known_hosts"`
	// HostKeyChecking is "strict" (default), or "accept-new": a host that was never seen is trusted and remembered.
	HostKeyChecking string `toml:"host_key_checking"`
	// Jump is a chain of hosts to go through: [user@]host[:port][,..].
	Jump string `toml:"jump"`
	// ConnectTimeout bounds connecting and logging in; without it ~/.ssh/config, then 10s.
	ConnectTimeout time.Duration `toml:"connect_timeout"`
}

// Sudo says how login users other than root become root.
type Sudo struct {
	// Password for sudo; without it sudo must not ask for one.
	Password strict.SecretRef `toml:"password"`
}

// Site is this network's ways out; all are optional.
type Site struct {
	// PipIndex is a simple index, used by pip and by Poetry in image builds.
	PipIndex string `toml:"pip_index"`
	// DockerRepository is a mirror of Docker's own package repository.
	DockerRepository string `toml:"docker_repository"`
	// ImageMirror is put in front of every image that is pulled: "registry.example.org/hub".
	ImageMirror string `toml:"image_mirror"`
	// CACertificates are PEM files, trusted in image builds and in the containers.
	CACertificates []string `toml:"ca_certificates"`
	// Proxy is for image builds and containers, and for the engine if we installed it.
	Proxy string `toml:"proxy"`
	// NoProxy are names, addresses and networks that are reached without the proxy.
	NoProxy []string `toml:"no_proxy"`
}

// TLS says where the server's certificate comes from.
type TLS struct {
	// Mode is "internal" (default, the stack's own CA), "acme", "files" or "off".
	Mode string `toml:"mode"`
	// Email is the contact for the ACME account; optional.
	Email string `toml:"email"`
	// ACMECA is the directory URL of another ACME CA, staging or private.
	ACMECA string `toml:"acme_ca"`
	// ACMECARoot is a PEM file with the root to trust for it.
	ACMECARoot string `toml:"acme_ca_root"`
	// Certificate is a PEM file with the server's certificate and its chain (mode files).
	Certificate string `toml:"certificate"`
	// Key is a PEM file with its private key (mode files).
	Key string `toml:"key"`
	// AllowPlaintext must be true for mode off: passwords and tokens then travel in clear.
	AllowPlaintext bool `toml:"allow_plaintext"`
}

// The ways to a certificate.
const (
	TLSInternal = "internal"
	TLSACME     = "acme"
	TLSFiles    = "files"
	TLSOff      = "off"
)

// Has says whether the host has the role.
func (h *Host) Has(role Role) bool { return slices.Contains(h.Roles, role) }

// Server is the host with the server role; nil if there is none among Hosts.
func (i *Inventory) Server() *Host {
	for n := range i.Hosts {
		if i.Hosts[n].Has(RoleServer) {
			return &i.Hosts[n]
		}
	}
	return nil
}

// Agents are the hosts with the agent role, by name.
func (i *Inventory) Agents() []*Host {
	var agents []*Host
	for n := range i.Hosts {
		if i.Hosts[n].Has(RoleAgent) {
			agents = append(agents, &i.Hosts[n])
		}
	}
	return agents
}

// Hostname is the url's host, a DNS name in lower case or an IP address without brackets; "" while there is no url.
func (i *Inventory) Hostname() string {
	u, err := url.Parse(i.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// ServerIP is what the agents' containers map the url's host to: the server's internal address, else its address.
// It is "" if nothing is to be mapped: the url is an IP address, the address is a DNS name, or with acme no internal address is set.
func (i *Inventory) ServerIP() string {
	server := i.Server()
	if server == nil {
		return ""
	}
	if _, err := netip.ParseAddr(i.Hostname()); err == nil || i.Hostname() == "" {
		return ""
	}
	if server.InternalAddress != "" {
		return server.InternalAddress
	}
	if _, err := netip.ParseAddr(server.Address); err != nil || i.TLS.Mode == TLSACME {
		return ""
	}
	return server.Address
}

// Problem is a mistake found later, at a key of this inventory, with its line.
func (i *Inventory) Problem(key, problem, hint string) strict.Problem {
	p := strict.Problem{File: i.File, Key: key, Problem: problem, Hint: hint}
	if i.doc != nil { // not one that was put together without a file
		p.Line = i.doc.Line(key)
	}
	return p
}

// defaultURL follows from the server's address and from whether there is TLS.
func defaultURL(mode, address string) string {
	if mode == TLSOff {
		return "http://" + net.JoinHostPort(address, strconv.Itoa(plainPort))
	}
	if addr, err := netip.ParseAddr(address); err == nil && addr.Is6() {
		return "https://[" + address + "]"
	}
	return "https://" + address
}

// Host returns the host of that name, nil if there is none.
func (i *Inventory) Host(name string) *Host {
	for n := range i.Hosts {
		if i.Hosts[n].Name == name {
			return &i.Hosts[n]
		}
	}
	return nil
}
