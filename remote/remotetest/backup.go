package remotetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The programs of the image that makes backups. The repository holds a directory per backup, and the password's digest.

// sh runs a script in the container of the process.
func (p *proc) sh(script string, args ...string) int {
	return p.Run(append([]string{"/bin/sh", "-ec", script, "sh"}, args...), nil)
}

func backupDump(p *proc) int {
	given, _ := p.ReadAll("/run/secrets/password")
	rows, code := 0, 0
	p.locked(func() {
		d := p.host.docker
		var c *container
		for _, o := range d.containers {
			if o.Config.Labels["com.docker.compose.service"] == p.Env["PGHOST"] && o.Config.Labels["com.docker.compose.project"] == p.container.Config.Labels["com.docker.compose.project"] {
				c = o
			}
		}
		if c == nil || !c.State.Running || c.dataVolume(d) == nil || c.dataVolume(d).database == nil {
			p.Errorf("psql: error: could not translate host name \"postgres\" to address: Temporary failure in name resolution\n")
			code = 2
			return
		}
		db := c.dataVolume(d).database
		if string(given) != db.password {
			p.Errorf("psql: error: connection to server at \"postgres\" (10.210.1.2), port 5432 failed: FATAL:  password authentication failed for user \"prefect\"\n")
			code = 2
			return
		}
		rows = 1 + len(db.deployments) + len(db.queues)
	})
	if code != 0 {
		return code
	}
	p.Errorf("dumping the database, 1 MiB\n")
	p.workFor(2)
	if code := p.sh(`rm -rf /dump/database; mkdir /dump/database; echo data >/dump/database/toc.dat; printf 'alembic_version|1|1\nall|%s|1\n' "$1" >/dump/rows.txt`, strconv.Itoa(rows)); code != 0 {
		return code
	}
	p.Printf("postgres 170012\nalembic 0123456789ab\nextensions pg_trgm plpgsql\ntables 2\nrows %d\ndump_bytes 5\ndump_seconds 1\n", rows)
	return 0
}

func backupRepository(p *proc) int {
	if len(p.Argv) < 2 {
		p.Unsupported("a repository without a verb")
	}
	password, err := p.ReadAll("/run/secrets/repository_password")
	if err != nil {
		p.Errorf("Fatal: Resolving password failed: Fatal: /run/secrets/repository_password does not exist\n")
		return 1
	}
	sum := sha256.Sum256(password)
	key := hex.EncodeToString(sum[:])
	config, err := p.ReadAll("/repository/config")
	switch {
	case err != nil && p.Argv[1] != "store":
		p.Errorf("Fatal: repository does not exist: unable to open config file\n")
		return 10
	case err != nil:
		if code := p.sh(`mkdir -p /repository/snapshots; echo "$1" >/repository/config`, key); code != 0 {
			return code
		}
	case strings.TrimSpace(string(config)) != key:
		p.Errorf("the password of this stack does not open the repository: it is of somebody else, or its password was replaced\n")
		return 12
	}
	p.workFor(1)
	switch p.Argv[1] {
	case "store":
		id := hexID()
		if code := p.sh(`mkdir /repository/snapshots/"$1"; cp -r /work/dump /work/store /repository/snapshots/"$1"/; cat /instance/id >/dev/null`, id); code != 0 {
			return code
		}
		p.Printf("id %s\nadded_bytes 5\n", id)
		return 0
	case "fetch":
		if code := p.sh(`cd /repository/snapshots/"$1"; cat store/receipt.txt; rm -rf /work/proof/database; cp -r dump/database /work/proof/database; cp dump/rows.txt /work/proof/rows.txt; chown -R 999:999 /work/proof/database /work/proof/rows.txt; echo 'artifacts 0'`, p.Argv[2]); code != 0 {
			p.Errorf("the repository does not give the backup back\n")
			return 1
		}
		return 0
	case "forget":
		return p.sh(`proved=$1; cd /repository/snapshots; set -- *; left=$#
for id; do [ "$(sed -n 's/^identity //p' "$id/store/receipt.txt")" = "$(cat /instance/id)" ] || continue; echo "$(sed -n 's/^began //p' "$id/store/receipt.txt") $id"; done | sort | while read -r _ id; do
	[ "$left" -le "$KEEP_DAILY" ] || [ "$id" = "$proved" ] || { rm -rf "$id"; echo "removed $id"; }
	left=$((left - 1))
done`, p.Argv[2])
	}
	p.Unsupported(fmt.Sprintf("repository %s", p.Argv[1]))
	return 64
}

func backupProve(p *proc) int {
	p.workFor(2)
	rows, err := p.ReadAll("/proof/rows.txt")
	if err != nil || !strings.HasPrefix(string(rows), "alembic_version|1|") {
		p.Errorf("it cannot be loaded: pg_restore: error: could not open input file\n")
		return 1
	}
	if code := p.sh("rm -rf /proof/database /proof/rows.txt"); code != 0 {
		return code
	}
	n := strings.Split(string(rows), "|")
	p.Printf("proof_rows %s\nload_seconds 1\ncompare_seconds 1\n", n[len(n)-2])
	return 0
}
