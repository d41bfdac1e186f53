package gen3

import (
	"slices"
	"strconv"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

// agentPart fetches runs and hands them to the business logic. It is called as in the generation before it: what follows its runs by the names of
// containers and hosts works across both.
var agentPart = generation.Part{
	Name: "agent", Role: naming.RoleAgent, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect, Polls: true,
	Networks: []naming.Network{naming.AgentNetwork},
	Secrets:  "agent", AtStart: true,
	Calls:   []generation.Call{{Part: "business-logic"}},
	When:    func(in generation.Input) bool { return !in.Serve },
	Timeout: 180, Note: glue.Noted("running flows continue"),
	// As in the generation before: no new runs while business-logic is replaced.
	StoppedFor: "business-logic",
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		return glue.OfAgentHost(compose.Service{
			Command: polling(in),
			Environment: map[string]string{
				"PROVISION_SECRETS": "PROVISION_TOKEN=/run/secrets/poll_token",
				"BRIDGE_ADDRESS":    "business-logic:8787",
				"BRIDGE_TOKEN_FILE": "/run/secrets/bridge_token",
			},
			StopGrace: "10s", // its runs go on in business-logic
			PidsLimit: 1024,
		}, "agent", "agent", in, site), nil
	},
}

// polling is the command that fetches runs.
func polling(in generation.Input) []string {
	command := []string{"python", "-m", "provision_glue.worker", "--limit", strconv.Itoa(in.Concurrency), "--name", naming.Hostname("agent", in.Host), "--"}
	return append(command, append(slices.Clone(in.Queues), naming.HostQueue(in.Host))...)
}
