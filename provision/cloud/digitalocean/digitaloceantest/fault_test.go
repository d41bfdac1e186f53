package digitaloceantest

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/digitalocean/godo"
)

// TestFaults: what the client gets of each fault, and whether the droplet is there after it.
func TestFaults(t *testing.T) {
	const match = "^POST /v2/droplets$"
	for _, test := range []struct {
		name     string
		fault    Fault
		check    func(*testing.T, error)
		droplets int
	}{
		{"lost before the effect", Fault{Drop: true}, isReset, 0},
		{"lost after the effect", Fault{Drop: true, Late: true}, isReset, 1},
		{"hangs before the effect", Fault{Hang: true}, isDeadline, 0},
		{"hangs after the effect", Fault{Hang: true, Late: true}, isDeadline, 1},
		{"500", Fault{Status: 500}, isStatus(500, "Unexpected server-side error"), 0},
		{"502 after the effect", Fault{Status: 502, Message: "bad gateway", Late: true}, isStatus(502, "bad gateway"), 1},
		{"429", Fault{Status: 429, RetryAfter: 7 * time.Second}, func(t *testing.T, err error) {
			if e := wants(t, err, 429, "API rate limit exceeded."); e.Response.Header.Get("retry-after") != "7" {
				t.Errorf("retry-after: %q", e.Response.Header.Get("retry-after"))
			}
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, g := start(t, Options{})
			ctx, cancel := context.WithCancel(within(t))
			defer cancel()
			struck := 0
			test.fault.Match, test.fault.Do = match, func() {
				struck++
				if test.fault.Hang {
					cancel() // the client gives up once it hangs
				}
			}
			c.Fail(test.fault)
			_, _, err := g.Droplets.Create(ctx, dropletRequest("prefect"))
			if err == nil {
				t.Fatal("no error")
			}
			test.check(t, err)
			if n := len(c.Droplets()); n != test.droplets || struck != 1 {
				t.Errorf("%d droplets, want %d; struck %d times", n, test.droplets, struck)
			}
			if _, _, err := g.Droplets.Create(within(t), dropletRequest("prefect")); err != nil {
				t.Errorf("the second call: %v", err)
			}
		})
	}
}

func isReset(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

func isDeadline(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the client gave up", err)
	}
}

func isStatus(status int, message string) func(*testing.T, error) {
	return func(t *testing.T, err error) { t.Helper(); wants(t, err, status, message) }
}

func TestFaultCounts(t *testing.T) {
	c, g := start(t, Options{})
	c.Fail(Fault{Match: "^GET /v2/account$", Nth: 2, Status: 503})
	c.Fail(Fault{Match: "^GET /v2/tags", Nth: -1, Status: 500})
	for n, want := range []int{200, 503, 200} {
		if _, resp, _ := g.Account.Get(within(t)); resp.StatusCode != want {
			t.Errorf("call %d: %d, want %d", n+1, resp.StatusCode, want)
		}
	}
	for range 3 {
		_, _, err := g.Tags.List(within(t), nil)
		wants(t, err, 500, "Unexpected server-side error")
	}
	c.Heal()
	must(g.Tags.List(within(t), nil))(t)
	if c.Count("^GET /v2/account$") != 3 || c.Count("/v2/tags") != 4 || len(c.Calls()) != 7 {
		t.Errorf("counts: %v", c.Calls())
	}
}

// TestCloseEndsWhatHangs: a client that waits for ever is no reason for a test to.
func TestCloseEndsWhatHangs(t *testing.T) {
	c, g := start(t, Options{})
	hangs := make(chan bool, 1)
	c.Fail(Fault{Match: "account", Hang: true, Do: func() { hangs <- true }})
	ended := make(chan error, 1)
	go func() {
		_, _, err := g.Account.Get(within(t))
		ended <- err
	}()
	<-hangs
	c.Close()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}

// TestKilled ends the client after each call of a sequence: the effect is there, the answer is not.
func TestKilled(t *testing.T) {
	steps := []func(context.Context, *godo.Client) error{
		func(ctx context.Context, g *godo.Client) error {
			_, _, err := g.Tags.Create(ctx, &godo.TagCreateRequest{Name: "t"})
			return err
		},
		func(ctx context.Context, g *godo.Client) error {
			_, _, err := g.Firewalls.Create(ctx, firewallRequest("prod", "t"))
			return err
		},
		func(ctx context.Context, g *godo.Client) error {
			_, _, err := g.Droplets.Create(ctx, dropletRequest("d", "t"))
			return err
		},
	}
	for n := range steps {
		c, g := start(t, Options{})
		ctx, kill := context.WithCancel(within(t))
		var seen []string
		c.OnRequest(func(call Call) { seen = append(seen, call.Method+" "+call.Path+" "+itoa(call.Status)) })
		c.Fail(Fault{Match: ".", Nth: n + 1, Late: true, Drop: true, Do: kill})
		for i, step := range steps {
			if err := step(ctx, g); (err != nil) != (i >= n) {
				t.Fatalf("killed after %d: step %d: %v", n+1, i+1, err)
			}
		}
		kill()
		if got := []int{len(c.Tags()), len(c.Firewalls()), len(c.Droplets())}; got[n] != 1 || len(seen) != n+1 {
			t.Errorf("killed after %d: %v, calls %q", n+1, got, seen)
		}
		if calls := c.Calls(); len(calls) != n+1 || calls[n].Status != 0 {
			t.Errorf("killed after %d: %v", n+1, calls)
		}
	}
}
