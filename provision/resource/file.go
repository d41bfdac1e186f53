package resource

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"

	"provision/remote"
)

// File is a text file that is rendered before the first connection and holds no secret. It is
// replaced whole: readers see the old content or the new one.
type File struct {
	Host, Path string
	Content    []byte
	Owner      string // "0:0"
	Mode       string // "0644"
	After      []ID
	// Validate is a check of the new content before it takes the old one's place: sh, with the
	// candidate in $new. Empty: none.
	Validate string
}

var _ Resource = (*File)(nil)

func (f *File) ID() ID      { return ID{f.Host, "file", f.Path} }
func (f *File) Needs() []ID { return f.After }

// Paths is the one path.
func (f *File) Paths() []string { return []string{f.Path} }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (f *File) Probe(s *Script) {
	s.Once("statfile", scripts.With("file_stat"))
	s.Record(f.ID(), "textfile "+remote.Quote(f.Path)+" "+digest(f.Content))
}

func (f *File) Diff(w World) []Change {
	rec, know := w.Fact(f.ID())
	old, change := "", Change{ID: f.ID(), Act: Add}
	switch {
	case know == No:
		change.Why = "the file does not exist"
	case know == Unknown:
		return nil
	case rec.Fields["link"] != "":
		change.Act, change.Why = Modify, "it is a symbolic link; a link is replaced by the file itself"
	case rec.Fields["sum"] != digest(f.Content):
		old = rec.Fields["content"]
		change.Act, change.Why = Modify, "the content differs"
	case rec.Fields["stat"] != f.stat():
		change.Act, change.Why = Modify, fmt.Sprintf("owner and mode are %s, should be %s", remote.Sanitize(rec.Fields["stat"]), f.stat())
		return []Change{change}
	default:
		return nil
	}
	change.Diff = TextDiff(old, string(f.Content), path.Base(f.Path))
	return []Change{change}
}

func (f *File) stat() string { return f.Owner + " " + strings.TrimPrefix(f.Mode, "0") }

// TextDiff shows content from a host, so it is made printable line by line.
func TextDiff(old, new, name string) string {
	d := udiff.Unified("host/"+name, "new/"+name, old, new)
	lines := strings.SplitAfter(d, "\n")
	for i, l := range lines {
		body := strings.TrimSuffix(l, "\n")
		lines[i] = remote.Sanitize(body) + l[len(body):]
	}
	return strings.Join(lines, "")
}

func (f *File) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, f.Host, remote.Function("check", cmp.Or(f.Validate, ":"))+
		scripts.With("file_change", "p", f.Path, "content", string(f.Content), "sum", digest(f.Content), "owner", f.Owner, "mode", f.Mode))
	return err
}
