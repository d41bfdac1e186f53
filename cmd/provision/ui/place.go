package ui

import (
	"slices"

	"provision/provision/report"
)

// Cloud stands where a host's name would: what has no host is in the cloud account.
const Cloud = "DigitalOcean"

func place(host string) string {
	if host == "" {
		return Cloud
	}
	return host
}

// placed gives the account's part of the work the place of a host.
func placed(e report.Event) report.Event {
	switch e.Type {
	case "plan":
		e.Plan = placedPlan(e.Plan)
	case "change", "progress", "note", "connect", "observe", "lock":
		e.Host = place(e.Host)
	}
	return e
}

func placedPlan(p *report.Plan) *report.Plan {
	if !slices.ContainsFunc(p.Changes, func(c report.Change) bool { return c.Host == "" }) &&
		!slices.ContainsFunc(p.Later, func(l report.Later) bool { return l.Host == "" }) {
		return p // there is nothing to place, and plans can be large
	}
	out := *p
	out.Changes, out.Later = slices.Clone(p.Changes), slices.Clone(p.Later)
	for n := range out.Changes {
		out.Changes[n].Host = place(out.Changes[n].Host)
	}
	for n := range out.Later {
		out.Later[n].Host = place(out.Later[n].Host)
	}
	return &out
}
