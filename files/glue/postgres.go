package glue

import (
	"provision/files/compose"
	"provision/files/generation"
	"provision/files/naming"
)

// Postgres is the database.
var Postgres = generation.Part{
	Name: "postgres", Role: naming.RoleServer, Title: "PostgreSQL", UID: naming.PostgresUID, Image: generation.ImagePostgres,
	Networks: []naming.Network{naming.DatabaseNetwork},
	Volumes:  []generation.PartVolume{{Name: naming.PostgresVolume, Target: "/var/lib/postgresql/data"}},
	Secrets:  "postgres", Password: "password", // not AtStart: the password is taken when the database is made, and changed inside it later
	CalledAt: ":5432",
	When:     func(in generation.Input) bool { return in.DatabasePort == 0 },
	Timeout:  300, Note: Noted("the database and Prefect are unavailable for a few seconds; agents retry"),
	Define: func(generation.Input, generation.Site) (compose.Service, error) {
		return compose.Service{
			Command: []string{"postgres", "-c", "password_encryption=scram-sha-256"},
			Environment: map[string]string{
				"POSTGRES_USER":             "prefect",
				"POSTGRES_DB":               "prefect",
				"POSTGRES_PASSWORD_FILE":    "/run/secrets/password",
				"POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
				"POSTGRES_INITDB_ARGS":      "--auth-host=scram-sha-256 --data-checksums",
			},
			Tmpfs:   []string{"/var/run/postgresql:uid=" + naming.PostgresUID + ",gid=" + naming.PostgresUID + ",mode=0755"},
			ShmSize: "256m",
			// While the database is made, only the socket answers: the check goes over TCP.
			HealthCheck: &compose.HealthCheck{
				Test:     []string{"CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "prefect", "-d", "prefect"},
				Interval: "10s", Timeout: "3s", Retries: 3, StartPeriod: "5m", StartInterval: "1s",
			},
			StopGrace: "2m",
		}, nil
	},
}
