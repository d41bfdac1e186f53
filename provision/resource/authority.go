package resource

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"provision/files/pki"
)

// Authority is the stack's own certificate authority: a root whose key exists nowhere, and the
// intermediate with which Caddy issues. The three files belong together, so a note that is written
// last says which three; a run killed in between makes them again.
//
// When one is beside it (NextAuthority) and every agent host trusts that, it gives its place to it.
type Authority struct {
	Host, Dir string // the directory with root.crt, intermediate.crt and intermediate.key
	UID       string
	Note      string
	Next      string // the directory of the one that is to follow, read by root alone
	Name      string // the url's host, the only name that the authority can certify
	Copies    []ID   // of its value, on the agent hosts
	After     []ID
}

var (
	_ Resource = (*Authority)(nil)
	_ Checker  = (*Authority)(nil)
)

// AuthorityID is the ID of the server's certificate authority.
func AuthorityID(host string) ID { return ID{host, "authority", ""} }

func (a *Authority) ID() ID      { return AuthorityID(a.Host) }
func (a *Authority) Needs() []ID { return a.After }

var authorityFiles = []string{"root.crt", "intermediate.crt", "intermediate.key"}

// AuthorityFiles are the three of an authority, and last the note about them.
func AuthorityFiles(dir, note string) (paths []string) {
	for _, f := range authorityFiles {
		paths = append(paths, dir+"/"+f)
	}
	return append(paths, note)
}

// Paths are the three of the authority and the note about them.
func (a *Authority) Paths() []string { return AuthorityFiles(a.Dir, a.Note) }

func (a *Authority) Probe(s *Script) {
	s.Once("authoritynote", scripts.With("authority_note"))
	s.Record(a.ID(), scripts.With("authority_probe", "d", a.Dir, "note", a.Note, "next", a.Next))
}

// ends says when the authority ends, and what the server's clock says now. ok is false where one of
// them is not known.
func (a *Authority) ends(w World, rec Record) (end, now time.Time, ok bool) {
	system, know := w.Fact(SystemID(a.Host))
	clock, err := strconv.ParseFloat(system.Fields[ClockField], 64)
	c, parseErr := pki.Parse([]byte(rec.Fields["root"]))
	return c.NotAfter, time.Unix(int64(clock), 0), know == Yes && err == nil && parseErr == nil
}

func (a *Authority) Diff(w World) []Change {
	rec, know := w.Fact(a.ID())
	if know == Unknown {
		return nil
	}
	change := func(act Act, note, why string, args ...any) []Change {
		return []Change{{ID: a.ID(), Act: act, Why: fmt.Sprintf(why, args...), Note: note}}
	}
	const all = "agents get the new root certificate"
	covers, err := pki.Covers([]byte(rec.Fields["root"]), a.Name)
	end, now, known := a.ends(w, rec)
	following := rec.Fields["next"] == "yes"
	const promote = "Caddy takes the new certificate authority, which every agent host trusts by now"
	switch {
	case know == No:
		return change(Add, "", "the stack has no certificate authority")
	case err != nil:
		return change(Replace, all, "its root certificate cannot be read")
	case !covers:
		return change(Replace, all, "it cannot certify %s", a.Name)
	case known && !now.Before(end):
		return change(Replace, all, "it ended on %s", end.Format(time.DateOnly))
	case rec.Fields["whole"] != "yes" && following:
		return change(Modify, promote, "a change to the next one was interrupted")
	case rec.Fields["whole"] != "yes":
		return change(Replace, all, "its files do not belong together")
	case rec.Fields["keymode"] != a.UID+" 400":
		return change(Replace, all, "owner or mode of its key differ")
	case following && a.copied(w) && known && end.Sub(now) >= renewBefore: // somebody asked for a new one
		return change(Modify, promote, "the next one is trusted everywhere")
	case following && a.copied(w):
		return change(Modify, promote, "it ends on %s, and the next one is trusted everywhere", end.Format(time.DateOnly))
	}
	return nil
}

// copied tells whether every agent host has the roots as they are here.
func (a *Authority) copied(w World) bool {
	rec, know := w.Fact(NextAuthorityID(a.Host))
	if know != Yes {
		return false
	}
	for _, id := range a.Copies {
		if copied, know := w.Fact(id); know != Yes || copied.Fields["sum"] != rec.Fields["sum"] {
			return false
		}
	}
	return true
}

// Do makes an authority, or (Modify) gives its place to the one that is beside it.
func (a *Authority) Do(ctx context.Context, r *Run, c Change) error {
	values := []string{"act", string(c.Act), "d", a.Dir, "note", a.Note, "next", a.Next, "u", a.UID, "mode", secretDirMode}
	if c.Act == Modify {
		values = append(values, "root", "", "intermediate", "", "key", "")
	} else {
		files, err := newAuthority(ctx, r, a.Host, a.Name)
		if err != nil {
			return err
		}
		values = append(values, files...)
	}
	_, err := r.Sh(ctx, a.Host, scripts.With("authority_note")+scripts.With("authority_change", values...))
	r.forget(NextAuthorityID(a.Host))
	return err
}

// newAuthority makes an authority, as the values root, intermediate and key of a script, dated by the clock of the host that will use it.
func newAuthority(ctx context.Context, r *Run, host, name string) ([]string, error) {
	clock, err := r.Get(ctx, host, "date +%s")
	if err != nil {
		return nil, err
	}
	now, err := strconv.ParseInt(strings.TrimSpace(clock), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the clock of %s: %w", host, err)
	}
	ca, err := pki.NewCA(name, time.Unix(now, 0))
	if err != nil {
		return nil, fmt.Errorf("make the certificate authority: %w", err)
	}
	return []string{"root", string(ca.Root), "intermediate", string(ca.Intermediate), "key", string(ca.Key)}, nil
}

// Check says when an authority is at its end although it could have been followed by another.
func (a *Authority) Check(w World) []Problem {
	rec, know := w.Fact(a.ID())
	if know != Yes {
		return []Problem{{ID: a.ID(), What: "the stack has no certificate authority"}}
	}
	if end, now, ok := a.ends(w, rec); ok && !now.Before(end) {
		return []Problem{{ID: a.ID(), What: "it ended on " + end.Format(time.DateOnly), Hint: "provision apply"}}
	}
	return nil
}
