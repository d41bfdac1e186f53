package gen2

import (
	"fmt"
	"strconv"
	"strings"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

const serverPort = 4200

var serverPart = generation.Part{
	Name: "server", Role: naming.RoleServer, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect,
	Networks: []naming.Network{naming.ServerNetwork, naming.DatabaseNetwork},
	Volumes:  []generation.PartVolume{{Name: naming.ArtifactsVolume, Target: "/var/lib/prefect"}},
	Secrets:  "server", AtStart: true,
	Calls:    []generation.Call{{Part: "postgres", Healthy: true}},
	CalledAt: ":" + strconv.Itoa(serverPort),
	Timeout:  180, Note: glue.Noted("Prefect is unavailable for a few seconds; agents retry"),
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		env, err := serverEnvironment(in, site)
		return compose.Service{
			Entrypoint:  []string{"/opt/provision/entrypoint"},
			Command:     []string{"prefect", "server", "start", "--host", "0.0.0.0", "--port", strconv.Itoa(serverPort)},
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
	Networks: []naming.Network{naming.DatabaseNetwork},
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

// serverEnvironment refuses settings that would take the server out of the place that provision made for it.
func serverEnvironment(in generation.Input, site generation.Site) (map[string]string, error) {
	fixed := compose.Overlay(compose.ProxyEnvironment(in.Proxy, in.NoProxy, "postgres"), map[string]string{
		"PROVISION_POOL":    naming.Pool,
		"PROVISION_TAG":     in.Stack.Tag(),
		"PROVISION_SECRETS": "PREFECT_API_DATABASE_PASSWORD=/run/secrets/password PREFECT_SERVER_ENCRYPTION_KEY=/run/secrets/encryption_key",
		// Prefect itself puts the password in: the text between the braces is not for Compose.
		"PREFECT_API_DATABASE_CONNECTION_URL":   "postgresql+asyncpg://prefect:${PREFECT_API_DATABASE_PASSWORD}@postgres:5432/prefect",
		"PREFECT_API_DATABASE_MIGRATE_ON_START": "false",
		"PREFECT_HOME":                          "/var/lib/prefect",
		"PREFECT_UI_STATIC_DIRECTORY":           "/tmp/ui",
		"FORWARDED_ALLOW_IPS":                   "*", // only Caddy reaches it, and says who asked over what
	})
	usual := map[string]string{
		"PREFECT_SERVER_ANALYTICS_ENABLED":     "false",
		"PREFECT_SERVER_CORS_ALLOWED_ORIGINS":  site.Origin(),
		"PREFECT_UI_URL":                       site.Origin(),
		"PREFECT_API_DATABASE_TIMEOUT":         "300",
		"PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "75", // longer than Caddy keeps an idle connection
	}
	for key := range in.Settings {
		if !strings.HasPrefix(key, "PREFECT_") {
			return nil, fmt.Errorf("setting %q: its name must begin with PREFECT_", key)
		}
		if _, ours := fixed[key]; ours || key == "PREFECT_API_DATABASE_PASSWORD" || key == "PREFECT_SERVER_ENCRYPTION_KEY" {
			return nil, fmt.Errorf("setting %s cannot be changed: the stack depends on it", key)
		}
	}
	return compose.Overlay(usual, in.Settings, fixed), nil
}
