package main

import (
	"os"
	"path/filepath"
	"slices"

	"provision/cmd/provision/ui"
	"provision/inventory"
	"provision/provision/cloud/clouds"
)

// item is one thing that init wants to know: a flag, a question, and the key of the inventory that it becomes.
type item struct {
	flag, usage string // as in the help
	title, help string // the question
	key         string
	also        []string // keys that a wrong answer shows at, too
	list        bool     // several, with commas between
	layouts     []inventory.Layout
	choices     []ui.Choice
	standard    func(*answers) string // the default; nil for none
	when        func(*answers) bool   // whether it is asked at all; nil for always
}

var (
	onprem   = []inventory.Layout{inventory.LayoutSingle, inventory.LayoutSplit}
	droplets = clouds.Layouts()
	anywhere = slices.Concat(onprem, droplets)
)

// items are in the order in which they are asked. What is wrong with an answer is known to the inventory alone.
func items() []item {
	mode := func(modes ...string) func(*answers) bool {
		return func(a *answers) bool { return slices.Contains(modes, a.given["tls.mode"]) }
	}
	fixed := func(text string) func(*answers) string { return func(*answers) string { return text } }
	return []item{
		{flag: "server", usage: "`ADDRESS` of the server", title: "Address of the server", help: "an IP address or a DNS name", key: serverKey, layouts: onprem},
		{flag: "agent", usage: "`ADDRESS,...` of the agent hosts", title: "Addresses of the agent hosts", help: "one or several, with commas between", key: agentsKey, list: true, layouts: onprem[1:]},
		{flag: "user", usage: "`NAME` to log in with over SSH: root, or one with sudo", title: "User to log in with over SSH", help: "root, or one with sudo", key: "ssh.user", layouts: onprem, standard: fixed("root")},
		{flag: "region", usage: "`NAME` of the droplets' region", title: "Region of the droplets", key: "digitalocean.region", layouts: droplets, standard: fixed("fra1")},
		{flag: "ssh-key", usage: "`FILE,...` of the public keys that may log in", title: "Public keys that may log in", help: "files, with commas between", key: keysKey, list: true, layouts: droplets, standard: func(*answers) string { return publicKey() }},
		{flag: "admin-cidr", usage: "`NETWORK,...` that may reach port 22", title: "Networks that may reach port 22", help: "your own address as others see it, for example 203.0.113.7/32", key: adminKey, list: true, layouts: droplets},
		{flag: "tls", usage: "`MODE`, where the certificate comes from: internal, acme, files or off", title: "Where does the server's certificate come from?", key: "tls.mode", layouts: anywhere, choices: []ui.Choice{
			{Value: inventory.TLSInternal, Title: "internal: the stack's own CA, whose root browsers do not know"},
			{Value: inventory.TLSACME, Title: "acme: Let's Encrypt, for a public name"},
			{Value: inventory.TLSFiles, Title: "files: a certificate and a key of yours"},
			{Value: inventory.TLSOff, Title: "off: none; passwords and tokens travel in clear"},
		}, standard: func(a *answers) string {
			if slices.Contains(droplets, a.layout) {
				return inventory.TLSACME
			}
			return inventory.TLSInternal
		}},
		{flag: "url", usage: "`URL` by which browsers and agents reach the server; without it, its address", title: "URL by which browsers and agents reach the server", help: "for example https://prefect.example.org; empty: by the server's address, if that is known", key: "url", layouts: anywhere},
		{flag: "certificate", usage: "with --tls files: `FILE` of the certificate, with its chain", title: "File of the certificate, with its chain", key: "tls.certificate", layouts: anywhere, when: mode(inventory.TLSFiles)},
		{flag: "key", usage: "with --tls files: `FILE` of its key", title: "File of its key", key: "tls.key", layouts: anywhere, when: mode(inventory.TLSFiles)},
		{flag: "domain", usage: "`NAME` of a domain managed in the account, where the url's host gets its record", title: "Domain that is managed in the account", help: "the url's host gets its record there; empty: you make the record", key: domainKey, also: []string{"url"}, layouts: droplets, standard: (*answers).domain},
	}
}

const (
	serverKey = "hosts.prefect.address"
	agentsKey = "hosts.worker-1.address" // where the first agent's address stands; the others follow
	domainKey = "digitalocean.domain"
	keysKey   = "digitalocean.ssh_keys"
	adminKey  = "digitalocean.admin_cidrs"
)

// publicKey is the first of the usual ones that is there.
func publicKey() string {
	home, err := os.UserHomeDir()
	for _, name := range []string{"id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"} {
		if _, bad := os.Stat(filepath.Join(home, ".ssh", name)); err == nil && bad == nil {
			return "~/.ssh/" + name
		}
	}
	return ""
}
