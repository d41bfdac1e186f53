package resource

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"provision/provision/platform"
	"provision/remote"
)

// Engine is Docker with Compose. A working engine is kept with its settings as they are. A missing
// one is installed from Docker's own signed repository, or from the distribution's packages, and
// only such an engine gets our daemon.json.
type Engine struct {
	Host, Stack string
	Source      string // "auto", "official", "distro", "present"
	Repository  string // of Docker's packages; a mirror of it may be given
	Key         string // fingerprint of the key that signs them, in lower case; Docker's own where it is empty
	DaemonJSON  []byte
	// AsIs says that nothing of the stack needs an engine here: it is asked what is there, and left alone.
	AsIs bool
}

var (
	_ Resource  = (*Engine)(nil)
	_ Uncertain = (*Engine)(nil)
)

// EngineID is the ID of a host's engine.
func EngineID(host string) ID { return ID{host, "docker", ""} }

func (e *Engine) ID() ID      { return EngineID(e.Host) }
func (e *Engine) Needs() []ID { return []ID{SystemID(e.Host), IdentityID(e.Host)} }

const marker = platform.EngineMark

const daemonPath = "/etc/docker/daemon.json"

// Versions below which a foreign engine is not used, and not replaced either.
const (
	minEngine = 23
	// Compose 2.20.0 and 2.20.1 refuse a file with start_interval.
	minCompose, minComposePatch = 20, 2 // of Compose 2
)

func (e *Engine) Probe(s *Script) {
	s.Once("docker", scripts.With("docker_state"))
	s.Once("volumes", scripts.With("volumes", "label", LabelStack))
	s.Deferred(func() (ID, string) {
		s.Once("listing", scripts.With("docker_listing", "label", LabelStack))
		s.Once("look", platform.Look(e.Repository, e.Source))
		s.Once("packages", remote.Function("packages", platform.Installed("docker-ce")))
		return e.ID(), remote.Args(listing(e.Stack, slices.Sorted(maps.Keys(s.images)))...) + scripts.With("engine_probe", "mark", marker, "daemon", daemonPath)
	})
}

// versionNumbers are those at the beginning of a version.
var versionNumbers = regexp.MustCompile(`^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?`)

// version returns the first three numbers of a dotted version; one that is not there is 0.
func version(s string) (v [3]int) {
	for i, n := range versionNumbers.FindStringSubmatch(strings.TrimSpace(s)) {
		if i > 0 {
			v[i-1], _ = strconv.Atoi(n)
		}
	}
	return v
}

func (e *Engine) Diff(w World) []Change {
	rec, know := w.Fact(e.ID())
	if e.AsIs {
		return nil
	}
	ours := rec.Fields["ours"] != ""
	daemon, hasDaemon := rec.Fields["daemon"]
	change := Change{ID: e.ID(), Act: Add}
	if r := e.ofOthers(w, rec, know, ours); r != nil {
		return r
	}
	if ours && daemon != string(e.DaemonJSON) {
		change.Diff = TextDiff(daemon, string(e.DaemonJSON), "daemon.json")
	}
	switch know {
	case No:
		if e.Source == "present" {
			return []Change{{
				ID: e.ID(), Act: Refuse, Risk: Preflight, Why: `Docker is not installed, and docker.source is "present"`,
				Hint: "install Docker on the host, or set docker.source in stack.toml to auto, official or distro",
			}}
		}
		if r := e.refusal(w, rec); r != nil {
			return r
		}
		change.Why = "Docker is not installed"
		if !hasDaemon {
			change.Diff = TextDiff("", string(e.DaemonJSON), "daemon.json")
		}
		return []Change{change}
	case Unknown:
		if rec.Fields["versions"] == "" {
			return nil // the probe itself gave no answer
		}
		change.Act, change.Risk = Modify, Interrupts
		change.Why = "the engine does not answer: " + firstLine(rec.Fields["versions"])
		change.Note = "the engine is started; containers on this host that do not belong to the stack start with it"
		return []Change{change}
	}
	compose := version(rec.Fields["compose"])
	tooOld := version(rec.Fields["versions"])[0] < minEngine || slices.Compare(compose[:], []int{2, minCompose, minComposePatch}) < 0
	switch {
	case ours && (tooOld || rec.Fields["lacks"] != ""):
		change.Act, change.Why = Modify, "the installation is not complete"
	case tooOld:
		return []Change{{
			ID: e.ID(), Act: Refuse, Risk: Preflight,
			Why: fmt.Sprintf("Docker %s with Compose %s is too old: engine %d and Compose 2.%d.%d are needed", orNone(firstWord(rec.Fields["versions"])),
				orNone(remote.Sanitize(rec.Fields["compose"])), minEngine, minCompose, minComposePatch),
			Hint: "upgrade it on the host; an engine that others use is not replaced by provision",
		}}
	case ours && daemon != string(e.DaemonJSON):
		change.Act, change.Why, change.Risk = Modify, "daemon.json differs", Interrupts
		change.Note = "the engine restarts; containers keep running (live-restore)"
	case ours && strings.TrimSpace(rec.Fields["settings"]) != settingsOf(e.DaemonJSON):
		change.Act, change.Why, change.Risk = Reload, "the engine runs with other settings than daemon.json has", Interrupts
		change.Note = "the engine restarts; containers keep running (live-restore)"
	default:
		return nil
	}
	return []Change{change}
}

