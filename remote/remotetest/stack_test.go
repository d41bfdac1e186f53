package remotetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// run runs a script as root and fails the test if it fails.
func run(t *testing.T, h *Host, script string) string {
	t.Helper()
	r, errs := h.sh("root", "set -e\n"+script)
	if r.Code != 0 {
		t.Fatalf("%s\nexit status %d: %s%s", script, r.Code, r.Stdout, errs)
	}
	return r.Stdout
}

const aptGet = "apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=60 -o APT::Update::Error-Mode=any"

func TestInstallingAnEngine(t *testing.T) {
	t.Parallel()
	for distro, packages := range map[string]string{"debian 13": "docker.io docker-cli docker-compose docker-buildx", "ubuntu 24.04": "docker.io docker-compose-v2 docker-buildx"} {
		h := testHost(t, HostOptions{Distro: distro})
		if r, _ := h.sh("root", "command -v docker || command -v dockerd || [ -e /var/run/docker.sock ]"); r.Code == 0 {
			t.Errorf("%s: a blank host has an engine", distro)
		}
		if r, errs := h.sh("root", aptGet+" install "+packages); r.Code != 100 || !strings.Contains(errs, "E: Unable to locate package docker.io") {
			t.Errorf("%s: an installation without lists: %d %s", distro, r.Code, errs)
		}
		run(t, h, `mkdir -p /etc/docker; printf '{"log-driver":"local","live-restore":true,"default-address-pools":[{"base":"10.211.0.0/16","size":24}]}' >/etc/docker/daemon.json`)
		run(t, h, aptGet+" update; "+aptGet+" install "+packages)
		got := run(t, h, "docker info --format '{{.LoggingDriver}} {{.LiveRestoreEnabled}} {{range .DefaultAddressPools}}{{.Base}}/{{.Size}} {{end}}'; systemctl is-active docker; [ -S /var/run/docker.sock ]; docker compose version --short >/dev/null")
		if want := "local true 10.211.0.0/16/24 \nactive\n"; got != want {
			t.Errorf("%s: %q", distro, got)
		}
	}
	h := testHost(t, HostOptions{Distro: "debian 12"})
	run(t, h, aptGet+" update; "+aptGet+" install docker.io docker-compose; docker version --format '{{.Server.Version}}'")
	if r, errs := h.sh("root", "docker compose version"); r.Code == 0 {
		t.Errorf("Debian 12 has Compose 2: %s", errs)
	}
}

func TestPackageLocks(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{})
	run(t, h, aptGet+" update")
	free, err := h.HoldLock("/var/lib/dpkg/lock-frontend", "unattended-upgr")
	if err != nil {
		t.Fatal(err)
	}
	r, errs := h.sh("root", `ino=$(stat -c %i /var/lib/dpkg/lock-frontend); while read -r _ _ _ _ pid dev _; do case $dev in *:"$ino") cat "/proc/$pid/comm" ;; esac; done </proc/locks
apt-get install -y iptables`)
	if r.Code != 100 || r.Stdout != "unattended-upgr\nReading package lists...\n"[:16] || !strings.Contains(errs, "It is held by process") {
		t.Errorf("%d %q %q", r.Code, r.Stdout, errs)
	}
	go func() { time.Sleep(20 * time.Millisecond); free() }()
	run(t, h, aptGet+" install iptables")
	h.SetMirror(errors.New("Could not resolve 'deb.example.org'"))
	if r, errs := h.sh("root", aptGet+" update"); r.Code != 100 || !strings.Contains(errs, "Could not resolve") {
		t.Errorf("an unreachable mirror: %d %s", r.Code, errs)
	}
}

func TestAnInterruptedInstallation(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{})
	run(t, h, aptGet+" update")
	h.sh("root", aptGet+` install docker.io docker-cli docker-compose &
while kill -0 $! && ! dpkg --audit | grep -q ' docker'; do sleep 0.05; done; kill -9 $!; wait $!`)
	if got := run(t, h, "dpkg --audit"); !strings.Contains(got, " docker") {
		t.Fatalf("nothing is half installed: %q", got)
	}
	if r, errs := h.sh("root", aptGet+" install docker.io"); r.Code != 100 || !strings.Contains(errs, "dpkg --configure -a") {
		t.Errorf("%d %s", r.Code, errs)
	}
	run(t, h, "dpkg --configure -a; [ -z \"$(dpkg --audit)\" ]; "+aptGet+" install docker.io docker-cli docker-compose; docker version >/dev/null")
}

