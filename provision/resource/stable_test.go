package resource

import "testing"

// A kept plan holds as long as nobody changes anything of the stack.
func TestStable(t *testing.T) {
	t.Parallel()
	of := func(fields ...string) string {
		f := Fact{Record: Record{Fields: map[string]string{}}, Know: Yes}
		for i := 0; i < len(fields); i += 2 {
			f.Fields[fields[i]] = fields[i+1]
		}
		return Stable(EngineID("prefect"), f)
	}
	const (
		ours    = "/prefect-server|id|image|prefect-prefect:0|running|healthy|0|0|false|2026-01-02T03:04:05Z|definition|mounts|prefect-server|server|False"
		step    = "\n/prefect-backup|id2|image|postgres:17|running||0|0|false|2026-01-02T03:04:06Z|definition|mounts|prefect-server|backup-dump|True"
		network = "prefect-server-network|n1|172.30.0.0/24|true|prefect|br-x|false"
		volume  = "prefect-database|prefect|/v"
	)
	before := of("versions", "26.1.5", "containers", ours, "all", "1|prefect|prefect-server|prefect-database-network,prefect-server-network", "networks", network, "volumes", volume)
	for name, now := range map[string]string{
		// The client prints the networks of a container in any order.
		"containers of others": of("versions", "26.1.5", "containers", ours, "all", "1|prefect|prefect-server|prefect-server-network,prefect-database-network\n2||other|bridge", "networks", network, "volumes", volume),
		"a step of a backup":   of("versions", "26.1.5", "containers", ours+step, "all", "", "networks", network, "volumes", volume),
		"networks of others":   of("versions", "26.1.5", "containers", ours, "all", "", "networks", "other|n2|172.31.0.0/24|false|||false\n"+network, "volumes", volume),
		"volumes of others":    of("versions", "26.1.5", "containers", ours, "all", "", "networks", network, "volumes", volume+"\n0123456789abcdef||/w"),
	} {
		if before != now {
			t.Errorf("%s make a plan stale", name)
		}
	}
	for name, now := range map[string]string{
		"another version":   of("versions", "27.0.0", "containers", ours, "all", "", "networks", network, "volumes", volume),
		"another container": of("versions", "26.1.5", "containers", "", "all", "", "networks", network, "volumes", volume),
		"a network less":    of("versions", "26.1.5", "containers", ours, "all", "", "networks", "", "volumes", volume),
		"a volume less":     of("versions", "26.1.5", "containers", ours, "all", "", "networks", network, "volumes", ""),
	} {
		if before == now {
			t.Errorf("%s is not seen", name)
		}
	}
}
