package resource

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/files/naming"
	"provision/remote"
)

// Labels that say whose a container, network or volume is and what it runs with.
const (
	LabelStack      = naming.LabelStack
	LabelDefinition = naming.LabelDefinition
	LabelMounts     = naming.LabelMounts
)

// Container is what the engine says of one container of the stack.
type Container struct {
	Name, ID         string
	ImageID, Image   string
	State, Health    string // State as the engine names it; Health "" where there is no check
	Restarts         int
	ExitCode         int
	OOMKilled        bool
	Started          time.Time
	Definition       string
	Mounts           string
	Project, Service string
	OneOff           bool // it does one thing and ends: a migration, a step of a backup
}

// Running tells whether the container runs and its health check, if it has one, passes.
func (c Container) Running() bool {
	return c.State == "running" && (c.Health == "" || c.Health == "healthy")
}

// Network is what the engine says of one network.
type Network struct{ Name, ID, Subnet, Internal, Stack, Bridge, IPv6 string }

// bridgeOption is the option of a network that names its interface.
const bridgeOption = "com.docker.network.bridge.name"

// dockerFacts are the facts of one host that its engine's record gives.
type dockerFacts struct {
	Containers map[string]Container
	Images     map[string]string // reference to image id, of those asked for
	Networks   map[string]Network
	Volumes    map[string]string   // name to owner stack
	Others     map[string]bool     // names of the containers that are not the stack's
	Projects   map[string][]string // compose project to the names of such containers
	Foreign    map[string][]string // network to the names of containers on it that are not the stack's, stopped ones too
	Built      []string            // references of the images that were built for the stack, newest first
}

// inside is the head of a probe that runs a command in a container.
func inside(s *Script) {
	s.Once("docker", scripts.With("docker_state"))
	s.Once("inside", scripts.With("docker_inside", "absent", foreign.Text(noSuchContainer), "down", foreign.Text(notRunning), "again", foreign.Text(restarting)))
}

// Every field of a line is printed by the engine from its own data, separated by a character that
// none of them can hold. Fields have the names of the client's own types: one that only the engine's
// answer has (Id) makes the client read that instead, and there a container without a health check
// has no Health, which is an error for all containers.
const (
	containerFormat = `{{.Name}}|{{.ID}}|{{.Image}}|{{.Config.Image}}|{{.State.Status}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}|{{.RestartCount}}|{{.State.ExitCode}}|{{.State.OOMKilled}}|{{.State.StartedAt}}|{{index .Config.Labels "` + LabelDefinition + `"}}|{{index .Config.Labels "` + LabelMounts + `"}}|{{index .Config.Labels "com.docker.compose.project"}}|{{index .Config.Labels "com.docker.compose.service"}}|{{index .Config.Labels "com.docker.compose.oneoff"}}`
	allFormat       = `{{.ID}}|{{.Label "` + LabelStack + `"}}|{{.Label "com.docker.compose.project"}}|{{.Names}}|{{.Networks}}`
	imageFormat     = `{{.ID}}{{range .RepoTags}}|{{.}}{{end}}{{range .RepoDigests}}|{{.}}{{end}}`
	networkFormat   = `{{.Name}}|{{.ID}}|{{range .IPAM.Config}}{{.Subnet}}{{end}}|{{.Internal}}|{{index .Labels "` + LabelStack + `"}}|{{index .Options "` + bridgeOption + `"}}|{{.EnableIPv6}}`
)

// containerFields is how many fields containerFormat has.
const containerFields = 15

// listing are the arguments of listing in docker_listing.sh.
func listing(stack string, images []string) []string {
	return append([]string{stack, containerFormat, networkFormat, allFormat, imageFormat}, images...)
}

// builtRef is the name of every image that provision builds: its tag is the hash of its context.
var builtRef = regexp.MustCompile(`^[a-z0-9-]+:[0-9a-f]{16}$`)

func lines(s string) [][]string {
	var out [][]string
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, strings.Split(l, "|"))
		}
	}
	return out
}

// ContainerThere tells whether a host has a container of that name; what is not known of the engine is not known of it.
func ContainerThere(w World, host, name string) (there bool, know Know) {
	d, know := docker(w, host)
	_, there = d.Containers[name]
	return there, know
}

