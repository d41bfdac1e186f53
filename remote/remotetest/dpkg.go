package remotetest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// configure is what dpkg does last: from here on the package's programs are there, and a service is
// started. It reports whether the package's own script ended well.
func (p *proc) configure(n string) bool {
	h := p.host
	k := h.family().catalog()[n]
	p.Printf("Setting up %s (%s) ...\n", n, k.version)
	p.Sleep(500 * time.Millisecond)
	if r := h.repository(); r != nil && r.Broken == n {
		p.Errorf("dpkg: error processing package %s (--configure):\n installed %[1]s package post-installation script subprocess returned error exit status 1\nErrors were encountered while processing:\n %[1]s\n", n)
		return false
	}
	h.unpack(n)
	if k.brings == "docker engine" {
		h.mu.Lock()
		known := h.units["docker"] != nil
		h.mu.Unlock()
		if !known {
			h.setUnit("docker", false, true)
			h.setUnit("containerd", true, true)
		}
		h.control("start", "docker")
	}
	return true
}

// journal tells whether a dpkg that was killed left its journal.
func (h *Host) journal() bool {
	files, _ := h.sys.Tree.ReadDir(unix.Cred{}, "/var/lib/dpkg/updates")
	return len(files) > 0
}

func (h *Host) removePackage(n string) {
	for _, path := range h.family().catalog()[n].programs {
		_ = h.sys.Tree.Remove(unix.Cred{}, path, false, true)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.packages, n)
}

func (h *Host) halfConfigured() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, n := range slices.Sorted(maps.Keys(h.packages)) {
		if h.packages[n] != "installed" {
			out = append(out, n)
		}
	}
	return out
}

// dpkgMain is dpkg --audit, --configure -a and --print-architecture.
func dpkgMain(p *proc) int {
	o := p.Anywhere("aCslr", "", map[string]string{"audit": "C", "configure": "c", "print-architecture": "p", "pending": "a", "remove": "r", "force-remove-reinstreq": "fr"})
	h := p.host
	switch {
	case o.Has("p"):
		p.Printf("%s\n", h.debArch())
	case o.Has("C"):
		if broken := h.halfConfigured(); len(broken) > 0 {
			p.Printf("The following packages have been unpacked but not yet configured.\n")
			for _, n := range broken {
				p.Printf(" %s\n", n)
			}
		}
	case o.Has("c"):
		if p.Cred.UID != 0 {
			p.Fatalf(2, "error: requested operation requires superuser privilege")
		}
		defer p.aptLock("/var/lib/dpkg/lock-frontend", 0)()
		ok := true
		for _, n := range h.halfConfigured() {
			ok = p.configure(n) && ok
		}
		_ = h.sys.Tree.Remove(unix.Cred{}, "/var/lib/dpkg/updates/0000", false, true) // the journal of a dpkg that was killed
		if !ok {
			return 1
		}
	case o.Has("r"):
		defer p.aptLock("/var/lib/dpkg/lock-frontend", 0)()
		for _, n := range o.Args {
			h.removePackage(n)
		}
	case o.Has("s") && len(o.Args) == 1:
		h.mu.Lock()
		status := h.packages[o.Args[0]]
		h.mu.Unlock()
		if status == "" {
			p.Errorf("dpkg-query: package '%s' is not installed and no information is available\n", o.Args[0])
			return 1
		}
		p.Printf("Package: %s\nStatus: install ok %s\n", o.Args[0], status)
	default:
		p.Unsupported("dpkg " + strings.Join(p.Argv[1:], " "))
	}
	return 0
}

// dpkgQueryMain is dpkg-query -W [-f FORMAT] PACKAGE...
func dpkgQueryMain(p *proc) int {
	o := p.Anywhere("W", "f:", map[string]string{"show": "W", "showformat": "f:"})
	if !o.Has("W") {
		p.Unsupported("dpkg-query without -W")
	}
	format, ok := o.Value["f"]
	if !ok {
		format = "${binary:Package}\t${Version}\n"
	}
	code := 0
	catalog := p.host.family().catalog()
	names := slices.Clone(o.Args)
	slices.Sort(names)
	for _, n := range names {
		p.host.mu.Lock()
		status := p.host.packages[n]
		p.host.mu.Unlock()
		if status == "" && (n == "docker-ce" || n == "podman-docker") && p.host.packageVersion("docker engine") != "" {
			status = "not-installed" // known by name, since installed ones conflict with it
		}
		if status == "" {
			p.Errorf("dpkg-query: no packages found matching %s\n", n)
			code = 1
			continue
		}
		text := strings.NewReplacer(`\n`, "\n", `\t`, "\t", "${db:Status-Status}", status, "${Package}", n, "${binary:Package}", n, "${Version}", catalog[n].version, "${Status}", "install ok "+status).Replace(format)
		if strings.Contains(text, "${") {
			p.Unsupported("dpkg-query -f " + format)
		}
		p.Printf("%s", text)
	}
	return code
}
