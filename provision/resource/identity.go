package resource

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"provision/remote"
)

// Root is where everything of ours lies on a host; one stack per host, in a directory of its name.
const Root = "/var/lib/provision"

// Identity is the stack's name and random id on a host: born with the data on the server host and
// copied to every agent host, so that a wrong address or a moved server is seen before anything is
// touched.
type Identity struct {
	Host, Stack string
	Server      string // name of the server host
	Agents      []string
	// DataVolume is the volume whose existence says that the stack was born on the server host.
	DataVolume ID
}

var (
	_ Resource = (*Identity)(nil)
	_ Valuer   = (*Identity)(nil)
)

// IdentityID is the ID of a host's identity.
func IdentityID(host string) ID { return ID{host, "identity", ""} }

func (i *Identity) ID() ID { return IdentityID(i.Host) }

func (i *Identity) Needs() []ID {
	needs := []ID{SystemID(i.Host)}
	if i.Host != i.Server {
		needs = append(needs, IdentityID(i.Server))
	}
	return needs
}

func (i *Identity) base() string { return Root + "/" + i.Stack }

func (i *Identity) Probe(s *Script) {
	s.Record(i.ID(), fmt.Sprintf(`root=%s; base=%s; salt=no
[ -s "$base/salt" ] && salt=yes; v salt $salt
for d in "$root"/*/; do [ -f "${d}id" ] && [ "$d" != "$base/" ] && v other "${d%%/}"; done
if [ -f "$base/id" ]; then v id "$(head -c 200 "$base/id")"; yes
elif [ -e "$base/id" ] || { [ -e "$root" ] && [ ! -d "$root" ]; }; then unknown "$base/id is not a file"
else no; fi`, remote.Quote(Root), remote.Quote(i.base())))
}

var identityPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.-]*) ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\n?$`)

// id returns the id that a host carries, or "".
func (i *Identity) id(w World, host string) (string, Know) {
	rec, know := w.Fact(IdentityID(host))
	m := identityPattern.FindStringSubmatch(rec.Fields["id"])
	if know != Yes || m == nil {
		return "", know
	}
	return m[2], know
}

func (i *Identity) Diff(w World) []Change {
	rec, know := w.Fact(i.ID())
	refuse := func(why, hint string) []Change {
		return []Change{{ID: i.ID(), Act: Refuse, Risk: Data, Why: why, Hint: hint}}
	}
	if other := rec.Fields["other"]; other != "" {
		return refuse(fmt.Sprintf("another stack lives on this host (%s)", remote.Sanitize(other)),
			"check the address in the inventory and the name in stack.toml")
	}
	own, _ := i.id(w, i.Host)
	if know == Unknown {
		return nil
	}
	if know == Yes && own == "" {
		return refuse("the identity file is damaged: "+remote.Sanitize(rec.Fields["id"]),
			fmt.Sprintf("restore %s/id from a backup or from another host of the stack", i.base()))
	}
	server, serverKnow := i.id(w, i.Server)
	if i.Host == i.Server {
		if know == No && !w.Option("new-data") {
			for _, a := range i.Agents {
				if id, _ := i.id(w, a); id != "" && a != i.Server {
					return refuse(fmt.Sprintf("this host has no data of the stack, but %s belongs to it (id %s): a moved server, or a wrong address", a, id[:8]),
						"correct the address, or start with new data: provision apply --new-data")
				}
			}
		}
	} else if own != "" && server != "" && own != server && !w.Option("new-data") {
		return refuse(fmt.Sprintf("this host belongs to another instance of the stack (id %s, the server has %s)", own[:8], server[:8]),
			"check the addresses in the inventory, or join it to this one: provision apply --new-data")
	}
	switch {
	case know == No:
		return []Change{{ID: i.ID(), Act: Add, Why: "the host does not belong to a stack yet"}}
	case i.Host != i.Server && serverKnow == Yes && own != server:
		return []Change{{ID: i.ID(), Act: Modify, Why: "the id differs from the server's"}}
	case rec.Fields["salt"] != "yes":
		return []Change{{ID: i.ID(), Act: Modify, Why: "the salt is missing"}}
	}
	return nil
}

func (i *Identity) Do(ctx context.Context, r *Run, c Change) error {
	value := NewSecret(i.Stack + " " + newUUID())
	if i.Host != i.Server {
		var err error
		if value, err = r.Value(ctx, IdentityID(i.Server)); err != nil {
			return err
		}
		if !identityPattern.MatchString(value.Reveal()) {
			return fmt.Errorf("%s holds no identity", i.Server)
		}
	}
	place := `ln "$t" "$b/id" 2>/dev/null || [ -f "$b/id" ]; rm -f "$t"`
	if i.Host != i.Server {
		place = `put "$t" "$b/id" 0:0 0644`
	}
	_, err := r.Sh(ctx, i.Host, fmt.Sprintf(`b=%s
(umask 022; mkdir -p "$b"); chmod 0755 "$b"
t=$(mktemp "$b/.provision.XXXXXX"); chmod 0644 "$t"; printf '%%s\n' %s >"$t"; sync "$t"
%s
if [ ! -s "$b/salt" ]; then t=$(mktemp "$b/.provision.XXXXXX"); printf '%%s' %s >"$t"; put "$t" "$b/salt" 0:0 0400; fi
rm -f "$b"/.provision.*; sync "$b"`, remote.Quote(i.base()), remote.Quote(value.Reveal()), place, remote.Quote(randomHex(32))))
	return err
}

// Read returns the identity line of the host.
func (i *Identity) Read(ctx context.Context, r *Run) (Secret, error) {
	out, err := r.Get(ctx, i.Host, "cat "+remote.Quote(i.base()+"/id"))
	return NewSecret(strings.TrimSpace(out)), err
}
