package resource

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"provision/files/naming"
	"provision/remote"
)

// Leftovers is what a host still has of the stack and should not have any more: containers,
// networks, images and files that no other resource stands for. Volumes are never among them, nor is
// what their content cannot be read without.
//
// Ours is what carries the stack's label, and what is in the stack's directory. Everything else on
// the host is somebody's and is not looked at.
type Leftovers struct {
	Host, Stack string
	Containers  []string // wanted here
	Networks    []string
	Images      []string
	Files       []string
	Agents      []string // names of all agent hosts, whose tokens the server keeps
	Cleaned     []string // names of the hosts that are cleaned of the stack, in this plan or before
	// Keep are the files that stay as long as a volume of the stack is or may be here: its data needs them.
	Keep []string
	// Order is that in which containers end, whether they are here or not: who asks before who answers.
	Order []Stopped
	// Guarded says that the host has networks of the stack, and with them the rules that close these.
	Guarded bool
	// BackedUp says that the host makes backups. BackupsDir and Repository are where they are, and RepositoryPassword is the file that opens
	// them, which stays as long as there are any.
	BackedUp                                   bool
	BackupsDir, Repository, RepositoryPassword string
	// Readers are those who read a directory as a whole, and so see that files in it are removed.
	Readers map[string][]ID
	// Destroyed is what becomes of the stack's data where all of it is destroyed; nil for a host that merely loses a part of it.
	Destroyed *Destroyed
	After     []ID // all other resources of the host: what is wanted is there before anything is removed
}

var (
	_ Resource = (*Leftovers)(nil)
	_ Leader   = (*Leftovers)(nil)
)

// Pather is a resource that stands for files in the stack's directory.
type Pather interface{ Paths() []string }

// LeftoversID is the ID of a host's leftovers.
func LeftoversID(host string) ID { return ID{host, "leftovers", ""} }

func (l *Leftovers) ID() ID       { return LeftoversID(l.Host) }
func (l *Leftovers) Needs() []ID  { return append([]ID{EngineID(l.Host)}, l.After...) }
func (l *Leftovers) base() string { return naming.Stack(l.Stack).Dir() }

func (l *Leftovers) Probe(s *Script) {
	s.Record(l.ID(), scripts.With("leftovers_probe", "b", l.base(), "unit", guardUnit, "timer", backupTimer)+
		scripts.With("leftovers_backups", "dir", l.BackupsDir, "repository", l.Repository))
}

// ownName is every name that provision gives to a file; nothing else is removed.
var ownName = regexp.MustCompile(`^/[A-Za-z0-9._/@+-]+$`)

// Stopped is a container of the stack, and what its end means.
type Stopped struct{ Container, Note string }

func (l *Leftovers) Diff(w World) []Change {
	var out []Change
	remove := func(kind, name, why, note string) *Change {
		if l.Destroyed != nil {
			why = "the stack is destroyed"
		}
		out = append(out, Change{ID: ID{l.Host, kind, name}, Act: Remove, Why: why, Note: note})
		return &out[len(out)-1]
	}
	d, know := docker(w, l.Host)
	var containers []string
	for name := range d.Containers {
		if AtWork(w, l.Host) != "" && d.Containers[name].OneOff {
			continue // the migration or the registration of who is at work here
		}
		if !slices.Contains(l.Containers, name) && d.Containers[name].Project != "" {
			containers = append(containers, name)
		}
	}
	rank := func(name string) int {
		return slices.IndexFunc(l.Order, func(s Stopped) bool { return s.Container == name })
	}
	slices.SortFunc(containers, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) })
	for _, name := range containers {
		c := remove("container", name, "it is no longer wanted here", "")
		c.Risk = Interrupts
		if n := rank(name); n >= 0 {
			c.Note = l.Order[n].Note
		}
	}
	for _, name := range sortedKeys(d.Networks) {
		if d.Networks[name].Stack == l.Stack && !slices.Contains(l.Networks, name) {
			if foreign := d.Foreign[name]; l.Destroyed != nil && len(foreign) > 0 {
				return []Change{{
					ID: l.ID(), Act: Refuse, Risk: Preflight, Why: fmt.Sprintf("on the stack's network %s are containers that do not belong to the stack: %s", name, strings.Join(foreign, ", ")),
					Hint: fmt.Sprintf("on %s: docker network disconnect %s %s", l.Host, name, foreign[0]),
				}}
			}
			remove("network", name, "it is no longer wanted here", "")
		}
	}
	rec, filesKnow := w.Fact(l.ID())
	// The rules belong to whichever stack is on the host.
	identity, _ := w.Fact(IdentityID(l.Host))
	if guard := NetworkGuardID(l.Host); !l.Guarded && rec.Fields["guard"] != "" && identity.Fields["other"] == "" {
		remove(guard.Kind, guard.Name, "no network of the stack is wanted here any more", "")
	}
	if backups := BackupsID(l.Host); !l.BackedUp && rec.Fields["backups"] != "" && identity.Fields["other"] == "" {
		remove(backups.Kind, backups.Name, "no backups of the stack are made here any more; those that there are stay", "")
	}
	for _, ref := range l.oldImages(d) {
		remove("image", ref, "it is no longer used", "")
	}
	if know == Unknown {
		return out
	}
	for _, name := range l.doomed(w) {
		remove("volume", name, "", "its data are lost for good; then the files go that they could not be read without")
	}
	if filesKnow != Yes {
		return out
	}
	return append(out, l.oldFiles(w, rec, d)...)
}