// ofOthers refuses an engine that others put there in a way that the stack cannot use, and beside which none is installed.
func (e *Engine) ofOthers(w World, rec Record, know Know, ours bool) []Change {
	refuse := func(why, hint string) []Change {
		return []Change{{ID: e.ID(), Act: Refuse, Risk: Preflight, Why: why, Hint: hint}}
	}
	words := hostFamily(w, e.Host).Packages.Words()
	major := version(rec.Fields["versions"])[0]
	others, lacks := rec.Fields["others"], rec.Fields["lacks"]
	switch {
	case ours:
		return nil
	case others == "snap":
		return refuse("Docker is a snap on this host, which the stack cannot use and beside which no other engine is installed", "move what runs in it, then on the host: snap remove docker")
	case others == "podman":
		return refuse("the command docker is Podman's on this host (package podman-docker)", "on the host, if nothing needs it: "+words.Remove+" podman-docker")
	case others != "":
		return refuse(fmt.Sprintf("an engine without root is in use on this host (%s), and the stack needs one with root", remote.Sanitize(others)), "stop and uninstall it on the host (dockerd-rootless-setuptool.sh uninstall), or take another host")
	case rec.Fields["guard"] == "rootless":
		return refuse("the engine runs without root (rootless), and the stack needs one with root", "point root's docker command at an engine of the system, or take another host")
	case rec.Fields["guard"] == "selinux":
		// Labels on mounts are no way out: Compose leaves bind.selinux out where create_host_path is false, as in all of ours.
		return refuse("the engine confines containers with SELinux (selinux-enabled): they could not read the stack's files", "take selinux-enabled out of /etc/docker/daemon.json and the options of the engine's unit on the host, or take another host")
	case rec.Fields["guard"] != "":
		return refuse("the engine runs with userns-remap: containers could not read the stack's files", "take userns-remap out of /etc/docker/daemon.json on the host, or take another host")
	case know == Unknown && lacks == "engine":
		return refuse("there is a docker command on this host, but no engine: "+firstLine(rec.Fields["versions"]), "install the engine that belongs to the command, or remove the command's package: provision then installs both")
	case know == Unknown && lacks == "client":
		return refuse("there is an engine on this host, but no docker command", "install the command that belongs to it, with Compose and buildx: on Debian 13 the packages docker-cli, docker-compose and docker-buildx")
	case lacks == "buildx" && rec.Fields["compose"] != "":
		return refuse(fmt.Sprintf("Docker %s has no buildx, which builds the images", orNone(firstWord(rec.Fields["versions"]))), "on the host: "+words.Install+" "+e.pluginPackage(w, rec, "buildx"))
	case know == Yes && rec.Fields["compose"] == "" && major >= minEngine:
		return refuse(fmt.Sprintf("Docker %s has no Compose 2", orNone(firstWord(rec.Fields["versions"]))), "on the host: "+words.Install+" "+e.pluginPackage(w, rec, "compose"))
	}
	return nil
}

