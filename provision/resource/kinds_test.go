package resource

import (
	"strings"
	"testing"
)

func TestFileDiff(t *testing.T) {
	t.Parallel()
	f := &File{Host: "h", Path: "/d/f", Content: []byte("one\ntwo\n"), Owner: "0:0", Mode: "0644"}
	sum := digest(f.Content)
	runDiff(t, f, []diffCase{
		{name: "unknown", facts: facts{f.ID(): unknown("x")}},
		{name: "never asked"},
		{name: "missing", facts: facts{f.ID(): no()}, want: "add: the file does not exist"},
		{name: "same", facts: facts{f.ID(): yes("stat", "0:0 644", "sum", sum)}},
		{name: "content", facts: facts{f.ID(): yes("stat", "0:0 644", "sum", "0", "content", "one\n")}, want: "change: the content differs"},
		{name: "mode", facts: facts{f.ID(): yes("stat", "0:0 600", "sum", sum)}, want: "change: owner and mode are 0:0 600, should be 0:0 644"},
		{name: "owner", facts: facts{f.ID(): yes("stat", "7:7 644", "sum", sum)}, want: "change: owner and mode are 7:7 644"},
		{name: "link", facts: facts{f.ID(): yes("link", "/d/f")}, want: "change: it is a symbolic link"},
		{name: "hostile stat", facts: facts{f.ID(): yes("stat", "\x1b[2J", "sum", sum)}, want: `change: owner and mode are \x1b[2J, should`},
	})
	got := f.Diff(world{facts: facts{f.ID(): yes("sum", "0", "content", "one\n\x1b]0;x\a\n")}})[0].Diff
	if !strings.Contains(got, "+two\n") || !strings.Contains(got, `-\x1b]0;x\x07`) || strings.ContainsAny(got, "\x1b\a") {
		t.Errorf("%q", got)
	}
}

func TestVolumeDiff(t *testing.T) {
	t.Parallel()
	born := &Volume{Host: "h", Stack: "s", Name: "data", Birth: true}
	runDiff(t, born, []diffCase{
		{name: "there", facts: facts{born.ID(): yes("born", "yes")}},
		{name: "there, without its mark", facts: facts{born.ID(): yes()}, want: "change: the mark that it was made is missing"},
		{name: "unknown", facts: facts{born.ID(): unknown("x")}},
		{name: "never there", facts: facts{born.ID(): no()}, want: "add: the volume does not exist"},
		{name: "gone", facts: facts{born.ID(): no("born", "yes")}, want: "refuse: the volume was made here before and is gone", risk: Data},
		{name: "gone, new data", facts: facts{born.ID(): no("born", "yes")}, options: []string{"new-data"}, want: "add: the volume does not exist"},
	})
	other := &Volume{Host: "h", Stack: "s", Name: "cache"}
	runDiff(t, other, []diffCase{{name: "without data of its own, without its mark", facts: facts{other.ID(): yes()}, want: "change: the mark that it was made is missing"}, {name: "without data of its own, gone", facts: facts{other.ID(): no("born", "yes")}, want: "add: the volume does not exist"}})
}

