package glue

import (
	"time"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/naming"
)

// DrainMargin is what business-logic has, after its flows' time is over, to end them (10 s between asking and forcing) and to say so.
const DrainMargin = 20 * time.Second

// Describe says what the flows are. What a flow's module does when it is imported must find nothing: no network, no secret.
var Describe = generation.Part{
	Name: "describe", Role: naming.RoleAgent, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImageBusiness, Once: true,
	Define: func(generation.Input, generation.Site) (compose.Service, error) {
		return compose.Service{
			Entrypoint:  []string{"/opt/provision/entrypoint"},
			Command:     []string{"python", "-m", "provision_glue.describe"},
			WorkingDir:  "/tmp", // Prefect writes beside itself
			Environment: map[string]string{"PREFECT_HOME": "/tmp/prefect"},
		}, nil
	},
}

// OfAgentHost gives a service what all of an agent host have: the names in their network, trust in the API, and a check.
func OfAgentHost(s compose.Service, name, check string, in generation.Input, site generation.Site) compose.Service {
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

// Noted is a note that depends on nothing.
func Noted(text string) func(generation.Input) string {
	return func(generation.Input) string { return text }
}
