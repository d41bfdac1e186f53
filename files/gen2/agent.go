package gen2

import (
	"slices"
	"strconv"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

// agentPart fetches runs and hands them to the business logic.
var agentPart = generation.Part{
	Name: "agent", Role: naming.RoleAgent, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect, Polls: true,
	Networks: []naming.Network{naming.AgentNetwork},
	Secrets:  "agent", AtStart: true,
	Calls:   []generation.Call{{Part: "business-logic"}},
	When:    func(in generation.Input) bool { return !in.Serve },
	Timeout: 180, Note: glue.Noted("running flows continue"),
	// New runs are kept away while business-logic is replaced; then the agent is started again by its own resource. One that is there no longer by
	// right (serve) must not ask the new one either.
	StoppedFor: "business-logic",
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		return glue.OfAgentHost(compose.Service{
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
