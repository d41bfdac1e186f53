//go:build linux

package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// standIns are packages with the names, relations and file names of Docker's own, made of Debian's so that one
// set runs on all hosts: runc of Debian 13 needs a newer libc than Debian 12 has.
var standIns = []struct {
	name    string
	suite   string
	from    []string // Debian's packages, the maintainer scripts of the first are kept
	depends string
	clash   string // Conflicts and Replaces, as upstream has them
}{
	{"containerd.io", "bookworm", []string{"containerd", "runc"}, "libc6, libseccomp2", "containerd, runc"},
	{"docker-ce-cli", "trixie", []string{"docker-cli"}, "libc6", "docker, docker-engine, docker.io, docker-cli"},
	{"docker-ce", "trixie", []string{"docker.io"}, "containerd.io, docker-ce-cli, adduser, iptables, libc6, libdevmapper1.02.1, libsystemd0, tini", "docker, docker-engine, docker.io"},
	{"docker-buildx-plugin", "trixie", []string{"docker-buildx"}, "libc6", "docker-buildx"},
	{"docker-compose-plugin", "trixie", []string{"docker-compose"}, "libc6", "docker-compose"},
}

const (
	standInVersion = "5:28.5.1-1~lab"
	standInRecipe  = "2"
)

// dockerPackagesDir holds the stand-ins, and docker-ce once more as broken.deb, whose script fails.
func dockerPackagesDir(ctx context.Context, l *Lab) (string, error) {
	var roots []string
	for _, suite := range standInSuites {
		root, err := base(ctx, l.log, l.machine, suite)
		if err != nil {
			return "", err
		}
		roots = append(roots, filepath.Base(root))
	}
	key := digest(standInRecipe, standInVersion, fmt.Sprint(standIns), strings.Join(roots, " "))
	return cached(ctx, l.log, "docker-packages", key, func(ctx context.Context, dir string) error {
		for _, suite := range standInSuites {
			if err := standInsOf(ctx, l, suite, dir); err != nil {
				return err
			}
		}
		return nil
	})
}

// standInSuites are the suites that stand-ins are made of packages of.
var standInSuites = []string{"trixie", "bookworm"}