func TestIdentityDiff(t *testing.T) {
	t.Parallel()
	const one, two = "s 11111111-1111-4111-8111-111111111111\n", "s 22222222-2222-4222-8222-222222222222\n"
	server := &Identity{Host: "s", Stack: "s", Server: "s", Others: []string{"a"}, DataVolume: VolumeID("s", "data")}
	agent := &Identity{Host: "a", Stack: "s", Server: "s", Others: []string{"a"}, DataVolume: VolumeID("s", "data")}
	data, born := VolumeID("s", "data"), []string{"id", one, "salt", "yes", "born", "yes"}
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		runDiff(t, server, []diffCase{
			{name: "born here, killed before the volume", facts: facts{server.ID(): yes(born...), data: no()}},
			{name: "was an agent", facts: facts{server.ID(): yes("id", one, "salt", "yes"), data: no()}, want: "refuse: this host was an agent of the stack (id 11111111)", risk: Data},
			{name: "was an agent, new data", facts: facts{server.ID(): yes("id", one, "salt", "yes"), data: no()}, options: []string{"new-data"}, want: "replace: the stack begins with new data"},
			{name: "was an agent, Docker is stopped", facts: facts{server.ID(): yes("id", one, "salt", "yes"), data: unknown("x")}},
			{name: "the data is elsewhere", facts: facts{server.ID(): yes(born...), data: no(), EngineID("a"): engine("volumes", "data|s|/x\n")}, want: "refuse: this host has no data of the stack, but a has it (volume data)", risk: Data},
			{name: "a volume of others elsewhere", facts: facts{server.ID(): yes(born...), data: no(), EngineID("a"): engine("volumes", "data||/x\n")}},
			{name: "blank", facts: facts{SystemID("a"): yes(), server.ID(): no(), agent.ID(): no()}, want: "add: the host does not belong to a stack yet"},
			{name: "ours", facts: facts{server.ID(): yes("id", one, "salt", "yes")}},
			{name: "no salt", facts: facts{server.ID(): yes("id", one, "salt", "no")}, want: "change: the salt is missing"},
			{name: "unknown", facts: facts{server.ID(): unknown("x")}},
			{name: "another stack", facts: facts{server.ID(): no("other", "/var/lib/provision/x")}, want: "refuse: another stack lives on this host (/var/lib/provision/x)", risk: Data},
			{name: "a hostile name", facts: facts{server.ID(): no("other", "\x1b[2J")}, want: `refuse: another stack lives on this host (\x1b[2J)`, risk: Data},
			{name: "damaged", facts: facts{server.ID(): yes("id", "?")}, want: "refuse: the identity on the host is damaged: ?", risk: Data},
			{name: "moved", facts: facts{SystemID("a"): yes(), server.ID(): no(), data: no(), agent.ID(): yes("id", one)}, want: "refuse: this host has no data of the stack, but a belongs to it (id 11111111)", risk: Data},
			{name: "moved, Docker is stopped", facts: facts{SystemID("a"): yes(), server.ID(): no(), data: unknown("x"), agent.ID(): yes("id", one)}, want: "refuse: whether this host has the data of the stack is not known, and a belongs to it (id 11111111)", risk: Data},
			{name: "blank, Docker is stopped", facts: facts{SystemID("a"): yes(), server.ID(): no(), data: unknown("x"), agent.ID(): no()}, want: "add: the host does not belong to a stack yet"},
			{name: "the id is lost", facts: facts{server.ID(): no(), data: yes(), agent.ID(): yes("id", one)}, want: "add: "},
			{name: "moved, new data", facts: facts{server.ID(): no(), agent.ID(): yes("id", one)}, options: []string{"new-data"}, want: "add: "},
			{name: "the agent's identity cannot be read", facts: facts{SystemID("a"): yes(), server.ID(): no(), agent.ID(): unknown("x")}, want: "add: "},
			{name: "the agent gives no answer", facts: facts{server.ID(): no(), data: no(), agent.ID(): unknown("x")}, want: "refuse: this host has no data of the stack, but whether a belongs to it, which cannot be reached, is not known", risk: Data},
			{name: "the agent gives no answer, new data", facts: facts{server.ID(): no(), data: no(), agent.ID(): unknown("x")}, options: []string{"new-data"}, want: "add: "},
		})
	})
	t.Run("agent", func(t *testing.T) {
		t.Parallel()
		runDiff(t, agent, []diffCase{
			{name: "blank", facts: facts{server.ID(): yes("id", one, "salt", "yes"), agent.ID(): no()}, want: "add: the host does not belong to a stack yet"},
			{name: "same", facts: facts{server.ID(): yes("id", one), agent.ID(): yes("id", one, "salt", "yes")}},
			{name: "another instance", facts: facts{server.ID(): yes("id", one), agent.ID(): yes("id", two, "salt", "yes")}, want: "refuse: this host belongs to another instance of the stack (id 22222222, the server has 11111111)", risk: Data},
			{name: "joined", facts: facts{server.ID(): yes("id", one), agent.ID(): yes("id", two, "salt", "yes")}, options: []string{"new-data"}, want: "change: the id differs from the server's"},
			{name: "the server gives no answer", facts: facts{server.ID(): unknown("x"), agent.ID(): yes("id", one, "salt", "yes")}},
		})
	})
}

