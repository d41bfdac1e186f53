package resource

import (
	"context"
	"strings"

	"provision/remote"
)

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
	// Certificate is what it has to show; nil without TLS.
	Certificate *Certificate
	After       []ID // what it must wait for beside its files
}

var (
	_ Resource  = (*CaddyLoaded)(nil)
	_ Checker   = (*CaddyLoaded)(nil)
	_ Uncertain = (*CaddyLoaded)(nil)
)

func (c *CaddyLoaded) ID() ID { return ID{c.Host, "caddy", "configuration"} }

func (c *CaddyLoaded) Needs() []ID {
	return append([]ID{c.Config, c.Files.ID(), ServiceID(c.Host, c.Container)}, c.After...)
}

// askCaddy imports next to nothing: it runs each time somebody looks, and importing an HTTP client
// takes longer than all else that it does.
const askCaddy = `import socket; c = socket.create_connection(("127.0.0.1", 2020), 5); c.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"); ` +
	`print(c.makefile("rb").read(4000).partition(b"\r\n\r\n")[2][:500].decode("utf-8", "replace"), end="")`

func (c *CaddyLoaded) Probe(s *Script) {
	inside(s)
	s.Concurrent(c.ID(), remote.Args(c.ask()...)+scripts.With("caddy_probe"))
}

// WhyUnknown says that Caddy shows no certificate although nothing is to be changed that could be the reason.
func (c *CaddyLoaded) WhyUnknown(w World) string {
	if _, err := c.shown(w); err != nil && len(c.Diff(w)) == 0 && !w.Pending(ServiceID(c.Host, c.Container)) {
		return err.Error()
	}
	return ""
}

func (c *CaddyLoaded) Diff(w World) []Change {
	if w.Pending(ServiceID(c.Host, c.Container)) {
		return nil // a new container loads what is there
	}
	rec, know := w.Fact(c.ID())
	files, _ := w.Fact(c.Files.ID())
	why := ""
	wrong, _ := c.shown(w) // what is not known is for WhyUnknown to say
	switch {
	case w.Pending(c.Config):
		why = "the Caddyfile changes"
	case w.Pending(c.Files.ID()):
		why = "certificates or the password's hash change"
	case know == Yes && rec.Fields["answer"] != c.Answer(c.Digest, files.Fields["want"]):
		why = "Caddy runs with another configuration than the file has"
	case wrong != "":
		return []Change{{
			ID: c.ID(), Act: Replace, Risk: Interrupts, Why: "the certificate that Caddy shows " + wrong,
			Note: "Caddy restarts: the UI and the API are unavailable for a few seconds",
		}}
	default:
		return nil
	}
	return []Change{{ID: c.ID(), Act: Reload, Why: why, Note: "connections stay open; the container stays"}}
}

func (c *CaddyLoaded) Do(ctx context.Context, r *Run, change Change) error {
	if change.Act == Replace {
		return c.anew(ctx, r)
	}
	_, err := r.Sh(ctx, c.Host, scripts.With("caddy_digest")+scripts.With("caddy_reload", "c", c.Container, "admin", c.Admin,
		"want", strings.TrimSuffix(c.Answer(c.Digest, "\x00"), "\x00"), "salt", c.Files.Salt, "dir", c.Files.Dir, "ask", askCaddy))
	if err == nil {
		err = c.await(ctx, r, c.Certificate.patience())
		if err != nil && ctx.Err() == nil && c.Certificate.patience() == ownPatience {
			r.Note(c.Host, "%v after a reload; Caddy restarts", err)
			err = c.anew(ctx, r)
		}
	}
	return err
}

func (c *CaddyLoaded) Check(w World) []Problem {
	rec, know := w.Fact(c.ID())
	if know != Yes {
		return []Problem{{ID: c.ID(), What: "Caddy does not say which configuration it has loaded", Evidence: rec.Why}}
	}
	switch wrong, err := c.shown(w); {
	case err != nil:
		return []Problem{{ID: c.ID(), What: err.Error()}}
	case wrong != "":
		return []Problem{{ID: c.ID(), What: "the certificate that Caddy shows " + wrong, Hint: "provision apply"}}
	}
	return nil
}
