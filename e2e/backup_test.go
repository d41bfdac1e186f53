//go:build linux && e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"

	"provision/e2e/lab"
)

// backup is a backup as `provision backups --json` shows it.
type backup struct {
	ID, Verdict, Why string
	Rows             int
}

func (s *site) backups() (list []backup) {
	s.Helper()
	out, _ := s.provision(0, "backups", "--json")
	var line struct{ Backups []backup }
	if err := json.Unmarshal([]byte(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]), &line); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return line.Backups
}

const (
	backupsDir     = "/var/backups/provision-prefect"
	backupPassword = "/var/lib/provision/prefect/server/secrets/backup/repository_password"
)

// backedUp is the daily backup as its timer starts it: real PostgreSQL, real restic. It is proved by what is in it.
func (s *site) backedUp(server *lab.Host, hosts int) {
	s.want(server, "systemctl show --property=NextElapseUSecRealtime --value provision-backup.timer | grep -c "+backupAt+":00", "1")
	s.on(server, "systemctl start provision-backup.service")
	list := s.backups()
	if len(list) == 0 || list[0].Verdict != "proved" || list[0].Rows == 0 {
		s.Fatalf("%+v", list)
	}
	said, _ := s.provision(0, "status")
	s.contains(said, "backups: the newest is "+list[0].ID[:8])
	s.again(hosts)
}

// badBackups is what can be wrong with one: each is found, said, and the backups before it stay what they were.
func (s *site) badBackups(server *lab.Host) {
	s.provision(0, "backup")
	good := s.backups()[0]
	for _, bad := range []struct{ name, with, without, says, verdict string }{
		{
			"a byte in each pack", "cp -a " + backupsDir + "/repository /root/kept; find " + backupsDir + `/repository/data -type f -exec sh -c 'printf X | dd of="$1" bs=1 seek=100 conv=notrunc status=none' sh {} \;`,
			"rm -rf " + backupsDir + "/repository/*; cp -a /root/kept/. " + backupsDir + "/repository; rm -rf /root/kept", "the repository does not give the backup back", "failed",
		},
		{
			"another password", "cp -a " + backupPassword + " /root/kept; echo of-somebody-else >" + backupPassword, "cp -a /root/kept " + backupPassword + "; rm /root/kept",
			"the password of this stack does not open the repository", "",
		},
		{
			"a full disk under the repository", "mount -t tmpfs -o size=64k,mode=0700 tmpfs " + backupsDir + "/repository; rm " + backupsDir + "/made", "umount " + backupsDir + "/repository", "no space left on device", "",
		},
		{
			"no room for the dump", "mount -t tmpfs -o size=1m,mode=0700,uid=999,gid=999 tmpfs " + backupsDir + "/work/dump", "umount " + backupsDir + "/work/dump", "there is no room for the dump", "",
		},
		{
			"a dump that is cut after it was listed", `cat >/root/cut <<'end'
f=$(ls -S /var/backups/provision-prefect/work/dump/database/*.dat | head -n 1); truncate -s $(($(stat -c %s "$f") / 2)) "$f"
end
cp -a /var/lib/provision/prefect/server/backup/run /root/kept; sed -i "/^step='storing it/i sh /root/cut" /var/lib/provision/prefect/server/backup/run`,
			"cp -a /root/kept /var/lib/provision/prefect/server/backup/run; rm /root/kept /root/cut", "it cannot be loaded", "failed",
		},
		{"no database", "docker stop prefect-postgres", "docker start prefect-postgres; until docker exec prefect-postgres pg_isready -q -h 127.0.0.1; do sleep 0.2; done", "failed at the dump of the database", ""},
	} {
		before := s.backups()
		s.on(server, bad.with)
		_, said := s.provision(20, "backup")
		s.contains(said, bad.says)
		status, _ := s.provision(0, "status")
		s.contains(status, "the last one failed at")
		s.on(server, bad.without)
		after := s.backups()
		if bad.verdict == "" && len(after) != len(before) || bad.verdict != "" && (len(after) == len(before) || after[0].Verdict == "proved") {
			s.Errorf("%s: %+v, before %+v", bad.name, after, before)
		}
		if !slices.ContainsFunc(after, func(b backup) bool { return b.ID == good.ID && b.Verdict == "proved" }) {
			s.Errorf("%s: the good one is not what it was: %+v", bad.name, after)
		}
	}
	// Killed with all that it started; the next one finds nothing in its way.
	s.on(server, `systemctl start --no-block provision-backup.service; until docker ps --format '{{.Names}}' | grep -qx prefect-backup; do sleep 0.1; done
systemctl kill -s KILL provision-backup.service; docker kill prefect-backup || true`)
	status, _ := s.provision(0, "status")
	s.contains(status, "it was killed, or the host went down")
	s.provision(0, "backup")
	s.want(server, "docker ps -a --format '{{.Names}}' | grep -c backup || true", "0")
	s.want(server, "find "+backupsDir+"/work/dump "+backupsDir+"/work/proof -mindepth 1 -name '*.dat' | wc -l", "0")
	s.again(1)
}