func TestEngineAndHostRestarts(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Docker: "running"})
	run(t, h, `docker run -d --name always --restart unless-stopped postgres:13.3 sleep 1000 >/dev/null
docker run -d --name once postgres:13.3 sleep 1000 >/dev/null
docker run -d --name halted --restart unless-stopped postgres:13.3 sleep 1000 >/dev/null
docker stop halted >/dev/null; echo x >/tmp/x; echo y >/root/y`)
	states := func() string {
		return run(t, h, `docker ps -a --format '{{.Names}} {{.State}}' | sort | tr '\n' ' '`)
	}
	if got := states(); got != "always running halted exited once running " {
		t.Errorf("at first: %s", got)
	}
	run(t, h, "systemctl restart docker")
	if got := states(); got != "always running halted exited once exited " {
		t.Errorf("after a restart of the engine: %s", got)
	}
	before := run(t, h, "cat /proc/sys/kernel/random/boot_id")
	h.Reboot()
	if got := states(); got != "always running halted exited once exited " {
		t.Errorf("after a reboot: %s", got)
	}
	if after := run(t, h, "cat /proc/sys/kernel/random/boot_id; [ ! -e /tmp/x ]; cat /root/y"); after == before+"y\n" || !strings.HasSuffix(after, "y\n") {
		t.Errorf("a reboot kept its id: %q", after)
	}
	run(t, h, `mkdir -p /etc/docker; printf '{"live-restore":true}' >/etc/docker/daemon.json; systemctl restart docker; id=$(docker inspect --format '{{.State.StartedAt}}' always); systemctl restart docker; [ "$id" = "$(docker inspect --format '{{.State.StartedAt}}' always)" ]`)
	run(t, h, `systemctl stop docker`)
	if r, errs := h.sh("root", "docker ps"); r.Code != 1 || !strings.HasPrefix(errs, "Cannot connect to the Docker daemon") {
		t.Errorf("%d %s", r.Code, errs)
	}
	if r, _ := h.sh("root", `echo '{' >/etc/docker/daemon.json; systemctl start docker`); r.Code != 1 {
		t.Error("an engine started with a broken daemon.json")
	}
}

func TestPortsAndRoutes(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Docker: "running", Ports: []Port{{Number: 443, Process: "nginx"}}, Interfaces: []string{"10.9.0.0/24"}})
	got := run(t, h, `ss -Hltnp | grep -o '"[a-z]*"'; grep -c ' 0A ' /proc/net/tcp; cut -f1,2,8 /proc/net/route | grep -v Iface`)
	want := "\"sshd\"\n\"nginx\"\n2\neth0\t00000000\t00000000\neth0\t0000090A\t00FFFFFF\ndocker0\t000011AC\t0000FFFF\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if r, errs := h.sh("root", "docker run -d -p 443:443 postgres:13.3 sleep 9"); r.Code != 125 || !strings.Contains(errs, "address already in use") {
		t.Errorf("%d %s", r.Code, errs)
	}
}

