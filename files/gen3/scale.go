package gen3

import (
	"cmp"
	"strconv"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

// maxServers is how many servers there can be on a host: each is one core of Python.
const maxServers = 8

// valkeyImage carries what several servers tell each other. Nothing in it must survive.
const valkeyImage = "valkey/valkey:8"

// scaled says that there are several servers. Then what one does beside its answers is done by one container for all, and they talk through Valkey:
// without it task runs and events vanish silently.
func scaled(in generation.Input) bool { return in.Servers > 1 }

var servicesPart = generation.Part{
	Name: "services", Role: naming.RoleServer, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect,
	Networks: []naming.Network{naming.ServerNetwork, naming.DatabaseNetwork},
	Secrets:  "server", AtStart: true,
	// After the servers, so that the database has been brought to its version.
	Calls:   []generation.Call{{Part: "server"}, {Part: "postgres", Healthy: true}, {Part: "valkey", Healthy: true}},
	When:    scaled,
	Timeout: 180, Note: glue.Noted("nothing is scheduled for a few seconds; what is late is caught up"),
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		env, err := serverEnvironment(in, site)
		database := strconv.Itoa(cmp.Or(in.DatabasePort, 5432))
		return compose.Service{
			Entrypoint:  []string{"/opt/provision/entrypoint"},
			Command:     []string{"prefect", "server", "services", "start"},
			Environment: compose.Overlay(env, map[string]string{"PREFECT_HOME": "/tmp/prefect"}),
			HealthCheck: &compose.HealthCheck{
				Test:     []string{"CMD", "python", "-m", "provision_glue.connected", database, "6379"},
				Interval: "15s", Timeout: "5s", Retries: 4, StartPeriod: "2m", StartInterval: "3s",
			},
			StopGrace: "30s",
		}, err
	},
}

var valkeyPart = generation.Part{
	Name: "valkey", Role: naming.RoleServer, Title: "Valkey", UID: naming.UID(3), Image: valkeyImage,
	Networks: []naming.Network{naming.DatabaseNetwork},
	Secrets:  "valkey", Password: "redis_password", AtStart: true,
	CalledAt: ":6379",
	When:     scaled,
	Note:     glue.Noted("events wait for a few seconds"),
	Define: func(generation.Input, generation.Site) (compose.Service, error) {
		return compose.Service{
			// The password goes in by the standard input: an argument could be seen by everyone on the host.
			Entrypoint: []string{"sh", "-c", "exec valkey-server - <<end\nrequirepass $(cat /run/secrets/redis_password)\nsave \"\"\nappendonly no\ndir /tmp\nend"},
			HealthCheck: &compose.HealthCheck{
				Test:     []string{"CMD-SHELL", "REDISCLI_AUTH=$(cat /run/secrets/redis_password) valkey-cli ping | grep -qx PONG"},
				Interval: "10s", Timeout: "3s", Retries: 3, StartPeriod: "1m", StartInterval: "1s",
			},
			StopGrace: "10s",
		}, nil
	},
}

// scaledEnvironment has a server speak with the others.
func scaledEnvironment() (env map[string]string, secrets string) {
	return map[string]string{
		"PREFECT_SERVER_EVENTS_MESSAGING_BROKER":   "prefect_redis.messaging",
		"PREFECT_SERVER_EVENTS_MESSAGING_CACHE":    "prefect_redis.messaging",
		"PREFECT_SERVER_EVENTS_CAUSAL_ORDERING":    "prefect_redis.ordering",
		"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
		"PREFECT_REDIS_MESSAGING_HOST":             "valkey",
		"PREFECT_REDIS_MESSAGING_PORT":             "6379",
	}, " PREFECT_REDIS_MESSAGING_PASSWORD=/run/secrets/redis_password PREFECT_SERVER_DOCKET_URL=redis://:{/run/secrets/redis_password}@valkey:6379/1"
}
