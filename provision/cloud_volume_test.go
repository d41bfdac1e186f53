package provision_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// The volume outlives its droplet: a new one in its place is the same stack, with the same data.
func TestANewDropletWithTheOldVolumeIsTheSameStack(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	kept := map[string]string{}
	// Whoever trusts the stack's authority, an agent or a browser, goes on to.
	trusted, err := p.host("worker").ReadFile("/var/lib/provision/prefect/agent/ca/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"id", "server/secrets/server/encryption_key", "server/secrets/login/ui_password", "server/secrets/caddy/root.crt", "server/secrets/caddy/intermediate.key"} {
		b, err := p.host("prefect").ReadFile("/var/lib/provision/prefect/" + f)
		if err != nil {
			t.Fatal(err)
		}
		kept[f] = string(b)
	}
	address := p.cloud.ReservedIPs()[0].IP

	// A key without content is none: it is not copied over the one that is beside the data.
	const key = "server/secrets/server/encryption_key"
	if err := p.host("prefect").WriteFile("/var/lib/provision/prefect/"+key, "", 0o400); err != nil {
		t.Fatal(err)
	}
	p.refused(report.ExitData, "the file is empty")
	if b, err := p.host("prefect").ReadFile("/mnt/prefect-data/keep/" + key); err != nil || string(b) != kept[key] {
		t.Errorf("the key beside the data is %q: %v", b, err)
	}
	if err := p.host("prefect").WriteFile("/var/lib/provision/prefect/"+key, kept[key], 0o400); err != nil {
		t.Fatal(err)
	}

	// A boot without the volume: the database does not start on an empty directory.
	h := p.host("prefect")
	id := h.Files("/dev/disk/by-id")[0].Name()
	h.Detach(id)
	h.Reboot()
	for _, c := range h.Containers() {
		if c.Name == "/prefect-postgres" && c.State.Running {
			t.Error("the database runs without its volume")
		}
	}
	// What the agents' hosts run will not be healthy without it, so nobody waits for that.
	worker := p.host("worker")
	worker.SetHealthDelay("prefect-business-logic", 365*24*time.Hour)
	worker.Reboot()
	verified := p.attempt()
	if err := verified.Verify(verified.ctx, nil); !isCode(err, report.ExitUnknown) || !strings.Contains(explain(err), "the volume is not attached") {
		t.Errorf("verify without the volume: %s", explain(err))
	}
	for _, e := range verified.seen() {
		if strings.Contains(e.Text, "to be healthy") {
			t.Error(e.Text)
		}
	}
	verified.end()
	worker.SetHealthDelay("prefect-business-logic", 0)
	h.Attach(id, p.disks[p.cloud.Volumes()[0].ID])
	// What was restarted in vain meanwhile takes a moment to try again.
	for ended := time.Now().Add(limit); ; {
		_, err := p.attempt().apply()
		if err == nil {
			break
		}
		if report.ExitCode(err) != report.ExitUnhealthy || time.Now().After(ended) {
			t.Fatal(explain(err))
		}
	}

	a := p.attempt()
	doomed, err := a.Doom(a.ctx, "prefect")
	if err != nil {
		t.Fatal(explain(err))
	}
	if err := a.Destroy(a.ctx, doomed, false); err != nil {
		t.Fatal(explain(err))
	}
	a.end()
	if n := len(p.cloud.Volumes()); n != 1 || len(p.cloud.ReservedIPs()) != 1 {
		t.Fatalf("%d volumes are left", n)
	}
	// It ends when the volume is there and what is kept beside the data is not back yet.
	p.onBoot = func(h *remotetest.Host) {
		h.Fail(remotetest.Failure{Match: "^mount /mnt", Late: true, Code: 1, Stderr: "no power\n"})
	}
	if _, err := p.attempt().apply(); err == nil || !strings.Contains(explain(err), "no power") {
		t.Fatalf("the run did not fail: %s", explain(err))
	}
	p.onBoot = nil
	p.converge("prefect", "worker")
	if now, err := p.host("worker").ReadFile("/var/lib/provision/prefect/agent/ca/ca.pem"); err != nil || !bytes.Equal(now, trusted) {
		t.Errorf("the agent trusts another authority: %v", err)
	}
	for f, was := range kept {
		if b, err := p.host("prefect").ReadFile("/var/lib/provision/prefect/" + f); err != nil || string(b) != was {
			t.Errorf("%s is another one: %v", f, err)
		}
	}
	if ip := p.cloud.ReservedIPs()[0].IP; ip != address || p.cloud.Records("example.org")[0].Data != ip {
		t.Errorf("the address is %s, was %s", ip, address)
	}
	if db := p.host("prefect").Prefect(); db == nil || len(db.Deployments) == 0 {
		t.Errorf("%+v", db)
	}

	a = p.attempt()
	defer a.end()
	if doomed, err = a.Doom(a.ctx, "prefect"); err != nil {
		t.Fatal(explain(err))
	}
	if err := a.Destroy(a.ctx, doomed, true); err != nil {
		t.Fatal(explain(err))
	}
	if n := len(p.cloud.Volumes()); n != 0 {
		t.Errorf("%d volumes are left", n)
	}
}

