//go:build linux

package lab

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// imagesRecipe changes when the images are made in another way.
const imagesRecipe = "2"

const (
	caddyModule  = "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9"
	resticModule = "github.com/restic/restic/cmd/restic@v0.18.1"
)

// What CPython's modules link to: packages of Debian 12 and 13.
const (
	cpythonLibraries   = "libbz2-1.0,libcom-err2,libcrypt1,libexpat1,libffi8,libgssapi-krb5-2,liblzma5,libncursesw6,libnsl2,libreadline8,libsqlite3-0,libssl3,libtirpc3,libuuid1,zlib1g"
	cpythonLibraries13 = "libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,zlib1g"
)

var (
	//go:embed rootfs/postgres-entrypoint.sh
	postgresEntrypoint string
	//go:embed rootfs/valkey-entrypoint.sh
	valkeyEntrypoint string
)

const (
	debianPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	pythonPath = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// image is one image that the lab makes. It is made of Debian's packages and
// what this machine has, and keeps to the contract of the upstream image of the
// same name.
type image struct {
	name string // as a stack names it
	sets string // the sets that have it

	suite    string // of the Debian under it; "": that of its set's first image, for what only takes parts of one
	packages string // of that suite, beside the smallest system
	user     string // of its service, with the id 999 that upstream's have
	home     string // of that user
	cpython  string // "3.13": pyenv's newest of that line is in /usr/local
	goModule string // this Go program alone is in it, over the busybox of its packages

	files      map[string]string // by path, before the packages come
	entrypoint string            // the text of docker-entrypoint.sh
	commands   [][]string        // run in it last
	config     imageConfig
}

// imageTable has a row for each image that the lab's mirror serves.
var imageTable = []image{
	{
		name: "python:3.8-slim", sets: "gen2", suite: "bookworm", packages: "ca-certificates,netbase,tzdata," + cpythonLibraries, cpython: "3.8",
		config: imageConfig{Env: []string{pythonPath, "LANG=C.UTF-8"}, Cmd: []string{"python3"}},
	},
	postgresImage("postgres:13.3", "gen2", "bullseye", "13", "md5"),
	{
		name: "python:3.13-slim", sets: "gen3", suite: "trixie", packages: "ca-certificates,netbase,tzdata," + cpythonLibraries13, cpython: "3.13",
		config: imageConfig{Env: []string{pythonPath}, Cmd: []string{"python3"}},
	},
	postgresImage("postgres:17", "gen3", "trixie", "17", "scram-sha-256"),
	{
		name: "valkey/valkey:8", sets: "gen3", suite: "trixie", packages: "valkey-server,tzdata", user: "valkey", home: "/home/valkey", entrypoint: valkeyEntrypoint,
		// Upstream had a VOLUME /data until August 2025. Without one, a read-only
		// container that mounts nothing there fails here as it does elsewhere.
		commands: [][]string{{"install", "-d", "-o", "valkey", "-g", "valkey", "-m", "1777", "/data", "/run/valkey"}},
		config: imageConfig{
			Env: []string{debianPath}, Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"valkey-server"},
			WorkingDir: "/data", ExposedPorts: map[string]struct{}{"6379/tcp": {}},
		},
	},
	{
		name: "caddy:2", sets: "gen2 gen3", packages: "ca-certificates,busybox-static", goModule: caddyModule,
		config: imageConfig{
			Env:          []string{debianPath, "CADDY_VERSION=" + caddyVersion(), "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"},
			Cmd:          []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
			WorkingDir:   "/srv",
			ExposedPorts: map[string]struct{}{"80/tcp": {}, "443/tcp": {}, "443/udp": {}, "2019/tcp": {}},
		},
	},
	{
		name: "restic/restic:0.18.1", sets: "gen2 gen3", packages: "ca-certificates,busybox-static", goModule: resticModule,
		config: imageConfig{Env: []string{debianPath}, Entrypoint: []string{"/usr/bin/restic"}},
	},
}

