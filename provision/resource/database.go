package resource

import (
	"context"
	"fmt"

	"provision/remote"
)

// DatabaseLogin is the fact that the password in the file opens the database. PostgreSQL takes the
// file only when it initialises an empty volume; afterwards the role itself is changed, over the
// local socket. That heals a rotation, a run killed between two files, and a lost file.
type DatabaseLogin struct {
	Host, Container string
	Password        ID // mounted as /run/secrets/password
}

var (
	_ Resource = (*DatabaseLogin)(nil)
	_ Checker  = (*DatabaseLogin)(nil)
)

// DatabaseLoginID is the ID of the database's login on a host.
func DatabaseLoginID(host string) ID { return ID{host, "database", "login"} }

func (d *DatabaseLogin) ID() ID      { return DatabaseLoginID(d.Host) }
func (d *DatabaseLogin) Needs() []ID { return []ID{d.Password, ServiceID(d.Host, d.Container)} }

// tryLogin ends with 0 if the login works, 3 if the password is refused, and otherwise if that
// could not be found out.
const tryLogin = `export PGPASSWORD="$(cat /run/secrets/password)" PGCONNECT_TIMEOUT=5
x=$(psql -h 127.0.0.1 -U prefect -d prefect -Atqc 'select 1' 2>&1) && exit 0
case $x in *'password authentication failed'*) exit 3 ;; esac
printf '%s\n' "$x"; exit 4`

func (d *DatabaseLogin) Probe(s *Script) {
	inside(s)
	s.Beside(d.ID(), fmt.Sprintf(`if inside %s sh -c %s; then case $rc in 0) yes ;; 3) no; v refused yes ;; *) unknown "$x" ;; esac; fi`,
		remote.Quote(d.Container), remote.Quote(tryLogin)))
}

func (d *DatabaseLogin) Diff(w World) []Change {
	rec, know := w.Fact(d.ID())
	switch {
	case w.Pending(d.Password) && know != No:
		return []Change{{ID: d.ID(), Act: Modify, Why: "the password changes"}}
	case know == No && rec.Fields["refused"] != "":
		return []Change{{ID: d.ID(), Act: Modify, Why: "the database refuses the password in the file"}}
	}
	return nil
}

func (d *DatabaseLogin) Do(ctx context.Context, r *Run, _ Change) error {
	// The statement goes through standard input and is not logged: a password in it would stay in
	// the server's log otherwise.
	_, err := r.Sh(ctx, d.Host, fmt.Sprintf(`c=%s
docker exec "$c" sh -c %s || [ $? -eq 3 ] || die "the database does not answer"
pw=$(cat %s)
case $pw in ''|*[!A-Za-z0-9_-]*) die "the password file holds characters that a database url cannot" ;; esac
{ printf "set log_statement = 'none'; set log_min_error_statement = 'panic';\nalter role prefect password '%%s';\n" "$pw"; } | docker exec -i "$c" psql -v ON_ERROR_STOP=1 -qU prefect -d prefect
docker exec "$c" sh -c %s`, remote.Quote(d.Container), remote.Quote(tryLogin), remote.Quote(d.Password.Name), remote.Quote(tryLogin)))
	return err
}

func (d *DatabaseLogin) Check(w World) []Problem {
	if rec, know := w.Fact(d.ID()); know != Yes {
		return []Problem{{ID: d.ID(), What: "the login to the database does not work", Evidence: rec.Why}}
	}
	return nil
}
