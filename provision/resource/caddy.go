package resource

import (
	"cmp"
	"context"
	"fmt"
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
}

var _ Resource = (*CaddyFiles)(nil)

func (c *CaddyFiles) ID() ID      { return ID{c.Host, "file", c.Path} }
func (c *CaddyFiles) Needs() []ID { return append(append([]ID{}, c.Files...), c.After...) }

// Paths is the one path.
func (c *CaddyFiles) Paths() []string { return []string{c.Path} }

// The time of the last change counts too: a file that was changed and changed back around a restart
// may have been loaded in between.
const caddyDigest = `caddydigest() { { cat "$1"; find "$2" -maxdepth 1 -type f ! -name '.provision.*' | sort | while IFS= read -r x; do stat -c '%n %Z' "$x"; sha256sum <"$x"; done; } | sha256sum | cut -c1-64; }`

func (c *CaddyFiles) Probe(s *Script) {
	s.Once("caddydigest", caddyDigest)
	s.Record(c.ID(), fmt.Sprintf(`v want "$(caddydigest %s %s 2>/dev/null)"
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
	return nil
}

func (c *CaddyFiles) Do(ctx context.Context, r *Run, _ Change) error {
	before, after, _ := strings.Cut(string(c.Content("\x00")), "\x00")
	_, err := r.Sh(ctx, c.Host, fmt.Sprintf(`%s
f=%s; (umask 022; mkdir -p "${f%%/*}")
rm -f "${f%%/*}"/.provision.*
t=$(mktemp "${f%%/*}/.provision.XXXXXX")
printf '%%s%%s%%s' %s "$(caddydigest %s %s)" %s >"$t"; put "$t" "$f" 0:0 0644`,
		caddyDigest, remote.Quote(c.Path), remote.Quote(before), remote.Quote(c.Salt), remote.Quote(c.Dir), remote.Quote(after)))
	return err
}

// CaddyLoaded is the configuration that the running Caddy has loaded. Caddy itself says which it
// is, so a reload that was lost between the file and the process is seen by any later run.
type CaddyLoaded struct {
	Host      string
	Container string // Caddy's
	Digest    string // of the rendered Caddyfile
	Config    ID     // the Caddyfile
	Files     *CaddyFiles
	Admin     string // address of the admin endpoint inside the container
	// Answer is what Caddy says when it has loaded this configuration with files in this state.
	Answer func(digest, files string) string
}

var (
	_ Resource = (*CaddyLoaded)(nil)
	_ Checker  = (*CaddyLoaded)(nil)
)

func (c *CaddyLoaded) ID() ID { return ID{c.Host, "caddy", "configuration"} }

func (c *CaddyLoaded) Needs() []ID {
	return []ID{c.Config, c.Files.ID(), ServiceID(c.Host, c.Container)}
}

// askCaddy imports next to nothing: it runs each time somebody looks, and importing an HTTP client
// takes longer than all else that it does.
const askCaddy = `import socket; c = socket.create_connection(("127.0.0.1", 2020), 5); c.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"); ` +
	`print(c.makefile("rb").read(4000).partition(b"\r\n\r\n")[2][:500].decode("utf-8", "replace"), end="")`

func (c *CaddyLoaded) Probe(s *Script) {
	inside(s)
	s.Beside(c.ID(), fmt.Sprintf(`if inside %s python3 -ISc %s; then if [ $rc -eq 0 ]; then v answer "$x"; yes; else unknown "$x"; fi; fi`,
		remote.Quote(c.Container), remote.Quote(askCaddy)))
}

func (c *CaddyLoaded) Diff(w World) []Change {
	if w.Pending(ServiceID(c.Host, c.Container)) {
		return nil // a new container loads what is there
	}
	rec, know := w.Fact(c.ID())
	files, _ := w.Fact(c.Files.ID())
	why := ""
	switch {
	case w.Pending(c.Config):
		why = "the Caddyfile changes"
	case w.Pending(c.Files.ID()):
		why = "certificates or the password's hash change"
	case know == Yes && rec.Fields["answer"] != c.Answer(c.Digest, files.Fields["want"]):
		why = "Caddy runs with another configuration than the file has"
	default:
		return nil
	}
	return []Change{{ID: c.ID(), Act: Reload, Why: why, Note: "connections go on; the container stays"}}
}

func (c *CaddyLoaded) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, c.Host, fmt.Sprintf(`%s
docker exec %s caddy reload --force --config /etc/caddy/Caddyfile --adapter caddyfile --address %s
want=%s
want="$want$(caddydigest %s %s)"
x=$(docker exec %s python3 -ISc %s)
[ "$x" = "$want" ] || die "Caddy answers with another configuration after its reload: $x"`,
		caddyDigest, remote.Quote(c.Container), remote.Quote(c.Admin),
		remote.Quote(strings.TrimSuffix(c.Answer(c.Digest, "\x00"), "\x00")), remote.Quote(c.Files.Salt), remote.Quote(c.Files.Dir),
		remote.Quote(c.Container), remote.Quote(askCaddy)))
	return err
}

func (c *CaddyLoaded) Check(w World) []Problem {
	if _, know := w.Fact(c.ID()); know != Yes {
		rec, _ := w.Fact(c.ID())
		return []Problem{{ID: c.ID(), What: "Caddy does not say which configuration it has loaded", Evidence: rec.Why}}
	}
	return nil
}
