package remotetest

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// pkg is what installing a package brings.
type pkg struct {
	version  string
	programs []string // paths
	brings   string   // "docker client", "docker engine", "docker compose"
	needs    []string
	needsOf  string // origin: "docker" for Docker's own repository
}

// catalog are the packages of a system that change what it can do. Everything else that its
// repositories have is in others.
func (f family) catalog() map[string]pkg {
	engine := func(v string) pkg {
		return pkg{version: v, programs: []string{"/usr/sbin/dockerd", "/usr/bin/containerd"}, brings: "docker engine", needs: []string{"containerd", "iptables"}}
	}
	client := func(v string) pkg {
		return pkg{version: v, programs: []string{"/usr/bin/docker"}, brings: "docker client"}
	}
	compose := func(v string) pkg { return pkg{version: v, brings: "docker compose"} }
	c := map[string]pkg{
		"containerd": {version: "1.7.24"}, "iptables": {version: "1.8.11"}, "docker-buildx": {version: "0.13.1+ds1-3"}, "ca-certificates": {version: "20250419"},
		"curl": {version: "8.14.1"}, "systemd-timesyncd": {version: "257"}, "gnupg": {version: "2.4.7"}, "sudo": {version: "1.9.16"},
	}
	switch id := f.id + " " + f.version; {
	case f.dnf: // it has no Docker of its own
		c = map[string]pkg{"iptables-nft": {version: "1.8.10"}, "container-selinux": {version: "2.235.0"}, "ca-certificates": {version: "2024.2.69"}, "podman-docker": {version: "5.2.2"}, "runc": {version: "1.2.4"}}
	case id == "debian 13":
		c["docker.io"], c["docker-cli"], c["docker-compose"] = engine("26.1.5+dfsg1"), client("26.1.5+dfsg1"), compose("2.26.1-4")
	case id == "debian 12", id == "debian 11":
		e := engine("20.10.24+dfsg1")
		e.programs = append(e.programs, "/usr/bin/docker")
		c["docker.io"], c["docker-compose"] = e, pkg{version: "1.29.2-3", programs: []string{"/usr/bin/docker-compose"}}
		delete(c, "docker-buildx")
	default:
		v := "28.2.2"
		e := engine(v)
		e.programs = append(e.programs, "/usr/bin/docker")
		c["docker.io"], c["docker-compose-v2"] = e, compose("2.37.1+ds1")
	}
	ce := engine("28.5.2")
	ce.needs = []string{"containerd.io", "iptables"}
	if f.dnf {
		ce.needs = []string{"containerd.io", "docker-ce-cli", "container-selinux", "iptables-nft"}
	}
	c["docker-ce"], c["docker-ce-cli"], c["docker-compose-plugin"] = ce, client("28.5.2"), compose("2.40.3")
	c["containerd.io"], c["docker-buildx-plugin"] = pkg{version: "1.7.28"}, pkg{version: "0.29.1"}
	for _, n := range dockerPackages {
		x := c[n]
		x.needsOf = "docker"
		c[n] = x
	}
	return c
}

// dockerPackages are Docker's own.
var dockerPackages = []string{"docker-ce", "docker-ce-cli", "docker-compose-plugin", "containerd.io", "docker-buildx-plugin"}

// enginePackages are the distribution's own.
func (f family) enginePackages() []string {
	if f.id == "debian" {
		return []string{"docker.io", "docker-cli", "docker-compose", "docker-buildx"}
	}
	if f.dnf {
		return dockerPackages
	}
	return []string{"docker.io", "docker-compose-v2", "docker-buildx"}
}

// unpack installs one package at once.
func (h *Host) unpack(name string) {
	for _, path := range h.family().catalog()[name].programs {
		h.sys.AddProgram(path)
	}
	h.mu.Lock()
	h.packages[name] = "installed"
	h.mu.Unlock()
}

func (h *Host) unpackProgram(name, version string) {
	h.unpack(name)
	h.sys.AddProgram("/usr/bin/docker")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions = map[string]string{"docker client": version, "docker engine": version, "docker compose": ""}
}

// packageVersion is the upstream version of what the installed packages bring, "" for nothing.
func (h *Host) packageVersion(what string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := h.versions[what]; ok {
		return v
	}
	for name, p := range h.family().catalog() {
		if h.packages[name] == "installed" && (p.brings == what || what == "docker client" && slices.Contains(p.programs, "/usr/bin/docker")) {
			return p.version
		}
	}
	return ""
}

