//go:build linux && e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"os"
	"strings"

	"provision/e2e/lab"
)

// zombies3 kills runs in all of their phases, with the server's own image, a server of Prefect in it, a database on the stack's PostgreSQL, and
// heartbeats of seconds: who is dead is Crashed in time, and who has completed never.
func (s *site) zombies3(server *lab.Host) {
	s.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	if err := out.AddFS(os.DirFS("../files")); err != nil {
		s.Fatal(err)
	}
	if err := out.Close(); err != nil {
		s.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		s.Fatal(err)
	}
	s.on(server, "umask 077; docker exec prefect-postgres createdb -U prefect zombies; printf 'PROVISION_TEST_DATABASE=postgresql+asyncpg://prefect:%s@postgres:5432/zombies\\n' "+
		`"$(cat /var/lib/provision/prefect/server/secrets/server/password)" >/run/zombies.env`)
	encoded := base64.StdEncoding.EncodeToString(packed.Bytes())
	s.on(server, "rm -f /run/files.tgz")
	for len(encoded) > 0 { // a command line is not endless
		n := min(len(encoded), 96<<10)
		s.on(server, "echo "+encoded[:n]+" | base64 -d >>/run/files.tgz")
		encoded = encoded[n:]
	}
	said := s.on(server, `docker run --rm -i --network prefect-database-network --env-file /run/zombies.env -e PROVISION_KILLS=60 -e PROVISION_GENERATION=3 -e PYTHONPATH=/tmp/t/glue/python/tests \
  --user 10001 --read-only --tmpfs /tmp:mode=1777,exec --entrypoint sh "$(docker inspect --format '{{.Config.Image}}' prefect-server)" \
  -c 'mkdir /tmp/t && cd /tmp/t && tar xz && cd gen3/prefect/tests && python -W ignore -m unittest -v test_zombies test_automations' </run/files.tgz 2>&1
docker exec prefect-postgres dropdb -U prefect --force zombies; rm /run/zombies.env /run/files.tgz`)
	s.Logf("%s", said)
	s.contains(said, "killed 60 in ")
	s.contains(said, "\nOK")
	if strings.Contains(said, "skipped") {
		s.Error("tests were skipped")
	}
}