// A small stack in the shape of the real one: what each part does depends on the others.
const stackSetUp = `mkdir -p /s/sec /s/caddy /s/csec/tokens /s/asec /s/spec /s/ctx/provision; cd /s
printf %s "$PW" >sec/password; cp sec/password sec/server_password; chmod 0400 sec/*; chown 999 sec/password; chown 10001 sec/server_password
printf %s "$ROOT" >csec/root.crt; printf %s "$CERT" >csec/intermediate.crt; printf %s "$KEY" >csec/intermediate.key; printf 'x' >csec/ui_password_hash; printf %s "$TOKEN" >csec/tokens/worker.poll; chown -R 10002 csec
cp csec/root.crt ca.pem; printf %s "$TOKEN" >asec/poll; chown -R 10001 asec; chmod 0400 asec/*
cat >caddy/Caddyfile <<'E'
pki {
	ca local {
		root {
			cert /run/secrets/root.crt
		}
		intermediate {
			cert /run/secrets/intermediate.crt
			key /run/secrets/intermediate.key
		}
	}
}
https://prefect.test {
	tls {
		issuer internal
	}
	import token poll worker
}
http://:2020 {
	respond "abc {vars.mounts}"
}
E
printf 'mounts "def"\n' >caddy/mounts
cat >ctx/Dockerfile <<'E'
ARG BASE=python:3.8-slim
FROM ${BASE}
COPY provision/ /opt/provision/
COPY hello.py /opt/business/
USER 10001:10001
ENTRYPOINT ["/opt/provision/entrypoint"]
E
printf 'def hello():\n    pass\n' >ctx/hello.py
cat >ctx/provision/entrypoint <<'E'
#!/bin/sh
for pair in ${SECRETS:-}; do
	value=$(cat "${pair#*=}") || { echo "cannot read ${pair#*=}" >&2; exit 78; }
	export "${pair%%=*}=$value"
done
exec "$@"
E
chmod 755 ctx/provision/entrypoint; tar -cf - -C ctx . | docker build -q -t app:1 - 2>/dev/null
docker pull -q postgres:13.3 >/dev/null; docker pull -q caddy:2 >/dev/null
docker network create --subnet 10.210.0.0/24 net >/dev/null; docker volume create data >/dev/null
printf '%s' '{"stack":"prefect","pool":"provision","record":"r1","agents":["worker"],"deployments":[{"flow":"hello.py:hello","name":"default","queue":"default"}]}' >spec/deployments.json
cat >compose.yaml <<'E'
name: s
x-app: &app
  image: app:1
  networks: {net: {}}
  restart: unless-stopped
  healthcheck: {test: [CMD, /opt/provision/entrypoint, python, -m, provision_glue.health, server], interval: 1s, retries: 3}
x-agent: &agent
  PREFECT_API_URL: https://prefect.test/api
  PREFECT_API_SSL_CERT_FILE: /ca.pem
  PROVISION_QUEUE: host-worker
  PROVISION_HOST: worker
services:
  postgres:
    image: postgres:13.3
    user: "999:999"
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/password}
    volumes: ["data:/var/lib/postgresql/data", "/s/sec:/run/secrets:ro"]
    networks: {net: {}}
    restart: unless-stopped
  server:
    <<: *app
    command: [prefect, server, start]
    environment: {SECRETS: PREFECT_API_DATABASE_PASSWORD=/run/secrets/server_password, PREFECT_API_DATABASE_MIGRATE_ON_START: "false", PREFECT_API_DATABASE_CONNECTION_URL: "postgresql+asyncpg://prefect:x@postgres:5432/prefect"}
    volumes: ["/s/sec:/run/secrets:ro"]
  migrate:
    <<: *app
    profiles: [migrate]
    command: [prefect, server, database, upgrade, -y]
    environment: {SECRETS: PREFECT_API_DATABASE_PASSWORD=/run/secrets/server_password, PREFECT_API_DATABASE_CONNECTION_URL: "postgresql+asyncpg://prefect:x@postgres:5432/prefect"}
    volumes: ["/s/sec:/run/secrets:ro"]
  caddy:
    image: caddy:2
    user: "10002:10002"
    volumes: ["/s/caddy:/etc/caddy:ro", "/s/csec:/run/secrets:ro"]
    networks: {net: {aliases: [prefect.test]}}
    ports: ["443:443"]
  agent:
    <<: *app
    command: [prefect, agent, start, --pool, provision, --work-queue, host-worker]
    environment: {<<: *agent, SECRETS: PREFECT_API_KEY=/run/secrets/poll}
    volumes: ["/s/asec:/run/secrets:ro", "/s/ca.pem:/ca.pem:ro"]
    healthcheck: {test: [CMD, /opt/provision/entrypoint, python, -m, provision_glue.health, agent], interval: 1s, retries: 3}
  describe:
    image: app:1
    restart: "no"
    profiles: [describe]
    network_mode: none
    command: [python, -m, provision_glue.describe]
networks: {net: {name: net, external: true}}
volumes: {data: {name: data, external: true}}
E
`

// testAuthority is a root, an intermediate and its key, as PEM.
func testAuthority(t *testing.T) (root, intermediate, key string) {
	t.Helper()
	r, err := publicAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "between"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, r.Leaf, k.Public(), r.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", r.Certificate[0]), text("CERTIFICATE", der), text("EC PRIVATE KEY", private)
}

