package stack

import (
	"encoding/json"
	"maps"
	"slices"

	"provision/files/generation"
	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/resource"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// agentRole adds the agent and the business logic.
func (b *binder) agentRole(h *inventory.Host) error {
	host, dir := h.Name, b.names.RoleDir(naming.RoleAgent)
	identity := []resource.ID{resource.IdentityID(host)}
	server := b.server.Name

	in := b.input(h)
	rendered, err := b.projects.Render(in)
	if err != nil {
		return err
	}
	b.images(host, naming.RoleAgent, in)
	compose := b.project(host, naming.RoleAgent, rendered)

	secret := func(path string, source resource.ID) *resource.SecretFile {
		return &resource.SecretFile{Host: host, Path: dir + "/secrets/" + path, UID: b.uid("server"), Source: source, Generate: resource.RandomHex, After: identity}
	}
	bridge := secret("agent/bridge_token", resource.ID{})
	bridgeCopy := secret("business-logic/bridge_token", bridge.ID())
	poll := secret("agent/poll_token", b.tokenID(host, "poll"))
	run := secret("business-logic/run_token", b.tokenID(host, "run"))
	if b.serve() { // the bridge is within one container, and nobody polls with a token of its own
		bridgeCopy.Source = resource.ID{}
		b.add(bridgeCopy, run)
	} else {
		b.add(bridge, bridgeCopy, poll, run)
	}
	trust := []resource.ID{}
	if b.ownCA() {
		// An old root is taken away only when Caddy's certificate is of the new one.
		ca := &resource.SecretFile{
			Host: host, Path: b.caID(host).Name, UID: "0", Public: true, Source: resource.NextAuthorityID(server), AlsoChangedBy: resource.AuthorityID(server),
			After: append([]resource.ID{caddyConfiguration(server)}, identity...),
		}
		if b.acmeRoot() {
			content, err := strict.ReadFile(b.inv.TLS.ACMECARoot, inventory.MaxFile)
			if err != nil {
				return err
			}
			ca.Source = resource.ID{}
			ca.Given, ca.GivenDigest, _ = fixed(string(content))
		}
		b.add(ca)
		trust = append(trust, ca.ID())
	}

	// The way to the API is there, and knows this host's tokens, before anything here asks it.
	api := []resource.ID{caddyConfiguration(server), resource.PoolID(server, naming.Pool)}
	order, containers := b.containers(naming.RoleAgent, in, rendered, map[string]needed{
		"agent":          {files: append([]resource.ID{poll.ID(), bridge.ID()}, trust...), after: api},
		"business-logic": {files: append([]resource.ID{run.ID(), bridgeCopy.ID()}, trust...), after: api},
	})
	// Who fetches runs starts last: what it is to execute is registered before.
	fetching := order[len(order)-1]
	containers["business-logic"].RunsAs, containers["business-logic"].RunsOn = naming.Hostname(fetching, host), server
	ready := []resource.ID{resource.NetworkID(host, b.names.Network(naming.AgentNetwork)), resource.ImageID(host, b.built[generation.ImageBusiness].ref), compose.ID()}
	for _, part := range order {
		c := containers[part]
		if part != fetching {
			b.add(c)
			ready = append(ready, c.ID())
			continue
		}
		if host == b.agents[0] {
			registration, err := b.registration(host, dir, slices.Concat(ready, trust, api))
			if err != nil {
				return err
			}
			c.After = append(c.After, registration)
		}
		b.add(c, &resource.Route{Host: host, Container: c.Container, Queue: naming.HostQueue(host), Ask: b.stack.Generation().Glue.Check, Entrance: b.names.Container(b.parts.Entrance().Name), After: api})
	}
	return nil
}

func caddyConfiguration(server string) resource.ID {
	return resource.ID{Host: server, Kind: "caddy", Name: "configuration"}
}

// registration adds that of the deployments. The first agent host says what its flows are, the server registers them.
func (b *binder) registration(host, dir string, after []resource.ID) (resource.ID, error) {
	type deployment struct {
		Flow       string         `json:"flow"`
		Name       string         `json:"name"`
		Queue      string         `json:"queue"`
		Cron       string         `json:"cron,omitempty"`
		Interval   float64        `json:"interval,omitempty"` // seconds
		Timezone   string         `json:"timezone,omitempty"`
		Parameters map[string]any `json:"parameters"`
		Tags       []string       `json:"tags"`
	}
	spec := struct {
		Stack       string       `json:"stack"`
		Tag         string       `json:"tag"`
		OwnPrefix   string       `json:"own_prefix"` // begins the queue of each agent
		Pool        string       `json:"pool"`
		Record      string       `json:"record"`
		Agents      []string     `json:"agents"`
		Deployments []deployment `json:"deployments"`
	}{Stack: b.stack.Name, Tag: b.names.Tag(), OwnPrefix: naming.HostQueuePrefix, Pool: naming.Pool, Agents: b.agents, Deployments: []deployment{}}
	var names []string
	glue := b.stack.Generation().Glue
	listed := b.stack.Deployments
	if len(listed) == 0 && b.stack.BusinessLogic.Path == "" {
		queue := naming.HostQueue(host)
		if shared := b.stack.Queues(b.inv.Agents()[0]); len(shared) > 0 {
			queue = shared[0]
		}
		listed = []Deployment{{Flow: b.stack.Generation().Hello, Name: "default", Queue: queue}}
	}
	for _, d := range listed {
		one := deployment{Flow: d.Flow, Name: d.Name, Queue: d.Queue, Parameters: d.Parameters, Tags: d.Tags}
		if one.Parameters == nil {
			one.Parameters = map[string]any{}
		}
		if one.Tags == nil {
			one.Tags = []string{}
		}
		if s := d.Schedule; s != nil {
			one.Cron, one.Timezone, one.Interval = s.Cron, s.Timezone, s.Interval.Seconds()
		}
		spec.Deployments = append(spec.Deployments, one)
		names = append(names, d.Flow+"/"+d.Name)
	}
	for _, a := range b.agents {
		names = append(names, glue.Smokes+"/"+a)
	}
	// The record names the code as well: a flow that was edited is registered again, for its
	// parameters may have changed.
	spec.Record = digest([]any{spec, b.built[generation.ImageBusiness].ref})
	text, err := json.Marshal(spec)
	if err != nil {
		return resource.ID{}, err
	}
	r := &resource.Registration{
		Host: host, Server: b.server.Name, Container: b.names.Container("server"), Project: b.names.Project(naming.RoleAgent), Dir: dir, Pool: resource.PoolID(b.server.Name, naming.Pool),
		Spec: text, Digest: spec.Record, Names: names, Tag: b.names.Tag(), Register: glue.Register, After: after,
	}
	b.add(r)
	return r.ID(), nil
}
