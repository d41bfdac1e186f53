//go:build linux && e2e

package e2e

import (
	"testing"

	"provision/e2e/lab"
)

// testSingle brings both roles up on one blank host, as a user with a sudo password; then another
// user, whose sudo asks for none, heals what was broken by hand; and one without sudo is told what to do.
func testSingle(t *testing.T) {
	const password = "correct horse"
	s, hosts := newSite(t, "e2e-single", gen3, lab.HostOptions{Name: "all", Users: []lab.User{
		{Name: "careful", Sudo: "password", Password: password}, {Name: "ops", Sudo: "nopasswd"}, {Name: "guest", Sudo: "none"},
	}})
	host := hosts[0]
	s.env = append(s.env, "LAB_SUDO="+password)

	s.edit("inventory.toml", `user = "root"`, `user = "guest"`)
	_, said := s.provision(13, "apply", "--yes")
	s.contains(said, "guest ALL=(ALL) NOPASSWD: ALL")
	s.want(host, "ls -A /var/lib/provision 2>/dev/null || echo nothing", "nothing")

	s.edit("inventory.toml", `user = "guest"`, `user = "careful"`)
	s.edit("inventory.toml", "[ssh]", "[sudo]\npassword = { env = \"LAB_SUDO\" }\n\n[ssh]")
	s.apply()
	s.hardened(host, 5)
	_, progress := s.provision(0, "verify", "--smoke=all")
	s.contains(progress, "Completed in container business-logic-all")
	s.again(1)

	s.backedUp(host, 1)
	s.badBackups(host)

	// Broken by hand: each is named by the plan and healed.
	s.edit("inventory.toml", `user = "careful"`, `user = "ops"`)
	s.edit("inventory.toml", "[sudo]\npassword = { env = \"LAB_SUDO\" }\n", "")
	s.on(host, `docker rm -f prefect-business-logic
echo '# by hand' >>/var/lib/provision/prefect/server/caddy/Caddyfile
rm /var/lib/provision/prefect/agent/secrets/agent/poll_token
docker exec prefect-server python -c 'import json,urllib.request as u
b="http://127.0.0.1:4200/api/deployments/"
r=json.load(u.urlopen(u.Request(b+"filter",b"{}",{"Content-Type":"application/json"})))
u.urlopen(u.Request(b+r[0]["id"],method="DELETE"))'`)
	caddy := s.on(host, "docker inspect --format '{{.Id}}' prefect-caddy")
	plan, _ := s.provision(2, "plan", "--detailed-exitcode")
	for _, named := range []string{"add container prefect-business-logic", "caddy/Caddyfile: the content differs", "poll_token: the file does not exist", "missing in Prefect"} {
		s.contains(plan, named)
	}
	s.provision(2, "verify")
	s.apply()
	s.want(host, "docker inspect --format '{{.Id}}' prefect-caddy", caddy)
	s.hardened(host, 5)
	s.provision(0, "verify", "--smoke")
	s.again(1)

	// Settings with which Prefect does not start: its own last lines are shown, the running server is
	// left alone, and the next good apply heals.
	good := s.settings("PREFECT_LOGGING_LEVEL = \"NO_SUCH_LEVEL\"")
	_, said = s.provision(20, "apply", "--yes")
	s.contains(said, "prefect-server")
	s.contains(said, "NO_SUCH_LEVEL")
	s.want(host, "docker inspect --format '{{.State.Health.Status}}' prefect-server", "healthy")
	good()
	s.apply()
	s.provision(0, "verify")

	// Business logic that fetches its runs itself: there is no agent's container then.
	s.edit("stack.toml", "[docker]", "[business_logic]\nexecution = \"serve\"\n\n[docker]")
	s.apply()
	s.hardened(host, 4)
	_, progress = s.provision(0, "verify", "--smoke")
	s.contains(progress, "Completed in container business-logic-all")
	s.again(1)
}
