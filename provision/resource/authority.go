package resource

import (
	"context"
	"fmt"
	"time"

	"provision/files/pki"
	"provision/remote"
)

// Authority is the stack's own certificate authority: a root whose key exists nowhere, and the
// intermediate with which Caddy issues. The three files belong together, so a note that is written
// last says which three; a run killed in between makes them anew.
type Authority struct {
	Host, Dir string // the directory with root.crt, intermediate.crt and intermediate.key
	UID       string
	Note      string
	Name      string // the url's host, the only name that the authority can certify
	After     []ID

	nonce string
}

var (
	_ Resource = (*Authority)(nil)
	_ Valuer   = (*Authority)(nil)
)

// AuthorityID is the ID of the server's certificate authority; its value is the root certificate.
func AuthorityID(host string) ID { return ID{host, "authority", ""} }

func (a *Authority) ID() ID      { return AuthorityID(a.Host) }
func (a *Authority) Needs() []ID { return a.After }

// Paths are the three of the authority and the note about them.
func (a *Authority) Paths() []string {
	return []string{a.Dir + "/root.crt", a.Dir + "/intermediate.crt", a.Dir + "/intermediate.key", a.Note}
}

const authorityNote = `authoritynote() { for x in root.crt intermediate.crt intermediate.key; do sha256sum <"$1/$x"; done | sha256sum | cut -c1-64; }`

func (a *Authority) Probe(s *Script) {
	a.nonce = s.Nonce()
	s.Once("authoritynote", authorityNote)
	s.Once("statsecret", statSecret)
	s.Record(a.ID(), fmt.Sprintf(`d=%s note=%s
if [ -d "$d" ] && [ -f "$d/root.crt" ]; then
	statsecret "$d/root.crt"
	f root; head -c 16384 "$d/root.crt"
	[ -f "$note" ] && [ "$(cat "$note")" = "$(authoritynote "$d" 2>/dev/null)" ] && v whole yes
	v keymode "$(stat -c '%%u %%a' "$d/intermediate.key" 2>/dev/null)"
	yes
else no; fi`, remote.Quote(a.Dir), remote.Quote(a.Note)))
}

func (a *Authority) Diff(w World) []Change {
	rec, know := w.Fact(a.ID())
	change := Change{ID: a.ID(), Act: Replace, Note: "agents get the new root certificate"}
	switch {
	case know == Unknown:
		return nil
	case know == No:
		return []Change{{ID: a.ID(), Act: Add, Why: "the stack has no certificate authority"}}
	case rec.Fields["whole"] != "yes":
		change.Why = "its files do not belong together"
	case rec.Fields["keymode"] != a.UID+" 400":
		change.Why = "owner or mode of its key differ"
	default:
		covers, err := pki.Covers([]byte(rec.Fields["root"]), a.Name)
		if err == nil && covers {
			return nil
		}
		change.Why = "it cannot certify " + a.Name
		if err != nil {
			change.Why = "its root certificate cannot be read"
		}
	}
	return []Change{change}
}

func (a *Authority) Do(ctx context.Context, r *Run, _ Change) error {
	ca, err := pki.NewCA(a.Name, time.Now())
	if err != nil {
		return fmt.Errorf("make the certificate authority: %w", err)
	}
	_, err = r.Sh(ctx, a.Host, fmt.Sprintf(`d=%s note=%s u=%s
%s
mkdir -p "$d" "${note%%/*}"; chown "$u:$u" "$d"; chmod 0500 "$d"
rm -f "$d"/.provision.*
one() { t=$(mktemp "$d/.provision.XXXXXX"); printf '%%s' "$2" >"$t"; put "$t" "$d/$1" "$u:$u" "$3"; }
one intermediate.key %s 0400
one intermediate.crt %s 0400
one root.crt %s 0400
t=$(mktemp "${note%%/*}/.provision.XXXXXX"); authoritynote "$d" >"$t"; put "$t" "$note" 0:0 0400
`, remote.Quote(a.Dir), remote.Quote(a.Note), remote.Quote(a.UID), authorityNote,
		remote.Quote(string(ca.Key)), remote.Quote(string(ca.Intermediate)), remote.Quote(string(ca.Root))))
	r.forget(a.ID())
	return err
}

// Read returns the root certificate.
func (a *Authority) Read(ctx context.Context, r *Run) (Secret, error) {
	out, err := r.Get(ctx, a.Host, "cat "+remote.Quote(a.Dir+"/root.crt"))
	return NewSecret(out), err
}
