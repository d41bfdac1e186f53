package gen3

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/naming"
)

const serverPort = 4200

var serverPart = generation.Part{
	Name: "server", Role: naming.RoleServer, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect,
	Networks: []naming.Network{naming.ServerNetwork, naming.DatabaseNetwork},
	Volumes:  []generation.PartVolume{{Name: naming.ArtifactsVolume, Target: "/var/lib/prefect"}},
	Secrets:  "server", AtStart: true,
	Calls:    []generation.Call{{Part: "postgres", Healthy: true}, {Part: "valkey", Healthy: true}},
	Replicas: func(in generation.Input) int { return max(in.Servers, 1) },
	Most:     maxServers,
	CalledAt: ":" + strconv.Itoa(serverPort),
	Timeout:  180,
	Note: func(in generation.Input) string {
		if scaled(in) {
			return "the other servers answer"
		}
		return "Prefect is unavailable for a few seconds; agents retry"
	},
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		env, err := serverEnvironment(in, site)
		command := []string{"prefect", "server", "start", "--host", "0.0.0.0", "--port", strconv.Itoa(serverPort)}
		if scaled(in) {
			command = append(command, "--no-services")
		}
		return compose.Service{
			Entrypoint:  []string{"/opt/provision/entrypoint"},
			Command:     command,
			Environment: env,
			HealthCheck: &compose.HealthCheck{
				Test:     []string{"CMD", "python", "-m", "provision_glue.health", "server"},
				Interval: "15s", Timeout: "5s", Retries: 4, StartPeriod: "2m", StartInterval: "3s",
			},
			StopGrace: "30s",
		}, err
	},
}

// migratePart brings the database to the schema of the image before the new server starts.
var migratePart = generation.Part{
	Name: "migrate", Role: naming.RoleServer, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect, Once: true,
	RunsFor: "server", Doing: "bringing the database to this version of Prefect",
	// The way to a database elsewhere leads over the server's network.
	Networks: []naming.Network{naming.ServerNetwork, naming.DatabaseNetwork},
	Secrets:  "server",
	Calls:    []generation.Call{{Part: "postgres", Healthy: true}},
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		env, err := serverEnvironment(in, site)
		return compose.Service{
			Entrypoint:  []string{"/opt/provision/entrypoint"},
			Command:     []string{"prefect", "server", "database", "upgrade", "-y"},
			Environment: compose.Overlay(env, map[string]string{"PREFECT_HOME": "/tmp/prefect"}),
		}, err
	},
}

// secretSettings are put into the environment by the entrypoint, out of files.
var secretSettings = []string{"PREFECT_SERVER_DATABASE_PASSWORD", "PREFECT_SERVER_ENCRYPTION_KEY"}

// database is how the server comes to its database: what its environment says, and the secrets for it.
func database(in generation.Input) (env map[string]string, secrets string) {
	if in.DatabasePort == 0 {
		// Prefect itself puts the password in: the text between the braces is not for Compose.
		return map[string]string{"PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://prefect:${PREFECT_SERVER_DATABASE_PASSWORD}@postgres:5432/prefect"},
			secretSettings[0] + "=/run/secrets/password"
	}
	return map[string]string{
		// Host name and authority are checked; the file has those of [site] ca_certificates, too.
		"PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_ENABLED": "true",
		"PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CA_FILE": "/etc/ssl/certs/ca-certificates.crt",
	}, "PREFECT_SERVER_DATABASE_CONNECTION_URL=/run/secrets/" + generation.DatabaseURL
}

// serverEnvironment refuses settings that would take the server out of the place that provision made for it.
func serverEnvironment(in generation.Input, site generation.Site) (map[string]string, error) {
	var beside map[string]string
	besideSecrets := ""
	if scaled(in) {
		beside, besideSecrets = scaledEnvironment()
	}
	reached, reachedBy := database(in)
	fixed := compose.Overlay(compose.ProxyEnvironment(in.Proxy, in.NoProxy, "postgres", "valkey"), map[string]string{
		"PROVISION_POOL":    naming.Pool,
		"PROVISION_TAG":     in.Stack.Tag(),
		"PROVISION_SECRETS": reachedBy + " " + secretSettings[1] + "=/run/secrets/encryption_key" + besideSecrets,
		"PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
		"PREFECT_HOME":                       "/var/lib/prefect",
		"PREFECT_SERVER_UI_STATIC_DIRECTORY": "/tmp/ui",
		"PREFECT_SERVER_UI_API_URL":          "/api",
		"FORWARDED_ALLOW_IPS":                "*", // only Caddy reaches it, and says who asked over what
	}, retention(in.Retention), reached, beside)
	usual := map[string]string{
		"PREFECT_SERVER_ANALYTICS_ENABLED":     "false",
		"PREFECT_SERVER_CORS_ALLOWED_ORIGINS":  site.Origin(),
		"PREFECT_UI_URL":                       site.Origin(),
		"PREFECT_SERVER_DATABASE_TIMEOUT":      "300",
		"PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "75", // longer than Caddy keeps an idle connection
	}
	for key := range in.Settings {
		if !strings.HasPrefix(key, "PREFECT_") {
			return nil, fmt.Errorf("setting %q: its name must begin with PREFECT_", key)
		}
		// The database's settings have former names, which Prefect takes, too.
		if _, ours := fixed[key]; ours || slices.Contains(secretSettings, key) || strings.HasPrefix(key, "PREFECT_API_DATABASE_") && owned[key] != "" {
			return nil, fmt.Errorf("setting %s cannot be changed: the stack depends on it", key)
		}
	}
	return compose.Overlay(usual, in.Settings, fixed), nil
}

// retention has the server delete what is old, in batches. Runs go with their states, task runs, logs and artifacts; events are deleted in any case.
func retention(r generation.Retention) map[string]string {
	env, kinds := map[string]string{}, []string{"events"}
	if r.Runs > 0 {
		kinds = append(kinds, "flow_runs")
		env["PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"] = strconv.Itoa(int(r.Runs / time.Second))
	}
	if r.Events > 0 {
		// This one takes no bare number, and the one above nothing else.
		env["PREFECT_SERVER_EVENTS_RETENTION_PERIOD"] = fmt.Sprintf("PT%dS", r.Events/time.Second)
	}
	env["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"] = strings.Join(kinds, ",")
	return env
}
