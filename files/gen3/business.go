package gen3

import (
	"strconv"
	"time"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

// heartbeat is how often a run is heard, in seconds. The automation in zombies.py waits for three of them.
const heartbeat = 180

// businessPart executes flows. With Serve it fetches their runs itself.
var businessPart = generation.Part{
	Name: "business-logic", Role: naming.RoleAgent, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImageBusiness,
	Networks: []naming.Network{naming.AgentNetwork},
	Secrets:  "business-logic", AtStart: true,
	CalledAt: "flow runs",
	Timeout:  120,
	Note: func(in generation.Input) string {
		note := "no run starts here until the new one is up; running flows have " + in.StopGrace.String() + " to end"
		if in.RetryCutRuns {
			note += ", then they begin again in the new one"
		}
		return note
	},
	Removed: "running flows have their time to end",
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		env := map[string]string{
			"PROVISION_SECRETS":    "PROVISION_TOKEN=/run/secrets/run_token",
			"BRIDGE_LISTEN":        "0.0.0.0:8787",
			"BRIDGE_TOKEN_FILE":    "/run/secrets/bridge_token",
			"BRIDGE_LIMIT":         "1000", // the agent's limit counts; were it here too, another one would replace business-logic
			"BRIDGE_DRAIN_SECONDS": strconv.Itoa(int(in.StopGrace / time.Second)),
			// What a flow needs is in the image: nothing is fetched and run when a run starts.
			"PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES": "false",
			"PREFECT_FLOWS_HEARTBEAT_FREQUENCY":        strconv.Itoa(heartbeat),
		}
		if in.RetryCutRuns {
			env["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] = "reschedule"
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
			env["BRIDGE_AGENT_HOSTNAME"] = naming.Hostname("business-logic", in.Host) // the worker's, which it records with each run
			if in.APIAll {
				env["PROVISION_API"] = "all"
			}
		}
		return glue.OfAgentHost(s, "business-logic", check, in, site), nil
	},
}
