package resource

import (
	"context"
	"fmt"
	"time"

	"provision/remote"
)

// NextAuthority is the certificate authority that follows when the present one comes to its end. It
// is made beside it, its root reaches every agent host next to the old one, and only then does
// Authority give its place to it: at no moment does an agent meet a certificate that it cannot check.
//
// Its value are the roots to trust: the present one, and that of the next where there is one.
type NextAuthority struct{ Present *Authority }

var (
	_ Resource = NextAuthority{}
	_ Valuer   = NextAuthority{}
)

// NextAuthorityID is the ID of the authority that follows, and of the roots to trust.
func NextAuthorityID(host string) ID { return ID{host, "authority", "next"} }

func (n NextAuthority) ID() ID      { return NextAuthorityID(n.Present.Host) }
func (n NextAuthority) Needs() []ID { return []ID{n.Present.ID()} }

// Paths are the three of the next one.
func (n NextAuthority) Paths() (paths []string) {
	for _, f := range authorityFiles {
		paths = append(paths, n.Present.Next+"/"+f)
	}
	return paths
}

func (n NextAuthority) Probe(s *Script) {
	s.Once("roots", scripts.With("authority_roots"))
	s.Record(n.ID(), scripts.With("authority_next_probe", "d", n.Present.Dir, "next", n.Present.Next))
}

// renewBefore is how long before its end an authority is followed by a new one.
const renewBefore = 90 * 24 * time.Hour

func (n NextAuthority) Diff(w World) []Change {
	rec, know := w.Fact(n.Present.ID())
	end, now, known := n.Present.ends(w, rec)
	asked := w.Option(RotateOption(n.Present.ID()))
	if asked && know == No {
		return nothingToRotate(n.Present.ID(), "the stack has no certificate authority")
	}
	if know != Yes || !known || rec.Fields["next"] == "yes" || w.Pending(n.Present.ID()) || end.Sub(now) >= renewBefore && !asked {
		return nil
	}
	why := fmt.Sprintf("the present one ends on %s", end.Format(time.DateOnly))
	if asked {
		why = "a new one was asked for"
	}
	return []Change{{
		ID: n.ID(), Act: Add, Why: why,
		Note: "agents trust both, then Caddy changes over to it",
	}}
}

func (n NextAuthority) Do(ctx context.Context, r *Run, _ Change) error {
	files, err := newAuthority(ctx, r, n.Present.Host, n.Present.Name)
	if err != nil {
		return err
	}
	_, err = r.Sh(ctx, n.Present.Host, scripts.With("authority_next_change", append(files, "next", n.Present.Next)...))
	r.forget(n.ID())
	return err
}

// Read returns the root certificate, and that of the authority that is to follow.
func (n NextAuthority) Read(ctx context.Context, r *Run) (Secret, error) {
	out, err := r.Get(ctx, n.Present.Host, remote.Args(n.Present.Dir, n.Present.Next)+scripts.With("authority_roots")+`roots "$@"`)
	return NewSecret(out), err
}
