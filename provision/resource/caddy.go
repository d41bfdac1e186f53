package resource

import (
	"cmp"
	"context"
	"path"
	"strings"

	"provision/remote"
)

// CaddyFiles is the note beside the Caddyfile that names the state of the files which Caddy reads
// only when it loads its configuration (certificates, the hash of the UI's password). It is written
// after them and before the reload, so a loaded note never claims more than what was loaded.
type CaddyFiles struct {
	Host, Path string
	Dir        string // with those files; its tokens/ are read at every request and do not count
	Salt       string
	Files      []ID
	After      []ID
	// Content is the note's text for a digest.
	Content func(digest string) []byte
	// Authority is the stack's own certificate authority; nil if there is none. Beside the note is its
	// name for Caddy, of which Named is the text: the digest of its files, so that no two have the same.
	Authority *Authority
	Named     func(name string) []byte
}

var _ Resource = (*CaddyFiles)(nil)

func (c *CaddyFiles) ID() ID      { return ID{c.Host, "file", c.Path} }
func (c *CaddyFiles) Needs() []ID { return append(append([]ID{}, c.Files...), c.After...) }

// Paths are the note, and the file with the authority's name where there is one.
func (c *CaddyFiles) Paths() []string {
	if c.Authority == nil {
		return []string{c.Path}
	}
	return []string{c.Path, c.named()}
}

func (c *CaddyFiles) named() string { return path.Dir(c.Path) + "/authority" }

func (c *CaddyFiles) Probe(s *Script) {
	s.Once("caddydigest", scripts.With("caddy_digest"))
	if c.Authority != nil {
		s.Once("authoritynote", scripts.With("authority_note"))
		s.Once("authorityname", scripts.With("authority_name"))
	}
	s.Record(c.ID(), scripts.With("caddy_files_probe", c.values()...))
}

// values are what both of its scripts take.
func (c *CaddyFiles) values() []string {
	values := []string{"p", c.Path, "salt", c.Salt, "dir", c.Dir, "authority", "", "named", ""}
	if c.Authority != nil {
		values = append(values[:6], "authority", c.Authority.Dir, "named", c.named())
	}
	return values
}

func (c *CaddyFiles) Diff(w World) []Change {
	rec, know := w.Fact(c.ID())
	if know == Unknown {
		return nil
	}
	if know == No {
		return []Change{{ID: c.ID(), Act: Add, Why: "the file does not exist"}}
	}
	for _, f := range c.Files {
		if w.Pending(f) {
			return []Change{{ID: c.ID(), Act: Modify, Why: cmp.Or(f.Name[strings.LastIndex(f.Name, "/")+1:], "the "+f.Kind) + " changes"}}
		}
	}
	if rec.Fields["content"] != string(c.Content(rec.Fields["want"])) {
		return []Change{{ID: c.ID(), Act: Modify, Why: "certificates or the password's hash have changed"}}
	}
	if c.Authority != nil && rec.Fields["named"] != string(c.Named(rec.Fields["name"])) {
		return []Change{{ID: c.ID(), Act: Modify, Why: "the authority has another name"}}
	}
	return nil
}

func (c *CaddyFiles) Do(ctx context.Context, r *Run, _ Change) error {
	var named []string
	if c.Authority != nil {
		named = strings.Split(string(c.Named("\x00")), "\x00")
	}
	before, after, _ := strings.Cut(string(c.Content("\x00")), "\x00")
	_, err := r.Sh(ctx, c.Host, remote.Args(named...)+scripts.With("authority_note")+scripts.With("authority_name")+scripts.With("caddy_digest")+
		scripts.With("caddy_files_change", append(c.values(), "before", before, "after", after)...))
	return err
}
