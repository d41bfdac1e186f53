package resource

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"provision/files/naming"
	"provision/remote"
)

// Root is where everything of ours is on a host; one stack per host, in a directory of its name.
const Root = naming.Root

// Identity is the stack's name and random id on a host: born with the data on the server host and
// copied to every agent host, so that a wrong address or a moved server is seen before anything is
// touched.
type Identity struct {
	Host, Stack string
	Server      string   // name of the server host
	Others      []string // names of all other hosts of the inventory
	// DataVolume is the volume whose existence says that the stack was born on the server host.
	DataVolume ID
	// Before is what this host has to be before it has an identity: a droplet, with its disk.
	Before []ID
	// Disk is the cloud volume that keeps the data when the host is deleted; zero if there is none.
	Disk ID
	// Cleaned says that the host is to lose all of the stack; it is only made sure that it is this one.
	Cleaned bool
}

var (
	_ Resource = (*Identity)(nil)
	_ Valuer   = (*Identity)(nil)
)

// IdentityID is the ID of a host's identity.
func IdentityID(host string) ID { return ID{host, "identity", ""} }

func (i *Identity) ID() ID { return IdentityID(i.Host) }

func (i *Identity) Needs() []ID {
	needs := append([]ID{SystemID(i.Host)}, i.Before...)
	if i.Host != i.Server {
		needs = append(needs, IdentityID(i.Server))
	}
	return needs
}

func (i *Identity) base() string { return Root + "/" + i.Stack }

// Paths are the id, the salt, and on the server the mark that the id was born there.
func (i *Identity) Paths() []string {
	paths := []string{i.base() + "/id", i.base() + "/salt", i.base() + "/born"}
	switch {
	case i.Cleaned:
		return nil
	case i.Host != i.Server:
		return paths[:2]
	}
	return paths
}

func (i *Identity) Probe(s *Script) {
	s.Record(i.ID(), scripts.With("identity_probe", "root", Root, "base", i.base()))
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
	if know == Unknown {
		return nil
	}
	other := rec.Fields["other"]
	if other != "" && i.Cleaned {
		return nil // another stack's host has nothing of this one
	}
	if other != "" {
		return refuse(fmt.Sprintf("another stack lives on this host (%s)", remote.Sanitize(other)),
			"check the address in the inventory and the name in stack.toml")
	}
	own, _ := i.id(w, i.Host)
	if know == Yes && own == "" {
		return refuse("the identity on the host is damaged: "+remote.Sanitize(rec.Fields["id"]),
			fmt.Sprintf("restore %s/id from a backup or from another host of the stack", i.base()))
	}
	if i.Host == i.Server && !i.Cleaned {
		if why, hint := i.unborn(w, rec, know); why != "" && !w.Option("new-data") {
			return refuse(why, hint)
		} else if why != "" && know == Yes {
			return []Change{{ID: i.ID(), Act: Replace, Why: "the stack begins with new data"}}
		}
	}
	server, serverKnow := i.id(w, i.Server)
	foreign := i.Host != i.Server && own != "" && server != "" && own != server && !w.Option("new-data")
	if foreign && i.Cleaned {
		d, _ := docker(w, i.Host)
		foreign = len(d.Containers) > 0 // where nothing runs, nothing of that instance is at risk
	}
	switch {
	case foreign:
		return refuse(fmt.Sprintf("this host belongs to another instance of the stack (id %s, the server has %s)", own[:8], server[:8]),
			"check the addresses in the inventory, or say that this is meant: provision apply --new-data")
	case i.Cleaned:
		return nil
	case know == No:
		return []Change{{ID: i.ID(), Act: Add, Why: "the host does not belong to a stack yet"}}
	case i.Host != i.Server && serverKnow == Yes && own != server:
		return []Change{{ID: i.ID(), Act: Modify, Why: "the id differs from the server's"}}
	case rec.Fields["salt"] != "yes":
		return []Change{{ID: i.ID(), Act: Modify, Why: "the salt is missing"}}
	}
	return nil
}

// unborn says why the server host cannot be the one that the stack's data was born on; "" if it can.
func (i *Identity) unborn(w World, rec Record, know Know) (why, hint string) {
	_, data := w.Fact(i.DataVolume)
	if data == Yes || data == Unknown && know == Yes {
		return "", ""
	}
	// A droplet that does not exist yet may get the data back with its disk.
	if _, disk := w.Fact(i.Disk); disk == Yes && know == No {
		return "", ""
	}
	none, or := "this host has no data of the stack, but", "correct the address, or start with new data: provision apply --new-data"
	if data == Unknown { // the engine is stopped, or gone from beside its volumes
		none, or = "whether this host has the data of the stack is not known, and", "start Docker there first; else "+or
	}
	for _, h := range i.Others {
		if _, there := w.Fact(SystemID(h)); there == Unknown && know == No {
			return fmt.Sprintf("%s whether %s belongs to it, which cannot be reached, is not known: a moved server, or a wrong address", none, h), "wait until it can be reached; else " + or
		}
		if d, _ := docker(w, h); d.Volumes[i.DataVolume.Name] == i.Stack {
			return fmt.Sprintf("%s %s has it (volume %s): a moved server, or a wrong address", none, h, i.DataVolume.Name), or
		}
		if id, _ := i.id(w, h); id != "" && know == No {
			return fmt.Sprintf("%s %s belongs to it (id %s): a moved server, or a wrong address", none, h, id[:8]), or
		}
	}
	// The mark is made before the id: a host with an id and without it got its id from another server.
	if know == Yes && rec.Fields["born"] == "" {
		own, _ := i.id(w, i.Host)
		return fmt.Sprintf("this host was an agent of the stack (id %s), whose data was born on another host: a moved server, or a wrong address", own[:8]), or
	}
	return "", ""
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
	values := []string{"b", i.base(), "id", value.Reveal(), "salt", randomHex(32), "born", "yes", "place", "new"}
	if i.Host != i.Server {
		values = append(values, "born", "no")
	}
	if i.Host != i.Server || c.Act == Replace {
		values = append(values, "place", "put")
	}
	_, err := r.Sh(ctx, i.Host, scripts.With("identity_change", values...))
	r.forget(i.ID())
	return err
}

// Read returns the identity line of the host.
func (i *Identity) Read(ctx context.Context, r *Run) (Secret, error) {
	out, err := r.Get(ctx, i.Host, "cat "+remote.Quote(i.base()+"/id"))
	return NewSecret(strings.TrimSpace(out)), err
}