func TestStack(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Docker: "running"})
	const token = "0123456789abcdef0123456789abcdef"
	root, intermediate, key := testAuthority(t)
	vars := "PW=pw1 TOKEN=" + token + " ROOT='" + root + "' CERT='" + intermediate + "' KEY='" + key + "'\n"
	run(t, h, vars+stackSetUp)
	const up = "cd /s; docker compose up -d --no-deps "
	state := func(name string) string {
		return strings.TrimSpace(run(t, h, "docker inspect --type container --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}}' s-"+name+"-1"))
	}
	fails := func(what, script, want string) {
		t.Helper()
		if r, errs := h.sh("root", "cd /s; "+script); r.Code == 0 || !strings.Contains(r.Stdout+errs, want) {
			t.Errorf("%s: exit status %d, %q %q, want %q", what, r.Code, r.Stdout, errs, want)
		}
	}

	run(t, h, up+"server")
	if got := state("server"); !strings.HasPrefix(got, "restarting") {
		t.Errorf("a server without a database: %s", got)
	}
	run(t, h, up+"postgres")
	fails("a migration with a wrong password", "printf wrong >sec/server_password; docker compose run --rm -T --no-deps migrate", "password authentication failed")
	run(t, h, "cd /s; printf pw1 >sec/server_password; docker compose run --rm -T --no-deps migrate")
	waitFor(t, func() bool { return state("server") == "running healthy 0" })

	const login = `docker exec s-postgres-1 sh -c 'PGPASSWORD="$(cat /run/secrets/password)" psql -h 127.0.0.1 -U prefect -d prefect -Atqc "select 1"'`
	run(t, h, login)
	run(t, h, `printf pw2 >/s/sec/password`)
	fails("a login with another password", login, "password authentication failed")
	run(t, h, `printf "set log_statement = 'none';\nalter role prefect password '%s';\n" pw2 | docker exec -i s-postgres-1 psql -v ON_ERROR_STOP=1 -qU prefect -d prefect; `+login+"; printf pw2 >/s/sec/server_password")

	run(t, h, up+"agent")
	if got := state("agent"); !strings.HasPrefix(got, "restarting") {
		t.Errorf("an agent without a proxy: %s", got)
	}
	run(t, h, up+"caddy")
	if got := run(t, h, `docker exec s-caddy-1 python3 -ISc 'c = socket.create_connection(("127.0.0.1", 2020), 5)'`); got != "abc def" {
		t.Errorf("Caddy says %q", got)
	}
	run(t, h, `sed -i.bak s/abc/xyz/ /dev/null 2>/dev/null || true; t=$(cat /s/caddy/Caddyfile); printf '%s\n' "$t" | sed s/abc/xyz/ >/s/caddy/Caddyfile; docker exec s-caddy-1 caddy reload --force --config /etc/caddy/Caddyfile --adapter caddyfile`)
	if got := run(t, h, `docker exec s-caddy-1 python3 -ISc 'c = socket.create_connection(("127.0.0.1", 2020), 5)'`); got != "xyz def" {
		t.Errorf("after a reload Caddy says %q", got)
	}
	fails("a broken configuration", "printf 'a {\n' | docker exec -i s-caddy-1 caddy validate --adapter caddyfile --config -", "unexpected EOF")

	run(t, h, `docker exec s-server-1 python -m provision_glue.pool '{"pool": "provision", "queues": [{"name": "default"}, {"name": "host-worker"}, {"name": "host-gone"}]}'`)
	run(t, h, `docker exec s-server-1 python -m provision_glue.pool '{"pool": "provision", "queues": [{"name": "default"}, {"name": "host-worker"}]}'`)
	waitFor(t, func() bool { return state("agent") == "running healthy 0" })
	const register = `docker compose run --rm -T --no-deps describe <spec/deployments.json >said && { printf '{"flows":'; cat said; printf ','; cut -c2- spec/deployments.json; } | docker exec -i s-server-1 python -m provision_glue.register`
	run(t, h, "cd /s; "+register)
	want := &Prefect{Pool: "provision", Record: "r1", Password: "pw2", Migrated: true, Queues: []string{"default", "host-worker"}}
	got := h.Prefect()
	names := ""
	for _, d := range got.Deployments {
		names += d.Flow + "/" + d.Name + " "
	}
	got.Deployments = nil
	if d := cmp.Diff(want, got); d != "" || names != "hello/default provision-smoke/worker " {
		t.Errorf("%s %s", names, d)
	}
	fails("a flow that is not there", `printf '{"record":"r2","deployments":[{"flow":"hello.py:nope","name":"x"}]}' >spec/deployments.json; `+register, "register: flow hello.py:nope: Flow function with name 'nope' not found")

	const check = "docker exec s-agent-1 /opt/provision/entrypoint python -m provision_glue.check"
	run(t, h, check)
	fails("a changed token", "printf ffffffffffffffffffffffffffffffff >csec/tokens/worker.poll; "+check, "401")
	fails("another authority", "printf "+token+" >csec/tokens/worker.poll; printf other >ca.pem; "+check, "CERTIFICATE_VERIFY_FAILED")
	fails("an unreadable secret", "chown 0 asec/poll; docker compose up -d --no-deps --force-recreate agent; docker logs s-agent-1 >&2; false", "cannot read /run/secrets/poll")
	if where := h.Exposed("pw2"); len(where) != 0 {
		t.Errorf("the password can be read: %q", where)
	}
	run(t, h, "docker exec s-postgres-1 echo pw2 >/dev/null; cp /s/sec/password /tmp/p; chmod 644 /tmp/p")
	if d := cmp.Diff([]string{"arguments: docker exec s-postgres-1 echo pw2", "arguments: echo pw2", "file: /tmp/p"}, h.Exposed("pw2")); d != "" {
		t.Error(d)
	}
	if u := h.Unknown(); len(u) > 0 && !strings.Contains(u[0], "sed") {
		t.Errorf("not simulated: %q", u)
	}
}

