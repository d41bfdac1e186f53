package digitaloceantest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/digitalocean/godo"
)

// statuses are what so many looks at an action see.
func statuses(t *testing.T, g *godo.Client, id, looks int) (out []string) {
	t.Helper()
	for range looks {
		out = append(out, must(g.Actions.Get(within(t), id))(t).Status)
	}
	return out
}

func create(t *testing.T, g *godo.Client, name string, tags ...string) (id, action int) {
	t.Helper()
	d, resp, err := g.Droplets.Create(within(t), dropletRequest(name, tags...))
	if err != nil {
		t.Fatal(err)
	}
	return d.ID, resp.Links.Actions[0].ID
}

func TestActionsEndAfterSoManyLooks(t *testing.T) {
	for _, test := range []struct {
		name  string
		looks int
		fault Fault
		want  []string
	}{
		{"by default", 0, Fault{}, []string{"in-progress", "completed", "completed"}},
		{"at once", -1, Fault{}, []string{"completed", "completed", "completed"}},
		{"two", 2, Fault{}, []string{"in-progress", "in-progress", "completed"}},
		{"slow", 0, Fault{Slow: 1}, []string{"in-progress", "in-progress", "completed"}},
		{"never", 0, Fault{Slow: -1}, []string{"in-progress", "in-progress", "in-progress"}},
		{"errored", 0, Fault{Errored: true}, []string{"in-progress", "errored", "errored"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, g := start(t, Options{ActionLooks: test.looks})
			test.fault.Match = "^POST /v2/droplets$"
			c.Fail(test.fault)
			id, action := create(t, g, "prefect")
			if got := statuses(t, g, action, len(test.want)); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			want := "new"
			if test.want[2] == "completed" {
				want = "active"
			}
			if d := must(g.Droplets.Get(within(t), id))(t); d.Status != want {
				t.Errorf("droplet is %s, want %s", d.Status, want)
			}
		})
	}
}

func TestActionsTakeTime(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c, g := start(t, Options{ActionTime: time.Minute, Now: func() time.Time { return at }})
	_, action := create(t, g, "prefect")
	if got := statuses(t, g, action, 3); slices.Contains(got, "completed") {
		t.Fatalf("before the time is over: %q", got)
	}
	c.Advance(time.Minute)
	if got := statuses(t, g, action, 1); got[0] != "completed" {
		t.Fatalf("after it: %q", got)
	}
	_, never := create(t, g, "agent")
	c.Finish()
	if got := statuses(t, g, never, 1); got[0] != "completed" {
		t.Fatalf("finished: %q", got)
	}
}

// TestPending: one thing at a time for a droplet, and who tries again gets through.
func TestPending(t *testing.T) {
	_, g := start(t, Options{ActionLooks: 2})
	id, _ := create(t, g, "prefect")
	ip := must(g.ReservedIPs.Create(within(t), &godo.ReservedIPCreateRequest{Region: "fra1"}))(t)
	for range 2 {
		_, _, err := g.ReservedIPActions.Assign(within(t), ip.IP, id)
		wants(t, err, 422, "Droplet already has a pending event.")
	}
	must(g.ReservedIPActions.Assign(within(t), ip.IP, id))(t)
	_, _, err := g.DropletActions.PowerOff(within(t), id)
	wants(t, err, 422, "Droplet already has a pending event.")
}

func TestResizeNeedsPowerOff(t *testing.T) {
	_, g := start(t, Options{ActionLooks: -1})
	id, _ := create(t, g, "prefect")
	_, _, err := g.DropletActions.Resize(within(t), id, "s-4vcpu-8gb", true)
	wants(t, err, 422, "Droplet is currently on. Please power it off to run this event.")
	must(g.DropletActions.PowerOff(within(t), id))(t)
	_, _, err = g.DropletActions.Resize(within(t), id, "s-1vcpu-1gb", false)
	wants(t, err, 422, "This size is not available because it has a smaller disk.")
	must(g.DropletActions.Resize(within(t), id, "s-4vcpu-8gb", true))(t)
	if d := must(g.Droplets.Get(within(t), id))(t); d.Status != "off" || d.SizeSlug != "s-4vcpu-8gb" || d.Disk != 160 {
		t.Errorf("resized: %s %s %d", d.Status, d.SizeSlug, d.Disk)
	}
}

