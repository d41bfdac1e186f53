package remotetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// dockerfile is as much of a Dockerfile as matters to what an image is here: what it stands on,
// what is copied into it, and how it starts.
type dockerfile struct {
	stages []stage
}

type stage struct {
	from, name string
	lines      [][2]string // instruction and the rest of its line
}

func parseDockerfile(text string, args map[string]string) (dockerfile, error) {
	var df dockerfile
	global := map[string]string{}
	for _, l := range joinLines(text) {
		word, rest, _ := strings.Cut(l, " ")
		word, rest = strings.ToUpper(word), strings.TrimSpace(rest)
		if word == "ARG" && len(df.stages) == 0 {
			name, value, _ := strings.Cut(rest, "=")
			if v, ok := args[name]; ok {
				value = v
			}
			global[name] = value
			continue
		}
		if word == "FROM" {
			f := strings.Fields(expandArgs(rest, global))
			s := stage{from: f[0]}
			if len(f) == 3 && strings.EqualFold(f[1], "as") {
				s.name = f[2]
			}
			df.stages = append(df.stages, s)
			continue
		}
		if len(df.stages) == 0 {
			return df, errors.New("dockerfile parse error: no build stage in current context")
		}
		switch word {
		case "RUN", "COPY", "ADD", "ENV", "ARG", "WORKDIR", "USER", "ENTRYPOINT", "CMD", "LABEL", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "SHELL":
		default:
			return df, fmt.Errorf("dockerfile parse error: unknown instruction: %s", word)
		}
		s := &df.stages[len(df.stages)-1]
		s.lines = append(s.lines, [2]string{word, rest})
	}
	if len(df.stages) == 0 {
		return df, errors.New("the Dockerfile cannot be empty")
	}
	return df, nil
}

func joinLines(text string) (out []string) {
	cur := ""
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if cut, ok := strings.CutSuffix(l, `\`); ok {
			cur += cut
			continue
		}
		out, cur = append(out, cur+l), ""
	}
	return out
}

func expandArgs(text string, args map[string]string) string {
	for k, v := range args {
		text = strings.NewReplacer("${"+k+"}", v, "$"+k, v).Replace(text)
	}
	return text
}

// dockerBuild is docker build [-t REF]... [--build-arg K=V]... [--pull=false] [-q] - or DIRECTORY.
func dockerBuild(p *proc, o unix.Parsed) int {
	fail := func(format string, args ...any) int {
		p.Errorf("ERROR: failed to solve: "+format+"\n", args...)
		return 1
	}
	if len(o.Args) != 1 {
		p.Errorf("ERROR: \"docker buildx build\" requires exactly 1 argument.\n")
		return 1
	}
	var context []byte
	var err error
	if o.Args[0] == "-" {
		context, err = io.ReadAll(p.Stdin())
	} else {
		p.Unsupported("docker build of a directory")
	}
	if err != nil {
		return fail("%s", unix.Strerror(err))
	}
	entries, err := unix.ReadTar(context)
	if err != nil {
		return fail("failed to read dockerfile: %v", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		files[path.Clean(e.Name)] = e.Data
	}
	text, ok := files["Dockerfile"]
	if !ok {
		return fail("failed to read dockerfile: open Dockerfile: no such file or directory")
	}
	args := map[string]string{}
	for _, a := range o.List["build-arg"] {
		k, v, _ := strings.Cut(a, "=")
		args[k] = v
	}
	df, err := parseDockerfile(string(text), args)
	if err != nil {
		return fail("%v", err)
	}
	p.Errorf("#0 building with \"default\" instance using docker driver\n")
	d := p.host.docker
	base, config, err := d.stages(p, df, entries)
	if err != nil {
		return fail("%v", err)
	}
	sum := sha256.Sum256(fmt.Appendf(append([]byte{}, context...), "%s %v", base, args))
	id := "sha256:" + hex.EncodeToString(sum[:])
	layer := "/var/lib/docker/image/" + id[7:]
	if err := d.copyFiles(df, entries, layer); err != nil {
		d.h.sys.Tree.RemoveAll(layer)
		return fail("write %s: %s", layer, unix.Strerror(err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.images[id]
	if i == nil {
		i = &image{files: layer, Image: Image{ID: id, RepoTags: []string{}, RepoDigests: []string{}, Created: d.h.stamp(), Config: config, Architecture: d.h.debArch(), Os: "linux", Size: 300 << 20}}
		d.images[id] = i
	}
	for _, t := range o.List["t"] {
		d.tag(i, t)
	}
	p.Errorf("#9 exporting to image\n#9 writing image %s done\n", id)
	return 0
}

// buildTime is how long an image takes.
const buildTime = 20 * time.Second

func makesLayer(instruction string) bool {
	return slices.Contains([]string{"RUN", "COPY", "ADD", "WORKDIR"}, instruction)
}

// layers is the number of a stage's lines that make one.
func (s stage) layers() (n int) {
	for _, l := range s.lines {
		if makesLayer(l[0]) {
			n++
		}
	}
	return n
}

// stages resolves what the image stands on and how it starts.
func (d *docker) stages(p *proc, df dockerfile, entries []unix.TarEntry) (base string, config *ContainerConfig, err error) {
	configs := map[string]*ContainerConfig{}
	steps, vertex := 0, 3
	for _, s := range df.stages {
		steps += len(s.lines)
	}
	for n, s := range df.stages {
		from := configs[s.from]
		// BuildKit numbers what makes a layer, and an image from elsewhere.
		number, all := 0, s.layers()
		if from == nil {
			all++
			number++
			vertex++
			p.Errorf("#%d [stage-%d 1/%d] FROM %s\n#%[1]d CACHED\n", vertex, n, all, s.from)
			d.mu.Lock()
			i := d.image(s.from)
			d.mu.Unlock()
			if i == nil {
				if err := d.h.fleet.serves(s.from); err != nil {
					return "", nil, fmt.Errorf("%s: failed to resolve source metadata for docker.io/library/%s: %w", s.from, s.from, err)
				}
				d.mu.Lock()
				i = d.pulled(s.from)
				d.mu.Unlock()
			}
			from, base = i.Config, base+i.ID
		}
		c := *from
		c.Env = slices.Clone(from.Env)
		for k, l := range s.lines {
			if makesLayer(l[0]) {
				vertex++
				number++
				p.Errorf("#%d [stage-%d %d/%d] %s %s\n", vertex, n, number, all, l[0], l[1])
			}
			switch l[0] {
			case "USER":
				c.User = l[1]
			case "WORKDIR":
				c.WorkingDir = l[1]
			case "ENTRYPOINT":
				c.Entrypoint, c.Cmd = execForm(l[1]), nil
			case "CMD":
				c.Cmd = execForm(l[1])
			case "ENV":
				c.Env = setEnv(c.Env, l[1])
			case "COPY", "ADD":
				if err := copyable(l[1], entries); err != nil {
					return "", nil, err
				}
			}
			if l[0] == "RUN" && counting(l[1]) {
				p.Errorf("#%d 0.100 received %d bytes\n", vertex, (k+1)<<20)
			}
			p.Sleep(buildTime / time.Duration(steps))
			if makesLayer(l[0]) {
				p.Errorf("#%d DONE 0.1s\n", vertex)
			}
		}
		if s.name != "" {
			configs[s.name] = &c
		}
		config = &c
	}
	return base, config, nil
}

func execForm(text string) []string {
	var out []string
	if json.Unmarshal([]byte(text), &out) == nil {
		return out
	}
	return []string{"/bin/sh", "-c", text}
}

// setEnv adds the pairs of an ENV line; values are plain or in double quotes.
func setEnv(env []string, line string) []string {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		k, rest, ok := strings.Cut(line, "=")
		if !ok {
			break
		}
		var v string
		if strings.HasPrefix(rest, `"`) {
			v, line, _ = strings.Cut(rest[1:], `"`)
		} else {
			v, line, _ = strings.Cut(rest, " ")
		}
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, k+"=") })
		env = append(env, k+"="+v)
	}
	return env
}

