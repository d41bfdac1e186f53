package digitalocean

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"provision/files/pki"
	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// PublicName holds Caddy back until the url's host leads to the server: an authority that looks too
// early says no, and after a few noes says nothing for hours.
//
// It is waited for as long as there is no Caddy, and before one that had no certificate of a public
// authority asks for one. From then on Caddy asks again by itself.
type PublicName struct {
	D       *declared.Account
	Name    string      // in full
	Droplet resource.ID // of the server
	Address resource.ID // its reserved IP; zero for none
	Record  resource.ID // zero where the domain is managed elsewhere
	Caddy   resource.ID
	Loaded  resource.ID // its configuration, whose fact has the certificate that it shows
}

var (
	_ resource.Resource = (*PublicName)(nil)
	_ Looker            = (*PublicName)(nil)
)

// PublicNameID is the ID of the wait for a name.
func PublicNameID(name string) resource.ID { return resource.ID{Kind: "public name", Name: name} }

func (n *PublicName) ID() resource.ID        { return PublicNameID(n.Name) }
func (n *PublicName) Probe(*resource.Script) {}

func (n *PublicName) Needs() []resource.ID {
	needs := []resource.ID{CloudAccountID(), n.Droplet}
	for _, id := range []resource.ID{n.Address, n.Record} {
		if id != (resource.ID{}) {
			needs = append(needs, id)
		}
	}
	return needs
}

// Look asks nobody: where the name leads matters once, and is asked then.
func (n *PublicName) Look(*Listing) resource.Fact { return present() }

func (n *PublicName) Diff(w resource.World) []resource.Change {
	there, know := resource.ContainerThere(w, n.Caddy.Host, n.Caddy.Name)
	if know == resource.Unknown || there && !n.first(w) {
		return nil
	}
	c := resource.Change{ID: n.ID(), Act: resource.Await, Why: "it has to lead to the server before a certificate is asked for"}
	if n.Record == (resource.ID{}) {
		c.Note = "its domain is not managed in the account: the record is made by hand"
	}
	return []resource.Change{c}
}

// notListening is how Python begins an error with the number ECONNREFUSED, whatever its text: see resource.Certificate.
const notListening = "![Errno 111] "

// first tells whether the Caddy that is there has not asked a public authority yet: it shows a certificate
// of the stack's own, or speaks no TLS.
func (n *PublicName) first(w resource.World) bool {
	rec, know := w.Fact(n.Loaded)
	if know != resource.Yes {
		return false
	}
	leaf, err := base64.StdEncoding.DecodeString(rec.Fields["leaf"])
	if err != nil {
		return strings.HasPrefix(rec.Fields["leaf"], notListening)
	}
	ours, err := pki.Ours(leaf)
	return err == nil && ours
}

func (n *PublicName) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	want, err := serverAddress(ctx, r, n.D, n.Droplet.Name, n.Address != (resource.ID{}))
	if err != nil {
		return err
	}
	names, last, said := inventory.Names{Resolver: n.D.Resolver}, "nobody has answered yet", ""
	err = account(r).Until(ctx, n.Name+" leads to "+want, func(ctx context.Context) (bool, error) {
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
		elsewhere := err == nil && n.Record == (resource.ID{}) && !slices.ContainsFunc(leads, func(l inventory.Lead) bool { return len(l.Addresses) == 0 })
		if elsewhere {
			r.Progress(n.ID(), "not to %s (%s); assuming a proxy in front of the server", want, clean(last))
			return true, nil
		}
		if last != said {
			said = last
			r.Progress(n.ID(), "waiting until it leads to %s: %s%s", want, clean(last), n.byHand(want))
		}
		return false, nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %s; %s", err, clean(last), n.hint(want))
	}
	return err
}

func (n *PublicName) byHand(want string) string {
	if n.Record != (resource.ID{}) {
		return ""
	}
	return fmt.Sprintf("; make the record now: %s A %s", n.Name, want)
}

func (n *PublicName) hint(want string) string {
	const other = `; to ask another DNS server: [digitalocean] resolver = "ADDRESS", or "none" to ask nobody`
	if n.Record == (resource.ID{}) {
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