func TestEngineDiff(t *testing.T) {
	t.Parallel()
	daemon := `{"log-driver":"local","live-restore":true}`
	e := &Engine{Host: "h", Stack: "s", Source: "auto", DaemonJSON: []byte(daemon)}
	ours := func(fields ...string) Fact {
		return engine(append([]string{"ours", "yes", "daemon", daemon, "settings", "local true "}, fields...)...)
	}
	runDiff(t, e, []diffCase{
		{name: "none", facts: facts{e.ID(): no(), SystemID("h"): answer()}, want: "add: Docker is not installed"},
		{name: "no answer at all", facts: facts{e.ID(): unknown("x")}},
		{name: "stopped", facts: facts{e.ID(): fact(Unknown, "versions", "Cannot connect\nto the daemon")}, want: "change: the engine does not answer: Cannot connect", risk: Interrupts},
		{name: "stopped, hostile", facts: facts{e.ID(): fact(Unknown, "versions", "\x1b[2J")}, want: `change: the engine does not answer: \x1b[2J`, risk: Interrupts},
		{name: "works", facts: facts{e.ID(): ours()}},
		{name: "of others", facts: facts{e.ID(): engine("daemon", "{}", "settings", "json-file false ")}},
		{name: "old", facts: facts{e.ID(): engine("versions", "20.10.24 20.10.24")}, want: "refuse: Docker 20.10.24 with Compose 2.26.1 is too old", risk: Preflight},
		{name: "no compose", facts: facts{e.ID(): engine("compose", "")}, want: "refuse: Docker 26.1.5 has no Compose 2", risk: Preflight},
		{name: "no buildx", facts: facts{e.ID(): engine("lacks", "buildx", "packages", "installed docker-ce\n")}, want: "refuse: Docker 26.1.5 has no buildx", risk: Preflight},
		{name: "a snap", facts: facts{e.ID(): fact(Unknown, "versions", "there is an engine socket but no docker command", "others", "snap", "lacks", "client")}, want: "refuse: Docker is a snap on this host", risk: Preflight},
		{name: "a snap that is stopped", facts: facts{e.ID(): no("others", "snap")}, want: "refuse: Docker is a snap on this host", risk: Preflight},
		{name: "podman", facts: facts{e.ID(): fact(Unknown, "versions", "unknown flag", "others", "podman", "lacks", "engine")}, want: "refuse: the command docker is Podman's on this host", risk: Preflight},
		{name: "rootless, seen from root", facts: facts{e.ID(): fact(Unknown, "versions", "x", "others", "/run/user/1000/docker.sock")}, want: "refuse: an engine without root is in use on this host (/run/user/1000/docker.sock)", risk: Preflight},
		{name: "rootless", facts: facts{e.ID(): engine("guard", "rootless")}, want: "refuse: the engine runs without root (rootless)", risk: Preflight},
		{name: "userns-remap", facts: facts{e.ID(): engine("guard", "userns-remap")}, want: "refuse: the engine runs with userns-remap", risk: Preflight},
		{name: "selinux", facts: facts{e.ID(): engine("guard", "selinux")}, want: "refuse: the engine confines containers with SELinux (selinux-enabled)", risk: Preflight},
		{name: "no buildx on Rocky", facts: facts{e.ID(): engine("lacks", "buildx"), SystemID("h"): answer("os", "ID=\"rocky\"\nVERSION_ID=\"9.6\"\n")}, want: "refuse: Docker 26.1.5 has no buildx", risk: Preflight},
		{name: "conflicts on Rocky", facts: facts{e.ID(): no("conflicts", "podman-docker runc "), SystemID("h"): answer("os", "ID=\"rocky\"\nVERSION_ID=\"9.6\"\n")}, want: "refuse: Docker's packages conflict with some that are installed: podman-docker, runc", risk: Preflight},
		{name: "a command without an engine", facts: facts{e.ID(): fact(Unknown, "versions", "Cannot connect", "lacks", "engine")}, want: "refuse: there is a docker command on this host, but no engine: Cannot connect", risk: Preflight},
		{name: "an engine without a command", facts: facts{e.ID(): fact(Unknown, "versions", "no docker command", "lacks", "client")}, want: "refuse: there is an engine on this host, but no docker command", risk: Preflight},
		{name: "ours, without buildx", facts: facts{e.ID(): ours("lacks", "buildx")}, want: "change: the installation is not complete"},
		{name: "Debian 11", facts: facts{e.ID(): no(), SystemID("h"): answer("os", "PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\nID=debian\nVERSION_ID=\"11\"\n")}, want: "refuse: Debian GNU/Linux 11 (bullseye) is not among the systems that Docker is installed on: Debian 12, 13; Ubuntu 22.04, 24.04", risk: Preflight},
		{name: "Docker's repository cannot be reached", facts: facts{e.ID(): no("unreachable", "E: Failed to fetch x"), SystemID("h"): answer()}, want: "refuse: Docker cannot be installed from /debian: Failed to fetch x", risk: Preflight},
		{name: "Docker's repository shows no key", facts: facts{e.ID(): no("key", "PGh0bWw+"), SystemID("h"): answer()}, want: "refuse: Docker cannot be installed from /debian: its key: ", risk: Preflight},
		{name: "compose 2.19", facts: facts{e.ID(): engine("compose", "2.19.9")}, want: "refuse: ", risk: Preflight},
		{name: "compose 2.20", facts: facts{e.ID(): engine("compose", "v2.20.0")}},
		{name: "ours, half installed", facts: facts{e.ID(): ours("compose", "")}, want: "change: the installation is not complete"},
		{name: "ours, edited", facts: facts{e.ID(): ours("daemon", "{}")}, want: "change: daemon.json differs", risk: Interrupts},
		{name: "ours, not restarted", facts: facts{e.ID(): ours("settings", "json-file false ")}, want: "reload: the engine runs with other settings", risk: Interrupts},
	})
	present := &Engine{Host: "h", Source: "present"}
	runDiff(t, present, []diffCase{{name: "present, and is not", facts: facts{e.ID(): no()}, want: "refuse: Docker is not installed, and docker.source", risk: Preflight}})
	distro := &Engine{Host: "h", Source: "distro"}
	debian12 := answer("os", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
	runDiff(t, distro, []diffCase{{name: "distro without compose", facts: facts{e.ID(): no(), SystemID("h"): debian12}, want: "refuse: the packages of Debian GNU/Linux 12 (bookworm) have no Docker", risk: Preflight}})
}

func TestServiceDiff(t *testing.T) {
	t.Parallel()
	secret := SecretID("h", "/d/secrets/x/password")
	s := &Service{Host: "h", Stack: "p", Container: "p-x", Service: "x", Definition: "def", Image: "i:1", Mounts: []string{"/d"}, Files: []ID{secret}, After: []ID{NetworkID("h", "net")}}
	container := func(image, ref, state, health, definition, mounts string) Fact {
		return engine("images", "sha256:1|i:1\n", "containers",
			strings.Join([]string{"/p-x", "c1", image, ref, state, health, "0", "1", "false", "2026-01-01T00:00:00Z", definition, mounts, "p", "x"}, "|")+"\n")
	}
	good := container("sha256:1", "i:1", "running", "healthy", "def", "m")
	d, own := EngineID("h"), yes("mounts", "m")
	runDiff(t, s, []diffCase{
		{name: "runs", facts: facts{d: good, s.ID(): own}},
		{name: "the engine gives no answer", facts: facts{d: unknown("x"), s.ID(): own}},
		{name: "no engine", facts: facts{d: no(), s.ID(): own}, want: "add: the container does not exist"},
		{name: "none", facts: facts{d: engine(), s.ID(): own}, want: "add: the container does not exist"},
		{name: "another definition", facts: facts{d: container("sha256:1", "i:1", "running", "healthy", "old", "m"), s.ID(): own}, want: "replace: its definition differs", risk: Interrupts},
		{name: "another image", facts: facts{d: container("sha256:0", "i:0", "running", "healthy", "old", "m"), s.ID(): own}, want: "replace: it runs i:0, should run i:1", risk: Interrupts},
		{name: "the image has moved", facts: facts{d: container("sha256:0", "i:1", "running", "healthy", "def", "m"), s.ID(): own}, want: "replace: its image has changed under the same name", risk: Interrupts},
		{name: "a file was changed before", facts: facts{d: good, s.ID(): yes("mounts", "n")}, want: "replace: files that it reads at start have changed", risk: Interrupts},
		{name: "a file changes", facts: facts{d: good, s.ID(): own}, pending: []ID{secret}, want: "replace: password, which it reads at start, changes", risk: Interrupts},
		{name: "its network changes", facts: facts{d: good, s.ID(): own}, pending: []ID{NetworkID("h", "net")}, want: "replace: network net, which it is on, changes", risk: Interrupts},
		{name: "stopped", facts: facts{d: container("sha256:1", "i:1", "exited", "", "def", "m"), s.ID(): own}, want: "change: it is exited, should be running"},
		{name: "restarting", facts: facts{d: container("sha256:1", "i:1", "restarting", "", "def", "m"), s.ID(): own}, want: "change: it is restarting"},
		{name: "unhealthy", facts: facts{d: container("sha256:1", "i:1", "running", "unhealthy", "def", "m"), s.ID(): own}, want: "await: its health check fails; it is replaced if it is not well", risk: Interrupts},
		{name: "starting", facts: facts{d: container("sha256:1", "i:1", "running", "starting", "def", "m"), s.ID(): own}},
		{name: "the image is fetched again", facts: facts{d: good, s.ID(): own}, pending: []ID{ImageID("h", "i:1")}},
		{name: "hostile state", facts: facts{d: container("sha256:1", "i:1", "\x1b[2J", "", "def", "m"), s.ID(): own}, want: `change: it is \x1b[2J, should`},
		{name: "a line that is none", facts: facts{d: engine("containers", "/p-x|c1|\n"), s.ID(): own}, want: "add: the container does not exist"},
	})
}

func TestPoolDiff(t *testing.T) {
	t.Parallel()
	state := PrefectID("s")
	p := &Pool{Host: "s", Container: "c", Name: "provision", Queues: []string{"default"}, Own: []string{"host-a"}, OwnPrefix: "host-"}
	json := func(pool, queues string) Fact {
		return yes("json", `{"pool":`+pool+`,"queues":`+queues+`,"deployments":[],"registration":null}`)
	}
	runDiff(t, p, []diffCase{
		{name: "no server yet", facts: facts{state: no()}, want: "add: the pool does not exist"},
		{name: "the server gives no answer", facts: facts{state: unknown("x")}},
		{name: "no JSON", facts: facts{state: yes("json", "Traceback")}},
		{name: "an error in place of an answer", facts: facts{state: yes("json", `{"error":"refused"}`)}},
		{name: "none", facts: facts{state: json("null", "[]")}, want: "add: the pool does not exist"},
		{name: "same", facts: facts{state: json(`{"name":"provision"}`, `[{"name":"default"},{"name":"host-a"}]`)}},
		{name: "queues of others stay", facts: facts{state: json(`{"name":"provision"}`, `[{"name":"default"},{"name":"host-a"},{"name":"theirs"}]`)}},
		{name: "missing", facts: facts{state: json(`{"name":"provision"}`, `[{"name":"host-a"}]`)}, want: "change: queues are missing: default"},
		{name: "gone", facts: facts{state: json(`{"name":"provision"}`, `[{"name":"default"},{"name":"host-a"},{"name":"host-\u001bb"}]`)}, want: `change: queues of hosts that are gone: host-\x1bb`},
	})
}

func TestRegistrationDiff(t *testing.T) {
	t.Parallel()
	state := PrefectID("s")
	g := &Registration{Host: "a", Server: "s", Digest: "d1", Names: []string{"f.py:f/one"}, Tag: "provision:p"}
	json := func(record, deployments string) Fact {
		return yes("json", `{"pool":null,"queues":[],"deployments":`+deployments+`,"registration":`+record+`}`)
	}
	const one, two = `{"entrypoint":"f.py:f","name":"one","tags":["provision:p"]}`, `{"entrypoint":"f.py:f","name":"two","tags":["provision:p"]}`
	runDiff(t, g, []diffCase{
		{name: "no server yet", facts: facts{state: no()}, want: "add: nothing is registered yet"},
		{name: "the server gives no answer", facts: facts{state: unknown("x")}},
		{name: "nothing", facts: facts{state: json("null", "[]")}, want: "add: nothing is registered yet"},
		{name: "same", facts: facts{state: json(`"d1"`, "["+one+"]")}},
		{name: "another list", facts: facts{state: json(`"d0"`, "["+one+"]")}, want: "change: another set of deployments is registered"},
		{name: "deleted in the UI", facts: facts{state: json(`"d1"`, "[]")}, want: "change: missing in Prefect: f.py:f/one"},
		{name: "too many", facts: facts{state: json(`"d1"`, "["+one+","+two+"]")}, want: "change: no longer wanted: f.py:f/two"},
		{name: "of others", facts: facts{state: json(`"d1"`, "["+one+`,{"entrypoint":"x","name":"y","tags":[]}]`)}},
	})
}

func TestCaddyDiff(t *testing.T) {
	t.Parallel()
	hash := SecretID("s", "/d/secrets/ui_password_hash")
	note := &CaddyFiles{Host: "s", Path: "/d/mounts", Files: []ID{hash}, Content: func(d string) []byte { return []byte("mounts " + d) }}
	runDiff(t, note, []diffCase{
		{name: "unknown", facts: facts{note.ID(): unknown("x")}, pending: []ID{hash}},
		{name: "missing", facts: facts{note.ID(): no("want", "w")}, want: "add: the file does not exist"},
		{name: "same", facts: facts{note.ID(): yes("want", "w", "content", "mounts w")}},
		{name: "differs", facts: facts{note.ID(): yes("want", "w", "content", "mounts v")}, want: "change: certificates or the password's hash have changed"},
		{name: "a file changes", facts: facts{note.ID(): yes("want", "w", "content", "mounts w")}, pending: []ID{hash}, want: "change: ui_password_hash changes"},
	})
	config := ID{"s", "file", "/d/Caddyfile"}
	c := &CaddyLoaded{Host: "s", Container: "caddy", Digest: "d", Config: config, Files: note, Answer: func(d, f string) string { return d + " " + f }}
	base := facts{note.ID(): yes("want", "w", "content", "mounts w")}
	runDiff(t, c, []diffCase{
		{name: "same", facts: base.with(c.ID(), yes("answer", "d w"))},
		{name: "another", facts: base.with(c.ID(), yes("answer", "e w")), want: "reload: Caddy runs with another configuration"},
		{name: "other files", facts: base.with(c.ID(), yes("answer", "d v")), want: "reload: Caddy runs with another configuration"},
		{name: "no answer", facts: base.with(c.ID(), unknown("x"))},
		{name: "the file changes", facts: base.with(c.ID(), yes("answer", "d w")), pending: []ID{config}, want: "reload: the Caddyfile changes"},
		{name: "the note changes", facts: base.with(c.ID(), yes("answer", "d w")), pending: []ID{note.ID()}, want: "reload: certificates"},
		{name: "a new container loads it itself", facts: base.with(c.ID(), yes("answer", "e w")), pending: []ID{config, ServiceID("s", "caddy")}},
	})
}
