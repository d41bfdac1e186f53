//go:build linux

package lab

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tools are the programs the lab runs and the Debian package that has each.
var tools = []struct{ program, pkg string }{
	{"systemd-nspawn", "systemd-container"},
	{"debootstrap", "debootstrap"},
	{"ip", "iproute2"},
	{"tc", "iproute2"},
	{"iptables", "iptables"},
	{"ssh-keygen", "openssh-client"},
	{"nsenter", "util-linux"},
	{"tar", "tar"},
	{"setcap", "libcap2-bin"},
	{"ldconfig", "libc-bin"},
	{"losetup", "mount"},
}

// Missing says in one line what the lab lacks on this machine and how to get
// it, or "" if it can run.
func Missing() string {
	if os.Geteuid() != 0 {
		return "the lab needs root"
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return "the lab needs Debian (there is no /etc/debian_version)"
	}
	if pkgs := MissingPackages(); len(pkgs) > 0 {
		return "the lab needs: apt-get install -y --no-install-recommends " + strings.Join(pkgs, " ")
	}
	return ""
}

// MissingPackages are the Debian packages that Missing asks for.
func MissingPackages() []string {
	var pkgs []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil && !slices.Contains(pkgs, t.pkg) {
			pkgs = append(pkgs, t.pkg)
		}
	}
	return pkgs
}

// machine is what this machine's own configuration says of its way to packages.
// Hosts and images get the same, and nothing else is contacted.
type machine struct {
	mirror         string // of Debian
	securityMirror string // "" if the machine has none
	aptConf        string // settings on validity dates
	extraCA        []byte // PEM: roots this machine trusts and Debian does not ship
}

func thisMachine() (machine, error) {
	var m machine
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return m, fmt.Errorf("reading the machine's release: %w", err)
	}
	codename := field(string(release), "VERSION_CODENAME=")
	sources, err := readAll("/etc/apt/sources.list", "/etc/apt/sources.list.d/*")
	if err != nil {
		return m, fmt.Errorf("reading apt sources: %w", err)
	}
	m.mirror, m.securityMirror = mirrors(sources, codename)
	if m.mirror == "" {
		return m, fmt.Errorf("no apt source of this machine has the suite %q", codename)
	}
	conf, err := readAll("/etc/apt/apt.conf", "/etc/apt/apt.conf.d/*")
	if err != nil {
		return m, fmt.Errorf("reading apt configuration: %w", err)
	}
	m.aptConf = validityConf(conf)
	m.extraCA, err = extraRoots("/etc/ssl/certs/ca-certificates.crt", "/usr/share/ca-certificates")
	return m, err
}

func field(text, prefix string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			return strings.Trim(v, `"' `)
		}
	}
	return ""
}

func readAll(patterns ...string) (string, error) {
	var all strings.Builder
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", err
			}
			all.Write(b)
			all.WriteString("\n\n")
		}
	}
	return all.String(), nil
}

// mirrors finds, in the text of all apt sources (both formats), from where the
// suite and its security updates come.
func mirrors(sources, codename string) (mirror, security string) {
	note := func(uri, suite string) {
		switch {
		case suite == codename && mirror == "":
			mirror = strings.TrimSuffix(uri, "/")
		case suite == codename+"-security" && security == "":
			security = strings.TrimSuffix(uri, "/")
		}
	}
	for _, stanza := range strings.Split(sources, "\n\n") {
		var uris, suites []string
		for line := range strings.Lines(stanza) {
			line = strings.TrimSpace(line)
			if rest, ok := strings.CutPrefix(line, "URIs:"); ok {
				uris = strings.Fields(rest)
			}
			if rest, ok := strings.CutPrefix(line, "Suites:"); ok {
				suites = strings.Fields(rest)
			}
			if rest, ok := strings.CutPrefix(line, "deb "); ok {
				rest = strings.TrimSpace(rest)
				if strings.HasPrefix(rest, "[") {
					_, rest, _ = strings.Cut(rest, "]")
				}
				if f := strings.Fields(rest); len(f) > 1 {
					note(f[0], f[1])
				}
			}
		}
		for _, uri := range uris {
			for _, suite := range suites {
				note(uri, suite)
			}
		}
	}
	return mirror, security
}

// validityConf keeps the settings of an apt configuration that let it take
// indices whose dates this machine's mirror does not keep up.
func validityConf(conf string) string {
	var kept strings.Builder
	for line := range strings.Lines(conf) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Acquire::Check-") || strings.HasPrefix(line, "Acquire::Max-FutureTime") {
			kept.WriteString(line + "\n")
		}
	}
	return kept.String()
}

// extraRoots are the certificates of a bundle which Debian does not ship.
func extraRoots(bundle, shipped string) ([]byte, error) {
	own := map[string]bool{}
	err := filepath.WalkDir(shipped, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, der := range certificates(b) {
			own[string(der)] = true
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading Debian's certificates: %w", err)
	}
	b, err := os.ReadFile(bundle)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the machine's certificates: %w", err)
	}
	var extra bytes.Buffer
	for _, der := range certificates(b) {
		if !own[string(der)] {
			own[string(der)] = true
			extra.Write(pemCertificate(der))
		}
	}
	return extra.Bytes(), nil
}

func certificates(b []byte) [][]byte {
	var ders [][]byte
	for {
		var block *pem.Block
		block, b = pem.Decode(b)
		if block == nil {
			return ders
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// pipIndex is the package index this machine's pip uses, without credentials'
// file formats being known here: pip itself is asked.
func pipIndex(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if index := os.Getenv("PIP_INDEX_URL"); index != "" {
		return index, nil
	}
	const ask = `
from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI
c = Configuration(isolated=False)
c.load()
print(dict(c.items()).get("global.index-url") or PyPI.simple_url)`
	out, err := run(ctx, "python3", "-c", ask)
	if err != nil {
		return "", fmt.Errorf("asking pip for its index: %w", err)
	}
	index := strings.TrimSpace(out)
	if u, err := url.Parse(index); err != nil || u.Host == "" {
		return "", fmt.Errorf("pip's index is %q, not a URL", index)
	}
	return index, nil
}
