package resource

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"

	"provision/provision/database"
	"provision/remote"
)

// Asker is a resource of which a part is found out over the host's connection, at a place that maybe only the host reaches. Ask gives the whole fact.
type Asker interface {
	Ask(ctx context.Context, dial func(ctx context.Context, address string) (net.Conn, error), probed Fact) Fact
}

// DatabaseElsewhere is a PostgreSQL that is not the stack's own container. Before anything is changed it has to let the stack in, over TLS, and to be able to
// hold its data. As soon as Prefect's tables are there, a mark on the server host says so, and no empty database takes their place.
type DatabaseElsewhere struct {
	Host, Stack string
	URL         database.URL
	Roots       *x509.CertPool // nil: the controller's own
	// Oldest is the oldest version that serves, as PostgreSQL counts: 140009 is 14.9.
	Oldest int
	Volume ID // of the stack's own database, which may be here from before
	After  []ID
}

var (
	_ Resource = (*DatabaseElsewhere)(nil)
	_ Checker  = (*DatabaseElsewhere)(nil)
	_ Asker    = (*DatabaseElsewhere)(nil)
)

// DatabaseElsewhereID is the ID of a database that is not on the host itself.
func DatabaseElsewhereID(host, place string) ID { return ID{host, "database", place} }

// ElsewherePath is the mark of a stack whose data are in a database elsewhere.
func ElsewherePath(stack string) string { return Root + "/" + stack + "/database" }

func (d *DatabaseElsewhere) ID() ID          { return DatabaseElsewhereID(d.Host, d.URL.Place()) }
func (d *DatabaseElsewhere) Needs() []ID     { return d.After }
func (d *DatabaseElsewhere) Paths() []string { return []string{ElsewherePath(d.Stack)} }

func (d *DatabaseElsewhere) Probe(s *Script) {
	s.Record(d.ID(), scripts.With("elsewhere_probe", "mark", ElsewherePath(d.Stack)))
}

// Ask adds what the database says. Where it holds Prefect's tables, the data exist.
func (d *DatabaseElsewhere) Ask(ctx context.Context, dial func(ctx context.Context, address string) (net.Conn, error), probed Fact) Fact {
	answer := database.Ask(ctx, dial, d.URL, d.Roots)
	out := Fact{Record: Record{Fields: maps.Clone(probed.Fields), Why: probed.Why}, Know: probed.Know}
	if out.Fields == nil {
		out.Fields = map[string]string{}
	}
	maps.Copy(out.Fields, answer)
	switch {
	case answer[database.Prefects] == "t":
		out.Know = Yes
	case answer[database.Failed] != "" && probed.Know == No:
		out.Know, out.Why = Unknown, "the database could not be asked"
	}
	return out
}

func (d *DatabaseElsewhere) Diff(w World) []Change {
	rec, know := w.Fact(d.ID())
	was := strings.TrimSpace(rec.Fields["place"])
	if why, hint := d.unfit(rec, was); why != "" {
		return []Change{{ID: d.ID(), Act: Refuse, Risk: Preflight, Why: why, Hint: hint}}
	}
	if rec.Fields[database.Version] == "" {
		return nil
	}
	if rec.Fields[database.Prefects] == "t" {
		switch was {
		case d.URL.Place():
			return nil
		case "":
			return []Change{{ID: d.ID(), Act: Add, Why: "the note that the stack's data are there is missing"}}
		}
		return []Change{{ID: d.ID(), Act: Modify, Why: "the stack's data were in " + remote.Sanitize(was)}}
	}
	if w.Option("new-data") {
		return nil
	}
	refuse := Change{ID: d.ID(), Act: Refuse, Risk: Data}
	switch _, own := w.Fact(d.Volume); {
	case was == d.URL.Place():
		refuse.Why = "the stack's data were there, and it is empty now"
		refuse.Hint = "restore a dump into it; or start with empty data: provision apply --new-data"
	case was != "":
		refuse.Why = fmt.Sprintf("the stack's data are in the database %s, and this one is empty", remote.Sanitize(was))
		refuse.Hint = "restore a dump of that one into this one first; or start with empty data: provision apply --new-data"
	case own == Yes:
		refuse.Why = fmt.Sprintf("the stack's data are on the host itself (%s), and this database is empty", d.Volume)
		refuse.Hint = "restore a dump of them into this one first; or start with empty data: provision apply --new-data"
	case own == Unknown && know != Unknown:
		refuse.Why = fmt.Sprintf("whether the stack's data are on the host itself (%s) is not known, and this database is empty", d.Volume)
		refuse.Hint = "start Docker there first; or start with empty data: provision apply --new-data"
	default:
		return nil
	}
	return []Change{refuse}
}