// pluginPackage is the package that brings a plugin of the docker command: Docker's own, or the distribution's.
func (e *Engine) pluginPackage(w World, rec Record, plugin string) string {
	fam := hostFamily(w, e.Host)
	switch {
	case slices.Contains(installedOf(rec.Fields["packages"]), "docker-ce"), len(fam.Distro) == 0:
		return "docker-" + plugin + "-plugin"
	case plugin == "compose" && fam.ID == "ubuntu":
		return "docker-compose-v2"
	}
	return "docker-" + plugin
}

// WhyUnknown says that the engine answers but did not list all that it has: then nothing of Docker's can
// be compared, and that must not look like nothing to change.
func (e *Engine) WhyUnknown(w World) string {
	if _, listed := docker(w, e.Host); listed == Unknown {
		return "the engine answers, but did not list all of its containers, images, networks and volumes"
	}
	return ""
}

// refusal says why Docker cannot be installed here, if it cannot.
func (e *Engine) refusal(w World, rec Record) []Change {
	sys, know := w.Fact(SystemID(e.Host))
	if know != Yes {
		return nil
	}
	os := platform.OSRelease(sys.Fields["os"])
	fam, ok := platform.Find(os["ID"])
	if !ok {
		return nil // the system's own refusal says it
	}
	if !slices.Contains(fam.Releases(), fam.Release(os)) && e.Source == "auto" {
		return []Change{{
			ID: e.ID(), Act: Refuse, Risk: Preflight,
			Why:  fmt.Sprintf("%s is not among the systems that Docker is installed on: %s", orNone(os["PRETTY_NAME"]), platform.Supported()),
			Hint: `take one of these, or install Docker on the host; docker.source = "official" in stack.toml tries Docker's own repository in any case`,
		}}
	}
	if why, hint := e.unusable(rec, fam, os); why != "" {
		return []Change{{ID: e.ID(), Act: Refuse, Risk: Preflight, Why: why, Hint: hint}}
	}
	if _, ok := fam.Distro[fam.Release(os)]; !ok && e.Source == "distro" {
		return []Change{{
			ID: e.ID(), Act: Refuse, Risk: Preflight,
			Why:  fmt.Sprintf("the packages of %s have no Docker with Compose 2 that provision knows of", orNone(os["PRETTY_NAME"])),
			Hint: `set docker.source in stack.toml to "official", or install Docker on the host`,
		}}
	}
	return nil
}

func (e *Engine) Do(ctx context.Context, r *Run, c Change) error {
	if c.Act == Reload {
		_, err := r.Sh(ctx, e.Host, restartEngine(platform.Systemd))
		return err
	}
	if err := e.settings(ctx, r); err != nil {
		return err
	}
	// What others installed is started, and judged when it answers. Nothing is installed over it.
	state, err := r.Get(ctx, e.Host, scripts.With("engine_state", "mark", marker))
	if err != nil {
		return err
	}
	state, release, _ := strings.Cut(state, "\n")
	os := platform.OSRelease(release)
	if state == "missing" {
		if err := e.install(ctx, r, os); err != nil {
			return err
		}
	}
	_, err = r.Sh(ctx, e.Host, startEngine(platform.Of(os).Init))
	return err
}

// settings claims an engine that is not there yet as ours and writes its daemon.json before the
// first start, so that it starts only once. A foreign daemon.json is left as it is.
func (e *Engine) settings(ctx context.Context, r *Run) error {
	_, err := r.Sh(ctx, e.Host, scripts.With("engine_settings", "mark", marker, "daemon", daemonPath, "content", string(e.DaemonJSON)))
	return err
}

func startEngine(init platform.Init) string {
	return init.Reread() + "\n" + init.Start("docker") + "\n" + remote.Function("status", init.Status("docker")) + scripts.With("engine_await")
}

func restartEngine(init platform.Init) string {
	return init.Reread() + "\n" + init.Restart("docker") + "\n" + startEngine(init)
}

// hostFamily is the family of a host, as far as that is known.
func hostFamily(w World, host string) platform.Family {
	sys, _ := w.Fact(SystemID(host))
	return platform.Of(platform.OSRelease(sys.Fields["os"]))
}

func firstLine(s string) string {
	l, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return remote.Sanitize(l)
}

func firstWord(s string) string {
	l, _, _ := strings.Cut(firstLine(s), " ")
	return l
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
