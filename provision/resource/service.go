package resource

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/remote"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Service is one container of a compose project. What it runs with is told by the container
// itself: labels carry the digest of its definition and of the files mounted into it, so a run that
// was killed between a changed file and the restart is healed by any later run.
type Service struct {
	Host, Stack, Project string
	Dir                  string // the project's directory, with compose.yaml
	Service, Container   string
	Definition           string   // digest of the rendered definition
	Image                string   // reference
	Mounts               []string // directories, absolute, whose content the container reads once
	Salt                 string   // path of the host's salt
	After                []ID
	Files                []ID   // the files and secrets in Mounts
	Note                 string // what its replacement interrupts
	// Stops are containers that are stopped before the replacement, if they are there.
	Stops []string
	// Runs is a service of Project that then runs once, to its end, and Doing says so; "" is none.
	Runs, Doing string
	// StoppedFor is a container whose replacement stops this one first; zero if there is none.
	StoppedFor ID
	// RunsAs is the worker name that Prefect records for runs executed here; RunsOn is the host whose Prefect is asked. Both are empty
	// if the container executes none.
	RunsAs, RunsOn string
	// Timeout of the wait for health, in seconds; 0 is StartPatience.
	Timeout int
}

var (
	_ Resource  = (*Service)(nil)
	_ Checker   = (*Service)(nil)
	_ Uncertain = (*Service)(nil)
)

// ServiceID is the ID of a container of the stack.
func ServiceID(host, container string) ID { return ID{host, "container", container} }

func (s *Service) ID() ID { return ServiceID(s.Host, s.Container) }

func (s *Service) Needs() []ID {
	needs := []ID{EngineID(s.Host), ImageID(s.Host, s.Image), {s.Host, "file", s.Dir + "/compose.yaml"}}
	return append(append(needs, s.Files...), s.After...)
}

// read are the arguments of mountsdigest. A file that nobody reads any more is removed after the container was
// replaced, so that what else is in the directories does not count: the container would be replaced again.
func (s *Service) read() []string {
	out := []string{s.Salt}
	for _, f := range s.Files {
		if slices.ContainsFunc(s.Mounts, func(dir string) bool { return strings.HasPrefix(f.Name, dir+"/") }) {
			out = append(out, f.Name)
		}
	}
	return out
}

func (s *Service) Probe(sc *Script) {
	sc.Once("docker", scripts.With("docker_state"))
	sc.Image(s.Image)
	if len(s.Mounts) == 0 {
		return
	}
	sc.Once("mountsdigest", scripts.With("service_mounts"))
	sc.Record(s.ID(), remote.Args(s.read()...)+`v mounts "$(mountsdigest "$@" 2>/dev/null)"; yes`)
}

func (s *Service) Diff(w World) []Change {
	d, know := docker(w, s.Host)
	if know == Unknown {
		return nil
	}
	c, ok := d.Containers[s.Container]
	if !ok && d.Others[s.Container] {
		return []Change{{
			ID: s.ID(), Act: Refuse, Risk: Preflight, Why: "a container of this name is there and is not of this stack; it is left as it is",
			Hint: "see whose it is (docker inspect " + s.Container + "); if it is to stay, give the stack another name: " + otherName(s.Stack),
		}}
	}
	if !ok {
		return []Change{{ID: s.ID(), Act: Add, Why: "the container does not exist"}}
	}
	change := Change{ID: s.ID(), Act: Replace, Risk: Interrupts, Note: s.Note + s.running(w)}
	mounts, _ := w.Fact(s.ID())
	switch {
	case s.pendingNetwork(w) != "":
		change.Why = fmt.Sprintf("%s, which it is on, changes", s.pendingNetwork(w))
	case c.Definition != s.Definition && c.Image != s.Image:
		change.Why = fmt.Sprintf("it runs %s, should run %s", remote.Sanitize(c.Image), s.Image)
	case c.Definition != s.Definition:
		change.Why = "its definition differs"
	case w.Pending(ImageID(s.Host, s.Image)):
		// The same content under the same tag: the running container is not touched by a new copy.
		if c.Running() {
			return nil
		}
		change.Why = "its image was missing"
	case d.Images[s.Image] != "" && c.ImageID != d.Images[s.Image]:
		change.Why = "its image has changed under the same name"
	case len(s.Mounts) > 0 && c.Mounts != mounts.Fields["mounts"]:
		change.Why = "files that it reads at start have changed"
	case s.pendingFile(w) != "":
		change.Why = fmt.Sprintf("%s, which it reads at start, changes", s.pendingFile(w))
	case c.State != "running":
		change.Act, change.Risk, change.Note = Modify, Safe, ""
		change.Why = fmt.Sprintf("it is not running (state: %s)", remote.Sanitize(c.State))
	case w.Pending(s.StoppedFor):
		change.Act = Modify
		change.Why = fmt.Sprintf("it is stopped while %s is replaced, and started again", s.StoppedFor.Name)
	case c.Health == "unhealthy":
		change.Act = Await
		change.Why = fmt.Sprintf("its health check fails; it is replaced if it is not well within %d s", patience)
	default:
		return nil
	}
	return []Change{change}
}