// copyArgs are the sources and the target of a COPY; stage is where they come from, "" the context.
func copyArgs(line string) (stage string, sources []string, target string) {
	f := strings.Fields(line)
	for len(f) > 0 && strings.HasPrefix(f[0], "--") {
		if s, ok := strings.CutPrefix(f[0], "--from="); ok {
			stage = s
		}
		f = f[1:]
	}
	if len(f) < 2 {
		return stage, nil, ""
	}
	return stage, f[:len(f)-1], f[len(f)-1]
}

func copyable(line string, entries []unix.TarEntry) error {
	stage, sources, _ := copyArgs(line)
	if stage != "" {
		return nil
	}
	for _, s := range sources {
		s = path.Clean(s)
		if s != "." && !slices.ContainsFunc(entries, func(e unix.TarEntry) bool {
			name := path.Clean(e.Name)
			return name == s || strings.HasPrefix(name, s+"/")
		}) {
			return fmt.Errorf("failed to compute cache key: failed to calculate checksum of ref: %q: not found", "/"+s)
		}
	}
	return nil
}

// copyFiles puts what the last stage copies from the context where containers find it.
func (d *docker) copyFiles(df dockerfile, entries []unix.TarEntry, layer string) error {
	dir := "/"
	for _, l := range df.stages[len(df.stages)-1].lines {
		if l[0] == "WORKDIR" {
			dir = path.Join("/", l[1])
		}
		if l[0] != "COPY" && l[0] != "ADD" {
			continue
		}
		stage, sources, target := copyArgs(l[1])
		if stage != "" {
			continue
		}
		if !strings.HasPrefix(target, "/") {
			slash := strings.HasSuffix(target, "/") || target == "."
			if target = path.Join(dir, target); slash {
				target += "/"
			}
		}
		for _, s := range sources {
			s = path.Clean(s)
			for _, e := range entries {
				name := path.Clean(e.Name)
				to := ""
				switch {
				case len(e.Data) == 0 && strings.HasSuffix(e.Name, "/"):
					continue
				case name == s && strings.HasSuffix(target, "/"):
					to = path.Join(target, path.Base(name))
				case name == s:
					to = target
				case s == "." || strings.HasPrefix(name, s+"/"):
					to = path.Join(target, strings.TrimPrefix(name, strings.TrimPrefix(s+"/", "./")))
				default:
					continue
				}
				mode := e.FileInfo().Mode().Perm()
				if err := d.h.sys.Tree.WriteFile(layer+to, string(e.Data), mode); err != nil {
					return err
				}
			}
		}
	}
	return d.h.sys.Tree.MkdirAll(layer)
}