// TestNotYetAndNotQuiteGone: what was just created is not found, what was just deleted still is.
func TestNotYetAndNotQuiteGone(t *testing.T) {
	c, g := start(t, Options{NotFoundLooks: 2, UnlistedLooks: 1, DeleteLooks: 2})
	volume, _, err := g.Storage.CreateVolume(within(t), &godo.VolumeCreateRequest{Name: "data", Region: "fra1", SizeGigaBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := dropletRequest("prefect", "t")
	want.Volumes = []godo.DropletCreateVolume{{ID: volume.ID}}
	d := must(asDescribed(g)(within(t), want))(t)
	for range 2 {
		_, _, err := g.Droplets.Get(within(t), d.ID)
		wants(t, err, 404, "The resource you requested could not be found.")
		_, _, err = g.Storage.GetVolume(within(t), volume.ID)
		wants(t, err, 404, "The resource you requested could not be found.")
	}
	must(g.Storage.GetVolume(within(t), volume.ID))(t)
	for _, n := range []int{0, 1, 1} {
		if got := must(g.Droplets.ListByTag(within(t), "t", nil))(t); len(got) != n {
			t.Errorf("%d droplets listed, want %d", len(got), n)
		}
	}
	if got := must(g.Droplets.Get(within(t), d.ID))(t); got.Status != "active" {
		t.Errorf("status %s", got.Status)
	}
	if _, err := g.Droplets.Delete(within(t), d.ID); err != nil {
		t.Fatal(err)
	}
	if got := must(g.Droplets.Get(within(t), d.ID))(t); !got.Locked || c.Volumes()[0].Droplet != d.ID {
		t.Errorf("just deleted: %+v", got)
	}
	_, err = g.Storage.DeleteVolume(within(t), volume.ID)
	wants(t, err, 409, "attached volume cannot be deleted")
	_, _, err = g.Droplets.Get(within(t), d.ID)
	wants(t, err, 404, "The resource you requested could not be found.")
	if _, err = g.Storage.DeleteVolume(within(t), volume.ID); err != nil {
		t.Fatal(err)
	}
}

func TestBoot(t *testing.T) {
	var mu sync.Mutex
	var log []string
	note := func(format string, v ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, v...))
	}
	var c *Cloud
	c, g := start(t, Options{
		Boot: func(d Droplet) (Machine, error) {
			note("boot %s with %q, %d droplets", d.Name, d.UserData, len(c.Droplets())) // the account can be asked
			if d.Name == "broken" {
				return Machine{}, errors.New("no host left")
			}
			return Machine{Address: "127.0.0.2", Private: "10.77.0.2", Port: 2222}, nil
		},
		Power: func(d Droplet, on bool) { note("%s on %v", d.Name, on) },
		Gone:  func(d Droplet) { note("%s gone", d.Name) },
	})
	want := dropletRequest("prefect")
	want.UserData = "#cloud-config"
	d, resp, err := g.Droplets.Create(within(t), want)
	if err != nil {
		t.Fatal(err)
	}
	waitAction(t, g, resp.Links.Actions[0].ID)
	d = must(g.Droplets.Get(within(t), d.ID))(t)
	public, _ := d.PublicIPv4()
	private, _ := d.PrivateIPv4()
	if public != "127.0.0.2" || private != "10.77.0.2" {
		t.Errorf("addresses %s and %s", public, private)
	}
	if got := c.Dialed("127.0.0.2:22"); got != "127.0.0.2:2222" {
		t.Errorf("dialed: %s", got)
	}
	if got := c.Dialed("127.0.0.3:22"); got != "127.0.0.3:22" {
		t.Errorf("dialed for another: %s", got)
	}
	waitAction(t, g, must(g.DropletActions.PowerCycle(within(t), d.ID))(t).ID)
	_, action := create(t, g, "broken")
	if a := waitAction(t, g, action); a.Status != "errored" {
		t.Errorf("the broken one: %s", a.Status)
	}
	if _, err := g.Droplets.Delete(within(t), d.ID); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{`boot prefect with "#cloud-config", 1 droplets`, "prefect on false", "prefect on true", `boot broken with "", 2 droplets`, "prefect gone"}; !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

// TestConcurrent: two operators at once.
func TestConcurrent(t *testing.T) {
	c, g := start(t, Options{DropletLimit: 40, Boot: func(Droplet) (Machine, error) { return Machine{}, nil }})
	var work sync.WaitGroup
	for o := range 2 {
		work.Go(func() {
			for i := range 20 {
				d, _, err := g.Droplets.Create(within(t), dropletRequest(fmt.Sprintf("worker-%d-%d", o, i), "t"))
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := g.Droplets.ListByTag(within(t), "t", nil); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					if _, err := g.Droplets.Delete(within(t), d.ID); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	work.Wait()
	seen := map[int]bool{}
	for _, d := range c.Droplets() {
		seen[d.ID] = true
	}
	if len(seen) != 20 || len(c.Tags()) != 1 {
		t.Errorf("%d droplets, tags %v", len(seen), c.Tags())
	}
}
