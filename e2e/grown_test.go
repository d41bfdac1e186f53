//go:build linux && e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"provision/e2e/lab"
)

// untouched takes what a host has now, files and what is in its Docker, and returns a function that
// wants it to be still so. Whether a container was restarted does not count: an agent whose token
// opens nothing any more ends by itself, again and again.
func (s *site) untouched(hosts ...*lab.Host) func() {
	s.Helper()
	const listing = `find /etc /var/lib/provision /var/tmp /root -xdev ! -name 'lock*' -printf '%p %m %U %s %T@\n' 2>/dev/null | sort
for o in 'ps -a --no-trunc' 'network ls --no-trunc' 'volume ls' 'image ls --no-trunc'; do docker $o --format json | grep -o '"\(ID\|Name\|Names\)":"[^"]*"' | sort; done`
	before := map[*lab.Host]string{}
	for _, h := range hosts {
		before[h] = s.on(h, listing)
	}
	return func() {
		s.Helper()
		for _, h := range hosts {
			if after := s.on(h, listing); after != before[h] {
				s.Errorf("%s was touched: %s", h.Name, difference(before[h], after))
			}
		}
	}
}

// difference is the lines that only one of two texts has.
func difference(before, after string) string {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out []string
	for _, l := range a {
		if !slices.Contains(b, l) {
			out = append(out, "-"+l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out = append(out, "+"+l)
		}
	}
	return strings.Join(out, "\n")
}

// mistaken gives the inventory the mistakes that cost data elsewhere: each is refused before anything is touched.
func (s *site) mistaken(server, worker, blank *lab.Host) {
	still := s.untouched(server, worker, blank)
	refused := func(want ...string) {
		s.Helper()
		_, said := s.provision(40, "apply", "--yes")
		for _, w := range want {
			s.contains(said, w)
		}
		still()
	}
	// The server's address is that of a machine without its data.
	s.edit("inventory.toml", fmt.Sprintf("address = %q", server.Address), fmt.Sprintf("address = %q", blank.Address))
	refused("worker-1 belongs to it", "--new-data")
	s.edit("inventory.toml", fmt.Sprintf("address = %q", blank.Address), fmt.Sprintf("address = %q", server.Address))

	// The server's role goes to the other host.
	s.edit("inventory.toml", `roles = ["server"]`, `roles = ["moving"]`)
	s.edit("inventory.toml", `roles = ["agent"]`, `roles = ["server"]`)
	s.edit("inventory.toml", `roles = ["moving"]`, `roles = ["agent"]`)
	refused("a moved server")
	s.edit("inventory.toml", `roles = ["agent"]`, `roles = ["moving"]`)
	s.edit("inventory.toml", `roles = ["server"]`, `roles = ["agent"]`)
	s.edit("inventory.toml", `roles = ["moving"]`, `roles = ["server"]`)

	// Another stack on the same hosts.
	stack := filepath.Join(filepath.Dir(s.inventory), "stack.toml")
	text, err := os.ReadFile(stack)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(stack, append([]byte("name = \"other\"\n\n"), text...), 0o600); err != nil {
		s.Fatal(err)
	}
	refused("another stack lives on this host", "/var/lib/provision/prefect")
	s.edit("stack.toml", "name = \"other\"\n\n", "")
	s.again(2)
}

// neighbours is what somebody else has on a host, with an image that is there.
func neighbours(image string) string {
	return `docker network create neighbours >/dev/null
docker volume create neighbours >/dev/null
docker run -d --name neighbour --restart unless-stopped --network neighbours -v neighbours:/data ` + image + ` sleep infinity >/dev/null
mkdir -p /srv/neighbour /var/lib/neighbour; echo theirs >/srv/neighbour/file; echo theirs >/var/lib/neighbour/file; echo theirs >/etc/neighbour.conf`
}

// sees what neighbours has left on a host.
const seesNeighbours = `docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.State.Status}}' neighbour
docker network inspect --format '{{.Id}}' neighbours
docker volume inspect --format '{{.CreatedAt}}' neighbours
cat /srv/neighbour/file /var/lib/neighbour/file /etc/neighbour.conf`

// grown adds an agent host: it alone is provisioned.
func (s *site) grown(server, worker, second *lab.Host) {
	theirs := s.on(second, seesNeighbours)
	s.add("inventory.toml", fmt.Sprintf("\n[hosts.worker-2]\naddress = %q\nroles = [\"agent\"]\n", second.Address))
	changes, text := s.planned()
	changes = slices.DeleteFunc(changes, func(c string) bool { return strings.HasPrefix(c, "worker-2: ") })
	const tokens = "prefect: add secret /var/lib/provision/prefect/server/secrets/caddy/tokens/worker-2."
	want := []string{
		tokens + "poll", tokens + "run",
		"prefect: change file /var/lib/provision/prefect/server/caddy/Caddyfile",
		"prefect: change pool provision",
		"prefect: reload caddy configuration",
		// The first agent host registers the deployment that proves the new one.
		"worker-1: change deployments",
	}
	slices.Sort(want)
	if !slices.Equal(changes, want) {
		s.Errorf("beside the new host the plan changes\n  %s\nwant\n  %s\nin full\n%s", strings.Join(changes, "\n  "), strings.Join(want, "\n  "), text)
	}
	onServer, onWorker := s.containers(server), s.containers(worker)
	s.apply()
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker)
	s.healthy(second, "prefect-agent", "prefect-business-logic")
	s.want(second, seesNeighbours, theirs)
	_, progress := s.provision(0, "verify", "--smoke=worker-2")
	s.contains(progress, "Completed in container business-logic-worker-2")
	s.again(3)
}