// buildxVersion is the version of the buildx that the installed packages bring, "" for none.
func (h *Host) buildxVersion() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range []string{"docker-buildx", "docker-buildx-plugin"} {
		if h.packages[n] == "installed" {
			return h.family().catalog()[n].version
		}
	}
	return ""
}

// SetMirror says what apt gets from the hosts' package mirror: nil for packages, else apt's own
// words.
func (h *Host) SetMirror(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mirror = err
}

// aptLock takes a lock of apt or dpkg, waiting as -o DPkg::Lock::Timeout says.
func (p *proc) aptLock(file string, wait time.Duration) (free func()) {
	hd, err := p.host.sys.Tree.Open(p.Cred, file, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		p.Errorf("E: Could not open lock file %s - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (%s), are you root?\n", file, file)
		panic(unix.Exited(100))
	}
	d := unix.FileDesc(hd)
	fd := 10
	for p.FDs[fd] != nil {
		fd++
	}
	p.SetFD(fd, d)
	for waited := time.Duration(0); !p.host.sys.TryLock(d, p.Proc); waited += time.Second {
		if waited >= wait {
			who := ""
			if pid, comm := p.host.sys.Holder(d); pid != 0 {
				who = fmt.Sprintf(" It is held by process %d (%s)", pid, comm)
			}
			p.Errorf("E: Could not get lock %s.%s\nN: Be aware that removing the lock file is not a solution and may break your system.\n", file, who)
			panic(unix.Exited(100))
		}
		p.Sleep(time.Second)
	}
	return func() { p.SetFD(fd, nil) }
}

// aptGetMain is apt-get [-qy] [-o ...] update | install PACKAGE... | remove PACKAGE... | clean | indextargets.
func aptGetMain(p *proc) int {
	o := p.Anywhere("qyfsdm", "o:t:", map[string]string{"simulate": "s", "yes": "y", "assume-yes": "y", "quiet": "q", "no-install-recommends": "nr", "option": "o:", "allow-downgrades": "ad", "no-upgrade": "nu", "purge": "purge", "autoremove": "ar", "reinstall": "ri", "format": "format:"})
	if len(o.Args) == 0 {
		p.Unsupported("apt-get without a command")
	}
	settings := labels(o.List["o"])
	wait := time.Duration(0)
	if v := settings["DPkg::Lock::Timeout"]; v != "" {
		wait = p.Duration(v)
	}
	h := p.host
	h.mu.Lock()
	mirror := h.mirror
	h.mu.Unlock()
	switch o.Args[0] {
	case "update":
		defer p.aptLock("/var/lib/apt/lists/lock", 0)()
		p.Sleep(2 * time.Second)
		if mirror != nil {
			p.Printf("Err:1 http://deb.example.org stable InRelease\n  %v\n", mirror)
			p.Errorf("E: Failed to fetch http://deb.example.org/dists/%s/InRelease  %v\n", h.family().codename, mirror)
			if settings["APT::Update::Error-Mode"] != "any" {
				p.Errorf("W: Some index files failed to download. They have been ignored, or old ones used instead.\n")
				return 0
			}
			p.Errorf("E: Some index files failed to download. They have been ignored, or old ones used instead.\n")
			return 100
		}
		parts := cmp.Or(settings["Dir::Etc::sourceparts"], sourceParts)
		errs, docker := h.updateSources(parts)
		if errs != "" {
			p.Errorf("%s", errs)
			return 100
		}
		h.mu.Lock()
		h.lists, h.dockerLists = true, docker
		h.mu.Unlock()
		p.Printf("Hit:1 http://deb.example.org stable InRelease\nReading package lists...\n")
		return 0
	case "install":
		return p.aptInstall(o, wait, mirror)
	case "remove", "purge", "autoremove":
		defer p.aptLock("/var/lib/dpkg/lock-frontend", wait)()
		for _, n := range o.Args[1:] {
			h.removePackage(n)
		}
		return 0
	case "clean":
		return 0
	case "indextargets":
		all := h.sources(cmp.Or(settings["Dir::Etc::sourceparts"], sourceParts))
		if errs := contradiction(all); errs != "" {
			p.Errorf("%s", errs)
			return 100
		}
		if o.Value["format"] != "$(BASE_URI) $(COMPONENT)" {
			return 0
		}
		for _, s := range all {
			for component := range strings.FieldsSeq(s.components) {
				p.Printf("%s/dists/%s/ %s\n", s.uri, s.suite, component)
			}
		}
		return 0
	}
	p.Unsupported("apt-get " + o.Args[0])
	return 1
}