// standInsOf makes those that are made of a suite's packages, which a host of that suite fetches.
func standInsOf(ctx context.Context, l *Lab, suite, dir string) error {
	const name = "maker-of-docker-packages"
	h, err := l.Host(ctx, HostOptions{Name: name, Suite: suite})
	if err != nil {
		return errors.Join(err, l.discard(ctx, name))
	}
	pack := func() error {
		if _, err := h.Shell(ctx, "apt-get -q update && mkdir /root/debs"); err != nil {
			return err
		}
		for _, s := range standIns {
			if s.suite != suite {
				continue
			}
			if _, err := h.Shell(ctx, "cd /root/debs && apt-get -q download "+strings.Join(s.from, " ")); err != nil {
				return err
			}
			if err := standIn(ctx, filepath.Join(h.path("root"), "root/debs"), dir, s.name, s.from, s.depends, s.clash); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		return nil
	}
	return errors.Join(pack(), h.Close(ctx))
}

// standIn makes one package, and of docker-ce a broken one beside it.
func standIn(ctx context.Context, debs, dir, name string, from []string, depends, clash string) error {
	tree := filepath.Join(dir, "work")
	for n := len(from) - 1; n >= 0; n-- {
		found, err := filepath.Glob(filepath.Join(debs, from[n]+"_*.deb"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("apt left %d packages of %s (%w)", len(found), from[n], err)
		}
		verb := "-x"
		if n == 0 {
			verb = "-R"
		}
		if _, err := run(ctx, "dpkg-deb", verb, found[0], tree); err != nil {
			return err
		}
	}
	control := filepath.Join(tree, "DEBIAN/control")
	arch, err := run(ctx, "dpkg", "--print-architecture")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Lab <lab@example.org>\nDepends: %s\nConflicts: %[5]s\nReplaces: %[5]s\nSection: admin\nPriority: optional\nDescription: stand-in for %[1]s\n",
		name, standInVersion, strings.TrimSpace(arch), depends, clash)
	if err := os.WriteFile(control, []byte(text), 0o644); err != nil {
		return err
	}
	pack := func(file string) error {
		_, err := run(ctx, "dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", tree, filepath.Join(dir, file))
		return err
	}
	if err := pack(name + ".deb"); err != nil {
		return err
	}
	if name == "docker-ce" {
		if err := writeFile(filepath.Join(tree, "DEBIAN/postinst"), "#!/bin/sh\necho 'this package is broken' >&2\nexit 1\n", 0o755); err != nil {
			return err
		}
		if err := pack("broken.deb"); err != nil {
			return err
		}
	}
	return os.RemoveAll(tree)
}

// DockerRepository is a mirror of Docker's own package repository that the lab serves over plain HTTP, in the states that
// its methods name. Each is the URL of one: what site.docker_repository takes.
type DockerRepository struct {
	// Key and OtherKey are the fingerprints of two keys, of which the first signs.
	Key, OtherKey string
	url           string
}

// Good is signed by Key, and shows it.
func (r *DockerRepository) Good() string { return r.url + "/good" }

// Two shows OtherKey behind Key.
func (r *DockerRepository) Two() string { return r.url + "/two" }

// Forged shows Key and is signed by OtherKey.
func (r *DockerRepository) Forged() string { return r.url + "/forged" }

// Other shows OtherKey and is signed by it.
func (r *DockerRepository) Other() string { return r.url + "/other" }

// Broken has a docker-ce whose maintainer script fails.
func (r *DockerRepository) Broken() string { return r.url + "/broken" }

// StartDockerRepository serves the repository from this process until ctx ends. The first call on a machine makes the
// packages.
func (l *Lab) StartDockerRepository(ctx context.Context) (*DockerRepository, error) {
	dir, err := dockerPackagesDir(ctx, l)
	if err != nil {
		return nil, err
	}
	indices := map[bool]string{}
	for _, broken := range []bool{false, true} {
		if indices[broken], err = packagesIndex(ctx, dir, broken); err != nil {
			return nil, err
		}
	}
	var keys [2]*openpgp.Entity
	var public [2]string
	for n := range keys {
		if keys[n], err = openpgp.NewEntity(fmt.Sprintf("Lab mirror %d", n), "", "lab@example.org", &packet.Config{RSABits: 2048, Time: func() time.Time { return time.Now().Add(-48 * time.Hour) }}); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(keys[n].Serialize(w), w.Close()); err != nil {
			return nil, err
		}
		public[n] = b.String() + "\n"
	}
	type state struct {
		shown  string
		signer *openpgp.Entity
		broken bool
	}
	states := map[string]state{
		"good": {public[0], keys[0], false}, "two": {public[0] + public[1], keys[0], false}, "forged": {public[0], keys[1], false},
		"other": {public[1], keys[1], false}, "broken": {public[0], keys[0], true},
	}
	// PATH is STATE/FAMILY/..., as below Docker's own host.
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
		if len(part) != 3 {
			http.NotFound(w, r)
			return
		}
		s, known := states[part[0]]
		suite, inSuite := strings.CutPrefix(part[2], "dists/")
		suite, file, _ := strings.Cut(suite, "/")
		packages := indices[s.broken]
		switch {
		case !known:
			http.NotFound(w, r)
		case part[2] == "gpg":
			_, _ = io.WriteString(w, s.shown)
		case inSuite && file == "Release":
			_, _ = io.WriteString(w, releaseFile(suite, packages))
		case inSuite && file == "InRelease":
			if err := sign(w, releaseFile(suite, packages), s.signer); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		case inSuite && strings.HasPrefix(file, "stable/") && strings.HasSuffix(file, "/Packages"):
			_, _ = io.WriteString(w, packages)
		case strings.HasPrefix(part[2], "pool/"):
			http.ServeFile(w, r, filepath.Join(dir, filepath.Base(part[2])))
		default:
			http.NotFound(w, r)
		}
	})
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", net.JoinHostPort(gateway, "0"))
	if err != nil {
		return nil, fmt.Errorf("serving packages: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	print40 := func(e *openpgp.Entity) string { return hex.EncodeToString(e.PrimaryKey.Fingerprint) }
	return &DockerRepository{Key: print40(keys[0]), OtherKey: print40(keys[1]), url: "http://" + listener.Addr().String()}, nil
}

// packagesIndex is the file Packages.
func packagesIndex(ctx context.Context, dir string, broken bool) (string, error) {
	var b strings.Builder
	for _, s := range standIns {
		file := s.name + ".deb"
		if broken && s.name == "docker-ce" {
			file = "broken.deb"
		}
		path := filepath.Join(dir, file)
		control, err := run(ctx, "dpkg-deb", "-f", path)
		if err != nil {
			return "", err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\nFilename: pool/%s\nSize: %d\nSHA256: %x\n\n", strings.TrimSpace(control), file, len(content), sha256.Sum256(content))
	}
	return b.String(), nil
}

// releaseFile is the file Release of a suite for this machine's architecture.
func releaseFile(suite, packages string) string {
	sum := sha256.Sum256([]byte(packages))
	var files strings.Builder
	for _, arch := range []string{"amd64", "arm64"} {
		fmt.Fprintf(&files, " %x %d stable/binary-%s/Packages\n", sum, len(packages), arch)
	}
	return fmt.Sprintf("Origin: Docker\nLabel: Docker CE\nSuite: %[1]s\nCodename: %[1]s\nDate: %[2]s\nArchitectures: amd64 arm64\nComponents: stable\nSHA256:\n%[3]s",
		suite, time.Now().Add(-24*time.Hour).UTC().Format(time.RFC1123), files.String())
}

func sign(w io.Writer, text string, key *openpgp.Entity) error {
	signer, err := clearsign.Encode(w, key.PrivateKey, nil)
	if err != nil {
		return err
	}
	_, err = io.WriteString(signer, text)
	return errors.Join(err, signer.Close())
}
