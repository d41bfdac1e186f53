package provision_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"provision/provision/report"
	"provision/remote"
)

const base = "/var/lib/provision/prefect"

// drift is something that somebody did by hand on a converged host.
type drift struct {
	name string
	do   func(t *testing.T, s *site)
	want []string // parts of lines of the plan
}

// sh runs a script on a host as its root user would.
func sh(t *testing.T, s *site, host int, script string) {
	t.Helper()
	a := s.attempt()
	defer a.end()
	name := s.hosts[host].Name()
	h := a.System.Host(name)
	c, err := a.Dialer.Dial(a.ctx, remote.Target{Name: name, Address: h.Address, Port: h.Port, User: h.User, IdentityFile: h.IdentityFile, KnownHosts: h.KnownHosts})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if res, err := c.Run(a.ctx, remote.Command{Script: script, Root: true}); err != nil {
		t.Fatalf("%s: %v %s%s", script, err, res.Stdout, res.Stderr)
	}
}

func appended(path string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		for _, h := range s.hosts {
			text, err := h.ReadFile(path)
			if err != nil {
				continue
			}
			info, err := h.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.WriteFile(path, string(text)+"# by hand\n", info.Mode()); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Fatalf("no host has %s", path)
	}
}

func removed(host int, paths ...string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		for _, p := range paths {
			if _, err := s.hosts[host].Stat(p); err != nil {
				t.Fatal(err)
			}
			s.hosts[host].Remove(p)
		}
	}
}

func ran(host int, script string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) { sh(t, s, host, script) }
}

const serverHost, agentHost = 0, 1

