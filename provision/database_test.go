package provision_test

import (
	"path/filepath"
	"testing"

	"provision/provision/report"
)

// TestAnotherMajorVersion names an image of PostgreSQL that does not read the data that is there.
func TestAnotherMajorVersion(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{stack: "[postgres]\nimage = \"postgres:13.3\"\n"})
	s.converge()
	file := filepath.Join(filepath.Dir(s.inventory), "stack.toml")
	s.write(file, "[postgres]\nimage = \"postgres:16.4\"\n")
	s.refused("volume prefect-postgres", "written by PostgreSQL 13", "the stack has 16", "keep postgres.image at a version 13")
	s.write(file, "[postgres]\nimage = \"postgres:13.23-bookworm\"\n")
	s.converge()
}

// TestPasswordOfExistingData loses the database's password together with its container: the data that are there have the old one.
func TestPasswordOfExistingData(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.converge()
	sh(t, s, 0, "docker rm -f prefect-postgres prefect-server; rm -r "+base+"/server/secrets/postgres")
	s.converge()
}

// TestKeyOfExistingData loses the key that the data is encrypted with, in ways that leave a file behind:
// no new one is made. A link to another secret is not followed: that secret is made anew.
func TestKeyOfExistingData(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.converge()
	key, token := base+"/server/secrets/server/encryption_key", base+"/agent/secrets/agent/bridge_token"
	for how, lose := range map[string]string{"the file is empty": ": >" + key, "it is a symbolic link": "ln -sf /root/kept " + key} {
		sh(t, s, 0, "cp -p "+key+" /root/kept; "+lose)
		s.refused("encryption_key", how, "put the file back from a backup")
		sh(t, s, 0, "cat "+key+" >/root/now; rm "+key+"; cp -p /root/kept "+key+"; "+lose+"; cat "+key+" | cmp - /root/now")
		s.server.StopUnit("docker")
		if result, err := s.attempt().apply(); !isCode(err, report.ExitData) {
			t.Errorf("%s, Docker stopped: %s %+v", how, explain(err), result)
		}
		sh(t, s, 0, "cat "+key+" | cmp - /root/now; rm "+key+"; cp -p /root/kept "+key)
		s.converge()
	}
	sh(t, s, 0, "mv "+token+" /root/token; ln -s /root/token "+token)
	s.converge()
	sh(t, s, 0, "[ ! -L "+token+" ] && [ -s "+token+" ] && ! cmp -s "+token+" /root/token")
}
