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
	const ours = "/prefect-server|id|image|prefect-prefect:0|running|healthy|0|0|false|2026-01-02T03:04:05Z|definition|mounts|prefect-server|server"
	before := of("versions", "26.1.5", "containers", ours, "all", "1|prefect|prefect-server|prefect-database-network,prefect-server-network")
	// The client prints the networks of a container in any order.
	if before != of("versions", "26.1.5", "containers", ours, "all", "1|prefect|prefect-server|prefect-server-network,prefect-database-network\n2||other|bridge") {
		t.Error("containers of others make a plan stale")
	}
	for name, now := range map[string]string{
		"another version":   of("versions", "27.0.0", "containers", ours, "all", ""),
		"another container": of("versions", "26.1.5", "containers", "", "all", ""),
	} {
		if before == now {
			t.Errorf("%s is not seen", name)
		}
	}
}