var drifts = []drift{
	{"a compose file is edited", appended(base + "/server/compose.yaml"), []string{"prefect change file " + base + "/server/compose.yaml: the content differs"}},
	{"the Caddyfile is edited", appended(base + "/server/caddy/Caddyfile"), []string{"prefect change file " + base + "/server/caddy/Caddyfile: the content differs", "prefect reload caddy configuration: the Caddyfile changes"}},
	{"a mode is changed", ran(serverHost, "chmod 0666 "+base+"/server/compose.yaml"), []string{"owner and mode are 0:0 666, should be 0:0 644"}},
	{"an owner is changed", ran(agentHost, "chown 1000:1000 "+base+"/agent/compose.yaml"), []string{"worker-1 change file " + base + "/agent/compose.yaml: owner and mode are 1000:1000 644"}},
	{"a secret is readable by all", ran(serverHost, "chmod 0444 "+base+"/server/secrets/server/encryption_key"), []string{"encryption_key: owner and mode are 10001 444, should be 10001 400"}},
	{"a secret's directory is given to the container's user", ran(serverHost, "chown 999:999 "+base+"/server/secrets/postgres"), []string{"postgres/password: owner and mode of its directory are 999:999 550, should be 0:999 550"}},
	{"a token's directory is given to the container's user", ran(agentHost, "chmod 0700 "+base+"/agent/secrets/agent"), []string{"agent/poll_token: owner and mode of its directory are 0:10001 700, should be 0:10001 550"}},
	{"Caddy's directory is given to its user", ran(serverHost, "chown 10002:10002 "+base+"/server/secrets/caddy"), []string{"ui_password_hash: owner and mode of its directory are 10002:10002 550"}},
	{"a secret is a link", ran(serverHost, "f="+base+"/server/secrets/login/ui_password; echo of-root >/root/other; rm $f; ln -s /root/other $f"), []string{"ui_password: it is a symbolic link", "ui_password_hash"}},
	{"a file is removed", removed(agentHost, base+"/agent/compose.yaml"), []string{"worker-1 add file " + base + "/agent/compose.yaml"}},
	{"a former version left its register tokens", func(t *testing.T, s *site) {
		ran(serverHost, "printf %064d 7 >"+base+"/server/secrets/caddy/tokens/worker-1.register")(t, s)
		ran(agentHost, "d="+base+"/agent; mkdir -p $d/secrets/register $d/spec; printf %064d 7 >$d/secrets/register/register_token; echo '{}' >$d/spec/deployments.json")(t, s)
	}, []string{
		"prefect remove files in " + base + "/server/secrets/caddy/tokens", "worker-1 remove files in " + base + "/agent/secrets/register", "worker-1 remove files in " + base + "/agent/spec",
	}},
	{"a copied secret is removed", removed(agentHost, base+"/agent/secrets/agent/poll_token"), []string{"worker-1 add secret " + base + "/agent/secrets/agent/poll_token"}},
	{"a token is removed", removed(serverHost, base+"/server/secrets/caddy/tokens/worker-1.run"), []string{
		"prefect add secret " + base + "/server/secrets/caddy/tokens/worker-1.run", "worker-1 change secret " + base + "/agent/secrets/business-logic/run_token: its source on prefect changes",
	}},
	{"the database's password is removed", removed(serverHost, base+"/server/secrets/postgres/password"), []string{
		"prefect add secret " + base + "/server/secrets/postgres/password", "database login",
	}},
	{"the login is removed", removed(serverHost, base+"/server/secrets/login/ui_password"), []string{"prefect add secret " + base + "/server/secrets/login/ui_password", "ui_password_hash"}},
	{"a token ends in a newline", ran(serverHost, "echo >>"+base+"/server/secrets/caddy/tokens/worker-1.run"), []string{
		"worker-1 change secret " + base + "/agent/secrets/business-logic/run_token: it differs from prefect:", "worker-1 replace container prefect-business-logic: run_token",
	}},
	{"the bridge's token ends in a newline", ran(agentHost, "echo >>"+base+"/agent/secrets/agent/bridge_token"), []string{
		"worker-1 change secret " + base + "/agent/secrets/business-logic/bridge_token: it differs from worker-1:",
	}},
	{"the database's password ends in a newline", ran(serverHost, "echo >>"+base+"/server/secrets/postgres/password"), []string{
		"prefect change secret " + base + "/server/secrets/server/password: it differs from prefect:",
	}},
	{"the encryption key ends in a newline", ran(serverHost, "echo >>"+base+"/server/secrets/server/encryption_key"), []string{"prefect replace container prefect-server"}},
	{"the backups' timer is off", ran(serverHost, "systemctl disable --now provision-backup.timer"), []string{"prefect change backups: its timer does not run"}},
	{"the backups' unit is edited", appended("/etc/systemd/system/provision-backup.service"), []string{"prefect change backups: its units differ"}},
	{"the backups are open to others", ran(serverHost, "chmod 0755 "+backups), []string{"prefect change backups: its directories are not there, or do not belong to whom they should"}},
	{"a container is stopped", ran(serverHost, "docker stop prefect-server"), []string{"prefect change container prefect-server: it is not running (state: exited)"}},
	{"the agent is stopped", ran(agentHost, "docker stop prefect-agent"), []string{"worker-1 change container prefect-agent: it is not running (state: exited)"}},
	{"a container is removed", ran(serverHost, "docker rm -f prefect-caddy"), []string{"prefect add container prefect-caddy: the container does not exist"}},
	{"the database's container is removed", ran(serverHost, "docker rm -f prefect-postgres"), []string{"prefect add container prefect-postgres"}},
	{"all containers are removed", ran(agentHost, "docker rm -f $(docker ps -aq)"), []string{"worker-1 add container prefect-business-logic", "worker-1 add container prefect-agent"}},
	{"an image is removed", ran(agentHost, "x=$(docker images --format '{{.Repository}}:{{.Tag}}' | grep business); docker rmi -f $x; docker images | grep business && exit 1 || true"), []string{"worker-1 add image prefect-business-logic:"}},
	{"a network is removed", ran(agentHost, "docker rm -f $(docker ps -aq); docker network rm prefect-agent-network"), []string{"worker-1 add network prefect-agent-network", "worker-1 add container prefect-agent"}},
	{"a deployment is deleted", func(t *testing.T, s *site) {
		if !s.server.DeleteDeployment("hello/default") {
			t.Fatalf("there is no such deployment among %+v", s.server.Prefect())
		}
	}, []string{"worker-1 change deployments: missing in Prefect: hello.py:hello/default"}},
	{"a queue is deleted", func(t *testing.T, s *site) {
		if !s.server.DeleteQueue("default") {
			t.Fatalf("there is no such queue among %+v", s.server.Prefect())
		}
	}, []string{"prefect change pool provision: queues are missing: default"}},
	{"Docker is stopped", func(_ *testing.T, s *site) { s.server.StopUnit("docker") }, []string{"prefect change docker: the engine does not answer"}},
	{"Docker is stopped on the agent's host", func(_ *testing.T, s *site) { s.hosts[agentHost].StopUnit("docker") }, []string{"worker-1 change docker: the engine does not answer"}},
	{"Docker is stopped, and a file and a deployment are lost", func(t *testing.T, s *site) {
		s.hosts[agentHost].StopUnit("docker")
		s.hosts[agentHost].Remove(base + "/agent/compose.yaml")
		s.server.DeleteDeployment("hello/default")
	}, []string{"worker-1 change docker", "worker-1 add file", "worker-1 later deployments"}},
	{"daemon.json is edited", appended("/etc/docker/daemon.json"), []string{"change docker: daemon.json differs"}},
	{"Caddy has loaded something else", ran(serverHost, `f=`+base+`/server/caddy/Caddyfile; cp -p "$f" /root/kept
sed 's/respond "[^ ]* /respond "0000 /' /root/kept >"$f"; cmp -s "$f" /root/kept && exit 9
docker exec prefect-caddy caddy reload --force --config /etc/caddy/Caddyfile --adapter caddyfile --address unix//run/caddy/admin.sock
cat /root/kept >"$f"`), []string{"prefect reload caddy configuration: Caddy runs with another configuration than the file has"}},
	{"a host reboots", func(_ *testing.T, s *site) { s.hosts[agentHost].Reboot() }, nil},
	{"the mark of the database's volume is removed", removed(serverHost, base+"/volume.prefect-postgres"), []string{"prefect change volume prefect-postgres: the mark that it was made is missing"}},
	{"the mark of the artifacts' volume is removed", removed(serverHost, base+"/volume.prefect-artifacts"), []string{"prefect change volume prefect-artifacts: the mark that it was made is missing"}},
	{"the mark of Caddy's volume is removed", removed(serverHost, base+"/volume.prefect-caddy"), []string{"prefect change volume prefect-caddy: the mark that it was made is missing"}},
	{"the salt is removed", removed(agentHost, base+"/salt"), []string{"worker-1 change identity: the salt is missing"}},
}