// unfit says why the database cannot have the stack's data; "" if it can, or if it has them and the host does not let it be asked.
func (d *DatabaseElsewhere) unfit(rec Record, was string) (why, hint string) {
	said := remote.Sanitize(rec.Fields[database.Said])
	name := fmt.Sprintf("database %q", d.URL.Name)
	switch rec.Fields[database.Failed] {
	case "":
	case database.Forbidden:
		if was == d.URL.Place() {
			return "", ""
		}
		return "it cannot be asked before anything is changed: the SSH server of " + d.Host + " forwards no connections",
			fmt.Sprintf("allow it for this login, at least for the first time: AllowTcpForwarding local, and %s in PermitOpen if that is set", d.URL.Address())
	case database.Unreachable:
		return "it cannot be reached from " + d.Host + ": " + said, "check the url's host and port, and that the database's firewall (trusted sources) lets this host in"
	case database.Plain:
		return said, "switch on TLS there: logins and data would cross the network readable"
	case database.Certificate:
		return "its certificate is not trusted: " + said, "put the certificate of its authority into a file that [site] ca_certificates of the inventory names; the url must have the name that the certificate is for"
	case database.Login:
		return fmt.Sprintf("it refuses user %q: %s", d.URL.User, said), "correct user and password of the url"
	case database.Missing:
		return said, "make it there, or correct the url's last part"
	default:
		return "it does not answer: " + said, "see the database's own log"
	}
	if rec.Fields[database.Version] == "" {
		return "", "" // not asked yet: the host is to be made
	}
	version, _ := strconv.Atoi(rec.Fields[database.Version])
	switch is := func(field string) bool { return rec.Fields[field] == "t" }; {
	case version < d.Oldest:
		return fmt.Sprintf("it is PostgreSQL %s, and the stack needs %s or newer", release(version), release(d.Oldest)), "upgrade it, or take another one"
	case is(database.ReadOnly):
		return "it is read-only: a replica, or its disk is full", "give the url of the one that is written to"
	case rec.Fields[database.Encoding] != "UTF8":
		return fmt.Sprintf("the encoding of %s is %s", name, remote.Sanitize(rec.Fields[database.Encoding])), "make one with encoding UTF8"
	case !is(database.Trigrams) && rec.Fields[database.CanTrigram] != "t":
		return "it has no extension pg_trgm, which Prefect's search needs", "install it there (package postgresql-contrib), or take another database"
	case !is(database.Trigrams) && !is(database.MayExtend):
		return fmt.Sprintf("user %q may not make the extension pg_trgm in %s", d.URL.User, name), fmt.Sprintf("as its owner: CREATE EXTENSION pg_trgm; or GRANT CREATE ON DATABASE %q TO %q", d.URL.Name, d.URL.User)
	case rec.Fields[database.Schema] == "" || !is(database.MayCreate):
		return fmt.Sprintf("user %q may not make tables in %s", d.URL.User, name), fmt.Sprintf("as its owner: ALTER DATABASE %q OWNER TO %q, or GRANT CREATE ON SCHEMA public TO %q", d.URL.Name, d.URL.User, d.URL.User)
	case !is(database.Prefects) && rec.Fields[database.Tables] != "0":
		return fmt.Sprintf("%s has %s tables that are not Prefect's", name, remote.Sanitize(rec.Fields[database.Tables])), "give the stack a database of its own"
	case rec.Fields[database.NotOurs] != "0":
		return fmt.Sprintf("%s tables of %s belong to another user than %q", remote.Sanitize(rec.Fields[database.NotOurs]), name, d.URL.User), fmt.Sprintf("as their owner: REASSIGN OWNED BY CURRENT_USER TO %q", d.URL.User)
	}
	return "", ""
}

// release is a version as people write it.
func release(version int) string { return fmt.Sprintf("%d.%d", version/10000, version%10000) }

func (d *DatabaseElsewhere) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, d.Host, scripts.With("elsewhere_change", "mark", ElsewherePath(d.Stack), "place", d.URL.Place()))
	return err
}

func (d *DatabaseElsewhere) Check(w World) []Problem {
	rec, _ := w.Fact(d.ID())
	if why, hint := d.unfit(rec, strings.TrimSpace(rec.Fields["place"])); why != "" {
		return []Problem{{ID: d.ID(), What: why, Hint: hint}}
	}
	return nil
}
