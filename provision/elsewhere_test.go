package provision_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/provision"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// elsewhere is a site whose database is not on its hosts.
func elsewhere(t *testing.T, l layout) (*site, *remotetest.Database) {
	t.Helper()
	dir := t.TempDir()
	l.top = "url = \"https://prefect.demo.test\"\n[site]\nca_certificates = [\"managed.pem\"]\n"
	l.stack = prefect3 + "[postgres]\nurl = { file = \"database-url\" }\n"
	s := arrangeIn(t, dir, l)
	t.Cleanup(func() {
		if unknown := s.fleet.Unknown(); len(unknown) > 0 {
			t.Errorf("the simulation does not know: %q", unknown)
		}
		s.fleet.Close()
	})
	db, err := s.fleet.Database()
	if err != nil {
		t.Fatal(err)
	}
	s.write(filepath.Join(dir, "managed.pem"), string(db.CA()))
	s.write(filepath.Join(dir, "database-url"), db.URL()+"\n")
	return s, db
}

func running(h *remotetest.Host) (names []string) {
	for _, c := range h.Containers() {
		names = append(names, strings.TrimPrefix(c.Name, "/"))
	}
	slices.Sort(names)
	return names
}

// TestDatabaseElsewhere: the stack's data are in a database that is not its own, and nothing is left in the dark about where they are.
func TestDatabaseElsewhere(t *testing.T) {
	t.Parallel()
	s, db := elsewhere(t, split)
	s.converge()
	if got, want := running(s.server), []string{"prefect-caddy", "prefect-server"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if !db.Migrated() {
		t.Error("the tables are not there")
	}
	sh(t, s, 0, "[ ! -e "+base+"/server/secrets/postgres ] && [ \"$(docker volume ls -q | grep -c postgres)\" = 0 ] && grep -q 127.0.0.1 "+base+"/database")
	secret := base + "/server/secrets/server/database_url"
	sh(t, s, 0, "[ \"$(stat -c %u:%a "+secret+")\" = 10001:400 ] && grep -q asyncpg "+secret+" && ! cat "+base+"/server/compose.yaml "+base+"/database | grep -q managed")
	if exposed := s.server.Exposed("managed%20p"); len(exposed) > 0 {
		t.Errorf("the password was seen: %q", exposed)
	}
	v := s.attempt()
	if err := v.Verify(v.ctx, nil); err != nil {
		t.Error(explain(err))
	}
	v.end()

	// Another password there, then here.
	db.Set(func(d *remotetest.Database) { d.Password = "another one:/@" + strings.Repeat("y", 20) })
	s.refusedWith(report.ExitPreflight, "127.0.0.1", `it refuses user "doadmin"`, "correct user and password of the url")
	v = s.attempt()
	if err := v.Verify(v.ctx, nil); err == nil || !strings.Contains(explain(err), "it refuses user") {
		t.Errorf("verify: %s", explain(err))
	}
	v.end()
	s.write(filepath.Join(filepath.Dir(s.inventory), "database-url"), db.URL())
	s.converge()

	// Several servers, and back.
	s.stack(prefect3 + "[postgres]\nurl = { file = \"database-url\" }\n[scale]\nservers = 2\n")
	s.converge()
	if got, want := running(s.server), []string{"prefect-caddy", "prefect-server", "prefect-server-2", "prefect-services", "prefect-valkey"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	s.stack(prefect3 + "[postgres]\nurl = { file = \"database-url\" }\n")
	s.converge()

	// The key is as precious as with a database of the stack's own.
	key := base + "/server/secrets/server/encryption_key"
	sh(t, s, 0, "mv "+key+" /root/kept")
	s.refused("encryption_key", "the file does not exist", "give the stack an empty database")
	sh(t, s, 0, "mv /root/kept "+key)

	db.Set(func(d *remotetest.Database) { d.Answers = map[string]string{"not_ours": "35"} })
	s.refusedWith(report.ExitPreflight, "35 tables of database", "REASSIGN OWNED")
	db.Set(func(d *remotetest.Database) { d.Answers = nil })

	// Nobody makes an empty database in its place: not there, not in another one, not on the host.
	restore := db.Empty()
	s.refused("the stack's data were there, and it is empty now", "restore a dump")
	restore()
	s.unchanged()
	second, err := s.fleet.Database()
	if err != nil {
		t.Fatal(err)
	}
	s.write(filepath.Join(filepath.Dir(s.inventory), "managed.pem"), string(second.CA()))
	s.write(filepath.Join(filepath.Dir(s.inventory), "database-url"), second.URL())
	s.refused("the stack's data are in the database 127.0.0.1:", "and this one is empty")
	s.stack(prefect3)
	s.refused("the stack's data are in the database 127.0.0.1:", "put postgres.url back")
}

// TestDatabaseMoves: data that are on the host are not left behind for an empty database elsewhere, and are let go where the other one has them.
func TestDatabaseMoves(t *testing.T) {
	t.Parallel()
	s, db := elsewhere(t, single)
	s.stack(prefect3)
	s.converge()
	s.stack(prefect3 + "[postgres]\nurl = { file = \"database-url\" }\n")
	s.refused("the stack's data are on the host itself (volume prefect-postgres)", "restore a dump of them into this one first")
	db.Set(func(d *remotetest.Database) {
		d.Answers = map[string]string{"prefects": "t", "tables": "35", "trigrams": "t"}
	})
	s.converge()
	if got := running(s.server); slices.Contains(got, "prefect-postgres") {
		t.Errorf("%q", got)
	}
	sh(t, s, 0, "docker volume inspect prefect-postgres >/dev/null")
	s.stack(prefect3)
	s.refused("which the stack file does not name any more", "docker volume rm prefect-postgres")
}

// TestDatabaseUnfit: what stands against a database is said before anything is changed on a blank host.
func TestDatabaseUnfit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		make  func(*remotetest.Database)
		words []string
	}{
		{"old", func(d *remotetest.Database) { d.Version = "140008" }, []string{"it is PostgreSQL 14.8, and the stack needs 14.9 or newer"}},
		{"replica", func(d *remotetest.Database) { d.Answers = map[string]string{"read_only": "t"} }, []string{"it is read-only"}},
		{"encoding", func(d *remotetest.Database) { d.Answers = map[string]string{"encoding": "SQL_ASCII"} }, []string{`the encoding of database "prefect" is SQL_ASCII`}},
		{"no extension", func(d *remotetest.Database) { d.Answers = map[string]string{"can_trigram": "f"} }, []string{"it has no extension pg_trgm"}},
		{"may not extend", func(d *remotetest.Database) { d.Answers = map[string]string{"may_extend": "f"} }, []string{"may not make the extension pg_trgm", "CREATE EXTENSION pg_trgm"}},
		{"may not create", func(d *remotetest.Database) { d.Answers = map[string]string{"may_create": "f"} }, []string{`user "doadmin" may not make tables`, "GRANT CREATE ON SCHEMA public"}},
		{"no schema", func(d *remotetest.Database) { d.Answers = map[string]string{"schema": ""} }, []string{"may not make tables"}},
		{"somebody else's", func(d *remotetest.Database) { d.Answers = map[string]string{"tables": "3"} }, []string{"has 3 tables that are not Prefect's", "a database of its own"}},
		{"plain", func(d *remotetest.Database) { d.Plain = true }, []string{"without TLS only", "switch on TLS"}},
		{"password", func(d *remotetest.Database) { d.Password = "other" }, []string{`it refuses user "doadmin"`}},
		{"name", func(d *remotetest.Database) { d.Name = "other" }, []string{`database "prefect" does not exist`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, db := elsewhere(t, single)
			db.Set(tt.make)
			s.refusedWith(report.ExitPreflight, tt.words...)
			sh(t, s, 0, "[ ! -e "+base+" ] && ! command -v docker")
		})
	}
	t.Run("certificate", func(t *testing.T) {
		t.Parallel()
		s, _ := elsewhere(t, single)
		other, err := s.fleet.Database()
		if err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Join(filepath.Dir(s.inventory), "managed.pem"), string(other.CA()))
		s.refusedWith(report.ExitPreflight, "its certificate is not trusted", "[site] ca_certificates")
	})
	t.Run("forwarding", func(t *testing.T) {
		t.Parallel()
		s, _ := elsewhere(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.Login.NoForwarding = true }})
		s.refusedWith(report.ExitPreflight, "forwards no connections", "AllowTcpForwarding local")
	})
	t.Run("url", func(t *testing.T) {
		t.Parallel()
		s, _ := elsewhere(t, single)
		s.write(filepath.Join(filepath.Dir(s.inventory), "database-url"), "postgresql://u:secret@h/d?sslmode=disable")
		_, err := provision.Load(t.Context(), s.inventory, "")
		if text := explain(err); !isCode(err, report.ExitUsage) || !strings.Contains(text, "certificates are always verified") || strings.Contains(text, "secret@") {
			t.Error(text)
		}
	})
}
