package provision

import (
	"slices"

	"provision/provision/cloud"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
)

// cost is what the declared part of the account costs, if that is known.
func (s *System) cost(facts plan.Facts) (Cost, bool) {
	if s.cloud == nil {
		return Cost{}, false
	}
	return s.cloud.Cost(&plan.World{Facts: facts})
}

// account says what a plan leaves as it is in the account, and what all of it costs.
func (s *System) account(plan *report.Plan, facts plan.Facts) *report.PlanAccount {
	ofAccount := func(r resource.Resource) bool { return r.ID().Host == "" }
	if s.cloud == nil || !slices.ContainsFunc(s.Resources, ofAccount) {
		return nil
	}
	out := &report.PlanAccount{}
	for _, r := range s.Resources {
		id := r.ID()
		if id.Host == "" && s.cloud.Role(r) == cloud.Thing && facts[id].Know == resource.Yes && !slices.ContainsFunc(plan.Changes, func(c report.Change) bool { return c.By == id }) {
			out.Unchanged++
		}
	}
	if cost, ok := s.cost(facts); ok {
		out.Monthly = &cost
	}
	return out
}
