package remotetest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"provision/remote/remotetest/unix"
)

const repoDir = "/etc/yum.repos.d"

// repo is one section of dnf's *.repo files.
type repo struct{ id, baseurl, gpgkey string }

// repos reads the sections of a directory's *.repo files, in the order of their names.
func (h *Host) repos(dir string) (out []repo) {
	entries, _ := h.sys.Tree.ReadDir(unix.Cred{}, dir)
	for _, entry := range entries {
		b, err := h.sys.Tree.ReadFile(path.Join(dir, entry.Name()))
		if err != nil || path.Ext(entry.Name()) != ".repo" {
			continue
		}
		for l := range strings.Lines(string(b)) {
			l = strings.TrimSpace(l)
			if id, ok := strings.CutPrefix(l, "["); ok {
				out = append(out, repo{id: strings.TrimSuffix(id, "]")})
				continue
			}
			k, v, ok := strings.Cut(l, "=")
			if !ok || strings.HasPrefix(l, "#") || len(out) == 0 {
				continue
			}
			one := &out[len(out)-1]
			switch k {
			case "baseurl":
				one.baseurl = strings.ReplaceAll(v, "$basearch", h.options.Arch)
			case "gpgkey":
				one.gpgkey = strings.TrimPrefix(v, "file://")
			}
		}
	}
	return out
}

// ofDocker tells whether a section gives the packages of the repository that is set up.
func (h *Host) ofDocker(r repo) bool {
	docker := h.repository()
	return docker != nil && strings.HasPrefix(r.baseurl, docker.URL+"/")
}

// dnfLoad reads the metadata of the repositories: what dnf says when it cannot, or "".
func (h *Host) dnfLoad(all []repo) string {
	h.mu.Lock()
	mirror := h.mirror
	h.mu.Unlock()
	for _, r := range all {
		url, said := r.baseurl+"/repodata/repomd.xml", ""
		switch docker := h.repository(); {
		case h.ofDocker(r) && docker.Update != nil:
			said = fmt.Sprintf("Status code: %v for %s (IP: 192.0.2.1)", docker.Update, url)
		case h.ofDocker(r) || strings.HasPrefix(r.baseurl, "http://mirror.rocky.example/") && mirror == nil:
			continue
		case mirror != nil:
			said = fmt.Sprintf("Status code: %v for %s (IP: 192.0.2.1)", mirror, url)
		default:
			host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://"), "/")
			said = fmt.Sprintf("Curl error (6): Could not resolve hostname for %s [Could not resolve host: %s]", url, host)
		}
		return fmt.Sprintf("Errors during downloading metadata for repository '%s':\n  - %s\nError: Failed to download metadata for repo '%[1]s': Cannot download repomd.xml: Cannot download repodata/repomd.xml: All mirrors were tried\n", r.id, said)
	}
	return ""
}

// dnfMain is dnf [-qy] [--setopt=...] makecache | install PACKAGE... | repoquery --available --qf '%{name}\n' PACKAGE...
func dnfMain(p *proc) int {
	o := p.Anywhere("qy", "", map[string]string{"setopt": "so:", "refresh": "refresh", "repo": "repo:", "available": "available", "qf": "qf:"})
	if len(o.Args) == 0 {
		p.Unsupported("dnf without a command")
	}
	h := p.host
	dir := repoDir
	for _, s := range o.List["so"] {
		switch k, v, _ := strings.Cut(s, "="); k {
		case "reposdir":
			dir = v
		case "install_weak_deps":
		default:
			p.Unsupported("dnf --setopt=" + s)
		}
	}
	all := h.repos(dir)
	if only := o.Value["repo"]; only != "" {
		all = slices.DeleteFunc(all, func(r repo) bool { return r.id != only })
	}
	docker := slices.IndexFunc(all, h.ofDocker)
	offered := func(n string) bool {
		k, ok := h.family().catalog()[n]
		return ok && (k.needsOf != "docker" || docker >= 0)
	}
	if o.Args[0] != "repoquery" && p.Cred.UID != 0 {
		p.Errorf("Error: This command has to be run with superuser privileges (under the root user on most systems).\n")
		return 1
	}
	p.Sleep(2 * time.Second)
	if said := h.dnfLoad(all); said != "" {
		p.Errorf("%s", said)
		return 1
	}
	switch o.Args[0] {
	case "makecache":
		p.Printf("Metadata cache created.\n")
		return 0
	case "repoquery":
		if !o.Has("available") || o.Value["qf"] != `%{name}\n` {
			p.Unsupported("dnf repoquery other than --available --qf '%{name}\\n'")
		}
		for _, n := range slices.Sorted(slices.Values(o.Args[1:])) {
			if offered(n) {
				p.Printf("%s\n\n", n)
			}
		}
		return 0
	case "install":
		return p.dnfInstall(o.Args[1:], offered, all, docker)
	}
	p.Unsupported("dnf " + o.Args[0])
	return 1
}

