package gen3

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	oneUUID = "0b6f5d3e-1c2d-4e5f-8a9b-0c1d2e3f4a5b"
	pool    = "/api/work_pools/provision"
)

// may tells whether a kind of token may ask for something.
func may(kind, method, path string) bool {
	for _, r := range allowed(kind) {
		if r.Method == method && regexp.MustCompile(r.Path).MatchString(path) {
			return true
		}
	}
	return false
}

// TestRoutes: what a worker and its runs need is there, and what would run code on another host is not.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kinds, method, path string
	}{
		{"poll run", "GET", "/api/health"},
		{"poll run", "GET", "/api/csrf-token"},
		{"poll run", "GET", pool},
		{"poll run", "GET", pool + "/queues/host-worker-1"},
		{"poll", "POST", pool + "/get_scheduled_flow_runs"},
		{"poll", "POST", pool + "/workers/heartbeat"},
		{"poll run", "PATCH", "/api/flow_runs/" + oneUUID},
		{"poll run", "POST", "/api/flow_runs/" + oneUUID + "/set_state"},
		{"run", "GET", "/api/events/in"},
		{"run", "GET", "/api/events/out"},
		{"run", "POST", "/api/task_runs/"},
		{"run", "POST", "/api/deployments/" + oneUUID + "/create_flow_run"},
		{"run", "GET", "/api/variables/name/x"},
		{"", "GET", "/api/work_pools/another"},
		{"", "GET", pool + "/workers/connect"}, // its first message may fill the pool's template
		{"", "POST", "/api/deployments/"},
		{"", "PATCH", "/api/deployments/" + oneUUID},
		{"", "DELETE", "/api/deployments/" + oneUUID},
		{"", "PATCH", pool},
		{"", "POST", "/api/work_pools/"},
		{"", "POST", pool + "/queues"},
		{"", "POST", "/api/block_documents/"},
		{"", "PATCH", "/api/block_documents/" + oneUUID},
		{"", "POST", "/api/automations/"},
		{"", "PUT", "/api/admin/storage"},
		{"", "POST", "/api/variables/"},
		{"", "PATCH", "/api/variables/name/x"},
		{"", "GET", "/api/admin/settings"},
		{"", "DELETE", "/api/flow_runs/" + oneUUID},
	} {
		for _, kind := range []string{"poll", "run"} {
			if want := slices.Contains(strings.Fields(c.kinds), kind); may(kind, c.method, c.path) != want {
				t.Errorf("%s: %s %s: %v, want %v", kind, c.method, c.path, !want, want)
			}
		}
	}
}

// TestOperations: the table is read whole, each operation stands in it once, and nobody may write what is executed.
func TestOperations(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, o := range operations() {
		key := o.method + " " + o.path
		if seen[key] {
			t.Errorf("%s stands there twice", key)
		}
		seen[key] = true
		if _, err := regexp.Compile(o.pattern()); err != nil || !strings.HasPrefix(o.path, "/") {
			t.Errorf("%s: %v", key, err)
		}
		if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"}, o.method) {
			t.Errorf("%s: no such method", key)
		}
		for _, who := range o.who {
			if !slices.Contains([]string{"all", "poll", "run", "-"}, who) {
				t.Errorf("%s: %s is nobody", key, who)
			}
		}
		writes := o.method != "GET" && o.method != "WEBSOCKET" && !strings.HasSuffix(o.path, "/filter")
		for _, of := range []string{"/deployments/", "/block_documents/", "/block_types/", "/block_schemas/", "/automations/", "/variables/", "/admin/", "/ui/", "/work_pools/"} {
			if writes && strings.HasPrefix(o.path, of) && o.who[0] != "-" && !regexp.MustCompile("/(create_flow_run|get_scheduled_flow_runs|workers/heartbeat)$").MatchString(o.path) {
				t.Errorf("%s: %s may", key, o.who)
			}
		}
	}
	if len(seen) < 150 {
		t.Errorf("only %d operations", len(seen))
	}
}
