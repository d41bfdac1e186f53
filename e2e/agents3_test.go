//go:build linux && e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testAgents3 has two agent hosts, one of which is the server's own: they share a storage of results, and then the other one loses its power.
func testAgents3(t *testing.T) {
	s, hosts := keptSite(t, "e2e-agents3", gen3)
	server, worker := hosts[0], hosts[1]
	s.edit("inventory.toml", `roles = ["server"]`, `roles = ["server", "agent"]`)
	s.add("stack.toml", "\n[business_logic]\npath = \""+s.project()+"\"\n")
	for _, host := range []string{"prefect", "worker-1"} {
		for _, flow := range []string{"patient", "shared"} {
			s.add("stack.toml", fmt.Sprintf("\n[[deployments]]\nflow = \"desk/%[1]s.py:%[1]s\"\nname = \"%[2]s\"\nqueue = \"host-%[2]s\"\n", flow, host))
		}
	}
	s.apply()
	s.stage("results in a storage of both hosts", func(s *site) { s.shared3(server, worker) })
	s.stage("a host loses its power", func(s *site) { s.powerless3(server, worker) })
}

// shared3 gives both hosts a storage for results that both may write. What one keeps there as JSON the other one uses; pickles that one puts there run
// nothing in a container of the other, whatever names them.
func (s *site) shared3(server, worker *lab.Host) {
	s.storage3(server)
	made := func(run string) string {
		s.Helper()
		const by = "made by "
		return strings.TrimPrefix(s.query(server, "select message from log where flow_run_id = '"+run+"' and message like '"+by+"%'"), by)
	}
	run := func(host string, n int) string {
		s.Helper()
		var run struct{ ID string }
		if err := json.Unmarshal([]byte(s.api(server, "POST", "/deployments/"+s.deployment(server, "shared", host)+"/create_flow_run", fmt.Sprintf(`{"parameters":{"n":%d}}`, n))), &run); err != nil {
			s.Fatal(err)
		}
		if got := s.ended(server, run.ID); got != "COMPLETED" {
			s.Fatalf("the run on %s ended as %s\n%s", host, got, s.query(server, "select message from log where flow_run_id = '"+run.ID+"'"))
		}
		s.until("its line is there", time.Minute, func() bool { return made(run.ID) != "" })
		return run.ID
	}
	first := run("worker-1", 1)
	if got := made(first); got != "worker-1 worker-1" {
		s.Errorf("the first run used what was made by %s", got)
	}
	// The other host uses the JSON and makes the pickle again.
	if got := made(run("prefect", 1)); got != "worker-1 prefect" {
		s.Errorf("the other host's run used what was made by %s", got)
	}

	// Whoever is in the first host's container has the storage's key. It puts a pickle where each result was, and where a state will say that one is.
	const hostile = `cposix\nsystem\n(S'touch /tmp/owned'\ntR.`
	s.python3(worker, "prefect-business-logic", `import base64, json
from prefect.filesystems import RemoteFileSystem
storage = RemoteFileSystem.load("shared", _sync=True)
blob = base64.encodebytes(b"""`+hostile+`""").decode()
paths = [p.rpartition("/")[2] for p in storage.filesystem.ls("/results", detail=False)]
assert len(paths) >= 3, paths
for key in paths + ["placed"]:
    record = {"metadata": {"storage_key": key, "serializer": {"type": "pickle"}}, "result": blob}
    storage.write_path(key, json.dumps(record).encode(), _sync=True)`)
	// It is a pickle that acts: by hand it is loaded, which is what the guard is there against.
	s.python3(worker, "prefect-business-logic", `import pickle
pickle.loads(b"""`+strings.ReplaceAll(hostile, "owned", "shown")+`""")`)
	s.want(worker, "docker exec prefect-business-logic ls /tmp/shown", "/tmp/shown")

	if got := made(run("prefect", 1)); got != "prefect prefect" {
		s.Errorf("the attacked run used what was made by %s", got)
	}
	web := s.outside(server)
	token := bearer(s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/tokens/worker-1.run"))
	block := s.query(server, "select id from block_document where name = 'shared'")
	state := fmt.Sprintf(`{"type":"COMPLETED","name":"Completed","data":{"storage_key":"placed","storage_block_id":%q,"serializer":{"type":"pickle"}}}`, block)
	s.until("the state of a run names the pickle", time.Minute, func() bool {
		code, answer := web.ask("POST", "/api/flow_runs/"+first+"/set_state", `{"force":true,"state":`+state+`}`, token)
		if code/100 != 2 && code != 503 {
			s.Fatalf("the state is not set: %d %s", code, answer)
		}
		return code != 503
	})
	// The agent is not asked: its token reads neither a run nor a block.
	for _, container := range []string{"prefect-business-logic", "prefect-server"} {
		said := s.python3(server, container, `from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    state = client.read_flow_run("`+first+`").state
assert state.data.storage_key == "placed", state
try: print("read", state.result(_sync=True))
except Exception as error: print(error)`)
		s.contains(said, "is a pickle in a storage that others may write (RemoteFileSystem)")
		s.want(server, "docker exec "+container+" ls /tmp/owned 2>/dev/null || echo none", "none")
	}
}

// python3 runs a program in a container, with what its own process has: token, address and trust.
func (s *site) python3(h *lab.Host, container, program string) string {
	s.Helper()
	url := ""
	if container == "prefect-server" {
		url = "-e PREFECT_API_URL=http://127.0.0.1:4200/api "
	}
	return s.on(h, "docker exec "+url+"-e PREFECT_HOME=/tmp/by-hand "+container+" /opt/provision/entrypoint python -W ignore -c "+quote(program))
}

// storage3 makes a server of FTP on the server's host, which Prefect needs no further library for, and a block that says where it is.
func (s *site) storage3(server *lab.Host) {
	const password = "shared-by-both"
	s.on(server, `set -e; export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null; apt-get install -qy --no-install-recommends vsftpd >/dev/null
useradd --create-home --shell /bin/sh results; echo results:`+password+` | chpasswd
printf 'listen=YES\nlisten_ipv6=NO\nlocal_enable=YES\nwrite_enable=YES\nchroot_local_user=YES\nallow_writeable_chroot=YES\nseccomp_sandbox=NO\npasv_address=`+server.Address+`\n' >/etc/vsftpd.conf
systemctl restart vsftpd`)
	s.python3(server, "prefect-server", fmt.Sprintf(`from prefect.filesystems import RemoteFileSystem
RemoteFileSystem(basepath="ftp://%[1]s/results", settings={"host": %[1]q, "username": "results", "password": %[2]q}).save("shared", _sync=True)`, server.Address, password))
}

// powerless3 pulls the plug of a host on which a run is, and leaves it off until the run is Crashed. What is heard of a run is its own heartbeat and that
// of its host's agent, which comes every 30 s; the automation waits for 540 s.
func (s *site) powerless3(server, worker *lab.Host) {
	const within, agent = 540.0, 30.0
	lost := s.begin(server, "patient", "worker-1", "begun", `{"alone":true}`)
	lives := s.begin(server, "patient", "prefect", "begun", `{"alone":true}`)
	state := func(run string) string {
		s.Helper()
		return s.query(server, "select state_type from flow_run where id = '"+run+"'")
	}
	if err := worker.Kill(s.Context()); err != nil {
		s.Fatal(err)
	}
	pulled := s.on(server, "date +%s.%N")
	idly(func() {
		for deadline := time.Now().Add(15 * time.Minute); state(lost) == "RUNNING"; time.Sleep(10 * time.Second) {
			if time.Now().After(deadline) {
				s.Fatal("the run of a host without power is Running after 15 minutes")
			}
		}
	})
	took, said, _ := strings.Cut(s.query(server, "select round(extract(epoch from created) - "+pulled+") || ' ' || message from flow_run_state where flow_run_id = '"+lost+"' and type = 'CRASHED'"), " ")
	s.Logf("the run was Crashed %s s after its host had lost its power: %s", took, said)
	s.contains(said, "Nothing was heard of this run for 9 minutes: its host is gone.")
	if n := float64(number(s, took)); n < within-agent-5 || n > within+30 {
		s.Errorf("it was Crashed after %.0f s, want %.0f s from when something was heard of its host", n, within)
	}
	if got := state(lives); got != "RUNNING" {
		s.Errorf("the run of the other host is %s", got)
	}
	if err := worker.Start(s.Context()); err != nil {
		s.Fatal(err)
	}
	s.healthy(worker, "prefect-agent", "prefect-business-logic")
	s.provision(0, "verify", "--smoke=all")
	s.again(2)
	if got := state(lost); got != "CRASHED" {
		s.Errorf("the lost run became %s when its host was back", got)
	}
}