// aptInstall unpacks and configures one package after the other. Killed in between it leaves what a
// real one leaves: packages that are not configured.
func (p *proc) aptInstall(o unix.Parsed, wait time.Duration, mirror error) int {
	h := p.host
	if p.Cred.UID != 0 {
		p.Errorf("E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n")
		return 100
	}
	if !o.Has("s") {
		defer p.aptLock("/var/lib/dpkg/lock-frontend", wait)()
		defer p.aptLock("/var/lib/dpkg/lock", wait)()
	}
	if errs := contradiction(h.sources(sourceParts)); errs != "" {
		p.Errorf("%s", errs)
		return 100
	}
	p.Printf("Reading package lists...\nBuilding dependency tree...\nReading state information...\n")
	if (len(h.halfConfigured()) > 0 || h.journal()) && !o.Has("s") {
		p.Errorf("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. \n")
		return 100
	}
	catalog := h.family().catalog()
	official := h.hasDocker()
	var todo []string
	var visit func(string) bool
	visit = func(n string) bool {
		h.mu.Lock()
		status, lists := h.packages[n], h.lists
		h.mu.Unlock()
		if status == "installed" || slices.Contains(todo, n) {
			return true
		}
		k, ok := catalog[n]
		if !ok || !lists || k.needsOf == "docker" && !official {
			p.Errorf("E: Unable to locate package %s\n", n)
			return false
		}
		for _, need := range k.needs {
			if !visit(need) {
				return false
			}
		}
		todo = append(todo, n)
		return true
	}
	ok := true
	for _, n := range o.Args[1:] {
		ok = visit(n) && ok
	}
	if !ok {
		return 100
	}
	if len(todo) == 0 {
		p.Printf("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n")
		return 0
	}
	p.Printf("The following NEW packages will be installed:\n  %s\n", strings.Join(todo, " "))
	if o.Has("s") {
		for _, n := range todo {
			p.Printf("Inst %s (%s Simulated [%s])\n", n, catalog[n].version, h.debArch())
		}
		return 0
	}
	if r := h.repository(); r != nil && r.Fetch != nil {
		for _, n := range todo {
			if catalog[n].needsOf == "docker" {
				p.Errorf("E: Failed to fetch %s/dists/%s/pool/stable/%s.deb  %v\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n", r.URL, h.family().codename, n, r.Fetch)
				return 100
			}
		}
	}
	if mirror != nil {
		p.Errorf("E: Failed to fetch http://deb.example.org/pool/main/%s.deb  %v\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n", todo[0], mirror)
		return 100
	}
	for _, n := range todo {
		h.mu.Lock()
		h.packages[n] = "half-configured"
		h.mu.Unlock()
		p.Printf("Unpacking %s (%s) ...\n", n, catalog[n].version)
		p.Sleep(time.Second)
	}
	ok = true
	for _, n := range todo {
		ok = p.configure(n) && ok
	}
	if !ok {
		p.Errorf("E: Sub-process /usr/bin/dpkg returned an error code (1)\n")
		return 100
	}
	return 0
}

func aptCacheMain(p *proc) int {
	o := p.Anywhere("q", "", nil)
	if len(o.Args) < 2 || o.Args[0] != "policy" {
		p.Unsupported("apt-cache other than policy")
	}
	if errs := contradiction(p.host.sources(sourceParts)); errs != "" {
		p.Errorf("%s", errs)
		return 100
	}
	docker := p.host.hasDocker()
	for _, n := range o.Args[1:] {
		k, ok := p.host.family().catalog()[n]
		if !ok || k.needsOf == "docker" && !docker {
			continue
		}
		p.host.mu.Lock()
		installed := "(none)"
		if p.host.packages[n] == "installed" {
			installed = k.version
		}
		p.host.mu.Unlock()
		p.Printf("%s:\n  Installed: %s\n  Candidate: %s\n", n, installed, k.version)
	}
	return 0
}

// apiVersion is the version of the engine's API.
func (h *Host) apiVersion() string {
	if strings.HasPrefix(h.packageVersion("docker engine"), "23.") {
		return "1.42"
	}
	return "1.45"
}
