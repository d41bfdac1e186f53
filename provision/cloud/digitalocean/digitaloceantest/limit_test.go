package digitaloceantest

import (
	"fmt"
	"testing"
	"time"

	"github.com/digitalocean/godo"
)

func TestLimits(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c, g := start(t, Options{Hourly: 8, Burst: 3, Now: func() time.Time { return at }})
	account := func() (*godo.Response, error) {
		_, resp, err := g.Account.Get(within(t))
		return resp, err
	}
	for n := range 3 {
		resp, err := account()
		if err != nil || resp.Rate.Limit != 8 || resp.Rate.Remaining != 7-n || !resp.Rate.Reset.Time.Equal(at.Add(time.Hour)) {
			t.Fatalf("call %d: %+v, %v", n, resp.Rate, err)
		}
	}
	_, err := account()
	if e := wants(t, err, 429, "API rate limit exceeded."); e.Response.Header.Get("retry-after") != "60" {
		t.Errorf("retry-after: %q", e.Response.Header.Get("retry-after"))
	}
	for range 2 {
		c.Advance(time.Minute)
		for range 3 {
			_, err = account()
		}
	}
	// The ninth call of the hour: no time at which to try again, as the real one has none for this.
	if e := wants(t, err, 429, "API rate limit exceeded."); e.Response.Header.Get("retry-after") != "" {
		t.Errorf("retry-after: %q", e.Response.Header.Get("retry-after"))
	}
	c.Advance(time.Hour)
	if _, err := account(); err != nil {
		t.Error(err)
	}
}

// TestKeyLists: listing the SSH keys has a limit of its own, asking for one has not.
func TestKeyLists(t *testing.T) {
	c, g := start(t, Options{})
	for range 10 {
		must(g.Keys.List(within(t), nil))(t)
	}
	_, _, err := g.Keys.List(within(t), nil)
	wants(t, err, 429, "API rate limit exceeded.")
	_, _, err = g.Keys.GetByFingerprint(within(t), "3b:16")
	wants(t, err, 404, "The resource you requested could not be found.")
	c.Advance(time.Minute)
	must(g.Keys.List(within(t), nil))(t)
}

func TestDropletLimit(t *testing.T) {
	c, g := start(t, Options{DropletLimit: 2})
	for n := range 2 {
		create(t, g, fmt.Sprintf("worker-%d", n))
	}
	_, _, err := g.Droplets.Create(within(t), dropletRequest("worker-3"))
	wants(t, err, 422, "creating this/these droplet(s) will exceed your droplet limit")
	_, _, err = g.Droplets.CreateMultiple(within(t), &godo.DropletMultiCreateRequest{Names: []string{"a", "b"}, Region: "fra1", Size: "s-2vcpu-4gb", Image: godo.DropletCreateImage{Slug: "debian-13-x64"}, SSHKeys: []godo.DropletCreateSSHKey{}})
	wants(t, err, 422, "creating this/these droplet(s) will exceed your droplet limit")
	if n := len(c.Droplets()); n != 2 {
		t.Errorf("%d droplets", n)
	}
}
