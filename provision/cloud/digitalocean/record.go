package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/digitalocean/godo"

	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// DNSRecord is the url's host in a domain that the account manages.
type DNSRecord struct {
	D       *declared.Account
	Name    string      // in full
	Droplet resource.ID // of the server
	// Address is the reserved IP that the name leads to; zero for the droplet's own address.
	Address resource.ID
}

var (
	_ resource.Resource = (*DNSRecord)(nil)
	_ Looker            = (*DNSRecord)(nil)
	_ resource.Warner   = (*DNSRecord)(nil)
)

func (n *DNSRecord) ID() resource.ID { return resource.ID{Kind: "dns record", Name: n.Name} }
func (n *DNSRecord) Needs() []resource.ID {
	return []resource.ID{CloudAccountID(), n.Droplet, n.Address}
}
func (n *DNSRecord) Probe(*resource.Script) {}

// recordTTL is short, so that a new address is soon the only one.
const recordTTL = 300

func (n *DNSRecord) Look(l *Listing) resource.Fact {
	if !l.Domain {
		return present("domain", "missing")
	}
	var data, six []string
	for _, rec := range l.Records {
		switch rec.Type {
		case "AAAA":
			six = append(six, rec.Data)
		case "A":
			data = append(data, rec.Data)
		case "CNAME":
			return present("cname", rec.Data)
		}
	}
	f := absent()
	if len(data) > 0 {
		f = present("data", strings.Join(data, "\n"))
	}
	f.Fields["six"] = strings.Join(six, ", ")
	return f
}

// Warn names where the name leads by IPv6, which no droplet has: an authority looks there first.
func (n *DNSRecord) Warn(w resource.World) []string {
	rec, _ := w.Fact(n.ID())
	if six := rec.Fields["six"]; six != "" {
		return []string{fmt.Sprintf("dns record %s AAAA %s leads elsewhere: whoever has IPv6 goes there, and so does a certificate authority; droplets have no IPv6", n.Name, clean(six))}
	}
	return nil
}

// want is the address that the name is to lead to; "" where it does not exist yet.
func (n *DNSRecord) want(w resource.World) string {
	id, field := n.Droplet, "address"
	if n.Address != (resource.ID{}) {
		id, field = n.Address, "ip"
	}
	rec, _ := w.Fact(id)
	return rec.Fields[field]
}

func (n *DNSRecord) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(n.ID())
	refuse := func(why, hint string) []resource.Change {
		return []resource.Change{{ID: n.ID(), Act: resource.Refuse, Risk: resource.Cloud, Why: why, Hint: hint}}
	}
	data := strings.Fields(rec.Fields["data"])
	want := n.want(w)
	switch {
	case know == resource.Unknown:
		return nil
	case rec.Fields["domain"] == "missing":
		return refuse("the account does not manage the domain "+n.D.Domain, "add it there, or leave digitalocean.domain empty and make the record where the domain is managed")
	case rec.Fields["cname"] != "":
		return refuse("it is another name for "+clean(rec.Fields["cname"]), "remove that record, or choose another url")
	case know == resource.No:
		return []resource.Change{{ID: n.ID(), Act: resource.Add, Why: "the name leads nowhere yet"}}
	case len(slices.Compact(slices.Sorted(slices.Values(data)))) > 1:
		return refuse("it leads to several addresses: "+clean(strings.Join(data, ", ")), "remove those that are not the server's")
	case len(data) > 1:
		return []resource.Change{{ID: n.ID(), Act: resource.Modify, Why: "the same record is there twice"}}
	case want == "":
		return []resource.Change{{ID: n.ID(), Act: resource.Modify, Risk: resource.Interrupts, Why: fmt.Sprintf("it leads to %s, and the server gets an address of its own", clean(data[0])), Note: "whoever asks for the name finds the new server"}}
	case data[0] != want:
		return []resource.Change{{ID: n.ID(), Act: resource.Modify, Risk: resource.Interrupts, Why: fmt.Sprintf("it leads to %s, should lead to %s", clean(data[0]), clean(want)), Note: "whoever asks for the name finds the new server"}}
	}
	return nil
}

// serverAddress asks for the address of a host, the reserved one if it has one, which may be minutes old.
func serverAddress(ctx context.Context, r *resource.Run, d *declared.Account, host string, reserved bool) (string, error) {
	one, err := named(ctx, r, d, host)
	if err != nil {
		return "", err
	}
	if !reserved {
		return one.PublicIPv4()
	}
	all, err := account(r).Reserved(ctx)
	for _, ip := range all {
		if ip.Droplet != nil && ip.Droplet.ID == one.ID {
			return ip.IP, nil
		}
	}
	if err == nil {
		err = errors.New("the droplet has no reserved IP")
	}
	return "", err
}

func (n *DNSRecord) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	address, err := serverAddress(ctx, r, n.D, n.Droplet.Name, n.Address != (resource.ID{}))
	if err != nil {
		return err
	}
	list := func(ctx context.Context) (out []godo.DomainRecord, err error) {
		all, err := account(r).RecordsOf(ctx, n.D.Domain, n.Name)
		for _, rec := range all {
			if rec.Type == "A" {
				out = append(out, rec)
			}
		}
		return out, err
	}
	name := strings.TrimSuffix(strings.TrimSuffix(n.Name, n.D.Domain), ".")
	if name == "" {
		name = "@"
	}
	edit := &godo.DomainRecordEditRequest{Type: "A", Name: name, Data: address, TTL: recordTTL}
	if _, err := once(ctx, r, n.ID(), func(ctx context.Context) (*godo.DomainRecord, error) {
		found, err := list(ctx)
		if len(found) == 0 {
			return nil, err
		}
		return &found[0], err
	}, func(ctx context.Context) (*godo.DomainRecord, error) {
		made, _, err := account(r).Domains.CreateRecord(ctx, n.D.Domain, edit)
		return made, err
	}); err != nil {
		return err
	}
	// One is left, the oldest, for everyone who looks at the same time, and it leads to the server.
	found, err := list(ctx)
	for i, rec := range found {
		switch {
		case i > 0 && rec.Data == found[0].Data:
			_, problem := account(r).Domains.DeleteRecord(ctx, n.D.Domain, rec.ID)
			err = errors.Join(err, ignoreStatus(problem, 404))
		case i == 0 && rec.Data != address:
			_, _, problem := account(r).Domains.EditRecord(ctx, n.D.Domain, rec.ID, edit)
			err = errors.Join(err, problem)
		}
	}
	return err
}
