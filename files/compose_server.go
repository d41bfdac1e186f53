package files

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"provision/files/naming"
)

// ComposeServer is the project of the server host: postgres, migrate (one-shot), server, caddy.
type ComposeServer struct {
	Stack naming.Stack
	ID    string // of the stack; empty where it is not known yet

	PostgresImage, PrefectImage, CaddyImage string

	TLS       string
	PublicURL string            // scheme, host and optional port; the port is the one that is published
	Settings  map[string]string // further PREFECT_ settings of the server

	// AgentHere puts Caddy on the agents' network too, under the url's host: an agent lives on the same machine.
	AgentHere bool

	Proxy   string
	NoProxy []string
}

// Render is pure and deterministic.
func (s ComposeServer) Render() (Compose, error) {
	site, err := parsePublicURL(s.TLS, s.PublicURL)
	if err != nil {
		return Compose{}, err
	}
	prefect, err := s.serverEnvironment(site)
	if err != nil {
		return Compose{}, err
	}
	dir := s.Stack.RoleDir("server")
	serverNet, agentNet, databaseNet := s.Stack.Networks()
	postgresVol, artifactsVol, caddyVol := s.Stack.Volumes()
	port := strconv.Itoa(int(site.port))
	afterPostgres := map[string]dependency{"postgres": {Condition: "service_healthy"}}

	postgres := harden(service{
		Image:         s.PostgresImage,
		ContainerName: s.Stack.Container("postgres"),
		User:          "999:999",
		Command:       []string{"postgres", "-c", "password_encryption=scram-sha-256"},
		Environment: map[string]string{
			"POSTGRES_USER":             "prefect",
			"POSTGRES_DB":               "prefect",
			"POSTGRES_PASSWORD_FILE":    "/run/secrets/password",
			"POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
			"POSTGRES_INITDB_ARGS":      "--auth-host=scram-sha-256 --data-checksums",
		},
		Networks: map[string]attachment{databaseNet: {}},
		Volumes:  []mount{volume(postgresVol, "/var/lib/postgresql/data"), bind(dir+"/secrets/postgres", "/run/secrets")},
		Tmpfs:    []string{"/var/run/postgresql:uid=999,gid=999,mode=0755"},
		ShmSize:  "256m",
		// While the database is made, only the socket answers: the check goes over TCP.
		HealthCheck: &healthCheck{
			Test:     []string{"CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "prefect", "-d", "prefect"},
			Interval: "2s", Timeout: "3s", Retries: 15, StartPeriod: "5m",
		},
		StopGrace: "2m",
		// startMounts stays empty: the password is taken when the database is made, and changed inside it later.
	})
	migrate := harden(service{
		Image:      s.PrefectImage,
		Profiles:   []string{"migrate"},
		User:       "10001:10001",
		Entrypoint: []string{"/opt/provision/entrypoint"},
		Command:    []string{"prefect", "server", "database", "upgrade", "-y"},
		Environment: overlay(prefect, map[string]string{
			"PREFECT_HOME": "/tmp/prefect",
		}),
		Networks:  map[string]attachment{databaseNet: {}},
		Volumes:   []mount{bind(dir+"/secrets/server", "/run/secrets")},
		DependsOn: afterPostgres,
	})
	server := harden(service{
		Image:         s.PrefectImage,
		ContainerName: s.Stack.Container("server"),
		User:          "10001:10001",
		Entrypoint:    []string{"/opt/provision/entrypoint"},
		Command:       []string{"prefect", "server", "start", "--host", "0.0.0.0", "--port", "4200"},
		Environment:   prefect,
		Networks:      map[string]attachment{serverNet: {}, databaseNet: {}},
		Volumes:       []mount{volume(artifactsVol, "/var/lib/prefect"), bind(dir+"/secrets/server", "/run/secrets")},
		DependsOn:     afterPostgres,
		HealthCheck: &healthCheck{
			Test:     []string{"CMD", "python", "-m", "provision_glue.health", "server"},
			Interval: "5s", Timeout: "5s", Retries: 6, StartPeriod: "2m",
		},
		StopGrace:   "30s",
		startMounts: []string{"secrets/server"},
	})
	caddy := harden(service{
		Image:         s.CaddyImage,
		ContainerName: s.Stack.Container("caddy"),
		User:          "10002:10002",
		Command:       []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
		Environment: overlay(proxyEnvironment(s.Proxy, s.NoProxy, "server"), map[string]string{
			"XDG_DATA_HOME":   "/data",
			"XDG_CONFIG_HOME": "/tmp",
			"HEALTH_URL":      site.scheme + "://" + site.hostPart(),
			"HEALTH_CONNECT":  "127.0.0.1:" + port,
		}),
		Networks: map[string]attachment{serverNet: {}},
		// The ports inside are those outside, so that agents on the same host reach it under the same url; they are low ones, and no capability is left.
		Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
		Ports:   []published{{Target: int(site.port), Published: port, Protocol: "tcp"}},
		Volumes: []mount{volume(caddyVol, "/data"), bind(dir+"/caddy", "/etc/caddy"), bind(dir+"/secrets/caddy", "/run/secrets")},
		Tmpfs:   []string{"/run/caddy:uid=10002,gid=10002,mode=0700"},
		HealthCheck: &healthCheck{
			Test:     []string{"CMD", "python", "-m", "provision_glue.health", "caddy"},
			Interval: "5s", Timeout: "5s", Retries: 6, StartPeriod: "1m",
		},
		DependsOn: map[string]dependency{"server": {Condition: "service_started"}},
		StopGrace: "40s", // its own grace period is 30s
		// startMounts stays empty: a changed file is taken by a reload, or at the next request.
	})
	if s.TLS != TLSOff {
		caddy.Ports = append(caddy.Ports,
			published{Target: int(site.port), Published: port, Protocol: "udp"},
			published{Target: 80, Published: "80", Protocol: "tcp"})
	}
	if s.AgentHere {
		here := attachment{}
		if !site.ip.IsValid() {
			here.Aliases = []string{site.host}
		}
		caddy.Networks[agentNet] = here
	}
	return project{Name: s.Stack.Project("server"), Services: map[string]*service{
		"postgres": postgres, "migrate": migrate, "server": server, "caddy": caddy,
	}}.render(s.Stack, s.ID)
}

// serverEnvironment refuses settings that would take the server out of the place that provision made for it.
func (s ComposeServer) serverEnvironment(site publicURL) (map[string]string, error) {
	fixed := overlay(proxyEnvironment(s.Proxy, s.NoProxy, "postgres"), map[string]string{
		"PROVISION_STACK":   string(s.Stack),
		"PROVISION_POOL":    naming.Pool,
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
		"PREFECT_SERVER_CORS_ALLOWED_ORIGINS":  site.origin(),
		"PREFECT_UI_URL":                       site.origin(),
		"PREFECT_API_DATABASE_TIMEOUT":         "300",
		"PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "75", // longer than Caddy keeps an idle connection
	}
	for key := range s.Settings {
		if !strings.HasPrefix(key, "PREFECT_") {
			return nil, fmt.Errorf("setting %q: its name must begin with PREFECT_", key)
		}
		if _, ours := fixed[key]; ours || key == "PREFECT_API_DATABASE_PASSWORD" || key == "PREFECT_SERVER_ENCRYPTION_KEY" {
			return nil, fmt.Errorf("setting %s cannot be changed: the stack depends on it", key)
		}
	}
	return overlay(usual, s.Settings, fixed), nil
}

// overlay gives the union of maps; of a key in several, the last counts.
func overlay(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// proxyEnvironment is what programs read to find the way out; direct are names that are never asked for there.
func proxyEnvironment(proxy string, noProxy []string, direct ...string) map[string]string {
	if proxy == "" {
		return nil
	}
	exempt := strings.Join(append(append([]string{"localhost", "127.0.0.1"}, direct...), noProxy...), ",")
	env := map[string]string{}
	for name, value := range map[string]string{"http_proxy": proxy, "https_proxy": proxy, "no_proxy": exempt} {
		env[name], env[strings.ToUpper(name)] = value, value
	}
	return env
}