// postgresImage is the row of a major version. auth is what the official image
// of that version asks of clients if it is told nothing.
func postgresImage(name, sets, suite, major, auth string) image {
	return image{
		name: name, sets: sets, suite: suite, packages: "postgresql-" + major + ",gosu,locales", user: "postgres", home: "/var/lib/postgresql",
		files:      map[string]string{"etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n"},
		entrypoint: strings.Replace(postgresEntrypoint, "POSTGRES_HOST_AUTH_METHOD:-md5", "POSTGRES_HOST_AUTH_METHOD:-"+auth, 1),
		commands: [][]string{
			{"localedef", "-i", "en_US", "-c", "-f", "UTF-8", "-A", "/usr/share/locale/locale.alias", "en_US.UTF-8"},
			{"sed", "-i", "s/^#listen_addresses = .*/listen_addresses = '*'/", "/usr/share/postgresql/" + major + "/postgresql.conf.sample"},
			{"mkdir", "-p", "/var/lib/postgresql/data", "/var/run/postgresql", "/docker-entrypoint-initdb.d"},
			{"chown", "-R", "postgres:postgres", "/var/lib/postgresql", "/run/postgresql"},
			{"chmod", "0777", "/var/lib/postgresql/data"},
			{"chmod", "02777", "/run/postgresql"},
		},
		config: imageConfig{
			Env:          []string{debianPath + ":/usr/lib/postgresql/" + major + "/bin", "LANG=en_US.utf8", "PG_MAJOR=" + major, "PGDATA=/var/lib/postgresql/data"},
			Entrypoint:   []string{"docker-entrypoint.sh"},
			Cmd:          []string{"postgres"},
			StopSignal:   "SIGINT",
			Volumes:      map[string]struct{}{"/var/lib/postgresql/data": {}},
			ExposedPorts: map[string]struct{}{"5432/tcp": {}},
		},
	}
}

// imageSet is what is made, kept and served together: the images of one
// generation of the stack, so that a lab does not wait for those of another.
type imageSet struct {
	name string
	kind string // in the cache
}

var imageSets = []imageSet{
	{name: "gen2", kind: "images.gen2"},
	{name: "gen3", kind: "images.gen3"},
}

// defaultImageSets are those of a lab that names none.
var defaultImageSets = []string{"gen2"}

// ImageSets are the names of all sets of images.
func ImageSets() []string {
	var names []string
	for _, s := range imageSets {
		names = append(names, s.name)
	}
	return names
}

// chosenSets are the named sets in the order of imageSets, or the default.
func chosenSets(names []string) ([]string, error) {
	if len(names) == 0 {
		return defaultImageSets, nil
	}
	all := ImageSets()
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there are no images %q, only %s", name, strings.Join(all, " and "))
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return !slices.Contains(names, s) }), nil
}

func (s imageSet) images() []image {
	var rows []image
	for _, im := range imageTable {
		if slices.Contains(strings.Fields(im.sets), s.name) {
			if im.suite == "" {
				im.suite = rows[0].suite
			}
			rows = append(rows, im)
		}
	}
	return rows
}

// key is the set's name in the cache.
func (s imageSet) key(m machine, pythons map[string]string) string {
	reads := []string{imagesRecipe, fmt.Sprintf("%+v", s.images())}
	for _, im := range s.images() {
		if im.cpython != "" {
			reads = append(reads, pythons[im.cpython])
		}
	}
	return digest(append(reads, m.mirror, m.aptConf, string(m.extraCA))...)
}

// imageLayouts returns the OCI layouts of the named sets, one each.
func imageLayouts(ctx context.Context, log Log, m machine, sets []string) ([]string, error) {
	var layouts []string
	for _, s := range imageSets {
		if !slices.Contains(sets, s.name) {
			continue
		}
		layout, err := s.build(ctx, log, m)
		if err != nil {
			return nil, err
		}
		layouts = append(layouts, layout)
	}
	return layouts, nil
}

func (s imageSet) build(ctx context.Context, log Log, m machine) (string, error) {
	pythons := map[string]string{}
	for _, im := range s.images() {
		if im.cpython == "" {
			continue
		}
		dir, err := cpython(im)
		if err != nil {
			return "", err
		}
		pythons[im.cpython] = dir
	}
	return cached(ctx, log, s.kind, s.key(m, pythons), func(ctx context.Context, dir string) error {
		l, err := newLayout(dir)
		if err != nil {
			return err
		}
		b := imageBuilder{layout: l, machine: m, work: filepath.Join(dir, "work"), log: log, pythons: pythons, debians: map[string]debian{}}
		for _, im := range s.images() {
			if err := b.image(ctx, im); err != nil {
				return fmt.Errorf("%s: %w", im.name, err)
			}
		}
		if err := removeTree(b.work); err != nil {
			return err
		}
		return l.finish()
	})
}

// caddyVersion is the release that the module names.
func caddyVersion() string {
	_, version, _ := strings.Cut(caddyModule, "@")
	return version
}

// BuildCaddy makes the program caddy in an absolute directory: the release that the lab's image has.
func BuildCaddy(ctx context.Context, dir string) error {
	return goInstall(ctx, dir, caddyModule, "-X github.com/caddyserver/caddy/v2.CustomVersion="+caddyVersion())
}

// goInstall makes the program of a module, linked to nothing, in an absolute directory.
func goInstall(ctx context.Context, dir, module, linked string) error {
	build := command(ctx, "go", "install", "-trimpath", "-ldflags=-s -w "+linked, module)
	build.Dir = os.TempDir() // outside any module
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOBIN="+dir)
	_, err := runCmd(build)
	return err
}
