package gen2

import (
	"strconv"
	"time"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

// retentionPart deletes old runs, because this Prefect deletes nothing by itself. It is there if the stack says how long runs are kept, and the
// server knows nothing of it.
var retentionPart = generation.Part{
	Name: "retention", Role: naming.RoleServer, Title: "Prefect", UID: naming.PrefectUID, Image: generation.ImagePrefect,
	Networks: []naming.Network{naming.DatabaseNetwork},
	Secrets:  "retention", // the database's password alone; it is read for each pass
	// After the server, so that the database has been brought to its version.
	Calls: []generation.Call{{Part: "server"}, {Part: "postgres", Healthy: true}},
	When:  func(in generation.Input) bool { return in.Retention.Runs > 0 },
	Note:  glue.Noted("flow runs that ended long ago are deleted"),
	Define: func(in generation.Input, _ generation.Site) (compose.Service, error) {
		return compose.Service{
			Entrypoint: []string{"/opt/provision/entrypoint"},
			Command:    []string{"python", "-m", "provision_glue.retention", strconv.Itoa(int(in.Retention.Runs / time.Second))},
			HealthCheck: &compose.HealthCheck{
				Test:     []string{"CMD", "python", "-m", "provision_glue.retention", "--check"},
				Interval: "60s", Timeout: "5s", Retries: 4, StartPeriod: "2m", StartInterval: "3s",
			},
			StopGrace: "10s", // what is in hand is a transaction, which is rolled back
		}, nil
	},
}
