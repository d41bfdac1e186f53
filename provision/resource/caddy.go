package resource

import (
	"cmp"
	"context"
	"fmt"
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
	// Authority is the stack's own certificate authority; nil if there is none. Beside the note lies its
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

// authorityName prints the name of the authority whose directory is the argument.
const authorityName = authorityNote + `
authorityname() { authoritynote "$1" | cut -c1-16; }`

// The time of the last change counts too: a file that was changed and changed back around a restart
// may have been loaded in between.
const caddyDigest = `caddydigest() { { cat "$1"; find "$2" -maxdepth 1 -type f ! -name '.provision.*' | sort | while IFS= read -r x; do stat -c '%n %Z' "$x"; sha256sum <"$x"; done; } | sha256sum | cut -c1-64; }`

func (c *CaddyFiles) Probe(s *Script) {
	s.Once("caddydigest", caddyDigest)
	name := ""
	if c.Authority != nil {
		s.Once("authorityname", authorityName)
		name = fmt.Sprintf("v name \"$(authorityname %s 2>/dev/null)\"\n[ ! -f %s ] || { f named; head -c 4096 %[2]s; }\n", remote.Quote(c.Authority.Dir), remote.Quote(c.named()))
	}
	s.Record(c.ID(), name+fmt.Sprintf(`v want "$(caddydigest %s %s 2>/dev/null)"
if [ -f %s ]; then f content; head -c 4096 %s; yes; else no; fi`, remote.Quote(c.Salt), remote.Quote(c.Dir), remote.Quote(c.Path), remote.Quote(c.Path)))
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
	named := ""
	if c.Authority != nil {
		named = fmt.Sprintf("%s\nname=$(authorityname %s)\nt=$(mktemp \"${f%%/*}/.provision.XXXXXX\")\n", authorityName, remote.Quote(c.Authority.Dir))
		for n, text := range strings.Split(string(c.Named("\x00")), "\x00") {
			if n > 0 {
				named += "printf '%s' \"$name\" >>\"$t\"\n"
			}
			named += "printf '%s' " + remote.Quote(text) + " >>\"$t\"\n"
		}
		named += fmt.Sprintf("put \"$t\" %s 0:0 0644\n", remote.Quote(c.named()))
	}
	before, after, _ := strings.Cut(string(c.Content("\x00")), "\x00")
	_, err := r.Sh(ctx, c.Host, fmt.Sprintf(`%s
f=%s; (umask 022; mkdir -p "${f%%/*}")
rm -f "${f%%/*}"/.provision.*
%st=$(mktemp "${f%%/*}/.provision.XXXXXX")
printf '%%s%%s%%s' %s "$(caddydigest %s %s)" %s >"$t"; put "$t" "$f" 0:0 0644`,
		caddyDigest, remote.Quote(c.Path), named, remote.Quote(before), remote.Quote(c.Salt), remote.Quote(c.Dir), remote.Quote(after)))
	return err
}