func TestCrashesAndHealth(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Docker: "running"})
	h.Crash("c", 3, "FATAL: no way\n")
	h.SetHealthDelay("slow", 30*time.Second)
	run(t, h, "docker run -d --name c --restart unless-stopped postgres:13.3 sleep 9 >/dev/null; docker run -d --name slow --health-cmd true postgres:13.3 sleep 9 >/dev/null")
	const inspect = "docker inspect --type container --format '{{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "
	if got := run(t, h, inspect+"c slow; docker logs --tail 1 c 2>&1"); got != "restarting 3 \nrunning 0 starting\nFATAL: no way\n" {
		t.Errorf("%q", got)
	}
	waitFor(t, func() bool { return run(t, h, inspect+"slow") == "running 0 healthy\n" })
	if got := run(t, h, "docker inspect --format '{{.RestartCount}}' c"); got < "2" {
		t.Errorf("restarted %s times", got)
	}
	h.Crash("c", 0, "")
	waitFor(t, func() bool { return run(t, h, inspect+"c") == "running 0 \n" })
}

func TestBuildsAndRegistries(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Docker: "running"})
	run(t, h, "mkdir /c; cd /c; printf 'FROM python:3.8-slim\nCOPY a /a\nCMD [\"sleep\", \"9\"]\n' >Dockerfile; echo a >a; mkdir no; printf 'FROM x\nCOPY nosuch /\n' >no/Dockerfile")
	const build = "tar -cf - -C /c . | docker build -t x:1 -; "
	run(t, h, build+"one=$(docker image inspect --format '{{.ID}}' x:1); "+build+`[ "$one" = "$(docker image inspect --format '{{.ID}}' x:1)" ]; echo b >/c/a; `+build+`[ "$one" != "$(docker image inspect --format '{{.ID}}' x:1)" ]`)
	if got := run(t, h, "docker run --rm x:1 cat /a; docker inspect --format '{{json .Config.Cmd}}' x:1"); got != "b\n[\"sleep\",\"9\"]\n" {
		t.Errorf("%q", got)
	}
	for script, want := range map[string]string{
		"tar -cf - -C /c/no . | docker build -": `"/nosuch": not found`, "echo junk | docker build -": "does not look like a tar archive",
		"tar -cf - -C /c a | docker build -": "open Dockerfile: no such file",
	} {
		if r, errs := h.sh("root", script); r.Code != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", script, r.Code, errs)
		}
	}
	h.fleet.SetRegistry(errors.New("toomanyrequests: You have reached your pull rate limit"))
	if r, errs := h.sh("root", "docker pull postgres:13.3"); r.Code != 1 || errs != "Error response from daemon: toomanyrequests: You have reached your pull rate limit\n" {
		t.Errorf("%d %s", r.Code, errs)
	}
	h.fleet.SetRegistry(nil, "mirror.example.org/library/postgres:13.3")
	run(t, h, `docker pull mirror.example.org/library/postgres:13.3; docker tag mirror.example.org/library/postgres:13.3 postgres:13.3; docker run --rm postgres:13.3 true`)
	if r, _ := h.sh("root", "docker pull caddy:2"); r.Code == 0 {
		t.Error("an image that no registry has was pulled")
	}
}

func TestReplacedPrograms(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Docker: "running"})
	h.Replace("uname", func(c Call) int { _, _ = c.Stdout.Write([]byte("\x1b]0;owned\x07\n")); return 0 })
	h.fleet.InContainer(func(c Call) (int, bool) {
		if c.Argv[0] != "frob" {
			return 0, false
		}
		_, _ = c.Stdout.Write([]byte(c.Container + " " + c.Env["E"] + "\n"))
		return 4, true
	})
	run(t, h, "docker run -d --name c -e E=env postgres:13.3 sleep 9 >/dev/null")
	r, _ := h.sh("root", "uname; docker exec c frob")
	if d := cmp.Diff(result{"\x1b]0;owned\x07\nc env\n", 4}, r); d != "" {
		t.Error(d)
	}
}
