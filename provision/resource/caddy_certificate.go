package resource

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"provision/files/pki"
	"provision/remote"
)

// Certificate is what the running Caddy has to show to a client that asks for Name. That it has loaded
// the right configuration does not say so: it keeps certificates in memory and in its volume, and asks
// an authority only when it has none or its own comes to its end.
type Certificate struct {
	Name string // the url's host
	Port int
	// Authority issues it, and agents trust that alone; nil where somebody else does.
	Authority *Authority
	// Given is the certificate that the user brings, in DER form; nil if there is none.
	Given []byte
}

// askCertificate comes after askCaddy in one program. Its arguments are port and name. The library
// for TLS is imported only where there is TLS, because that takes as long as all else.
const askCertificate = `
import base64, ssl, sys
t = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); t.check_hostname = False; t.verify_mode = ssl.CERT_NONE
try:
    with t.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5), server_hostname=sys.argv[2]) as c: print("\n" + base64.b64encode(c.getpeercert(True)).decode(), end="")
except OSError as e: print("\n!" + str(e)[:300].replace("\n", " "), end="")`

// ask is the command that prints what Caddy has loaded and, on a second line, the certificate that
// it shows, or "!" and why there is none.
func (c *CaddyLoaded) ask() []string {
	if c.Certificate == nil {
		return []string{c.Container, "python3", "-ISc", askCaddy}
	}
	return []string{c.Container, "python3", "-ISc", askCaddy + askCertificate, strconv.Itoa(c.Certificate.Port), c.Certificate.Name}
}

// judge says what is wrong with the certificate that is shown; err says that it is not known.
func (s *Certificate) judge(shown, root, intermediate string, now time.Time) (wrong string, err error) {
	if why, failed := strings.CutPrefix(shown, "!"); failed || shown == "" {
		return "", fmt.Errorf("no certificate is shown by Caddy: %s", remote.Sanitize(why))
	}
	leaf, err := base64.StdEncoding.DecodeString(shown)
	if err != nil {
		return "", errors.New("the certificate that Caddy shows is not understood")
	}
	ours, err := pki.Ours(leaf)
	switch {
	case err != nil:
		return "", errors.New("the certificate that Caddy shows is not understood")
	case s.Authority != nil:
		if err := pki.Issued(leaf, []byte(root), []byte(intermediate), s.Name, now); err != nil {
			return err.Error(), nil
		}
	case s.Given != nil && !bytes.Equal(leaf, s.Given):
		return "is not the given one", nil
	case s.Given == nil && ours:
		return "is of the stack's own authority", nil
	}
	return "", nil
}

// shown says what is wrong with the certificate, by the facts of one pass.
func (c *CaddyLoaded) shown(w World) (wrong string, err error) {
	rec, know := w.Fact(c.ID())
	if c.Certificate == nil || know != Yes {
		return "", nil
	}
	var authority Record
	var now time.Time
	if a := c.Certificate.Authority; a != nil {
		var known bool
		if authority, know = w.Fact(a.ID()); know != Yes {
			return "", nil // it says so itself
		}
		if _, now, known = a.ends(w, authority); !known {
			return "", errors.New("the clock of the host is not known")
		}
	}
	return c.Certificate.judge(rec.Fields["leaf"], authority.Fields["root"], authority.Fields["intermediate"], now)
}

// await waits until Caddy shows the certificate that it should.
func (c *CaddyLoaded) await(ctx context.Context, r *Run, most time.Duration) error {
	if c.Certificate == nil {
		return nil
	}
	dir := ""
	if a := c.Certificate.Authority; a != nil {
		dir = a.Dir
	}
	script := remote.Args(c.ask()...) + scripts.With("caddy_certificate", "d", dir)
	begun, told := time.Now(), time.Now()
	for {
		out, err := r.Get(ctx, c.Host, script)
		if err != nil {
			return err
		}
		parts := strings.Split(out, "%\n")
		clock, _ := strconv.ParseInt(strings.TrimSpace(parts[len(parts)-1]), 10, 64)
		parts = append(parts, "", "")
		wrong, err := c.Certificate.judge(strings.TrimSpace(parts[0]), parts[1], parts[2], time.Unix(clock, 0))
		switch {
		case err == nil && wrong == "":
			return nil
		case err == nil:
			err = fmt.Errorf("the certificate that Caddy shows %s", wrong)
		}
		if time.Since(begun) > most {
			return err
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			r.Note(c.Host, "waiting for Caddy to show its new certificate, %.0f s so far: %v", time.Since(begun).Seconds(), err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// Whoever issues the certificate is on the same host, or far away and asks back.
const (
	ownPatience    = 15 * time.Second
	othersPatience = 3 * time.Minute
)

func (s *Certificate) patience() time.Duration {
	if s != nil && s.Authority == nil && s.Given == nil {
		return othersPatience
	}
	return ownPatience
}

// anew has Caddy forget what its authority issued, and start: only then is another one asked for.
func (c *CaddyLoaded) anew(ctx context.Context, r *Run) error {
	dir := ""
	if a := c.Certificate.Authority; a != nil {
		dir = a.Dir
	}
	_, err := r.Sh(ctx, c.Host, scripts.With("authority_note")+scripts.With("authority_name")+scripts.With("caddy_anew", "c", c.Container, "d", dir))
	if err != nil {
		return err
	}
	return c.await(ctx, r, 4*ownPatience)
}
