package remotetest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"provision/remote/remotetest/unix"
)

// DockerRepository is what stands at a URL below which a host looks for Docker's packages. Its index is signed.
type DockerRepository struct {
	URL    string
	Key    []byte // what it shows as its key
	Signer string // fingerprint of the key that signs its index
	Update error  // apt's words about its index in place of packages: gone, expired, another hash
	Fetch  error  // apt's words about its packages
	// Broken is a package whose maintainer script fails.
	Broken string
}

// SetDockerRepository says what the host finds there; nil: nobody answers.
func (h *Host) SetDockerRepository(r *DockerRepository) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dockerRepository = r
}

func (h *Host) repository() *DockerRepository {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dockerRepository
}

// source is one entry of apt's sources.
type source struct{ uri, suite, components, signedBy, file string }

// sources reads the entries of a directory as apt does: *.list in one line, *.sources in stanzas. Other names are not read.
func (h *Host) sources(dir string) (out []source) {
	entries, _ := h.sys.Tree.ReadDir(unix.Cred{}, dir)
	for _, entry := range entries {
		name := entry.Name()
		b, err := h.sys.Tree.ReadFile(path.Join(dir, name))
		if err != nil || strings.HasPrefix(name, ".") {
			continue
		}
		switch path.Ext(name) {
		case ".list":
			for l := range strings.Lines(string(b)) {
				rest, ok := strings.CutPrefix(strings.TrimSpace(l), "deb ")
				if !ok {
					continue
				}
				s := source{file: name}
				if options, more, ok := strings.Cut(rest, "] "); ok {
					for _, o := range strings.Fields(strings.Trim(options, "[ ")) {
						if k, v, _ := strings.Cut(o, "="); k == "signed-by" {
							s.signedBy = v
						}
					}
					rest = more
				}
				if f := strings.Fields(rest); len(f) > 2 {
					s.uri, s.suite, s.components = strings.TrimSuffix(f[0], "/"), f[1], strings.Join(f[2:], " ")
					out = append(out, s)
				}
			}
		case ".sources":
			for _, stanza := range strings.Split(string(b), "\n\n") {
				m := map[string]string{}
				for l := range strings.Lines(stanza) {
					if k, v, ok := strings.Cut(l, ":"); ok && !strings.HasPrefix(l, "#") {
						m[strings.ToLower(k)] = strings.TrimSpace(v)
					}
				}
				if m["uris"] != "" && !strings.EqualFold(m["enabled"], "no") {
					out = append(out, source{strings.TrimSuffix(m["uris"], "/"), m["suites"], m["components"], m["signed-by"], name})
				}
			}
		}
	}
	return out
}

const sourceParts = "/etc/apt/sources.list.d"

// contradiction is apt's error about two entries for the same index that are to be signed by different keys.
func contradiction(all []source) string {
	seen := map[string]source{}
	for _, s := range all {
		first, ok := seen[s.uri+" "+s.suite]
		if ok && first.signedBy != s.signedBy {
			return fmt.Sprintf("E: Conflicting values set for option Signed-By regarding source %s/ %s: %s != %s\nE: The list of sources could not be read.\n", s.uri, s.suite, first.signedBy, s.signedBy)
		}
		seen[s.uri+" "+s.suite] = s
	}
	return ""
}

// signs tells whether the key file of an entry holds the key.
func (h *Host) signs(file, fingerprint string) bool {
	b, err := h.sys.Tree.ReadFile(file)
	if err != nil {
		return false
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	if err != nil {
		ring, _ = openpgp.ReadKeyRing(bytes.NewReader(b))
	}
	for _, key := range ring {
		if hex.EncodeToString(key.PrimaryKey.Fingerprint) == fingerprint {
			return true
		}
	}
	return false
}

// updateSources is what apt-get update says of the entries of a directory, "" if they all work. docker says that Docker's
// packages are known then.
func (h *Host) updateSources(dir string) (errs string, docker bool) {
	all := h.sources(dir)
	if errs := contradiction(all); errs != "" {
		return errs, false
	}
	repository := h.repository()
	for _, s := range all {
		index := s.uri + "/dists/" + s.suite + "/InRelease"
		switch {
		case repository == nil || !strings.HasPrefix(s.uri, repository.URL):
			errs += fmt.Sprintf("E: Failed to fetch %s  Could not resolve host\n", index)
		case repository.Update != nil:
			errs += fmt.Sprintf("E: Failed to fetch %s  %v\n", index, repository.Update)
		case !h.signs(s.signedBy, repository.Signer):
			errs += fmt.Sprintf("W: GPG error: %s %s InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY %s\nE: The repository '%s %s InRelease' is not signed.\n",
				s.uri, s.suite, strings.ToUpper(repository.Signer[24:]), s.uri, s.suite)
		case strings.Contains(s.components, "stable"):
			docker = true
		}
	}
	if errs != "" {
		return errs + "E: Some index files failed to download. They have been ignored, or old ones used instead.\n", false
	}
	return "", docker
}

// hasDocker tells whether Docker's packages are known: its index was read, and the entry is still there.
func (h *Host) hasDocker() bool {
	h.mu.Lock()
	read, repository := h.dockerLists, h.dockerRepository
	h.mu.Unlock()
	if !read || repository == nil {
		return false
	}
	for _, s := range h.sources(sourceParts) {
		if strings.HasPrefix(s.uri, repository.URL) && strings.Contains(s.components, "stable") {
			return true
		}
	}
	return false
}

// aptHelperMain is apt-helper download-file URL FILE. Nothing answers but Docker's repository, if there is one.
func aptHelperMain(p *proc) int {
	o := p.Anywhere("", "o:", nil)
	if len(o.Args) != 3 || o.Args[0] != "download-file" {
		p.Unsupported("apt-helper other than download-file")
	}
	p.Sleep(time.Second)
	url, repository := o.Args[1], p.host.repository()
	if repository == nil || !strings.HasPrefix(url, repository.URL) {
		p.Errorf("E: Failed to fetch %s  Could not resolve host\nE: Download Failed\n", url)
		return 100
	}
	content := "Origin: Docker\n"
	if path.Base(url) == "gpg" {
		content = string(repository.Key)
	}
	if err := p.host.sys.Tree.WriteFile(o.Args[2], content, 0o644); err != nil {
		p.Errorf("E: %v\n", err)
		return 100
	}
	return 0
}