// oldImages are the images that were built here for the stack and that it does not name any more.
// The newest of each kind stays, where that kind is in use at all, as a way back that needs no build.
func (l *Leftovers) oldImages(d dockerFacts) (out []string) {
	kept := map[string]bool{}
	for _, i := range d.Built { // newest first
		repository, _, _ := strings.Cut(i, ":")
		used := slices.ContainsFunc(l.Images, func(ref string) bool { return strings.HasPrefix(ref, repository+":") })
		switch {
		case slices.Contains(l.Images, i):
		case used && !kept[repository]:
			kept[repository] = true
		default:
			out = append(out, i)
		}
	}
	return out
}

// dataHere tells whether a volume of the stack is or may be here. Volumes outlive an engine that is removed, and a mark says that there
// was one.
func (l *Leftovers) dataHere(w World, rec Record, d dockerFacts) bool {
	return slices.Contains(slices.Collect(maps.Values(d.Volumes)), l.Stack) || strings.Contains("\n"+rec.Fields["files"], "\n"+l.base()+"/volume.") && !l.ended(w)
}

// oldFiles are the changes that remove files: one for the tokens of each host that is gone, one for
// each other directory of ours.
func (l *Leftovers) oldFiles(w World, rec Record, d dockerFacts) []Change {
	keep := slices.Clone(l.Files)
	if l.dataHere(w, rec, d) {
		keep = append(keep, l.Keep...)
	}
	if rec.Fields["backedup"] != "" {
		keep = append(keep, l.RepositoryPassword)
	}
	groups := map[ID][]string{}
	for p := range strings.Lines(rec.Fields["files"]) {
		p = strings.TrimSuffix(p, "\n")
		if !ownName.MatchString(p) || path.Clean(p) != p || !strings.HasPrefix(p, l.base()+"/") || slices.Contains(keep, p) {
			continue
		}
		id := ID{l.Host, "files in", path.Dir(p)}
		if host, ok := l.tokenOf(p); ok {
			id = ID{l.Host, "tokens of", host}
		}
		groups[id] = append(groups[id], p)
	}
	var out []Change
	for id, paths := range groups {
		slices.Sort(paths)
		c := Change{ID: id, Act: Remove, Why: "they are no longer wanted here", Diff: removed(paths)}
		if l.Destroyed != nil {
			c.Why = "the stack is destroyed"
		}
		if id.Kind == "tokens of" {
			c.Why = "it is no agent host of this stack any more; from now on its tokens open nothing"
			if !slices.Contains(l.Agents, id.Name) && !slices.Contains(l.Cleaned, id.Name) {
				c.Note = `what runs there is left as it is; to clean that host, put it back with roles = [] first`
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return out
}

// tokenOf names the host whose token a file of the server is.
func (l *Leftovers) tokenOf(p string) (host string, ok bool) {
	dir, name := path.Split(p)
	if dir != l.base()+"/server/secrets/caddy/tokens/" {
		return "", false
	}
	host = strings.TrimSuffix(name, path.Ext(name))
	return host, host != "" && !slices.Contains(l.Agents, host)
}

// Leads are the readers of the directory that a change removes files from.
func (l *Leftovers) Leads(c Change) []ID {
	if c.ID.Kind != "files in" {
		return nil
	}
	return l.Readers[c.ID.Name]
}

// removed writes paths as a text diff that takes each of them away, and removals reads them back.
func removed(paths []string) string { return "-" + strings.Join(paths, "\n-") + "\n" }

func removals(diff string) (paths []string) {
	for l := range strings.Lines(diff) {
		paths = append(paths, strings.TrimPrefix(strings.TrimSuffix(l, "\n"), "-"))
	}
	return paths
}

func (l *Leftovers) Do(ctx context.Context, r *Run, c Change) error {
	var script string
	switch c.ID.Kind {
	case "container", "network", "image", "volume":
		script = scripts.With("leftovers_remove", "kind", c.ID.Kind, "n", c.ID.Name)
	case "networks":
		script = removeGuard()
	case "backups":
		script = removeBackups(l.BackupsDir)
	default:
		script = remote.Args(removals(c.Diff)...) + scripts.With("leftovers_files", "root", Root, "b", l.base())
	}
	_, err := r.Sh(ctx, l.Host, script)
	return err
}