// A volume with something on it is not formatted.
func TestAVolumeThatIsNotBlankIsNotFormatted(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.disk = func(d *remotetest.Disk) { d.Format("xfs") }
	_, err := p.attempt().apply()
	if err == nil || !strings.Contains(explain(err), "not blank") {
		t.Fatalf("%s", explain(err))
	}
	if kind := p.disks[p.cloud.Volumes()[0].ID].Kind(); kind != "xfs" {
		t.Errorf("there is %s on it now", kind)
	}
	p.refused(report.ExitData, "there is xfs on the volume")
}

// A volume that somebody has detached is attached again; one that is attached elsewhere is left there.
func TestADetachedVolumeIsAttachedAgain(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	volume := p.cloud.Volumes()[0]
	act := func(kind string, droplet int) {
		p.call("POST", "/v2/volumes/"+volume.ID+"/actions", fmt.Sprintf(`{"type": %q, "droplet_id": %d}`, kind, droplet))
		p.cloud.Finish()
	}
	ids := map[string]int{}
	for _, d := range p.cloud.Droplets() {
		ids[d.Name] = d.ID
	}
	act("detach", ids["prefect"])
	p.host("prefect").Reboot()
	for ended := time.Now().Add(limit); ; { // the database's container is tried again by and by
		_, err := p.attempt().apply()
		if err == nil {
			break
		}
		if report.ExitCode(err) != report.ExitUnhealthy && report.ExitCode(err) != report.ExitUnknown || time.Now().After(ended) {
			t.Fatal(explain(err))
		}
	}
	if v := p.cloud.Volumes()[0]; v.Droplet != ids["prefect"] {
		t.Errorf("%+v", v)
	}
	p.settled("prefect", "worker")

	act("detach", ids["prefect"])
	act("attach", ids["worker"])
	_, err := p.attempt().apply()
	if err == nil || !strings.Contains(explain(err), fmt.Sprintf("attached to droplet %d", ids["worker"])) {
		t.Errorf("%s", explain(err))
	}
	if v := p.cloud.Volumes()[0]; v.Droplet != ids["worker"] {
		t.Errorf("it was taken away: %+v", v)
	}
}

// Which PostgreSQL wrote the data is seen where the data is: the engine mounts it only while it is in use.
func TestAnotherMajorVersionOnAVolume(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	p.edit("url =", "stack = \"stack.toml\"\nurl =")
	p.write(filepath.Join(p.dir, "stack.toml"), "[postgres]\nimage = \"postgres:16.4\"\n")
	p.refused(report.ExitData, "written by PostgreSQL 13")
	p.host("prefect").StopUnit("docker")
	p.refused(report.ExitData, "written by PostgreSQL 13")
}
