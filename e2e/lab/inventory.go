//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Site is what a host needs to know of the network it is in, to get packages
// and images.
type Site struct {
	PipIndex       string
	ImageMirror    string
	CACertificates []string // PEM files; none where the machine trusts only what Debian ships
}

// Site of this lab. Its files go with the lab.
func (l *Lab) Site(ctx context.Context) (Site, error) {
	index, err := pipIndex(ctx)
	if err != nil {
		return Site{}, err
	}
	site := Site{PipIndex: index, ImageMirror: l.ImageMirror()}
	if len(l.machine.extraCA) > 0 {
		path := filepath.Join(l.dir, "site-ca.pem")
		if err := os.WriteFile(path, l.machine.extraCA, 0o644); err != nil {
			return Site{}, err
		}
		site.CACertificates = []string{path}
	}
	return site, nil
}

// WriteInventory writes inventory.toml and stack.toml into the lab's directory
// for the hosts made so far: the first is the server, the others are agents,
// and a single host is both. It returns the inventory's path.
func (l *Lab) WriteInventory(ctx context.Context) (string, error) {
	site, err := l.Site(ctx)
	if err != nil {
		return "", err
	}
	var t strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&t, format+"\n", args...) }
	line("stack = \"stack.toml\"")
	line("\n[site]")
	line("pip_index = %q", site.PipIndex)
	line("image_mirror = %q", site.ImageMirror)
	if len(site.CACertificates) > 0 {
		line("ca_certificates = %s", quoted(site.CACertificates))
	}
	line("\n[ssh]\nuser = \"root\"")
	line("identity_file = %q", l.IdentityFile)
	line("known_hosts = %q", l.KnownHostsFile)
	hosts := l.Hosts()
	for i, h := range hosts {
		roles := []string{"agent"}
		switch {
		case len(hosts) == 1:
			roles = []string{"server", "agent"}
		case i == 0:
			roles = []string{"server"}
		}
		line("\n[hosts.%s]", h.Name)
		line("address = %q", h.Address)
		line("roles = %s", quoted(roles))
	}
	stack := filepath.Join(l.dir, "stack.toml")
	// Docker's own package repository may be out of the machine's reach, the
	// distribution's is not: the lab itself came from there.
	if err := os.WriteFile(stack, []byte("[docker]\nsource = \"distro\"\n"), 0o644); err != nil {
		return "", err
	}
	inventory := filepath.Join(l.dir, "inventory.toml")
	return inventory, os.WriteFile(inventory, []byte(t.String()), 0o600)
}

func quoted(values []string) string {
	var q []string
	for _, v := range values {
		q = append(q, strconv.Quote(v))
	}
	return "[" + strings.Join(q, ", ") + "]"
}
