package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// passing are the fields of a kind's record that differ from one observation to the next although
// nobody changed anything of the stack: clocks, room, ports, foreign containers, backups, and digests
// that are salted with the run's nonce.
var passing = map[string][]string{
	"system":    {ClockField, OffsetField, "memory", "disk", "listen", "listeners", "routes", "boot", "uid", "filter", "ruleset"},
	"docker":    {"all"},
	"secret":    {"sum"},
	"authority": {"sum"},
	"route":     {"json"},
	"account":   {"catalog"},
	"caddy":     {"leaf"}, // it renews it by itself
	"backups":   {"last", "newest", "busy"},
	"leftovers": {"backedup"},
}

// Stable is a digest of all that an observation says of a resource and that only somebody's change
// makes differ. A plan that was kept is compared by it with what is there when it is carried out.
func Stable(id ID, f Fact) string {
	fields := maps.Clone(f.Fields)
	maps.DeleteFunc(fields, func(k, _ string) bool { return slices.Contains(passing[id.Kind], k) })
	switch id.Kind {
	case "docker":
		fields["containers"] = stableContainers(fields["containers"])
		fields["networks"] = stableOwned(fields["networks"], 4)
		fields["volumes"] = stableOwned(fields["volumes"], 1)
	case "repository":
		return "" // the first backup makes it; one that is gone is a fact of the backups
	case "prefect":
		fields["json"] = stablePrefect(fields["json"])
	}
	text := fmt.Sprintf("%s %v", f.Know, fields) // maps are printed in the order of their keys
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// stableContainers leaves out health, restarts and times, and containers that end by themselves.
func stableContainers(field string) string {
	var out []string
	for _, c := range lines(field) {
		if len(c) == containerFields && c[14] != "True" {
			out = append(out, strings.Join([]string{c[0], c[2], c[3], c[4], c[10], c[11]}, "|"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// stableOwned are the networks or volumes of stacks: those whose field of this number names one. Those of
// others come and go, and a plan that they change is another plan.
func stableOwned(field string, owner int) string {
	var out []string
	for _, l := range lines(field) {
		if len(l) > owner && l[owner] != "" {
			out = append(out, strings.Join(l, "|"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// stablePrefect leaves out runs, polls and the room on the volume.
func stablePrefect(field string) string {
	var o observed
	if json.Unmarshal([]byte(field), &o) != nil || o.decode() != nil {
		return "not understood"
	}
	var queues []string
	for _, q := range o.queues {
		queues = append(queues, q.Name)
	}
	text, err := json.Marshal([]any{o.pool, queues, o.deployments, o.record})
	if err != nil {
		return "not understood"
	}
	return string(text)
}
