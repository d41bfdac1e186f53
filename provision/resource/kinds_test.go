package resource_test

import (
	"strings"
	"testing"

	. "provision/provision/resource"
)

func TestFileDiff(t *testing.T) {
	t.Parallel()
	f := &File{Host: "h", Path: "/d/f", Content: []byte("one\ntwo\n"), Owner: "0:0", Mode: "0644"}
	sum := Digest(f.Content)
	runDiff(t, f, []diffCase{
		{Name: "unknown", Facts: facts{f.ID(): unknown("x")}},
		{Name: "never asked"},
		{Name: "missing", Facts: facts{f.ID(): no()}, Want: "add: the file does not exist"},
		{Name: "same", Facts: facts{f.ID(): yes("stat", "0:0 644", "sum", sum)}},
		{Name: "content", Facts: facts{f.ID(): yes("stat", "0:0 644", "sum", "0", "content", "one\n")}, Want: "change: the content differs"},
		{Name: "mode", Facts: facts{f.ID(): yes("stat", "0:0 600", "sum", sum)}, Want: "change: owner and mode are 0:0 600, should be 0:0 644"},
		{Name: "owner", Facts: facts{f.ID(): yes("stat", "7:7 644", "sum", sum)}, Want: "change: owner and mode are 7:7 644"},
		{Name: "link", Facts: facts{f.ID(): yes("link", "/d/f")}, Want: "change: it is a symbolic link"},
		{Name: "hostile stat", Facts: facts{f.ID(): yes("stat", "\x1b[2J", "sum", sum)}, Want: `change: owner and mode are \x1b[2J, should`},
	})
	got := f.Diff(world{Facts: facts{f.ID(): yes("sum", "0", "content", "one\n\x1b]0;x\a\n")}})[0].Diff
	if !strings.Contains(got, "+two\n") || !strings.Contains(got, `-\x1b]0;x\x07`) || strings.ContainsAny(got, "\x1b\a") {
		t.Errorf("%q", got)
	}
}

