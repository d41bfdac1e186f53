package gen2

import (
	"strconv"
	"time"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

// businessPart executes flows. With Serve it fetches their runs itself.
var businessPart = generation.Part{
	Name: "business-logic", Role: naming.RoleAgent, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImageBusiness,
	Networks: []naming.Network{naming.AgentNetwork},
	Secrets:  "business-logic", AtStart: true,
	CalledAt: "flow runs",
	Timeout:  120,
	Note: func(in generation.Input) string {
		return "no run starts here until the new one is up; running flows have " + in.StopGrace.String() + " to end"
	},
	Removed: "running flows have their time to end",
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		env := map[string]string{
			"PROVISION_SECRETS": "PREFECT_API_KEY=/run/secrets/run_token",
			// Without it Prefect writes a block of its own for results that flows keep, which a run token may not: the flow crashes or hangs.
			"PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": resultBlock,
			"BRIDGE_LISTEN":                        "0.0.0.0:8787",
			"BRIDGE_TOKEN_FILE":                    "/run/secrets/bridge_token",
			"BRIDGE_LIMIT":                         "1000", // the agent's limit counts; were it here too, another one would replace business-logic
			"BRIDGE_DRAIN_SECONDS":                 strconv.Itoa(int(in.StopGrace / time.Second)),
		}
		if in.AnyPickles {
			env["PROVISION_PICKLED_RESULTS"] = "any" // of the guard
		}
		s := compose.Service{
			Command:     []string{"provision-bridge", "serve"},
			WorkingDir:  "/opt/business",
			Environment: env,
			StopGrace:   compose.Seconds(in.StopGrace + glue.DrainMargin),
			PidsLimit:   4096,
		}
		check := "business-logic"
		if in.Serve {
			check, s.Command = "serve", append([]string{"python", "-m", "provision_glue.serve"}, polling(in)...)
			env["BRIDGE_LISTEN"], env["BRIDGE_ADDRESS"] = "127.0.0.1:8787", "127.0.0.1:8787"
			env["BRIDGE_AGENT_HOSTNAME"] = naming.Hostname("business-logic", in.Host) // the agent's, which Prefect records with each run
			if in.APIAll {
				env["PROVISION_API"] = "all"
			}
		}
		return glue.OfAgentHost(s, "business-logic", check, in, site), nil
	},
}
