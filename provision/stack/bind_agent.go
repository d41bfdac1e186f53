package stack

import (
	"encoding/json"
	"maps"
	"slices"

	"provision/files"
	"provision/files/naming"
	"provision/inventory"
	"provision/provision/resource"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// agentRole adds the agent and the business logic.
func (b *binder) agentRole(h *inventory.Host) error {
	host, dir := h.Name, b.names.RoleDir("agent")
	identity := []resource.ID{resource.IdentityID(host)}
	server := b.server.Name

	b.image(host, b.prefect, b.stack.Prefect.Image)
	b.image(host, b.business, b.stack.Prefect.Image)

	acmeRoot := b.inv.TLS.Mode == inventory.TLSACME && b.inv.TLS.ACMECARoot != ""
	ownCA := b.inv.TLS.Mode == inventory.TLSInternal || acmeRoot
	extra := map[string]string{}
	if ip := b.inv.ServerIP(); ip != "" && host != server {
		extra[b.inv.Hostname()] = ip
	}
	rendered, err := b.projects.Render(files.ComposeAgent{
		Stack: b.names, Host: host, PrefectImage: b.prefect.ref, BusinessImage: b.business.ref, TLS: b.inv.TLS.Mode, PublicURL: b.inv.URL,
		CA: ownCA, ExtraHosts: extra, Queues: b.stack.Queues(h), Concurrency: b.stack.Concurrency(h), StopGrace: b.stack.BusinessLogic.StopGrace,
		Serve: b.serve(), APIAll: b.stack.BusinessLogic.API == APIAll, Proxy: b.inv.Site.Proxy, NoProxy: b.inv.Site.NoProxy,
	})
	if err != nil {
		return err
	}
	compose := &resource.File{Host: host, Path: dir + "/compose.yaml", Content: rendered.YAML, Owner: "0:0", Mode: "0644", After: identity}
	b.add(compose)

	secret := func(path string, source resource.ID) *resource.SecretFile {
		return &resource.SecretFile{Host: host, Path: dir + "/secrets/" + path, UID: prefectUID, Source: source, Generate: resource.RandomHex, After: identity}
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
	if ownCA {
		// An old root is taken away only when Caddy's certificate is of the new one.
		ca := &resource.SecretFile{
			Host: host, Path: b.caID(host).Name, UID: "0", Public: true, Source: resource.NextAuthorityID(server), With: resource.AuthorityID(server),
			After: append([]resource.ID{caddyConfiguration(server)}, identity...),
		}
		if acmeRoot {
			content, err := inventory.ReadFile(b.inv.TLS.ACMECARoot, inventory.MaxFile)
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
	_, agentNet, _ := b.names.Networks()
	var agent, business *resource.Service
	for _, s := range rendered.Services {
		switch s.Name {
		case "business-logic":
			business = b.service(host, "agent", s, resource.Service{
				Files: append([]resource.ID{run.ID(), bridgeCopy.ID()}, trust...), After: api,
				Timeout: 120, Note: "no run starts here until the new one is up; running flows have " + b.stack.BusinessLogic.StopGrace.String() + " to end",
				Before: stopAgent, RunsAs: naming.Hostname("agent", host), RunsOn: server,
			})
		case "agent":
			agent = b.service(host, "agent", s, resource.Service{
				Files: append([]resource.ID{poll.ID(), bridge.ID()}, trust...), After: api,
				Timeout: 180, Note: "running flows go on",
			})
		}
	}
	// Who fetches runs starts last: what it is to execute is registered before.
	fetches := agent
	ready := []resource.ID{resource.NetworkID(host, agentNet), resource.ImageID(host, b.business.ref), compose.ID()}
	if b.serve() {
		fetches, business.RunsAs = business, naming.Hostname("business-logic", host)
	} else {
		agent.After, agent.StoppedFor = append(agent.After, business.ID()), business.ID()
		ready = append(ready, business.ID())
		b.add(business)
	}
	if host == b.agents[0] {
		registration, err := b.registration(host, dir, slices.Concat(ready, trust, api))
		if err != nil {
			return err
		}
		fetches.After = append(fetches.After, registration)
	}
	b.add(fetches, &resource.Route{Host: host, Container: fetches.Container, Queue: naming.HostQueue(host), After: api})
	return nil
}

func caddyConfiguration(server string) resource.ID {
	return resource.ID{Host: server, Kind: "caddy", Name: "configuration"}
}

// stopAgent keeps new runs away while the business logic is replaced; the agent's own resource
// starts it again. One that is there no longer by right (serve) must not ask the new one either.
const stopAgent = `docker stop --time 10 "${container%-business-logic}-agent" >/dev/null 2>&1 || true`

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
		Pool        string       `json:"pool"`
		Record      string       `json:"record"`
		Agents      []string     `json:"agents"`
		Deployments []deployment `json:"deployments"`
	}{Stack: b.stack.Name, Pool: naming.Pool, Agents: b.agents, Deployments: []deployment{}}
	var names []string
	listed := b.stack.Deployments
	if len(listed) == 0 && b.stack.BusinessLogic.Path == "" {
		queue := naming.HostQueue(host)
		if shared := b.stack.Queues(b.inv.Agents()[0]); len(shared) > 0 {
			queue = shared[0]
		}
		listed = []Deployment{{Flow: "hello.py:hello", Name: "default", Queue: queue}}
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
		names = append(names, "provision_glue.flows.smoke/"+a)
	}
	// The record names the code as well: a flow that was edited is registered again, for its
	// parameters may have changed.
	spec.Record = digest([]any{spec, b.business.ref})
	text, err := json.Marshal(spec)
	if err != nil {
		return resource.ID{}, err
	}
	r := &resource.Registration{
		Host: host, Server: b.server.Name, Container: b.names.Container("server"), Project: b.names.Project("agent"), Dir: dir, Pool: resource.PoolID(b.server.Name, naming.Pool),
		Spec: text, Digest: spec.Record, Names: names, Tag: b.names.Tag(), After: after,
	}
	b.add(r)
	return r.ID(), nil
}