// shrunk takes that host out of the inventory: it is left alone, and its tokens open nothing.
func (s *site) shrunk(server, worker, second *lab.Host) {
	queue := "/api/work_pools/provision/queues/host-worker-2"
	tokens := strings.Fields(s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/tokens/worker-2.poll; echo; cat /var/lib/provision/prefect/server/secrets/caddy/tokens/worker-2.run"))
	if len(tokens) != 2 {
		s.Fatalf("worker-2 has %d tokens", len(tokens))
	}
	if got := s.outside(server).status("GET", queue, bearer(tokens[0])); got != 200 {
		s.Errorf("its token while it belongs: %d", got)
	}
	s.edit("inventory.toml", fmt.Sprintf("\n[hosts.worker-2]\naddress = %q\nroles = [\"agent\"]\n", second.Address), "")
	text := s.plans(
		"prefect: change file /var/lib/provision/prefect/server/caddy/Caddyfile",
		"prefect: change pool provision",
		"prefect: reload caddy configuration",
		"prefect: remove tokens of worker-2",
		"worker-1: change deployments",
	)
	s.contains(text, "what runs there is left as it is; to clean that host, put it back with roles = [] first")
	onServer, onWorker, still := s.containers(server), s.containers(worker), s.untouched(second)
	s.apply()
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker)
	still()
	web := s.outside(server)
	for _, token := range tokens {
		for _, path := range []string{queue, "/api/admin/version", "/api/csrf-token"} {
			if got := web.status("GET", path, bearer(token)); got != 401 {
				s.Errorf("GET %s with a token of a host that is gone: %d", path, got)
			}
		}
	}
	s.want(server, "ls /var/lib/provision/prefect/server/secrets/caddy/tokens | xargs", "worker-1.poll worker-1.run")
	s.again(2)
}

// cleaned takes the stack away from a host, and nothing else: neither what is somebody else's nor a volume.
func (s *site) cleaned(server, worker, second *lab.Host) {
	theirs := s.on(second, seesNeighbours)
	s.on(second, "docker volume create --label provision.stack=prefect prefect-keepsake")
	images := s.on(second, "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -v '^prefect-' | sort")
	s.add("inventory.toml", fmt.Sprintf("\n[hosts.worker-2]\naddress = %q\nroles = []\n", second.Address))
	changes, text := s.planned()
	for _, c := range changes {
		if !strings.HasPrefix(c, "worker-2: remove ") {
			s.Errorf("to clean a host, the plan has: %s\n%s", c, text)
		}
	}
	onServer, onWorker := s.containers(server), s.containers(worker)
	s.apply()
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker)
	s.want(second, "docker ps -a --format '{{.Names}}'", "neighbour")
	s.want(second, "docker network ls --format '{{.Name}}' | sort | xargs", "bridge host neighbours none")
	s.want(second, "docker volume ls --format '{{.Name}}' | sort | xargs", "neighbours prefect-keepsake")
	s.want(second, "docker image ls --format '{{.Repository}}:{{.Tag}}' | sort", images)
	// What the data in a volume cannot be read without stays with it: here the mark of whose it is.
	s.want(second, "find /var/lib/provision -type f ! -name 'lock*' -printf '%f\n' | sort | xargs", "id salt")
	s.want(second, seesNeighbours, theirs)
	s.again(3)
	s.provision(0, "verify")
}