// dnfInstall installs one package after the other, starts nothing, and leaves what is installed when one fails.
func (p *proc) dnfInstall(names []string, offered func(string) bool, all []repo, docker int) int {
	h := p.host
	catalog := h.family().catalog()
	var todo, missing []string
	var visit func(string)
	visit = func(n string) {
		h.mu.Lock()
		there := h.packages[n] != ""
		h.mu.Unlock()
		if there || slices.Contains(todo, n) {
			return
		}
		if !offered(n) {
			missing = append(missing, n)
			return
		}
		for _, need := range catalog[n].needs {
			visit(need)
		}
		todo = append(todo, n)
	}
	for _, n := range names {
		visit(n)
	}
	if len(missing) > 0 {
		p.Errorf("Error: Unable to find a match: %s\n", strings.Join(missing, " "))
		return 1
	}
	for _, c := range [][2]string{{"docker-ce", "podman-docker"}, {"containerd.io", "runc"}, {"containerd.io", "containerd"}} {
		h.mu.Lock()
		there := h.packages[c[1]] != ""
		h.mu.Unlock()
		if there && slices.Contains(todo, c[0]) {
			p.Errorf("Error: \n Problem: problem with installed package %[2]s\n  - package %[1]s from docker-ce-stable conflicts with %[2]s from @System\n  - conflicting requests\n", c[0], c[1])
			return 1
		}
	}
	if len(todo) == 0 {
		p.Printf("Dependencies resolved.\nNothing to do.\nComplete!\n")
		return 0
	}
	repository := h.repository()
	for _, n := range todo {
		if catalog[n].needsOf != "docker" {
			continue
		}
		key := all[docker].gpgkey
		h.importKeys(key)
		if !h.signs(key, repository.Signer) {
			p.Errorf("Public key for %[1]s.rpm is not installed. Failing package is: %[1]s\n GPG Keys are configured as: file://%[2]s\nError: GPG check FAILED\n", n, key)
			return 1
		}
	}
	p.Printf("Running transaction\n")
	failed := false
	for _, n := range todo {
		p.Printf("  Installing       : %s-%s\n", n, catalog[n].version)
		p.Sleep(time.Second)
		if repository != nil && repository.Broken == n {
			p.Errorf("Error in PREIN scriptlet in rpm package %s\n", n)
			failed = true
			continue
		}
		h.unpack(n)
		if catalog[n].brings == "docker engine" {
			h.setUnit("docker", false, false)
			h.setUnit("containerd", false, false)
		}
	}
	if failed {
		p.Errorf("Error: Transaction failed\n")
		return 1
	}
	p.Printf("Complete!\n")
	return 0
}

// importKeys puts the keys of a file into rpm's database.
func (h *Host) importKeys(file string) {
	b, err := h.sys.Tree.ReadFile(file)
	if err != nil {
		return
	}
	ring, _ := openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range ring {
		id := hex.EncodeToString(key.PrimaryKey.Fingerprint)
		h.packages["gpg-pubkey-"+id[len(id)-8:]] = "installed"
	}
}

// rpmMain is rpm -qa --qf '%{NAME}\n', rpm -q [--qf FORMAT] PACKAGE... and rpm -e PACKAGE...
func rpmMain(p *proc) int {
	o := p.Anywhere("qae", "", map[string]string{"qf": "qf:"})
	h := p.host
	h.mu.Lock()
	there := slices.Sorted(maps.Keys(h.packages))
	h.mu.Unlock()
	show := func(n string) {
		name := n
		if strings.HasPrefix(n, "gpg-pubkey-") {
			name = "gpg-pubkey"
		}
		format := "%{NAME}-" + h.family().catalog()[n].version + `\n`
		if name != n {
			format = n + `-5f0c0001\n`
		}
		if qf, ok := o.Value["qf"]; ok {
			format = qf
		}
		text := strings.NewReplacer(`\n`, "\n", "%{NAME}", name).Replace(format)
		if strings.Contains(text, "%") {
			p.Unsupported("rpm --qf " + format)
		}
		p.Printf("%s", text)
	}
	switch {
	case o.Has("q") && o.Has("a"):
		for _, n := range there {
			show(n)
		}
		return 0
	case o.Has("q"), o.Has("e"):
		code := 0
		for _, n := range o.Args {
			switch known := slices.Contains(there, n); {
			case known && o.Has("q"):
				show(n)
			case known:
				h.removePackage(n)
			case o.Has("q"):
				p.Printf("package %s is not installed\n", n)
				code = 1
			default:
				p.Errorf("error: package %s is not installed\n", n)
				code = 1
			}
		}
		return code
	}
	p.Unsupported("rpm " + strings.Join(p.Argv[1:], " "))
	return 1
}

// curlMain is curl -fsSL [--retry N] [--connect-timeout N] -o FILE URL. Nothing answers but Docker's repository, if there is one.
func curlMain(p *proc) int {
	o := p.Anywhere("fsSL", "o:", map[string]string{"retry": "retry:", "connect-timeout": "connect-timeout:"})
	file, ok := o.Value["o"]
	if !ok || len(o.Args) != 1 || !o.Has("f") || !o.Has("S") {
		p.Unsupported("curl " + strings.Join(p.Argv[1:], " "))
	}
	p.Sleep(time.Second)
	url, repository := o.Args[0], p.host.repository()
	if repository == nil || !strings.HasPrefix(url, repository.URL+"/") {
		host, _, _ := strings.Cut(url[strings.Index(url, "//")+2:], "/")
		p.Errorf("curl: (6) Could not resolve host: %s\n", host)
		return 6
	}
	content := "<repomd/>\n"
	if path.Base(url) == "gpg" {
		content = string(repository.Key)
	}
	if err := p.host.sys.Tree.WriteFile(file, content, 0o644); err != nil {
		p.Errorf("curl: (23) Failure writing output to destination\n")
		return 23
	}
	return 0
}