func TestVolumeDiff(t *testing.T) {
	t.Parallel()
	born := &Volume{Host: "h", Stack: "s", Name: "data", Birth: true}
	runDiff(t, born, []diffCase{
		{Name: "there", Facts: facts{born.ID(): yes("born", "yes")}},
		{Name: "there, without its mark", Facts: facts{born.ID(): yes()}, Want: "change: the mark that it was made is missing"},
		{Name: "unknown", Facts: facts{born.ID(): unknown("x")}},
		{Name: "never there", Facts: facts{born.ID(): no()}, Want: "add: the volume does not exist"},
		{Name: "gone", Facts: facts{born.ID(): no("born", "yes")}, Want: "refuse: the volume was made here before and is gone", Risk: Data},
		{Name: "gone, new data", Facts: facts{born.ID(): no("born", "yes")}, Options: []string{"new-data"}, Want: "add: the volume does not exist"},
	})
	other := &Volume{Host: "h", Stack: "s", Name: "cache"}
	runDiff(t, other, []diffCase{{Name: "without data of its own, without its mark", Facts: facts{other.ID(): yes()}, Want: "change: the mark that it was made is missing"}, {Name: "without data of its own, gone", Facts: facts{other.ID(): no("born", "yes")}, Want: "add: the volume does not exist"}})
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
			{Name: "born here, killed before the volume", Facts: facts{server.ID(): yes(born...), data: no()}},
			{Name: "was an agent", Facts: facts{server.ID(): yes("id", one, "salt", "yes"), data: no()}, Want: "refuse: this host was an agent of the stack (id 11111111)", Risk: Data},
			{Name: "was an agent, new data", Facts: facts{server.ID(): yes("id", one, "salt", "yes"), data: no()}, Options: []string{"new-data"}, Want: "replace: the stack begins with new data"},
			{Name: "was an agent, Docker is stopped", Facts: facts{server.ID(): yes("id", one, "salt", "yes"), data: unknown("x")}},
			{Name: "the data is elsewhere", Facts: facts{server.ID(): yes(born...), data: no(), EngineID("a"): engine("volumes", "data|s|/x\n")}, Want: "refuse: this host has no data of the stack, but a has it (volume data)", Risk: Data},
			{Name: "a volume of others elsewhere", Facts: facts{server.ID(): yes(born...), data: no(), EngineID("a"): engine("volumes", "data||/x\n")}},
			{Name: "blank", Facts: facts{SystemID("a"): yes(), server.ID(): no(), agent.ID(): no()}, Want: "add: the host does not belong to a stack yet"},
			{Name: "ours", Facts: facts{server.ID(): yes("id", one, "salt", "yes")}},
			{Name: "no salt", Facts: facts{server.ID(): yes("id", one, "salt", "no")}, Want: "change: the salt is missing"},
			{Name: "unknown", Facts: facts{server.ID(): unknown("x")}},
			{Name: "another stack", Facts: facts{server.ID(): no("other", "/var/lib/provision/x")}, Want: "refuse: another stack lives on this host (/var/lib/provision/x)", Risk: Data},
			{Name: "a hostile name", Facts: facts{server.ID(): no("other", "\x1b[2J")}, Want: `refuse: another stack lives on this host (\x1b[2J)`, Risk: Data},
			{Name: "damaged", Facts: facts{server.ID(): yes("id", "?")}, Want: "refuse: the identity on the host is damaged: ?", Risk: Data},
			{Name: "moved", Facts: facts{SystemID("a"): yes(), server.ID(): no(), data: no(), agent.ID(): yes("id", one)}, Want: "refuse: this host has no data of the stack, but a belongs to it (id 11111111)", Risk: Data},
			{Name: "moved, Docker is stopped", Facts: facts{SystemID("a"): yes(), server.ID(): no(), data: unknown("x"), agent.ID(): yes("id", one)}, Want: "refuse: whether this host has the data of the stack is not known, and a belongs to it (id 11111111)", Risk: Data},
			{Name: "blank, Docker is stopped", Facts: facts{SystemID("a"): yes(), server.ID(): no(), data: unknown("x"), agent.ID(): no()}, Want: "add: the host does not belong to a stack yet"},
			{Name: "the id is lost", Facts: facts{server.ID(): no(), data: yes(), agent.ID(): yes("id", one)}, Want: "add: "},
			{Name: "moved, new data", Facts: facts{server.ID(): no(), agent.ID(): yes("id", one)}, Options: []string{"new-data"}, Want: "add: "},
			{Name: "the agent's identity cannot be read", Facts: facts{SystemID("a"): yes(), server.ID(): no(), agent.ID(): unknown("x")}, Want: "add: "},
			{Name: "the agent gives no answer", Facts: facts{server.ID(): no(), data: no(), agent.ID(): unknown("x")}, Want: "refuse: this host has no data of the stack, but whether a belongs to it, which cannot be reached, is not known", Risk: Data},
			{Name: "the agent gives no answer, new data", Facts: facts{server.ID(): no(), data: no(), agent.ID(): unknown("x")}, Options: []string{"new-data"}, Want: "add: "},
		})
	})
	t.Run("agent", func(t *testing.T) {
		t.Parallel()
		runDiff(t, agent, []diffCase{
			{Name: "blank", Facts: facts{server.ID(): yes("id", one, "salt", "yes"), agent.ID(): no()}, Want: "add: the host does not belong to a stack yet"},
			{Name: "same", Facts: facts{server.ID(): yes("id", one), agent.ID(): yes("id", one, "salt", "yes")}},
			{Name: "another instance", Facts: facts{server.ID(): yes("id", one), agent.ID(): yes("id", two, "salt", "yes")}, Want: "refuse: this host belongs to another instance of the stack (id 22222222, the server has 11111111)", Risk: Data},
			{Name: "joined", Facts: facts{server.ID(): yes("id", one), agent.ID(): yes("id", two, "salt", "yes")}, Options: []string{"new-data"}, Want: "change: the id differs from the server's"},
			{Name: "the server gives no answer", Facts: facts{server.ID(): unknown("x"), agent.ID(): yes("id", one, "salt", "yes")}},
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
		{Name: "none", Facts: facts{e.ID(): no(), SystemID("h"): answer()}, Want: "add: Docker is not installed"},
		{Name: "no answer at all", Facts: facts{e.ID(): unknown("x")}},
		{Name: "stopped", Facts: facts{e.ID(): fact(Unknown, "versions", "Cannot connect\nto the daemon")}, Want: "change: the engine does not answer: Cannot connect", Risk: Interrupts},
		{Name: "stopped, hostile", Facts: facts{e.ID(): fact(Unknown, "versions", "\x1b[2J")}, Want: `change: the engine does not answer: \x1b[2J`, Risk: Interrupts},
		{Name: "works", Facts: facts{e.ID(): ours()}},
		{Name: "of others", Facts: facts{e.ID(): engine("daemon", "{}", "settings", "json-file false ")}},
		{Name: "old", Facts: facts{e.ID(): engine("versions", "20.10.24 20.10.24")}, Want: "refuse: Docker 20.10.24 with Compose 2.26.1 is too old", Risk: Preflight},
		{Name: "no compose", Facts: facts{e.ID(): engine("compose", "")}, Want: "refuse: Docker 26.1.5 has no Compose 2", Risk: Preflight},
		{Name: "no buildx", Facts: facts{e.ID(): engine("lacks", "buildx", "packages", "installed docker-ce\n")}, Want: "refuse: Docker 26.1.5 has no buildx", Risk: Preflight},
		{Name: "a snap", Facts: facts{e.ID(): fact(Unknown, "versions", "there is an engine socket but no docker command", "others", "snap", "lacks", "client")}, Want: "refuse: Docker is a snap on this host", Risk: Preflight},
		{Name: "a snap that is stopped", Facts: facts{e.ID(): no("others", "snap")}, Want: "refuse: Docker is a snap on this host", Risk: Preflight},
		{Name: "podman", Facts: facts{e.ID(): fact(Unknown, "versions", "unknown flag", "others", "podman", "lacks", "engine")}, Want: "refuse: the command docker is Podman's on this host", Risk: Preflight},
		{Name: "rootless, seen from root", Facts: facts{e.ID(): fact(Unknown, "versions", "x", "others", "/run/user/1000/docker.sock")}, Want: "refuse: an engine without root is in use on this host (/run/user/1000/docker.sock)", Risk: Preflight},
		{Name: "rootless", Facts: facts{e.ID(): engine("guard", "rootless")}, Want: "refuse: the engine runs without root (rootless)", Risk: Preflight},
		{Name: "userns-remap", Facts: facts{e.ID(): engine("guard", "userns-remap")}, Want: "refuse: the engine runs with userns-remap", Risk: Preflight},
		{Name: "selinux", Facts: facts{e.ID(): engine("guard", "selinux")}, Want: "refuse: the engine confines containers with SELinux (selinux-enabled)", Risk: Preflight},
		{Name: "no buildx on Rocky", Facts: facts{e.ID(): engine("lacks", "buildx"), SystemID("h"): answer("os", "ID=\"rocky\"\nVERSION_ID=\"9.6\"\n")}, Want: "refuse: Docker 26.1.5 has no buildx", Risk: Preflight},
		{Name: "conflicts on Rocky", Facts: facts{e.ID(): no("conflicts", "podman-docker runc "), SystemID("h"): answer("os", "ID=\"rocky\"\nVERSION_ID=\"9.6\"\n")}, Want: "refuse: Docker's packages conflict with some that are installed: podman-docker, runc", Risk: Preflight},
		{Name: "a command without an engine", Facts: facts{e.ID(): fact(Unknown, "versions", "Cannot connect", "lacks", "engine")}, Want: "refuse: there is a docker command on this host, but no engine: Cannot connect", Risk: Preflight},
		{Name: "an engine without a command", Facts: facts{e.ID(): fact(Unknown, "versions", "no docker command", "lacks", "client")}, Want: "refuse: there is an engine on this host, but no docker command", Risk: Preflight},
		{Name: "ours, without buildx", Facts: facts{e.ID(): ours("lacks", "buildx")}, Want: "change: the installation is not complete"},
		{Name: "Debian 11", Facts: facts{e.ID(): no(), SystemID("h"): answer("os", "PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\nID=debian\nVERSION_ID=\"11\"\n")}, Want: "refuse: Debian GNU/Linux 11 (bullseye) is not among the systems that Docker is installed on: Debian 12, 13; Ubuntu 22.04, 24.04", Risk: Preflight},
		{Name: "Docker's repository cannot be reached", Facts: facts{e.ID(): no("unreachable", "E: Failed to fetch x"), SystemID("h"): answer()}, Want: "refuse: Docker cannot be installed from /debian: Failed to fetch x", Risk: Preflight},
		{Name: "Docker's repository shows no key", Facts: facts{e.ID(): no("key", "PGh0bWw+"), SystemID("h"): answer()}, Want: "refuse: Docker cannot be installed from /debian: its key: ", Risk: Preflight},
		{Name: "compose 2.19", Facts: facts{e.ID(): engine("compose", "2.19.9")}, Want: "refuse: ", Risk: Preflight},
		{Name: "compose 2.20.1", Facts: facts{e.ID(): engine("compose", "v2.20.1")}, Want: "refuse: Docker 26.1.5 with Compose v2.20.1 is too old: engine 23 and Compose 2.20.2 are needed", Risk: Preflight},
		{Name: "compose 2.20.2", Facts: facts{e.ID(): engine("compose", "2.20.2+ds1")}},
		{Name: "ours, half installed", Facts: facts{e.ID(): ours("compose", "")}, Want: "change: the installation is not complete"},
		{Name: "ours, edited", Facts: facts{e.ID(): ours("daemon", "{}")}, Want: "change: daemon.json differs", Risk: Interrupts},
		{Name: "ours, not restarted", Facts: facts{e.ID(): ours("settings", "json-file false ")}, Want: "reload: the engine runs with other settings", Risk: Interrupts},
	})
	present := &Engine{Host: "h", Source: "present"}
	runDiff(t, present, []diffCase{{Name: "present, and is not", Facts: facts{e.ID(): no()}, Want: "refuse: Docker is not installed, and docker.source", Risk: Preflight}})
	distro := &Engine{Host: "h", Source: "distro"}
	debian12 := answer("os", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
	runDiff(t, distro, []diffCase{{Name: "distro without compose", Facts: facts{e.ID(): no(), SystemID("h"): debian12}, Want: "refuse: the packages of Debian GNU/Linux 12 (bookworm) have no Docker", Risk: Preflight}})
}

func TestServiceDiff(t *testing.T) {
	t.Parallel()
	secret := SecretID("h", "/d/secrets/x/password")
	s := &Service{Host: "h", Stack: "p", Container: "p-x", Service: "x", Definition: "def", Image: "i:1", Mounts: []string{"/d"}, Files: []ID{secret}, After: []ID{NetworkID("h", "net")}}
	container := func(image, ref, state, health, definition, mounts string) Fact {
		return engine("images", "sha256:1|i:1\n", "containers",
			strings.Join([]string{"/p-x", "c1", image, ref, state, health, "0", "1", "false", "2026-01-01T00:00:00Z", definition, mounts, "p", "x", "False"}, "|")+"\n")
	}
	good := container("sha256:1", "i:1", "running", "healthy", "def", "m")
	d, own := EngineID("h"), yes("mounts", "m")
	runDiff(t, s, []diffCase{
		{Name: "runs", Facts: facts{d: good, s.ID(): own}},
		{Name: "the engine gives no answer", Facts: facts{d: unknown("x"), s.ID(): own}},
		{Name: "no engine", Facts: facts{d: no(), s.ID(): own}, Want: "add: the container does not exist"},
		{Name: "none", Facts: facts{d: engine(), s.ID(): own}, Want: "add: the container does not exist"},
		{Name: "another definition", Facts: facts{d: container("sha256:1", "i:1", "running", "healthy", "old", "m"), s.ID(): own}, Want: "replace: its definition differs", Risk: Interrupts},
		{Name: "another image", Facts: facts{d: container("sha256:0", "i:0", "running", "healthy", "old", "m"), s.ID(): own}, Want: "replace: it runs i:0, should run i:1", Risk: Interrupts},
		{Name: "the image has moved", Facts: facts{d: container("sha256:0", "i:1", "running", "healthy", "def", "m"), s.ID(): own}, Want: "replace: its image has changed under the same name", Risk: Interrupts},
		{Name: "a file was changed before", Facts: facts{d: good, s.ID(): yes("mounts", "n")}, Want: "replace: files that it reads at start have changed", Risk: Interrupts},
		{Name: "a file changes", Facts: facts{d: good, s.ID(): own}, Pending: []ID{secret}, Want: "replace: password, which it reads at start, changes", Risk: Interrupts},
		{Name: "its network changes", Facts: facts{d: good, s.ID(): own}, Pending: []ID{NetworkID("h", "net")}, Want: "replace: network net, which it is on, changes", Risk: Interrupts},
		{Name: "stopped", Facts: facts{d: container("sha256:1", "i:1", "exited", "", "def", "m"), s.ID(): own}, Want: "change: it is not running (state: exited)"},
		{Name: "restarting", Facts: facts{d: container("sha256:1", "i:1", "restarting", "", "def", "m"), s.ID(): own}, Want: "change: it is not running (state: restarting)"},
		{Name: "unhealthy", Facts: facts{d: container("sha256:1", "i:1", "running", "unhealthy", "def", "m"), s.ID(): own}, Want: "await: its health check fails; it is replaced if it is not well", Risk: Interrupts},
		{Name: "starting", Facts: facts{d: container("sha256:1", "i:1", "running", "starting", "def", "m"), s.ID(): own}},
		{Name: "the image is fetched again", Facts: facts{d: good, s.ID(): own}, Pending: []ID{ImageID("h", "i:1")}},
		{Name: "hostile state", Facts: facts{d: container("sha256:1", "i:1", "\x1b[2J", "", "def", "m"), s.ID(): own}, Want: `change: it is not running (state: \x1b[2J)`},
		{Name: "a line that is none", Facts: facts{d: engine("containers", "/p-x|c1|\n"), s.ID(): own}, Want: "add: the container does not exist"},
	})
}

func TestPoolDiff(t *testing.T) {
	t.Parallel()
	state := PrefectID("s")
	p := &Pool{Host: "s", Container: "c", Name: "provision", Queues: []string{"default"}, Own: []string{"host-a"}, OwnPrefix: "host-"}
	json := func(pool, queues string) Fact {
		return yes("json", `{"pool":`+pool+`,"queues":`+queues+`,"deployments":[],"registration":null}`)
	}
	automations := func(differing string) Fact {
		return yes("json", `{"pool":{"name":"provision"},"queues":[{"name":"default"},{"name":"host-a"}],"deployments":[],"registration":null,"automations":`+differing+`}`)
	}
	runDiff(t, p, []diffCase{
		{Name: "no server yet", Facts: facts{state: no()}, Want: "add: the pool does not exist"},
		{Name: "the server gives no answer", Facts: facts{state: unknown("x")}},
		{Name: "no JSON", Facts: facts{state: yes("json", "Traceback")}},
		{Name: "an error in place of an answer", Facts: facts{state: yes("json", `{"error":"refused"}`)}},
		{Name: "none", Facts: facts{state: json("null", "[]")}, Want: "add: the pool does not exist"},
		{Name: "same", Facts: facts{state: json(`{"name":"provision"}`, `[{"name":"default"},{"name":"host-a"}]`)}},
		{Name: "queues of others stay", Facts: facts{state: json(`{"name":"provision"}`, `[{"name":"default"},{"name":"host-a"},{"name":"theirs"}]`)}},
		{Name: "missing", Facts: facts{state: json(`{"name":"provision"}`, `[{"name":"host-a"}]`)}, Want: "change: queues are missing: default"},
		{Name: "gone", Facts: facts{state: json(`{"name":"provision"}`, `[{"name":"default"},{"name":"host-a"},{"name":"host-\u001bb"}]`)}, Want: `change: queues of hosts that are gone: host-\x1bb`},
		{Name: "no automation differs", Facts: facts{state: automations(`{}`)}},
		{Name: "an automation", Facts: facts{state: automations(`{"z":"is disabled"}`)}, Want: "change: the automation z is disabled"},
		{Name: "automations that cannot be read", Facts: facts{state: automations(`{"error":"Refused: 500"}`)}},
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
		{Name: "no server yet", Facts: facts{state: no()}, Want: "add: nothing is registered yet"},
		{Name: "the server gives no answer", Facts: facts{state: unknown("x")}},
		{Name: "nothing", Facts: facts{state: json("null", "[]")}, Want: "add: nothing is registered yet"},
		{Name: "same", Facts: facts{state: json(`"d1"`, "["+one+"]")}},
		{Name: "another list", Facts: facts{state: json(`"d0"`, "["+one+"]")}, Want: "change: another set of deployments is registered"},
		{Name: "deleted in the UI", Facts: facts{state: json(`"d1"`, "[]")}, Want: "change: missing in Prefect: f.py:f/one"},
		{Name: "too many", Facts: facts{state: json(`"d1"`, "["+one+","+two+"]")}, Want: "change: no longer wanted: f.py:f/two"},
		{Name: "of others", Facts: facts{state: json(`"d1"`, "["+one+`,{"entrypoint":"x","name":"y","tags":[]}]`)}},
	})
}

func TestCaddyDiff(t *testing.T) {
	t.Parallel()
	hash := SecretID("s", "/d/secrets/ui_password_hash")
	note := &CaddyFiles{Host: "s", Path: "/d/mounts", Files: []ID{hash}, Content: func(d string) []byte { return []byte("mounts " + d) }}
	runDiff(t, note, []diffCase{
		{Name: "unknown", Facts: facts{note.ID(): unknown("x")}, Pending: []ID{hash}},
		{Name: "missing", Facts: facts{note.ID(): no("want", "w")}, Want: "add: the file does not exist"},
		{Name: "same", Facts: facts{note.ID(): yes("want", "w", "content", "mounts w")}},
		{Name: "differs", Facts: facts{note.ID(): yes("want", "w", "content", "mounts v")}, Want: "change: certificates or the password's hash have changed"},
		{Name: "a file changes", Facts: facts{note.ID(): yes("want", "w", "content", "mounts w")}, Pending: []ID{hash}, Want: "change: ui_password_hash changes"},
	})
	config := ID{"s", "file", "/d/Caddyfile"}
	c := &CaddyLoaded{Host: "s", Container: "caddy", Digest: "d", Config: config, Files: note, Answer: func(d, f string) string { return d + " " + f }}
	base := facts{note.ID(): yes("want", "w", "content", "mounts w")}
	runDiff(t, c, []diffCase{
		{Name: "same", Facts: base.With(c.ID(), yes("answer", "d w"))},
		{Name: "another", Facts: base.With(c.ID(), yes("answer", "e w")), Want: "reload: Caddy runs with another configuration"},
		{Name: "other files", Facts: base.With(c.ID(), yes("answer", "d v")), Want: "reload: Caddy runs with another configuration"},
		{Name: "no answer", Facts: base.With(c.ID(), unknown("x"))},
		{Name: "the file changes", Facts: base.With(c.ID(), yes("answer", "d w")), Pending: []ID{config}, Want: "reload: the Caddyfile changes"},
		{Name: "the note changes", Facts: base.With(c.ID(), yes("answer", "d w")), Pending: []ID{note.ID()}, Want: "reload: certificates"},
		{Name: "a new container loads it itself", Facts: base.With(c.ID(), yes("answer", "e w")), Pending: []ID{config, ServiceID("s", "caddy")}},
	})
}

// TestPulledImageHasManyNames finds an image that the engine lists without the name of Docker Hub, whichever way the stack file names it.
func TestPulledImageHasManyNames(t *testing.T) {
	t.Parallel()
	for ref, listed := range map[string]string{
		"postgres:17": "postgres:17", "docker.io/postgres:17": "postgres:17", "docker.io/library/postgres:17": "postgres:17", "library/postgres:17": "postgres:17",
		"docker.io/valkey/valkey:8": "valkey/valkey:8", "localhost/x:1": "localhost/x:1", "r.example.org:5000/x:1": "r.example.org:5000/x:1",
	} {
		i := &PulledImage{Host: "h", Ref: ref}
		if got := i.Diff(world{Facts: facts{EngineID("h"): engine("images", "sha256:1|"+listed+"\n")}}); len(got) != 0 {
			t.Errorf("%s: %+v", ref, got)
		}
	}
	i := &PulledImage{Host: "h", Ref: "docker.io/postgres:17"}
	if got := i.Diff(world{Facts: facts{EngineID("h"): engine("images", "sha256:1|r.example.org/postgres:17\n")}}); len(got) != 1 {
		t.Errorf("that of another registry: %+v", got)
	}
}

func TestBackupsDiff(t *testing.T) {
	t.Parallel()
	b := &Backups{Host: "h", Stack: "s", Dir: "/b", Repository: "/b/repository", At: "03:30", UID: "999"}
	service, timer := b.Units()
	sums := Digest([]byte(service)) + "\n" + Digest([]byte(timer))
	const good = "0:0 700 directory\n0:0 700 directory\n0:0 700 directory\n0:0 700 directory\n0:0 700 directory\n0:0 700 directory\n999:999 700 directory\n999:999 700 directory\n"
	as := func(more ...string) facts {
		return facts{b.ID(): yes(append([]string{"directories", good, "sums", sums, "enabled", "enabled", "active", "active"}, more...)...)}
	}
	runDiff(t, b, []diffCase{
		{Name: "there", Facts: as()},
		{Name: "unknown", Facts: facts{b.ID(): unknown("x")}},
		{Name: "never there", Facts: facts{b.ID(): no()}, Want: "add: nothing makes backups of this stack"},
		{Name: "a directory of others", Facts: as("directories", strings.Replace(good, "0:0 700", "0:0 755", 1)), Want: "change: its directories are not there"},
		{Name: "the database's directory is root's", Facts: as("directories", strings.Replace(good, "999:999", "0:0", 1)), Want: "change: its directories are not there"},
		{Name: "another unit", Facts: as("sums", sums+"0"), Want: "change: its units differ"},
		{Name: "not at boot", Facts: as("enabled", "disabled"), Want: "change: its timer does not run"},
		{Name: "stopped", Facts: as("active", "inactive"), Want: "change: its timer does not run"},
		{Name: "its disk is away", Facts: as("directories", strings.Replace(good, "0:0 700 directory", "none", 1), "lost", "yes")},
	})
	for name, tc := range map[string]struct {
		facts facts
		want  string
	}{
		"never run": {as(), ""},
		"good":      {as("last", "result good\n"), ""},
		"runs":      {as("last", "result running\nstep the dump\n", "busy", "yes"), ""},
		"killed":    {as("last", "result running\nstep the dump\n"), "h: the last backup failed at the dump: it was killed, or the host went down"},
		"failed":    {as("last", "result failed\nstep the dump\nwhy \x1b[2J full\n"), `h: the last backup failed at the dump: \x1b[2J full`},
		"away":      {as("lost", "yes", "last", "result good\n"), "h: the backups in /b/repository are not there, and none is made before they are: is its disk mounted?"},
		"unknown":   {facts{b.ID(): unknown("x")}, ""},
	} {
		got := strings.Join(b.Warn(world{Facts: tc.facts}), "; ")
		if tc.want == "" && got != "" || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
