package digitaloceantest

import (
	"net/netip"
	"slices"
	"strings"
)

// Record is a DNS record.
type Record struct {
	ID                            int
	Domain                        string
	Type, Name, Data              string // Name without the domain, "@" for itself
	TTL                           int
	Priority, Port, Weight, Flags *int
	Tag                           string
}

func (rec *Record) urn() string { return "record:" + itoa(rec.ID) }

type domain struct {
	name    string
	records []*Record
}

func (c *Cloud) domain(name string) *domain {
	for _, d := range c.domains {
		if strings.EqualFold(d.name, name) {
			return d
		}
	}
	return nil
}

func showDomain(d *domain) object {
	var zone strings.Builder
	zone.WriteString("$ORIGIN " + d.name + ".\n$TTL 1800\n")
	for _, r := range d.records {
		zone.WriteString(r.Name + " " + itoa(r.TTL) + " IN " + r.Type + " " + r.Data + "\n")
	}
	return object{"name": d.name, "ttl": 1800, "zone_file": zone.String()}
}

func (c *Cloud) listDomains(r *request) answer { return page(r, "domains", c.domains, showDomain) }

func (c *Cloud) getDomain(r *request) answer {
	d := c.domain(r.PathValue("domain"))
	if d == nil {
		return notFound
	}
	return ok(object{"domain": showDomain(d)})
}

func (c *Cloud) createDomain(r *request) answer {
	name := r.text("name")
	switch {
	case !strings.Contains(name, "."):
		return invalid("Name must be a valid domain name")
	case c.domain(name) != nil:
		return invalid("Name already exists")
	}
	d := &domain{name: name}
	d.records = append(d.records, &Record{ID: c.number("record"), Domain: name, Type: "SOA", Name: "@", Data: "1800", TTL: 1800})
	for _, ns := range []string{"ns1", "ns2", "ns3"} {
		d.records = append(d.records, &Record{ID: c.number("record"), Domain: name, Type: "NS", Name: "@", Data: ns + ".digitalocean.com", TTL: 1800})
	}
	if ip := r.text("ip_address"); ip != "" {
		d.records = append(d.records, &Record{ID: c.number("record"), Domain: name, Type: "A", Name: "@", Data: ip, TTL: 1800})
	}
	c.domains = append(c.domains, d)
	c.projects[0].Resources = append(c.projects[0].Resources, "do:domain:"+name)
	o := showDomain(d)
	o["ttl"], o["zone_file"] = nil, nil // which it has only later
	return created(object{"domain": o})
}

func (c *Cloud) deleteDomain(r *request) answer {
	d := c.domain(r.PathValue("domain"))
	if d == nil {
		return notFound
	}
	c.domains = without(c.domains, d)
	for _, p := range c.projects {
		p.Resources = without(p.Resources, "do:domain:"+d.name)
	}
	return done
}

func showRecord(r *Record) object {
	o := object{"id": r.ID, "type": r.Type, "name": r.Name, "data": r.Data, "ttl": r.TTL, "priority": nil, "port": nil, "weight": nil, "flags": nil, "tag": nil}
	for k, v := range map[string]*int{"priority": r.Priority, "port": r.Port, "weight": r.Weight, "flags": r.Flags} {
		if v != nil {
			o[k] = *v
		}
	}
	if r.Tag != "" {
		o["tag"] = r.Tag
	}
	return o
}

// listRecords: the name of the query is the whole one, with the domain.
func (c *Cloud) listRecords(r *request) answer {
	d := c.domain(r.PathValue("domain"))
	if d == nil {
		return notFound
	}
	q := r.URL.Query()
	var all []*Record
	for _, rec := range d.records {
		full := rec.Name + "." + d.name
		if rec.Name == "@" {
			full = d.name
		}
		if (q.Get("type") == "" || q.Get("type") == rec.Type) && (q.Get("name") == "" || strings.EqualFold(q.Get("name"), full)) {
			all = append(all, rec)
		}
	}
	return page(r, "domain_records", all, showRecord)
}

func (c *Cloud) record(r *request) (*domain, *Record) {
	d := c.domain(r.PathValue("domain"))
	if d == nil {
		return nil, nil
	}
	for _, rec := range d.records {
		if rec.ID == r.id("record") {
			return d, rec
		}
	}
	return d, nil
}

func (c *Cloud) getRecord(r *request) answer {
	_, rec := c.record(r)
	if rec == nil {
		return notFound
	}
	return ok(object{"domain_record": showRecord(rec)})
}

func (c *Cloud) createRecord(r *request) answer {
	d := c.domain(r.PathValue("domain"))
	if d == nil {
		return notFound
	}
	rec := &Record{Domain: d.name, TTL: 1800}
	if a := rec.fill(r, d); a.refused() {
		return a
	}
	rec.ID = c.number("record")
	d.records = append(d.records, rec)
	c.fresh[rec.urn()] = &fresh{lists: c.options.UnservedLooks}
	return created(object{"domain_record": showRecord(rec)})
}

func (c *Cloud) editRecord(r *request) answer {
	d, rec := c.record(r)
	if rec == nil {
		return notFound
	}
	changed := *rec
	if a := changed.fill(r, d); a.refused() {
		return a
	}
	*rec = changed
	return ok(object{"domain_record": showRecord(rec)})
}

// fill takes what the body has.
func (rec *Record) fill(r *request, d *domain) answer {
	for k, p := range map[string]*string{"type": &rec.Type, "name": &rec.Name, "data": &rec.Data, "tag": &rec.Tag} {
		if r.has(k) {
			*p = r.text(k)
		}
	}
	if r.has("ttl") {
		rec.TTL = r.number("ttl")
	}
	for k, p := range map[string]**int{"priority": &rec.Priority, "port": &rec.Port, "weight": &rec.Weight, "flags": &rec.Flags} {
		// A client sends 0 where it means nothing; types that have no such field keep none.
		if n := r.number(k); r.has(k) && (n != 0 || slices.Contains([]string{"MX", "SRV", "CAA"}, rec.Type)) {
			*p = &n
		}
	}
	ip, err := netip.ParseAddr(rec.Data)
	switch {
	case !slices.Contains([]string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"}, rec.Type):
		return invalid("Type is not included in the list")
	case rec.Name == "":
		return invalid("Name can't be blank")
	case rec.Data == "":
		return invalid("Data can't be blank")
	case rec.Type == "A" && (err != nil || !ip.Is4()):
		return invalid("Data needs to be a valid IPv4 address")
	case rec.Type == "AAAA" && (err != nil || !ip.Is6()):
		return invalid("Data needs to be a valid IPv6 address")
	case rec.TTL < 30:
		return invalid("TTL must be greater than or equal to 30")
	}
	for _, o := range d.records {
		if o.ID != rec.ID && strings.EqualFold(o.Name, rec.Name) && (o.Type == "CNAME" || rec.Type == "CNAME" && o.Type != "SOA") {
			return invalid("CNAME records cannot share a name with other records")
		}
	}
	return answer{}
}

func (c *Cloud) deleteRecord(r *request) answer {
	d, rec := c.record(r)
	if rec == nil {
		return notFound
	}
	d.records = without(d.records, rec)
	return done
}
