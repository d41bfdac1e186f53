package remotetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Database is a PostgreSQL on none of the hosts, as a managed one is. It listens on a loopback address that every host reaches.
type Database struct {
	// What it says of itself, and what it lets in. Change them through Set.
	Version        string
	User, Password string
	Name           string
	Plain          bool              // it speaks no TLS
	Answers        map[string]string // in place of what it would answer, by column

	fleet    *Fleet
	listener net.Listener
	config   *tls.Config
	ca       []byte
	content  *database
	work     sync.WaitGroup
}

// Database makes one with an authority of its own, for user "doadmin" and database "prefect".
func (f *Fleet) Database() (*Database, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Database{Version: "170005", User: "doadmin", Password: "managed p/w:" + strings.Repeat("x", 20), Name: "prefect", fleet: f, listener: l, content: newDatabase("")}
	if d.config, d.ca, err = selfSigned(); err != nil {
		_ = l.Close()
		return nil, err
	}
	f.mu.Lock()
	f.databases = append(f.databases, d)
	f.mu.Unlock()
	d.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.work.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				_ = d.serve(conn)
			})
		}
	})
	return d, nil
}

func newDatabase(password string) *database {
	return &database{password: password, queues: map[string]time.Time{}, deployments: map[string]Deployment{}, running: map[string]int{}}
}

// CA is the certificate of its authority, PEM.
func (d *Database) CA() []byte { return slices.Clone(d.ca) }

// URL leads to it.
func (d *Database) URL() string {
	u := url.URL{Scheme: "postgresql", User: url.UserPassword(d.User, d.Password), Host: d.listener.Addr().String(), Path: "/" + d.Name, RawQuery: "sslmode=require"}
	return u.String()
}

// Set changes it.
func (d *Database) Set(change func(*Database)) {
	d.fleet.engines.Lock()
	defer d.fleet.engines.Unlock()
	change(d)
}

// Empty loses all that is in it; restore brings it back.
func (d *Database) Empty() (restore func()) {
	var kept *database
	d.Set(func(d *Database) { kept, d.content = d.content, newDatabase("") })
	return func() { d.Set(func(d *Database) { d.content = kept }) }
}

// Migrated says whether Prefect's tables are in it.
func (d *Database) Migrated() bool {
	d.fleet.engines.Lock()
	defer d.fleet.engines.Unlock()
	return d.content.migrated
}

func (d *Database) close() {
	_ = d.listener.Close()
	d.work.Wait()
}

// serve is one conversation: TLS, login, and the one question that is asked from outside.
func (d *Database) serve(conn net.Conn) error {
	backend := pgproto3.NewBackend(conn, conn)
	message, err := backend.ReceiveStartupMessage()
	if err != nil {
		return err
	}
	if _, ok := message.(*pgproto3.SSLRequest); ok {
		d.fleet.engines.Lock()
		plain := d.Plain
		d.fleet.engines.Unlock()
		if plain {
			_, err := conn.Write([]byte("N"))
			return err
		}
		if _, err := conn.Write([]byte("S")); err != nil {
			return err
		}
		secure := tls.Server(conn, d.config)
		if err := secure.HandshakeContext(context.Background()); err != nil {
			return err
		}
		backend = pgproto3.NewBackend(secure, secure)
		if message, err = backend.ReceiveStartupMessage(); err != nil {
			return err
		}
	}
	start, ok := message.(*pgproto3.StartupMessage)
	if !ok {
		return errors.New("no startup message")
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := backend.Flush(); err != nil {
		return err
	}
	if err := backend.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
		return err
	}
	said, err := backend.Receive()
	if err != nil {
		return err
	}
	password, _ := said.(*pgproto3.PasswordMessage)
	refuse := func(code, text string) error {
		backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: text})
		return backend.Flush()
	}
	d.fleet.engines.Lock()
	user, name := start.Parameters["user"], start.Parameters["database"]
	in, there, answer := password != nil && user == d.User && password.Password == d.Password, name == d.Name, d.answer()
	d.fleet.engines.Unlock()
	switch {
	case !in:
		return refuse("28P01", fmt.Sprintf("password authentication failed for user %q", user))
	case !there:
		return refuse("3D000", fmt.Sprintf("database %q does not exist", name))
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	for {
		backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if err := backend.Flush(); err != nil {
			return err
		}
		asked, err := backend.Receive()
		if err != nil {
			return err
		}
		query, ok := asked.(*pgproto3.Query)
		if !ok {
			return nil
		}
		if !strings.HasPrefix(query.String, "select current_setting('server_version_num'),") {
			return refuse("42601", "the simulation does not know: "+query.String)
		}
		row, fields := &pgproto3.DataRow{}, &pgproto3.RowDescription{}
		for _, value := range answer {
			row.Values = append(row.Values, []byte(value))
			fields.Fields = append(fields.Fields, pgproto3.FieldDescription{Name: []byte("?column?"), DataTypeOID: 25, DataTypeSize: -1})
		}
		backend.Send(fields)
		backend.Send(row)
		backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	}
}

// columns are those of the question.
var columns = []string{"version", "read_only", "encoding", "schema", "may_create", "may_extend", "trigrams", "can_trigram", "tables", "prefects", "not_ours"}

func (d *Database) answer() (out []string) {
	all := map[string]string{
		"version": d.Version, "read_only": "f", "encoding": "UTF8", "schema": "public", "may_create": "t", "may_extend": "t", "trigrams": "f", "can_trigram": "t",
		"tables": "0", "prefects": "f", "not_ours": "0",
	}
	if d.content.migrated {
		maps.Copy(all, map[string]string{"trigrams": "t", "tables": "35", "prefects": "t"})
	}
	maps.Copy(all, d.Answers)
	for _, column := range columns {
		out = append(out, all[column])
	}
	return out
}

// managed is the database that a url of SQLAlchemy leads to; why it does not let in.
func (f *Fleet) managed(where string, tls bool) (_ *database, why string) {
	u, err := url.Parse(where)
	if err != nil {
		return nil, "sqlalchemy.exc.ArgumentError: Could not parse SQLAlchemy URL from given URL string"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.databases {
		if d.listener.Addr().String() != u.Host {
			continue
		}
		password, _ := u.User.Password()
		switch {
		case u.Scheme != "postgresql+asyncpg" || u.RawQuery != "":
			return nil, "sqlalchemy.exc.NoSuchModuleError: Can't load plugin"
		case !tls:
			return nil, "asyncpg.exceptions.InvalidAuthorizationSpecificationError: no pg_hba.conf entry, no encryption"
		case u.User.Username() != d.User || password != d.Password || u.Path != "/"+d.Name:
			return nil, fmt.Sprintf("asyncpg.exceptions.InvalidPasswordError: password authentication failed for user %q", u.User.Username())
		}
		return d.content, ""
	}
	return nil, "socket.gaierror: [Errno -2] Name or service not known"
}

// selfSigned is a server's certificate for the loopback address, and its authority.
func selfSigned() (*tls.Config, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "managed database"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return config, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