// docker reads the engine's record. No means that no engine was ever installed, so nothing of
// Docker's is there.
func docker(w World, host string) (dockerFacts, Know) {
	type answer struct {
		dockerFacts
		Know
	}
	a := parsed(w, "docker", host, func() answer {
		d, know := parseDocker(w, host)
		return answer{d, know}
	})
	return a.dockerFacts, a.Know
}

func parseDocker(w World, host string) (dockerFacts, Know) {
	d := dockerFacts{Containers: map[string]Container{}, Images: map[string]string{}, Networks: map[string]Network{}, Volumes: map[string]string{}, Foreign: map[string][]string{}, Others: map[string]bool{}, Projects: map[string][]string{}}
	rec, know := w.Fact(EngineID(host))
	if know != Yes {
		return d, know
	}
	for _, field := range []string{"containers", "networks", "volumes", "built", "images"} {
		if _, ok := rec.Fields[field]; !ok {
			return d, Unknown
		}
	}
	for _, c := range lines(rec.Fields["containers"]) {
		if len(c) != containerFields {
			continue
		}
		restarts, _ := strconv.Atoi(c[6])
		code, _ := strconv.Atoi(c[7])
		started, _ := time.Parse(time.RFC3339Nano, c[9])
		name := remote.Sanitize(strings.TrimPrefix(c[0], "/")) // the engine has no such names, a host can claim them
		d.Containers[name] = Container{
			Name: name, ID: c[1], ImageID: c[2], Image: c[3], State: c[4], Health: c[5],
			Restarts: restarts, ExitCode: code, OOMKilled: c[8] == "true", Started: started, Definition: c[10], Mounts: c[11], Project: c[12], Service: c[13], OneOff: c[14] == "True",
		}
	}
	for _, c := range lines(rec.Fields["all"]) {
		name := c[max(0, len(c)-2)] // a label of others may hold anything
		if _, ours := d.Containers[name]; ours {
			continue
		}
		d.Others[name] = true
		if project := c[max(0, len(c)-3)]; project != "" {
			d.Projects[project] = append(d.Projects[project], remote.Sanitize(name))
		}
		for network := range strings.SplitSeq(c[len(c)-1], ",") {
			d.Foreign[network] = append(d.Foreign[network], remote.Sanitize(name))
		}
	}
	for _, n := range lines(rec.Fields["networks"]) {
		if len(n) == 7 {
			name := remote.Sanitize(n[0])
			d.Networks[name] = Network{name, n[1], n[2], n[3], n[4], n[5], n[6]}
		}
	}
	for _, v := range lines(rec.Fields["volumes"]) {
		if len(v) == 3 {
			d.Volumes[v[0]] = v[1]
		}
	}
	built := lines(rec.Fields["built"])
	slices.SortStableFunc(built, func(a, b []string) int { return strings.Compare(b[len(b)-1], a[len(a)-1]) })
	for _, i := range built {
		if len(i) == 2 && builtRef.MatchString(i[0]) {
			d.Built = append(d.Built, i[0])
		}
	}
	for _, i := range lines(rec.Fields["images"]) {
		if len(i) == 1 && foreign.Say(i[0], noSuchImage) {
			continue
		}
		if !strings.HasPrefix(i[0], "sha256:") {
			return d, Unknown
		}
		for _, tag := range i[1:] {
			for _, name := range spellings(tag) {
				d.Images[name] = i[0]
			}
		}
	}
	return d, Yes
}

// spellings are the names by which a stack file can mean an image that the engine lists under this name: the engine leaves out
// Docker Hub's own.
func spellings(tag string) []string {
	first, _, path := strings.Cut(tag, "/")
	switch {
	case !path:
		return []string{tag, "library/" + tag, "docker.io/" + tag, "docker.io/library/" + tag, "index.docker.io/library/" + tag}
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return []string{tag}
	}
	return []string{tag, "docker.io/" + tag, "index.docker.io/" + tag}
}

// engineUnknown says that what only the engine can tell is not known while the engine itself is being repaired.
func engineUnknown(w World, host string) string {
	if _, know := docker(w, host); know == Unknown && w.Pending(EngineID(host)) {
		return "the engine gives no answer"
	}
	return ""
}

// Containers returns the stack's containers on a host, by name, for status and verify.
func Containers(w World, host string) ([]Container, Know) {
	d, know := docker(w, host)
	return slices.SortedFunc(maps.Values(d.Containers), func(a, b Container) int { return strings.Compare(a.Name, b.Name) }), know
}