// running says how many flow runs are running here now.
func (s *Service) running(w World) string {
	if s.RunsAs == "" {
		return ""
	}
	o, know, _ := prefect(w, s.RunsOn)
	hosts, ok := o.runs()
	switch n := hosts[s.RunsAs]["RUNNING"]; {
	case know != Yes || !ok:
		return "; how many run now is not known"
	case n == 1:
		return "; 1 runs now"
	default:
		return fmt.Sprintf("; %d run now", n)
	}
}

// WhyUnknown says that a container cannot be seen without its engine.
func (s *Service) WhyUnknown(w World) string { return engineUnknown(w, s.Host) }

// pendingNetwork names a network whose change takes the container along.
func (s *Service) pendingNetwork(w World) string {
	for _, n := range s.After {
		if n.Kind == "network" && w.Pending(n) {
			return n.String()
		}
	}
	return ""
}

func (s *Service) pendingFile(w World) string {
	for _, f := range s.Files {
		if w.Pending(f) {
			return path.Base(f.Name)
		}
	}
	return ""
}

func (s *Service) Do(ctx context.Context, r *Run, c Change) error {
	values := []string{
		"container", s.Container, "dir", s.Dir, "project", s.Project, "service", s.Service,
		"timeout", strconv.Itoa(cmp.Or(s.Timeout, int(StartPatience.Seconds()))),
	}
	force, wait, variable := "", "", ""
	if c.Act == Replace || c.Act == Await {
		force = "--force-recreate"
	}
	if c.Act == Await {
		wait = strconv.Itoa(patience)
	}
	if len(s.Mounts) > 0 {
		variable = MountsVariable(s.Service)
	}
	values = append(values, "force", force, "patience", wait, "variable", variable)
	_, err := r.Sh(ctx, s.Host, remote.Args(s.read()...)+scripts.With("service_mounts")+remote.Function("before", s.before())+scripts.With("service_up", values...))
	return err
}

// before is what is done before the replacement.
func (s *Service) before() string {
	script := ":\n"
	if len(s.Stops) > 0 {
		script += remote.Args(s.Stops...) + scripts.With("service_stop")
	}
	if s.Runs != "" {
		script += scripts.With("service_once", "once", s.Runs, "doing", s.Doing)
	}
	return script
}

// patience is how long a container that is not well may take to get well by itself: often what it
// needs was away, and has just come back. Replaced, it would take the runs in it along.
const patience = 45

// otherName is the line of stack.toml that gives a stack another name.
func otherName(stack string) string { return fmt.Sprintf("name = \"%s-2\" in stack.toml", stack) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// MountsVariable is the name under which the digest of a service's mounted files enters its
// compose file.
func MountsVariable(service string) string {
	return "PROVISION_MOUNTS_" + strings.ToUpper(strings.ReplaceAll(service, "-", "_"))
}

// UnhealthyStatus is what service_up.sh ends with where a container is not well; its last line says in what way.
const UnhealthyStatus = 93

// StartPatience is how long a container may take to be healthy, unless its service says otherwise.
const StartPatience = 3 * time.Minute

// Starting tells whether the container runs and its health check has not answered yet.
func (s *Service) Starting(w World) bool {
	d, _ := docker(w, s.Host)
	c := d.Containers[s.Container]
	return c.State == "running" && c.Health == "starting"
}

func (s *Service) Check(w World) []Problem {
	d, know := docker(w, s.Host)
	c, ok := d.Containers[s.Container]
	switch {
	case know == Unknown:
		return []Problem{{ID: s.ID(), What: "unknown: the engine gave no answer"}}
	case !ok:
		return []Problem{{ID: s.ID(), What: "the container does not exist"}}
	case !c.Running():
		return []Problem{{
			ID: s.ID(), What: fmt.Sprintf("it is %s, health %s, restarted %s", remote.Sanitize(c.State), orNone(remote.Sanitize(c.Health)), times(c.Restarts)),
			Hint: fmt.Sprintf("see its last lines on %s: docker logs --tail 50 %s", s.Host, s.Container),
		}}
	}
	return nil
}