// TestDrift breaks a converged stack by hand. The plan names each break, apply mends it, and
// nothing differs afterwards.
func TestDrift(t *testing.T) {
	t.Parallel()
	chosen := sample(t, drifts, 7)
	const share = 7 // that are tried on one fleet, one after the other
	each((len(chosen)+share-1)/share, func(n int) {
		part := chosen[n*share : min((n+1)*share, len(chosen))]
		s := arrange(t, alternately(n+1, split))
		s.converge()
		for _, d := range part {
			t.Run(d.name, func(t *testing.T) { drifted(t, s, d) })
		}
	})
}

func drifted(t *testing.T, s *site, d drift) {
	d.do(t, s)
	plan, err := s.attempt().plan()
	if err != nil {
		t.Fatalf("plan: %s", explain(err))
	}
	got := announced(plan)
	for _, want := range d.want {
		if !strings.Contains(got, want) {
			t.Errorf("the plan does not name %q:\n%s", want, got)
		}
	}
	if d.want == nil && !plan.Empty() {
		t.Errorf("nothing should differ:\n%s", got)
	}
	result, err := s.attempt().apply()
	if err != nil {
		t.Fatalf("apply: %s\nof this plan:\n%s", explain(err), got)
	}
	var done []string
	for _, o := range result.Outcomes {
		if o.State != report.Done {
			t.Errorf("%+v", o)
		}
		if o.Act == "replace" && slices.Contains(done, o.Host+" "+o.Step) {
			t.Errorf("replaced twice: %s %s", o.Host, o.Step)
		}
		done = append(done, o.Host+" "+o.Step)
	}
	for _, c := range plan.Changes {
		if !slices.Contains(done, c.Host+" "+c.Step) {
			t.Errorf("planned and not carried out: %s %s", c.Host, c.Step)
		}
	}
	if plan, err := s.attempt().plan(); err != nil || !plan.Empty() {
		t.Errorf("after it: %s", explain(err)+fmt.Sprint(announced(plan)))
	}
	if unknown := s.fleet.Unknown(); len(unknown) > 0 {
		t.Errorf("the simulation does not know: %q", unknown)
	}
}

// TestLoginWrittenByHand writes the password as an editor does, with a newline that nobody types.
func TestLoginWrittenByHand(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.converge()
	if hash, err := s.server.ReadFile(base + "/server/secrets/caddy/ui_password_hash"); err != nil {
		t.Error(err)
	} else if cost, err := bcrypt.Cost(hash); err != nil || cost != bcrypt.MinCost {
		t.Errorf("the hash of a generated password has the cost %d, and a flood of guesses takes the server's CPU: %v", cost, err)
	}
	sh(t, s, 0, "echo open-sesame >"+base+"/server/secrets/login/ui_password")
	s.converge()
	hash, err := s.server.ReadFile(base + "/server/secrets/caddy/ui_password_hash")
	if err != nil || bcrypt.CompareHashAndPassword(hash, []byte("open-sesame")) != nil {
		t.Errorf("the hash is not of that password: %v", err)
	}
	if cost, err := bcrypt.Cost(hash); err != nil || cost != bcrypt.DefaultCost {
		t.Errorf("the hash of a short password has the cost %d: %v", cost, err)
	}
	a := s.attempt()
	defer a.end()
	if login, err := a.Credentials(a.ctx); err != nil || login.Password != "open-sesame" {
		t.Errorf("the login shown is %q: %v", login.Password, err)
	}
}
