package gen2

import (
	"slices"
	"strconv"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/naming"
)

// agentPart fetches runs and hands them to the business logic.
var agentPart = generation.Part{
	Name: "agent", Role: naming.RoleAgent, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect, Polls: true,
	Networks: []naming.Network{naming.AgentNetwork},
	Secrets:  "agent", AtStart: true,
	Calls:   []generation.Call{{Part: "business-logic"}},
	When:    func(in generation.Input) bool { return !in.Serve },
	Timeout: 180, Note: noted("running flows continue"),
	// New runs are kept away while business-logic is replaced; then the agent is started again by its own resource. One that is there no longer by
	// right (serve) must not ask the new one either.
	StoppedFor: "business-logic",
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		return ofAgentHost(compose.Service{
			Command: polling(in),
			Environment: map[string]string{
				"PROVISION_SECRETS": "PREFECT_API_KEY=/run/secrets/poll_token",
				"BRIDGE_ADDRESS":    "business-logic:8787",
				"BRIDGE_TOKEN_FILE": "/run/secrets/bridge_token",
			},
			StopGrace: "10s", // its runs go on in business-logic, and the next agent finds them
			PidsLimit: 1024,
		}, "agent", "agent", in, site), nil
	},
}

// polling is the command that fetches runs.
func polling(in generation.Input) []string {
	poll := []string{"prefect", "agent", "start", "--pool", naming.Pool}
	for _, queue := range append(slices.Clone(in.Queues), naming.HostQueue(in.Host)) {
		poll = append(poll, "--work-queue", queue)
	}
	return append(poll, "--limit", strconv.Itoa(in.Concurrency))
}

// ofAgentHost gives a service what all of an agent host have: the names in their network, trust in the API, and a check.
func ofAgentHost(s compose.Service, name, check string, in generation.Input, site generation.Site) compose.Service {
	common := compose.Overlay(compose.ProxyEnvironment(in.Proxy, in.NoProxy, "business-logic", site.Host), map[string]string{
		"PREFECT_API_URL": site.Origin() + "/api",
		"PREFECT_HOME":    "/tmp/prefect",
		"PROVISION_STACK": string(in.Stack),
		"PROVISION_HOST":  in.Host,
		"PROVISION_POOL":  naming.Pool,
		"PROVISION_QUEUE": naming.HostQueue(in.Host),
	})
	if in.CA {
		common["PREFECT_API_SSL_CERT_FILE"] = "/run/ca/ca.pem"
		s.Volumes = []compose.Mount{compose.Bind(in.Stack.RoleDir(naming.RoleAgent)+"/ca", "/run/ca")}
	}
	s.Entrypoint = []string{"/opt/provision/entrypoint"}
	s.Environment = compose.Overlay(common, s.Environment)
	s.ExtraHosts = in.ExtraHosts
	s.Hostname = naming.Hostname(name, in.Host)
	s.HealthCheck = &compose.HealthCheck{
		Test:     []string{"CMD", "/opt/provision/entrypoint", "python", "-m", "provision_glue.health", check},
		Interval: "20s", Timeout: "8s", Retries: 4, StartPeriod: "1m", StartInterval: "3s",
	}
	return s
}
