package digitaloceantest

import (
	"time"
)

// action is something that takes a while.
type action struct {
	id                      int
	status, kind            string
	startedAt, completedAt  string
	resourceID              int
	resourceType, region    string
	droplet                 int    // that it keeps busy
	volume, ip              string // likewise
	looks                   int    // that still see it in progress; -1: all
	due                     time.Time
	errored, running, quiet bool // quiet: the API does not show it
	vanish, void            bool // as the fault of that name
	finish                  func() error
}

// start begins an action. finish is its effect; it is called without the lock.
func (c *Cloud) start(r *request, a *action, finish func() error) *action {
	a.id, a.status, a.startedAt = c.number("action"), "in-progress", c.stamp()
	a.looks, a.due, a.finish = c.options.ActionLooks, c.now().Add(c.options.ActionTime), finish
	a.errored, a.vanish, a.void = r.fault.Errored, r.fault.Vanish, r.fault.Void && a.kind != "create"
	if a.quiet {
		a.looks, a.due = c.options.DeleteLooks, c.now()
	}
	if a.looks += r.fault.Slow; r.fault.Slow < 0 {
		a.looks = -1
	}
	c.actions = append(c.actions, a)
	return a
}

// settle ends the actions that are due.
func (c *Cloud) settle() {
	for {
		a := c.dueAction()
		if a == nil {
			return
		}
		c.complete(a)
	}
}

func (c *Cloud) dueAction() *action {
	c.mu.Lock()
	defer c.mu.Unlock()
	working := map[int]bool{} // droplets with which something goes on just now
	for _, a := range c.actions {
		if a.running && a.droplet != 0 {
			working[a.droplet] = true
		}
	}
	for _, a := range c.actions {
		if a.status == "in-progress" && !a.running && !working[a.droplet] && a.looks == 0 && !c.now().Before(a.due) {
			a.running = true
			return a
		}
	}
	return nil
}

func (c *Cloud) complete(a *action) {
	failed := a.errored
	if !failed && !a.void {
		failed = a.finish() != nil
	}
	if failed && a.kind == "create" && a.vanish {
		c.vanish(a.droplet)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a.running, a.status, a.completedAt = false, "completed", c.stamp()
	if a.ip != "" {
		a.status = c.options.AddressEnd
	}
	if failed {
		a.status = "errored"
	}
}

// Finish ends all actions that are in progress, those that never end too.
func (c *Cloud) Finish() {
	c.mu.Lock()
	for _, a := range c.actions {
		a.looks, a.due = 0, c.now()
	}
	c.mu.Unlock()
	c.settle()
}

// look counts as a look at the actions of a droplet or volume.
func (c *Cloud) look(droplet int, volume string) {
	for _, a := range c.actions {
		if a.status == "in-progress" && a.looks > 0 && (droplet != 0 && a.droplet == droplet || volume != "" && a.volume == volume) {
			a.looks--
		}
	}
}

// busy tells whether something is going on with a droplet or volume.
func (c *Cloud) busy(droplet int, volume string) bool {
	for _, a := range c.actions {
		if a.status == "in-progress" && (droplet != 0 && a.droplet == droplet || volume != "" && a.volume == volume) {
			return true
		}
	}
	return false
}

// pending is the refusal of a second action; it counts as a look, so that who tries again gets through.
func (c *Cloud) pending(droplet int) answer {
	c.look(droplet, "")
	return invalid("Droplet already has a pending event.")
}

func (c *Cloud) showAction(a *action) object {
	o := object{
		"id": a.id, "status": a.status, "type": a.kind, "started_at": a.startedAt, "completed_at": nil,
		"resource_id": nil, "resource_type": a.resourceType, "region": showRegion(region(a.region)), "region_slug": a.region,
	}
	if a.completedAt != "" {
		o["completed_at"] = a.completedAt
	}
	if a.resourceID != 0 {
		o["resource_id"] = a.resourceID
	}
	return o
}

// actionOf answers a get of an action that ok accepts, 404 otherwise.
func (c *Cloud) actionOf(r *request, fits func(*action) bool) answer {
	for _, a := range c.actions {
		if a.id == r.id("action_id") && !a.quiet && fits(a) {
			shown := c.showAction(a)
			if a.looks > 0 {
				a.looks--
			}
			return ok(object{"action": shown})
		}
	}
	return notFound
}

func (c *Cloud) actionsOf(r *request, fits func(*action) bool) answer {
	var all []*action
	for _, a := range c.actions {
		if !a.quiet && fits(a) {
			all = append(all, a)
		}
	}
	return page(r, "actions", all, func(a *action) object {
		o := c.showAction(a)
		if a.looks > 0 {
			a.looks--
		}
		return o
	})
}

func (c *Cloud) getAction(r *request) answer {
	return c.actionOf(r, func(*action) bool { return true })
}

func (c *Cloud) listActions(r *request) answer {
	return c.actionsOf(r, func(*action) bool { return true })
}

// linkTo is how a create names its action.
func linkTo(r *request, a *action, rel string) object {
	return object{"id": a.id, "rel": rel, "href": "http://" + r.Host + "/v2/actions/" + itoa(a.id)}
}
