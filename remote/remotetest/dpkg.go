package remotetest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// configure is what dpkg does last: from here on the package's programs are there, and a service is
// started. It reports whether the package's own script ended well.
func (p *proc) configure(n string) bool {
	h := p.host
	k := h.family().catalog()[n]
	p.printf("Setting up %s (%s) ...\n", n, k.version)
	p.sleep(500 * time.Millisecond)
	if r := h.repository(); r != nil && r.Broken == n {
		p.errorf("dpkg: error processing package %s (--configure):\n installed %[1]s package post-installation script subprocess returned error exit status 1\nErrors were encountered while processing:\n %[1]s\n", n)
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
	files, _ := h.tree.readDir(cred{}, "/var/lib/dpkg/updates")
	return len(files) > 0
}

func (h *Host) removePackage(n string) {
	for _, path := range h.family().catalog()[n].programs {
		_ = h.tree.remove(cred{}, path, false, true)
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
	o := p.anywhere("aCslr", "", map[string]string{"audit": "C", "configure": "c", "print-architecture": "p", "pending": "a", "remove": "r", "force-remove-reinstreq": "fr"})
	h := p.host
	switch {
	case o.has("p"):
		p.printf("%s\n", h.debArch())
	case o.has("C"):
		if broken := h.halfConfigured(); len(broken) > 0 {
			p.printf("The following packages have been unpacked but not yet configured.\n")
			for _, n := range broken {
				p.printf(" %s\n", n)
			}
		}
	case o.has("c"):
		if p.cred.uid != 0 {
			p.fatalf(2, "error: requested operation requires superuser privilege")
		}
		defer p.aptLock("/var/lib/dpkg/lock-frontend", 0)()
		ok := true
		for _, n := range h.halfConfigured() {
			ok = p.configure(n) && ok
		}
		_ = h.tree.remove(cred{}, "/var/lib/dpkg/updates/0000", false, true) // the journal of a dpkg that was killed
		if !ok {
			return 1
		}
	case o.has("r"):
		defer p.aptLock("/var/lib/dpkg/lock-frontend", 0)()
		for _, n := range o.args {
			h.removePackage(n)
		}
	case o.has("s") && len(o.args) == 1:
		h.mu.Lock()
		status := h.packages[o.args[0]]
		h.mu.Unlock()
		if status == "" {
			p.errorf("dpkg-query: package '%s' is not installed and no information is available\n", o.args[0])
			return 1
		}
		p.printf("Package: %s\nStatus: install ok %s\n", o.args[0], status)
	default:
		p.unsupported("dpkg " + strings.Join(p.argv[1:], " "))
	}
	return 0
}

// dpkgQueryMain is dpkg-query -W [-f FORMAT] PACKAGE...
func dpkgQueryMain(p *proc) int {
	o := p.anywhere("W", "f:", map[string]string{"show": "W", "showformat": "f:"})
	if !o.has("W") {
		p.unsupported("dpkg-query without -W")
	}
	format, ok := o.value["f"]
	if !ok {
		format = "${binary:Package}\t${Version}\n"
	}
	code := 0
	catalog := p.host.family().catalog()
	names := slices.Clone(o.args)
	slices.Sort(names)
	for _, n := range names {
		p.host.mu.Lock()
		status := p.host.packages[n]
		p.host.mu.Unlock()
		if status == "" && (n == "docker-ce" || n == "podman-docker") && p.host.packageVersion("docker engine") != "" {
			status = "not-installed" // known by name, since installed ones conflict with it
		}
		if status == "" {
			p.errorf("dpkg-query: no packages found matching %s\n", n)
			code = 1
			continue
		}
		text := strings.NewReplacer(`\n`, "\n", `\t`, "\t", "${db:Status-Status}", status, "${Package}", n, "${binary:Package}", n, "${Version}", catalog[n].version, "${Status}", "install ok "+status).Replace(format)
		if strings.Contains(text, "${") {
			p.unsupported("dpkg-query -f " + format)
		}
		p.printf("%s", text)
	}
	return code
}
