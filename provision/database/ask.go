package database

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"provision/remote"
)

// What an answer says, by the names of its fields.
const (
	Failed  = "failed" // why there is no answer: one of the failures; everything else is missing then
	Said    = "said"   // in the words of who failed
	Version = "version"
	// ReadOnly, Encoding and the rest are as PostgreSQL has them: "t" and "f", numbers, names.
	ReadOnly   = "read_only"
	Encoding   = "encoding"
	Schema     = "schema"      // in which tables are made; "" is none
	MayCreate  = "may_create"  // tables
	MayExtend  = "may_extend"  // extensions
	Trigrams   = "trigrams"    // pg_trgm is there
	CanTrigram = "can_trigram" // pg_trgm could be made there
	Tables     = "tables"      // how many there are in the schema
	Prefects   = "prefects"    // Prefect's own are there
	NotOurs    = "not_ours"    // tables that the user may not change
)

// The failures.
const (
	Forbidden   = "forbidden"   // the host's SSH server forwards nothing, so it could not be asked
	Unreachable = "unreachable" // from the host
	Plain       = "plain"       // it does not speak TLS
	Certificate = "certificate" // it shows none that is trusted
	Login       = "login"       // it refuses user or password
	Missing     = "missing"     // it has no database of that name
	Other       = "other"
)

// patience is for the whole conversation.
const patience = 20 * time.Second

// asked are the fields, in the order of the question's columns.
var asked = []string{Version, ReadOnly, Encoding, Schema, MayCreate, MayExtend, Trigrams, CanTrigram, Tables, Prefects, NotOurs}

const question = `select current_setting('server_version_num'),
 pg_is_in_recovery() or current_setting('transaction_read_only') = 'on',
 current_setting('server_encoding'),
 coalesce(current_schema(), ''),
 coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
 has_database_privilege(current_database(), 'CREATE'),
 exists (select from pg_extension where extname = 'pg_trgm'),
 exists (select from pg_available_extensions where name = 'pg_trgm'),
 (select count(*) from pg_tables where schemaname = current_schema()),
 (select count(*) = 2 from pg_tables where schemaname = current_schema() and tablename in ('alembic_version', 'flow_run')),
 (select count(*) from pg_tables where schemaname = current_schema() and not pg_has_role(tableowner, 'USAGE'))`

// Ask logs in over a connection that dial makes, with TLS and a certificate that the roots or the controller's own vouch for, and gives what the
// server says of itself. It changes nothing there. The answer holds nothing of the password.
func Ask(ctx context.Context, dial func(ctx context.Context, address string) (net.Conn, error), u URL, roots *x509.CertPool) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// What the environment says about databases (PGHOST and others) is not ours: each field is set.
	config, err := pgconn.ParseConfig("host=unused sslmode=disable target_session_attrs=any")
	if err != nil {
		return failure(Other, "the controller's PG... variables: "+remote.Sanitize(err.Error()))
	}
	config.Host, config.Port, config.Database, config.User, config.Password = u.Host, 0, u.Name, u.User, u.password
	config.Fallbacks, config.RuntimeParams = nil, map[string]string{"application_name": "provision"}
	// The certificate is verified. For one without a hash of its own (Ed25519) pgx would claim that the server cannot bind, which servers that can refuse.
	config.ChannelBinding = "disable"
	config.TLSConfig = &tls.Config{ServerName: u.Host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	var dialled error
	var heard *listened
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var conn net.Conn
		if conn, dialled = dial(ctx, u.Address()); dialled != nil {
			return nil, dialled
		}
		heard = &listened{Conn: conn}
		return heard, nil
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		if heard != nil && heard.first == 'N' {
			return failure(Plain, "it answers without TLS only")
		}
		return explain(ctx, dialled, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	results, err := conn.Exec(ctx, question).ReadAll()
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != len(asked) {
		return explain(ctx, nil, errors.Join(err, errors.New("the answer is not one row")))
	}
	answer := map[string]string{}
	for n, field := range asked {
		answer[field] = string(results[0].Rows[0][n])
	}
	return answer
}

// listened keeps the first byte of the answer: to the request for TLS that is "S", or "N" where there is none.
type listened struct {
	net.Conn
	first byte
}

func (l *listened) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if n > 0 && l.first == 0 {
		l.first = b[0]
	}
	return n, err
}

func failure(kind, said string) map[string]string {
	return map[string]string{Failed: kind, Said: remote.Sanitize(said)}
}

// explain sorts what went wrong.
func explain(ctx context.Context, dialled, err error) map[string]string {
	var host *remote.Error
	var server *pgconn.PgError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(dialled, &host) && host.Kind == remote.Busy:
		return failure(Forbidden, host.Err.Error())
	case errors.As(dialled, &host) && host.Kind == remote.Failed:
		return failure(Unreachable, fmt.Sprintf("%v: %s", host.Err, host.Evidence))
	case dialled != nil:
		return failure(Unreachable, dialled.Error())
	case errors.As(err, &server):
		said := server.Severity + ": " + server.Message
		switch server.Code {
		case "28P01", "28000":
			return failure(Login, said)
		case "3D000":
			return failure(Missing, said)
		}
		return failure(Other, said)
	case errors.As(err, &certificate):
		return failure(Certificate, certificate.Err.Error())
	case ctx.Err() != nil:
		return failure(Unreachable, fmt.Sprintf("no answer within %s", patience))
	}
	var connect *pgconn.ConnectError
	if inner := errors.Unwrap(err); errors.As(err, &connect) && inner != nil {
		err = inner
	}
	return failure(Unreachable, err.Error())
}
