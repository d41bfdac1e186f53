package resource

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Destroyed says what becomes of the data of a stack that is destroyed.
type Destroyed struct {
	// Volumes says that the stack's volumes are removed, too.
	Volumes bool
	// Attached is the volume whose data are on block storage of a cloud, which is not removed here; "" for none. Elsewhere says that
	// the data are in a database elsewhere.
	Attached  string
	Elsewhere bool
}

// volumeName is every name that the engine lets a volume have. A host may claim others.
var volumeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// volumes are those of the stack that are on the host: they have its label, or the mark that it made them.
func (l *Leftovers) volumes(w World) (names []string) {
	d, _ := docker(w, l.Host)
	rec, _ := w.Fact(l.ID())
	for _, name := range sortedKeys(d.Volumes) {
		if !volumeName.MatchString(name) {
			continue
		}
		if d.Volumes[name] == l.Stack || strings.Contains("\n"+rec.Fields["files"]+"\n", "\n"+l.base()+"/volume."+name+"\n") {
			names = append(names, name)
		}
	}
	return names
}

// doomed are the volumes that are to be removed.
func (l *Leftovers) doomed(w World) []string {
	if l.Destroyed == nil || !l.Destroyed.Volumes {
		return nil
	}
	return slices.DeleteFunc(l.volumes(w), func(name string) bool { return name == l.Destroyed.Attached })
}

// ended tells whether the stack's data are gone because they were to be destroyed: then what they were read with goes, too.
func (l *Leftovers) ended(w World) bool {
	_, know := docker(w, l.Host)
	return l.Destroyed != nil && l.Destroyed.Volumes && !l.Destroyed.Elsewhere && know == Yes && len(l.volumes(w)) == 0
}

// Stays says, in words, what a host still has when the stack is destroyed.
func (l *Leftovers) Stays(w World) (out []string) {
	if l.Destroyed == nil {
		return nil
	}
	doomed := l.doomed(w)
	for _, name := range l.volumes(w) {
		switch {
		case name == l.Destroyed.Attached:
			out = append(out, fmt.Sprintf("volume %s on %s, whose data are on block storage", name, l.Host))
		case !slices.Contains(doomed, name):
			out = append(out, fmt.Sprintf("volume %s on %s, with its data", name, l.Host))
		}
	}
	rec, _ := w.Fact(l.ID())
	d, _ := docker(w, l.Host)
	var files []string
	for p := range strings.Lines(rec.Fields["files"]) {
		p = strings.TrimSuffix(p, "\n")
		if slices.Contains(l.Keep, p) && !strings.HasPrefix(path.Base(p), "volume.") {
			files = append(files, path.Base(p))
		}
	}
	// With the last volume, what it was read with goes as well.
	if len(files) > 0 && l.dataHere(w, rec, d) && (len(out) > 0 || len(doomed) == 0 || l.Destroyed.Elsewhere) {
		slices.Sort(files)
		if l.Destroyed.Elsewhere {
			out = append(out, "the data in the database elsewhere, which postgres.url names")
		}
		out = append(out, fmt.Sprintf("%s on %s, without which the data cannot be read or continued: %s", l.base(), l.Host, strings.Join(files, ", ")))
	}
	if rec.Fields["backedup"] != "" {
		out = append(out, fmt.Sprintf("the backups in %s on %s, and %s, which opens them", l.Repository, l.Host, l.RepositoryPassword))
	}
	return out
}

// Warn says what stays.
func (l *Leftovers) Warn(w World) (out []string) {
	for _, s := range l.Stays(w) {
		out = append(out, "stays: "+s)
	}
	return out
}
