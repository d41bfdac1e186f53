package files

import (
	"slices"
	"strconv"
	"time"

	"provision/files/naming"
)

// ComposeAgent is the project of an agent host: agent, business-logic, describe (one-shot). With Serve there is no agent: business-logic fetches its runs
// itself, with the run token.
type ComposeAgent struct {
	Stack naming.Stack
	ID    string // of the stack; empty where it is not known yet
	Host  string // name in the inventory

	PrefectImage, BusinessImage string

	TLS        string
	PublicURL  string            // scheme, host and optional port, without /api
	CA         bool              // trust ca/ca.pem instead of the public authorities at the API
	ExtraHosts map[string]string // name to address

	Queues      []string // shared queues; the host's own is added
	Concurrency int
	StopGrace   time.Duration // how long running flows may take to end before business-logic is killed

	Serve  bool
	APIAll bool // flows may do everything at the API

	Proxy   string
	NoProxy []string
}

// drainMargin is what business-logic has, after its flows' time is over, to end them (10 s between asking and forcing) and to say so.
const drainMargin = 20 * time.Second

// Render is pure and deterministic.
func (a ComposeAgent) Render() (Compose, error) {
	site, err := parsePublicURL(a.TLS, a.PublicURL)
	if err != nil {
		return Compose{}, err
	}
	dir := a.Stack.RoleDir("agent")
	_, agentNet, _ := a.Stack.Networks()
	common := overlay(proxyEnvironment(a.Proxy, a.NoProxy, "business-logic", site.host), map[string]string{
		"PREFECT_API_URL": site.origin() + "/api",
		"PREFECT_HOME":    "/tmp/prefect",
		"PROVISION_STACK": string(a.Stack),
		"PROVISION_HOST":  a.Host,
		"PROVISION_POOL":  naming.Pool,
		"PROVISION_QUEUE": naming.HostQueue(a.Host),
	})
	// What both have: the network, the names in it, and trust in the API.
	var trust []mount
	startMounts := func(secrets string) []string { return []string{secrets} }
	if a.CA {
		common["PREFECT_API_SSL_CERT_FILE"] = "/run/ca/ca.pem"
		trust = []mount{bind(dir+"/ca", "/run/ca")}
		startMounts = func(secrets string) []string { return []string{"ca", secrets} }
	}
	member := func(name string, s service) *service {
		s.User = "10001:10001"
		s.Entrypoint = []string{"/opt/provision/entrypoint"}
		s.Environment = overlay(common, s.Environment)
		s.Networks = map[string]attachment{agentNet: {}}
		s.ExtraHosts = a.ExtraHosts
		s.Volumes = append(slices.Clone(trust), bind(dir+"/secrets/"+name, "/run/secrets"))
		s.ContainerName = a.Stack.Container(name)
		s.Hostname = naming.Hostname(name, a.Host)
		s.HealthCheck = &healthCheck{
			Test:     []string{"CMD", "/opt/provision/entrypoint", "python", "-m", "provision_glue.health", name},
			Interval: "10s", Timeout: "8s", Retries: 6, StartPeriod: "1m",
		}
		s.startMounts = startMounts("secrets/" + name)
		return harden(s)
	}

	poll := []string{"prefect", "agent", "start", "--pool", naming.Pool}
	for _, queue := range append(slices.Clone(a.Queues), naming.HostQueue(a.Host)) {
		poll = append(poll, "--work-queue", queue)
	}
	poll = append(poll, "--limit", strconv.Itoa(a.Concurrency))

	run := map[string]string{
		"PROVISION_SECRETS": "PREFECT_API_KEY=/run/secrets/run_token",
		// Without it Prefect writes a block of its own for results that flows keep, which a run token may not: the flow crashes or hangs.
		"PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": ResultBlock,
		"BRIDGE_LISTEN":                        "0.0.0.0:8787",
		"BRIDGE_TOKEN_FILE":                    "/run/secrets/bridge_token",
		"BRIDGE_LIMIT":                         "1000", // the agent's limit counts; were it here too, another one would replace business-logic
		"BRIDGE_DRAIN_SECONDS":                 strconv.Itoa(int(a.StopGrace / time.Second)),
	}
	// What a flow's module does when it is imported must find nothing: no network, no secret.
	describe := harden(service{
		Image:       a.BusinessImage,
		Profiles:    []string{"describe"},
		User:        "10001:10001",
		Entrypoint:  []string{"/opt/provision/entrypoint"},
		Command:     []string{"python", "-m", "provision_glue.describe"},
		WorkingDir:  "/tmp", // Prefect writes beside itself
		Environment: map[string]string{"PREFECT_HOME": "/tmp/prefect"},
		NetworkMode: "none",
	})
	business := service{
		Image:       a.BusinessImage,
		Command:     []string{"provision-bridge", "serve"},
		WorkingDir:  "/opt/business",
		Environment: run,
		StopGrace:   seconds(a.StopGrace + drainMargin),
		PidsLimit:   4096,
	}
	services := map[string]*service{"describe": describe}
	if a.Serve {
		business.Command = append([]string{"python", "-m", "provision_glue.serve"}, poll...)
		run["BRIDGE_LISTEN"], run["BRIDGE_ADDRESS"] = "127.0.0.1:8787", "127.0.0.1:8787"
		run["BRIDGE_AGENT_HOSTNAME"] = naming.Hostname("business-logic", a.Host) // the agent's, which Prefect records with each run
		if a.APIAll {
			run["PROVISION_API"] = "all"
		}
		services["business-logic"] = member("business-logic", business)
		check := services["business-logic"].HealthCheck.Test
		check[len(check)-1] = "serve"
	} else {
		services["business-logic"] = member("business-logic", business)
		services["agent"] = member("agent", service{
			Image:   a.PrefectImage,
			Command: poll,
			Environment: map[string]string{
				"PROVISION_SECRETS": "PREFECT_API_KEY=/run/secrets/poll_token",
				"BRIDGE_ADDRESS":    "business-logic:8787",
				"BRIDGE_TOKEN_FILE": "/run/secrets/bridge_token",
			},
			DependsOn: map[string]dependency{"business-logic": {Condition: "service_started"}},
			StopGrace: "10s", // its runs go on in business-logic, and the next agent finds them
			PidsLimit: 1024,
		})
	}
	return project{Name: a.Stack.Project("agent"), Services: services}.render(a.Stack, a.ID)
}
