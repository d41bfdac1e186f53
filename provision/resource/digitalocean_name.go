package resource

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"provision/files/pki"
	"provision/inventory"
)

// PublicName holds Caddy back until the url's host leads to the server: an authority that looks too
// early says no, and after a few noes says nothing for hours.
//
// It is waited for as long as there is no Caddy, and before one that had no certificate of a public
// authority asks for one. From then on Caddy asks again by itself.
type PublicName struct {
	D       *inventory.DigitalOcean
	Name    string // in full
	Droplet ID     // of the server
	Address ID     // its reserved IP; zero for none
	Record  ID     // zero where the domain is managed elsewhere
	Caddy   ID
	Loaded  ID // its configuration, whose fact has the certificate that it shows
}

var (
	_ Resource = (*PublicName)(nil)
	_ Looker   = (*PublicName)(nil)
)

// PublicNameID is the ID of the wait for a name.
func PublicNameID(name string) ID { return ID{"", "public name", name} }

func (n *PublicName) ID() ID        { return PublicNameID(n.Name) }
func (n *PublicName) Probe(*Script) {}

func (n *PublicName) Needs() []ID {
	needs := []ID{CloudAccountID(), n.Droplet}
	for _, id := range []ID{n.Address, n.Record} {
		if id != (ID{}) {
			needs = append(needs, id)
		}
	}
	return needs
}

// Look asks nobody: where the name leads matters once, and is asked then.
func (n *PublicName) Look(*inventory.Listing) Fact { return there() }

func (n *PublicName) Diff(w World) []Change {
	d, know := docker(w, n.Caddy.Host)
	if _, there := d.Containers[n.Caddy.Name]; know == Unknown || there && !n.first(w) {
		return nil
	}
	c := Change{ID: n.ID(), Act: Await, Why: "it has to lead to the server before a certificate is asked for"}
	if n.Record == (ID{}) {
		c.Note = "its domain is not managed in the account: the record is made by hand"
	}
	return []Change{c}
}

// first tells whether the Caddy that is there has not asked a public authority yet: it shows a certificate
// of the stack's own, or speaks no TLS.
func (n *PublicName) first(w World) bool {
	rec, know := w.Fact(n.Loaded)
	if know != Yes {
		return false
	}
	leaf, err := base64.StdEncoding.DecodeString(rec.Fields["leaf"])
	if err != nil {
		return strings.Contains(rec.Fields["leaf"], "refused") // nobody listens there
	}
	ours, err := pki.Ours(leaf)
	return err == nil && ours
}

func (n *PublicName) Do(ctx context.Context, r *Run, _ Change) error {
	want, err := serverAddress(ctx, r, n.D, n.Droplet.Name, n.Address != (ID{}))
	if err != nil {
		return err
	}
	names, last, said := inventory.Names{Resolver: n.D.Resolver}, "nobody has answered yet", ""
	err = r.Account.Until(ctx, n.Name+" leads to "+want, func(ctx context.Context) (bool, error) {
		leads, err := names.Ask(ctx, n.Name)
		switch {
		case err != nil:
			last = err.Error()
		case !slices.ContainsFunc(leads, func(l inventory.Lead) bool { return !slices.Contains(l.Addresses, want) }):
			return true, nil
		default:
			last = led(leads)
		}
		// Whoever manages it elsewhere may have something before the server, which leads on to it.
		elsewhere := err == nil && n.Record == (ID{}) && !slices.ContainsFunc(leads, func(l inventory.Lead) bool { return len(l.Addresses) == 0 })
		if elsewhere {
			r.tell(n.ID(), "not to %s (%s); taken for something that stands before the server", want, clean(last))
			return true, nil
		}
		if last != said {
			said = last
			r.tell(n.ID(), "waiting until it leads to %s: %s%s", want, clean(last), n.byHand(want))
		}
		return false, nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %s; %s", err, clean(last), n.hint(want))
	}
	return err
}

func (n *PublicName) byHand(want string) string {
	if n.Record != (ID{}) {
		return ""
	}
	return fmt.Sprintf("; make the record now: %s A %s", n.Name, want)
}

func (n *PublicName) hint(want string) string {
	const other = `; to ask another DNS server: [digitalocean] resolver = "ADDRESS", or "none" to ask nobody`
	if n.Record == (ID{}) {
		return fmt.Sprintf("make the record where the domain is managed: %s A %s%s", n.Name, want, other)
	}
	return fmt.Sprintf("%s is to have ns1.digitalocean.com and its like as its name servers, which is set where it was registered%s", n.D.Domain, other)
}

// led says where a name leads by whose word.
func led(leads []inventory.Lead) string {
	var all []string
	for _, l := range leads {
		where := "nowhere"
		if len(l.Addresses) > 0 {
			where = "to " + strings.Join(l.Addresses, ", ")
		}
		all = append(all, l.Server+" says "+where)
	}
	return strings.Join(all, ", ")
}
