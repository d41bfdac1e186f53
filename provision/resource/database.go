package resource

import (
	"context"
)

// DatabaseLogin is the fact that the password in the file opens the database. PostgreSQL takes the
// file only when it initialises an empty volume; afterwards the role itself is changed, over the
// local socket. That heals a rotation, a run killed between two files, and a lost file.
type DatabaseLogin struct {
	Host, Container string
	Password        ID // mounted as /run/secrets/password
	Volume          ID // with the data, which have a password of their own
}

var (
	_ Resource = (*DatabaseLogin)(nil)
	_ Checker  = (*DatabaseLogin)(nil)
)

// DatabaseLoginID is the ID of the database's login on a host.
func DatabaseLoginID(host string) ID { return ID{host, "database", "login"} }

func (d *DatabaseLogin) ID() ID      { return DatabaseLoginID(d.Host) }
func (d *DatabaseLogin) Needs() []ID { return []ID{d.Password, ServiceID(d.Host, d.Container)} }

func (d *DatabaseLogin) Probe(s *Script) {
	inside(s)
	s.Concurrent(d.ID(), scripts.With("database_probe", "c", d.Container, "try", tryPassword()))
}

func (d *DatabaseLogin) Diff(w World) []Change {
	rec, know := w.Fact(d.ID())
	_, data := w.Fact(d.Volume)
	switch {
	// Without a container nobody could be asked, but data that are there have a password, and not the one that is about to be made.
	case w.Pending(d.Password) && (know != No || data == Yes):
		return []Change{{ID: d.ID(), Act: Modify, Why: "the password changes"}}
	case know == No && rec.Fields["refused"] != "":
		return []Change{{ID: d.ID(), Act: Modify, Why: "the database refuses the password in the file"}}
	}
	return nil
}

func (d *DatabaseLogin) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, d.Host, scripts.With("database_change", "c", d.Container, "try", tryPassword(), "password", d.Password.Name))
	return err
}

func (d *DatabaseLogin) Check(w World) []Problem {
	if rec, know := w.Fact(d.ID()); know != Yes {
		return []Problem{{ID: d.ID(), What: "the login to the database does not work", Evidence: rec.Why}}
	}
	return nil
}

// tryPassword is run in the database's container.
func tryPassword() string {
	return scripts.With("database_try", "refused", foreign.Text(passwordRefused))
}
