//go:build linux && e2e

package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"provision/e2e/lab"
)

// databaseAuthority is the authority of a database's provider. It is the same each time, so that images that trust it are, too.
type databaseAuthority struct {
	key         ed25519.PrivateKey
	certificate *x509.Certificate
}

func (s *site) databaseAuthority() databaseAuthority {
	s.Helper()
	seed := sha256.Sum256([]byte("the authority of a provider of databases, in tests"))
	key := ed25519.NewKeyFromSeed(seed[:])
	out := databaseAuthority{key, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A provider of databases"}, NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte{4, 3, 2, 1},
	}}
	der, err := x509.CreateCertificate(rand.Reader, out.certificate, out.certificate, key.Public(), key)
	if err != nil {
		s.Fatal(err)
	}
	dir := filepath.Dir(s.inventory)
	if err := os.WriteFile(filepath.Join(dir, "provider.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		s.Fatal(err)
	}
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		s.Fatal(err)
	}
	if strings.Contains(string(text), "ca_certificates = [") {
		s.edit("inventory.toml", "ca_certificates = [", `ca_certificates = ["provider.pem", `)
	} else {
		s.edit("inventory.toml", "[site]", "[site]\nca_certificates = [\"provider.pem\"]")
	}
	return out
}

// certified puts a certificate for an address, and its key, where the database of that host reads them.
func (s *site) certified(a databaseAuthority, h *lab.Host, address string) {
	s.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: address}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		IPAddresses: []net.IP{net.ParseIP(address)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, public, a.key)
	if err != nil {
		s.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.Fatal(err)
	}
	s.on(h, "install -d -o 999 -m 0700 /root/managed && cd /root/managed && cat >server.crt <<'END'\n"+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		"END\ncat >server.key <<'END'\n"+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))+"END\nchown 999:999 server.*; chmod 0400 server.key")
}

// elsewhere3 moves the stack's data into a database that is not its own: one that a provider runs, with TLS by an authority of its own, and a user that
// may do no more than it must.
func (s *site) elsewhere3(a databaseAuthority, server, worker *lab.Host) {
	inventory, err := os.ReadFile(s.inventory)
	if err != nil {
		s.Fatal(err)
	}
	image := "postgres:17"
	if m := regexp.MustCompile(`(?m)^image_mirror = "([^"]+)"`).FindSubmatch(inventory); m != nil {
		image = string(m[1]) + "/library/" + image
	}
	s.certified(a, worker, worker.Address)
	s.on(worker, "docker pull -q "+image+" >/dev/null && docker run -d --name managed -p 5432:5432 -v /root/managed:/tls:ro -e POSTGRES_PASSWORD=superuser "+image+
		" -c ssl=on -c ssl_cert_file=/tls/server.crt -c ssl_key_file=/tls/server.key")
	there := func(database, sql string) string {
		s.Helper()
		return s.on(worker, "docker exec -i managed psql -v ON_ERROR_STOP=1 -h 127.0.0.1 -U postgres -d "+database+" -Atq <<'END'\n"+sql+"\nEND")
	}
	s.until("the other database answers", time.Minute, func() bool {
		_, err := worker.Shell(s.Context(), "docker exec managed psql -h 127.0.0.1 -U postgres -Atqc 'select 1'")
		return err == nil
	})
	const canary, written = `canary p/w:@$%{x}"'\ end`, `canary%20p%2Fw%3A%40%24%25%7Bx%7D%22%27%5C%20end`
	there("postgres", "create role flows login password '"+strings.ReplaceAll(canary, "'", "''")+"';\ncreate database flows;\nrevoke all on database flows from public;\ngrant connect on database flows to flows;")
	url := filepath.Join(filepath.Dir(s.inventory), "database-url")
	name := func(password string) {
		if err := os.WriteFile(url, []byte("postgresql://flows:"+password+"@"+worker.Address+"/flows?sslmode=require\n"), 0o600); err != nil {
			s.Fatal(err)
		}
	}
	said := func(code int, words ...string) {
		s.Helper()
		out, progress := s.provision(code, "plan")
		for _, w := range words {
			s.contains(out+progress, w)
		}
		if strings.Contains(out+progress, "canary") {
			s.Error("the password was printed")
		}
	}
	s.add("stack.toml", "\n[postgres]\nurl = { file = \"database-url\" }\n")
	name("canary-wrong")
	said(15, `it refuses user "flows"`)
	name(written)
	said(15, `may not make the extension pg_trgm in database "flows"`)
	there("flows", "create extension pg_trgm;")
	said(15, `may not make tables in database "flows"`)
	there("postgres", "alter database flows owner to flows;")
	there("flows", "alter schema public owner to flows;")
	s.certified(a, worker, "192.0.2.7")
	there("postgres", "select pg_reload_conf();")
	said(15, "its certificate is not trusted", worker.Address)
	s.certified(a, worker, worker.Address)
	there("postgres", "select pg_reload_conf();")
	said(40, "the stack's data are on the host itself (volume prefect-postgres), and this database is empty")

	// As docs/howto/database-elsewhere.md has it.
	const rows = "select concat_ws(' ', (select count(*) from flow_run), (select count(*) from log), (select count(*) from deployment))"
	s.on(server, "docker stop prefect-caddy prefect-server >/dev/null")
	before := s.query(server, rows)
	s.on(server, "docker exec prefect-postgres pg_dump -U prefect --no-owner -Fc prefect | docker run --rm -i --network host -e PGSSLMODE=require -e PGCHANNELBINDING=disable -e PGPASSWORD="+quote(canary)+
		` "$(docker inspect --format '{{.Config.Image}}' prefect-postgres)" pg_restore --no-owner --exit-on-error --no-comments -h `+worker.Address+" -U flows -d flows")
	if got := there("flows", rows); got != before {
		s.Fatalf("%s rows there, %s here", got, before)
	}
	s.apply()
	s.elsewhere = func(sql string) string { return there("flows", sql) }
	s.running(server, "prefect-caddy", "prefect-server")
	s.want(server, "docker volume inspect --format '{{.Name}}' prefect-postgres", "prefect-postgres")
	s.run(server, "ping", "default")
	_, progress := s.provision(0, "verify", "--smoke")
	s.contains(progress, "Completed in container business-logic-worker-1")
	if got := there("flows", "select count(*) > 0, bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'flows'"); got != "t|t" {
		s.Errorf("connections with TLS: %s", got)
	}
	if got, want := number(s, there("flows", "select count(*) from flow_run")), number(s, strings.Fields(before)[0]); got < want+2 {
		s.Errorf("%d runs there, %d before", got, want)
	}
	s.again(2)

	s.edit("stack.toml", "url = {", "# url = {")
	said(40, "which the stack file does not name any more")
	s.edit("stack.toml", "# url = {", "url = {")
	there("postgres", "drop database flows with (force);\ncreate database flows owner flows;")
	there("flows", "create extension pg_trgm;")
	said(40, "the stack's data were there, and it is empty now")
}
