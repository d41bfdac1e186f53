package provision_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
)

// runs are the containers that run on a droplet.
func (p *production) runs(name string) (out []string) {
	for _, c := range p.host(name).Containers() {
		if c.State.Running {
			out = append(out, strings.TrimPrefix(c.Name, "/"))
		}
	}
	slices.Sort(out)
	return out
}

// hears wants words among what an attempt told while it worked.
func hears(t *testing.T, a *attempt, words ...string) {
	t.Helper()
	var all []string
	for _, e := range a.seen() {
		all = append(all, e.Text)
	}
	for _, w := range words {
		if !strings.Contains(strings.Join(all, "\n"), w) {
			t.Errorf("nobody hears %q:\n%s", w, strings.Join(all, "\n"))
		}
	}
}

// A creation that is accepted may fail later. It is noticed at once, what is left of it goes, and another one is asked for.
func TestACreationThatFailsLaterIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]digitaloceantest.Fault{"left": {Errored: true}, "gone": {Errored: true, Vanish: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := arrangeCloud(t, digitaloceantest.Options{}, small)
			fault.Match = "^POST /v2/droplets$"
			p.cloud.Fail(fault)
			a := p.account()
			if _, err := a.apply(); err != nil {
				t.Fatal(explain(err))
			}
			hears(t, a, "DigitalOcean could not make droplet", "ended with an error at DigitalOcean")
			p.count("prefect", "worker")
			if n := p.cloud.Count("^POST /v2/droplets$"); n != 3 {
				t.Errorf("%d creations for 2 droplets, the first of which failed", n)
			}
			for _, tag := range p.cloud.Tags() {
				if strings.HasPrefix(tag, "provision:birth:") || strings.HasPrefix(tag, "provision:hostkey:") && len(p.cloud.Tagged(tag)) == 0 {
					t.Errorf("the tag %s is left on nothing", tag)
				}
			}
		})
	}
}

// Where no creation succeeds it is said soon, by name, and nothing is left of them; the next apply begins anew.
func TestACreationThatAlwaysFailsIsNamed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]digitaloceantest.Fault{"left": {Errored: true}, "gone": {Errored: true, Vanish: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := arrangeCloud(t, digitaloceantest.Options{}, "\n[droplets.prefect]\nroles = [\"server\"]\nvolume = \"20GiB\"\nreserved_ip = true\n")
			fault.Match, fault.Nth = "^POST /v2/droplets$", -1
			p.cloud.Fail(fault)
			_, err := p.account().apply()
			for _, want := range []string{"DigitalOcean accepted its creation 3 times, and could not make it each time", "another size or region may have room"} {
				if report.ExitCode(err) != report.ExitCloud || !strings.Contains(explain(err), want) {
					t.Errorf("%q is not said: %s", want, explain(err))
				}
			}
			if d := p.cloud.Droplets(); len(d) != 0 {
				t.Errorf("left: %+v", d)
			}
			p.cloud.Heal()
			if _, err := p.account().apply(); err != nil {
				t.Fatal(explain(err))
			}
			p.count("prefect")
		})
	}
}

// A droplet whose creation failed while nobody looked is found out by its action, not by waiting for it.
func TestACreationThatFailedEarlierIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	a := p.account()
	p.cloud.Fail(digitaloceantest.Fault{Match: "^POST /v2/droplets$", Errored: true, Late: true, Drop: true, Do: a.cancel})
	if _, err := a.apply(); err == nil {
		t.Fatal("the run was not killed")
	}
	p.cloud.Heal()
	p.cloud.Finish()
	next := p.account()
	next.LockWait = limit
	if _, err := next.apply(); err != nil {
		t.Fatal(explain(err))
	}
	hears(t, next, "DigitalOcean could not make droplet")
	p.count("prefect", "worker")
}

// Whatever becomes of the ways to another size, the host runs again after it, with the size or without.
func TestAHostThatIsResizedRunsAgain(t *testing.T) {
	t.Parallel()
	const actions = "^POST /v2/droplets/[0-9]+/actions"
	for name, c := range map[string]struct {
		faults []digitaloceantest.Fault
		code   int
		size   string
		said   string
	}{
		"a shutdown without effect":  {[]digitaloceantest.Fault{{Match: actions, Void: true}}, 0, "s-4vcpu-8gb", "it has not shut down within 1.5s: switching it off; what works on it was stopped before"},
		"a shutdown with an error":   {[]digitaloceantest.Fault{{Match: actions, Errored: true}}, 0, "s-4vcpu-8gb", "it could not be shut down: switching it off"},
		"nothing switches it off":    {[]digitaloceantest.Fault{{Match: actions, Void: true}, {Match: actions, Nth: 2, Errored: true}}, report.ExitCloud, "s-2vcpu-4gb", "it keeps the size that it has"},
		"the size is not to be had":  {[]digitaloceantest.Fault{{Match: actions, Nth: 2, Errored: true}}, report.ExitCloud, "s-2vcpu-4gb", "it keeps the size that it has"},
		"the size is refused":        {[]digitaloceantest.Fault{{Match: actions, Nth: 2, Status: 422, Message: "Not enough room on this hypervisor."}}, report.ExitCloud, "s-2vcpu-4gb", "Not enough room"},
		"the shutdown is refused":    {[]digitaloceantest.Fault{{Match: actions, Status: 422, Message: "No."}}, report.ExitCloud, "s-2vcpu-4gb", "it keeps the size that it has"},
		"switching on gets a 500":    {[]digitaloceantest.Fault{{Match: actions, Nth: 3, Status: 500}}, 0, "s-4vcpu-8gb", "it is off; switching it on"},
		"switching on gets no reply": {[]digitaloceantest.Fault{{Match: actions, Nth: 3, Drop: true}}, 0, "s-4vcpu-8gb", "it is off; switching it on"},
		"the size changes in effect": {[]digitaloceantest.Fault{{Match: actions, Nth: 2, Late: true, Drop: true}}, report.ExitCloud, "s-4vcpu-8gb", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := arrangeCloud(t, digitaloceantest.Options{}, small)
			p.converge("prefect", "worker")
			ran := p.runs("worker")
			p.declare(small + "size = \"s-4vcpu-8gb\"\n")
			for _, f := range c.faults {
				p.cloud.Fail(f)
			}
			a := p.with("resize")
			a.Pace.Deadline = 9 * time.Second
			_, err := a.apply()
			if report.ExitCode(err) != c.code {
				t.Errorf("exit code %d, want %d: %s", report.ExitCode(err), c.code, explain(err))
			}
			hears(t, a, c.said)
			p.cloud.Heal()
			if d := p.droplet("worker"); d.Status != "active" || d.Size != c.size {
				t.Errorf("it is %s, %s, should be active, %s", d.Status, d.Size, c.size)
			}
			if now := p.runs("worker"); !slices.Equal(now, ran) {
				t.Errorf("%v runs, before it was %v", now, ran)
			}
			if _, err := p.with("resize").apply(); err != nil {
				t.Fatal(explain(err))
			}
			p.settled("prefect", "worker")
		})
	}
}
