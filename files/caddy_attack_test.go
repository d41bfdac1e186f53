package files

import (
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func bearer(token string) string { return "Authorization: Bearer " + token }

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestCaddyTokens(t *testing.T) {
	t.Parallel()
	both := []string{
		"GET /api/csrf-token?client=x", "GET /api/version", "GET /api/admin/version", "GET /api/hello",
		"GET /api/deployments/UUID", "GET /api/flows/UUID", "GET /api/flow_runs/UUID", "GET /api/block_documents/UUID?include_secrets=true",
		"GET /api/work_pools/provision", "GET /api/work_pools/provision/queues/default", "GET /api/work_pools/provision/queues/host-worker-1",
		"POST /api/flow_runs/filter", "POST /api/flow_runs/UUID/set_state", "PATCH /api/flow_runs/UUID",
	}
	poll := []string{
		"POST /api/work_pools/provision/get_scheduled_flow_runs", "POST /api/work_pools/provision/queues/filter",
	}
	run := []string{
		"GET /api/task_runs/UUID", "GET /api/artifacts/UUID", "GET /api/deployments/name/hello/default", "GET /api/flows/name/hello", "GET /api/variables/name/x",
		"GET /api/block_types/slug/secret", "GET /api/block_types/slug/secret/block_documents/name/mine", "GET /api/block_schemas/checksum/sha256:ab",
		"GET /api/flow_runs/UUID/input/keyset", "GET /api/task_run_states/?task_run_id=UUID", "GET /api/v2/concurrency_limits/database", "GET /api/concurrency_limits/tag/x",
		"POST /api/flows/", "POST /api/flow_runs/", "POST /api/task_runs/", "POST /api/logs/", "POST /api/artifacts/",
		"POST /api/task_runs/filter", "POST /api/deployments/filter", "POST /api/variables/filter", "POST /api/artifacts/latest/filter",
		"POST /api/task_runs/UUID/set_state", "POST /api/flow_runs/UUID/resume", "POST /api/flow_runs/UUID/input", "POST /api/flow_runs/UUID/input/filter",
		"POST /api/deployments/UUID/create_flow_run", "POST /api/v2/concurrency_limits/increment", "POST /api/v2/concurrency_limits/decrement",
		"PATCH /api/task_runs/UUID",
	}
	admins := []string{
		"POST /api/deployments/", "PATCH /api/deployments/UUID", "DELETE /api/deployments/UUID", "POST /api/deployments/UUID/schedules",
		"POST /api/deployments/get_scheduled_flow_runs", "POST /api/deployments/UUID/set_schedule_inactive",
		"POST /api/block_documents/", "PATCH /api/block_documents/UUID", "DELETE /api/block_documents/UUID", "POST /api/block_documents/filter",
		"POST /api/block_types/", "PATCH /api/block_types/UUID", "DELETE /api/block_types/UUID", "POST /api/block_schemas/", "DELETE /api/block_schemas/UUID",
		"POST /api/work_pools/", "PATCH /api/work_pools/provision", "DELETE /api/work_pools/provision", "POST /api/work_pools/provision/queues",
		"PATCH /api/work_pools/provision/queues/default", "DELETE /api/work_pools/provision/queues/default", "POST /api/work_pools/other/get_scheduled_flow_runs",
		"GET /api/work_pools/other", "POST /api/work_queues/", "DELETE /api/work_queues/UUID",
		"POST /api/variables/", "PATCH /api/variables/name/x", "DELETE /api/variables/name/x",
		"DELETE /api/flow_runs/UUID", "DELETE /api/flows/UUID", "DELETE /api/task_runs/UUID", "DELETE /api/artifacts/UUID", "DELETE /api/flow_runs/UUID/input/k",
		"POST /api/concurrency_limits/", "DELETE /api/concurrency_limits/tag/x", "POST /api/concurrency_limits/tag/x/reset",
		"POST /api/v2/concurrency_limits/", "DELETE /api/v2/concurrency_limits/x", "PATCH /api/v2/concurrency_limits/x",
		"POST /api/automations/", "PUT /api/automations/UUID", "POST /api/flow_run_notification_policies/", "POST /api/saved_searches/",
		"GET /api/admin/settings", "POST /api/ui/flow_runs/history", "GET /api/collections/views/aggregate-worker-metadata",
		// A pattern that is not held at both ends, or a method that is not looked at, would let these through.
		"GET /api/flow_runs/UUIDx", "GET /api/x/flow_runs/UUID", "DELETE /api/flow_runs/filter", "PUT /api/flow_runs/UUID", "POST /api/flow_runs/UUID",
		"POST /api/flow_runs/UUID/set_state/x", "GET /api/API/flow_runs/UUID", "PATCH /api/flow_runs/UUID/", "HEAD /api/flow_runs/UUID", "FOO /api/flow_runs/UUID",
	}
	l := newCaddy(t, caddyVariants()["internal"])
	l.start()
	all := newCaddy(t, caddyVariants()["api-all"])
	all.start()

	check := func(l *liveCaddy, kind string, lines []string, want int) {
		t.Helper()
		for _, line := range lines {
			method, target, _ := strings.Cut(strings.ReplaceAll(line, "UUID", flowRun), " ")
			l.passed()
			got := l.must(request{method: method, target: target, header: []string{bearer(token("worker-1", kind))}})
			passed := l.passed()
			if got.status != want || (len(passed) == 1) != (want == 200) {
				t.Errorf("%s token: %s: status %d with %d requests passed on, want %d", kind, line, got.status, len(passed), want)
			}
			for _, r := range passed {
				if r.Header.Get("Authorization") != "" {
					t.Errorf("%s token: %s: the token reached the server", kind, line)
				}
			}
		}
	}
	closed := []string{"POST /api/admin/database/drop", "POST /api/admin/database/clear", "POST /api/admin/database/create", "POST /api/admin/database", "POST /API/Admin/Database/drop"}
	check(l, "poll", append(both, poll...), 200)
	check(l, "poll", append(run, admins...), 403)
	check(l, "run", append(both, run...), 200)
	check(l, "run", append(poll, admins...), 403)
	for _, kind := range []string{"poll", "run"} {
		check(l, kind, closed[:4], 403)
	}
	check(l, "register", append(append(both, run...), admins[:len(admins)-1]...), 401) // a kind of former versions, whose files may still be there
	check(all, "run", append(append(append(both, run...), poll...), admins[:len(admins)-1]...), 200)
	check(all, "poll", append(run, admins...), 403)
	check(all, "run", closed[:4], 403)

	for _, kind := range []string{"poll", "run"} {
		got := l.must(request{method: "POST", target: "/api/deployments/", header: []string{bearer(token("worker-1", kind))}})
		if got.status != 403 || got.body != refusals(t)["403"] {
			t.Errorf("%s token: a write to deployments gives %d %q", kind, got.status, got.body)
		}
	}

	t.Run("not beyond the API", func(t *testing.T) {
		for _, target := range []string{"/", "/dashboard", "/docs", "/api", "/API/flows/filter", "/openapi.json"} {
			for _, kind := range []string{"poll", "run", "register"} {
				if got := l.must(request{method: "GET", target: target, header: []string{bearer(token("worker-1", kind))}}); got.status != 401 {
					t.Errorf("%s token: GET %s: status %d, want 401", kind, target, got.status)
				}
			}
		}
	})
	t.Run("the log says who asked, but no token", func(t *testing.T) {
		l.must(request{method: "DELETE", target: "/api/flows/" + flowRun, header: []string{bearer(token("worker-2", "run"))}})
		l.must(request{method: "DELETE", target: "/api/flows/" + flowRun, header: []string{bearer(strings.Repeat("f", 64))}})
		deadline := time.Now().Add(5 * time.Second)
		for !strings.Contains(l.log.String(), `"who":"run:worker-2"`) || !strings.Contains(l.log.String(), `"who":"unknown"`) {
			if time.Now().After(deadline) {
				t.Fatalf("not in the log\n%s", l.log)
			}
			time.Sleep(20 * time.Millisecond)
		}
		for _, secret := range []string{token("worker-2", "run"), token("worker-1", "poll"), strings.Repeat("f", 64)} {
			if strings.Contains(l.log.String(), secret) {
				t.Error("a token is in the log")
			}
		}
	})
}

// refusals are the bodies by which provision_glue.check tells Caddy from others who refuse.
func refusals(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("glue/python/provision_glue/check.py")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^REFUSALS = .*$`).Find(text)
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(\d+): b"(.*?)"`).FindAllSubmatch(line, -1) {
		out[string(m[1])] = string(m[2])
	}
	if len(out) != 2 {
		t.Fatalf("no refusals in %q", line)
	}
	return out
}

// TestRefusals holds the words of the agent's check to those of the Caddyfile, where there is no Caddy to ask.
func TestRefusals(t *testing.T) {
	t.Parallel()
	text, _, err := caddyVariants()["internal"].Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`respond "` + refusals(t)["403"] + `" 403`, "respond 401\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Caddyfile has no %q", want)
		}
	}
	if refusals(t)["401"] != "" {
		t.Errorf("401 comes without a body")
	}
}

func TestCaddyAuthentication(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	for name, content := range map[string]string{
		"missing.poll": "", "empty.poll": "", "line.poll": "\n", "short.poll": "abc", "newline.poll": strings.Repeat("9", 64) + "\n",
	} {
		l.write("secrets/tokens/"+name, []byte(content))
	}
	c := caddyVariants()["internal"]
	c.Agents = append(c.Agents, "missing", "empty", "line", "short", "newline", "absent")
	l.configure(c)
	l.start()

	good := token("worker-1", "poll")
	target := "/api/work_pools/provision"
	tests := []struct {
		name   string
		header []string
		want   int
	}{
		{"nothing", nil, 401},
		{"good", []string{bearer(good)}, 200},
		{"other host", []string{bearer(token("worker-2", "poll"))}, 200},
		{"file with a newline", []string{bearer(strings.Repeat("9", 64))}, 200},
		{"one character changed", []string{bearer(good[:63] + "x")}, 401},
		{"shorter", []string{bearer(good[:63])}, 401},
		{"longer", []string{bearer(good + "0")}, 401},
		{"upper case", []string{bearer(strings.ToUpper(good))}, 401},
		{"empty header", []string{"Authorization: "}, 401},
		{"empty bearer", []string{"Authorization: Bearer"}, 401},
		{"empty bearer, space", []string{"Authorization: Bearer "}, 401},
		{"bearer of a short file", []string{bearer("abc")}, 401},
		{"bearer of spaces", []string{bearer(strings.Repeat(" ", 40))}, 401},
		{"wildcard", []string{bearer("*")}, 401},
		{"long wildcard", []string{bearer("*" + strings.Repeat("0", 63))}, 401},
		{"placeholder", []string{bearer("{file." + l.secrets + "/tokens/worker-1.poll}")}, 401},
		{"placeholder of the right length", []string{bearer("{http.vars.kind}" + strings.Repeat("0", 48))}, 401},
		{"two tokens, both wrong", []string{bearer(strings.Repeat("0", 64)), bearer(strings.Repeat("1", 64))}, 401},
		{"other scheme", []string{"Authorization: Token " + good}, 401},
		{"as basic password", []string{basic("admin", good)}, 401},
		{"in the query", nil, 401},
		{"login", []string{basic("admin", uiPassword)}, 200},
		{"login, wrong", []string{basic("admin", uiPassword+"x")}, 401},
		{"login, empty", []string{basic("admin", "")}, 401},
		{"login, nobody", []string{basic("", "")}, 401},
		{"login, other user", []string{basic("root", uiPassword)}, 401},
		{"login, not base64", []string{"Authorization: Basic !!!"}, 401},
		{"address given as forwarded", []string{"X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"}, 401},
		{"socket without token", []string{"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, 401},
	}
	for _, tt := range tests {
		l.passed()
		got := l.must(request{method: "GET", target: target + map[bool]string{true: "?token=" + good}[tt.name == "in the query"], header: tt.header})
		if got.status != tt.want || (len(l.passed()) == 1) != (tt.want == 200) {
			t.Errorf("%s: status %d, want %d", tt.name, got.status, tt.want)
		}
		if tt.want == 401 && got.body != refusals(t)["401"] { // by which an agent knows that it was Caddy
			t.Errorf("%s: the body is %q", tt.name, got.body)
		}
		if got.header.Get("Server") == "uvicorn" || got.header.Get("Strict-Transport-Security") == "" || got.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", tt.name, got.header)
		}
	}

	t.Run("scripts of the page's own site only", func(t *testing.T) {
		login := basic("admin", uiPassword)
		for target, want := range map[string]bool{"/": true, "/flow-runs/flow-run/x": true, "/api/flows/x": true, "/docsx": true, "/docs": false, "/docs/oauth2-redirect": false, "/redoc": false} {
			policy := l.must(request{method: "GET", target: target, header: []string{login}}).header.Get("Content-Security-Policy")
			if has := strings.Contains(policy, "script-src 'self' 'unsafe-eval';") && strings.Contains(policy, "frame-ancestors 'none'"); has != want {
				t.Errorf("%s: the policy is %q", target, policy)
			}
		}
	})

	t.Run("open to all", func(t *testing.T) {
		for _, target := range []string{"/api/health", "/api/ready"} {
			if got := l.must(request{method: "GET", target: target}); got.status != 200 {
				t.Errorf("GET %s: status %d", target, got.status)
			}
		}
		for _, r := range []request{{method: "POST", target: "/api/health"}, {method: "GET", target: "/api/health/"}, {method: "GET", target: "/api/version"}, {method: "GET", target: "/"}} {
			if got := l.must(r); got.status != 401 {
				t.Errorf("%s %s: status %d, want 401", r.method, r.target, got.status)
			}
		}
	})
	t.Run("a token is taken and dropped without a reload", func(t *testing.T) {
		fresh := strings.Repeat("c", 64)
		before, _ := l.loaded()
		ask := func() int {
			return l.must(request{method: "GET", target: target, header: []string{bearer(fresh)}}).status
		}
		if got := ask(); got != 401 {
			t.Fatalf("before: %d", got)
		}
		l.write("secrets/tokens/absent.poll", []byte(fresh))
		if got := ask(); got != 200 {
			t.Errorf("with its file: %d", got)
		}
		l.write("secrets/tokens/absent.poll", []byte(strings.Repeat("d", 64)))
		if got := ask(); got != 401 {
			t.Errorf("after its file changed: %d", got)
		}
		if after, _ := l.loaded(); before != after {
			t.Errorf("loaded %q, then %q", before, after)
		}
	})
}

func TestCaddyCrossSite(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	l.start()
	login := basic("admin", uiPassword)
	tests := []struct {
		method string
		header []string
		want   int
	}{
		{"POST", []string{login}, 200},
		{"POST", []string{login, "Sec-Fetch-Site: same-origin", "Origin: https://prefect.example.org"}, 200},
		{"GET", []string{login, "Sec-Fetch-Site: cross-site"}, 200}, // a link
		{"GET", []string{login, "Sec-Fetch-Site: none"}, 200},
		{"POST", []string{login, "Sec-Fetch-Site: same-site"}, 403},
		{"POST", []string{login, "Sec-Fetch-Site: cross-site"}, 403},
		{"POST", []string{login, "Sec-Fetch-Site: none"}, 403},
		{"POST", []string{login, "Sec-Fetch-Site: "}, 403},
		{"DELETE", []string{login, "Sec-Fetch-Site: same-site"}, 403},
		{"PATCH", []string{login, "Sec-Fetch-Site: same-site"}, 403},
		{"POST", []string{login, "Origin: https://other.example.org"}, 403},
		{"POST", []string{login, "Origin: null"}, 403},
		{"POST", []string{login, "Origin: http://prefect.example.org"}, 403},
		{"POST", []string{login, "Origin: https://prefect.example.org.evil.org"}, 403},
		{"GET", []string{login, "Origin: https://other.example.org", "Upgrade: websocket"}, 403},
		{"POST", []string{bearer(token("worker-1", "run")), "Sec-Fetch-Site: cross-site"}, 403},
	}
	for _, tt := range tests {
		l.passed()
		got := l.must(request{method: tt.method, target: "/api/work_pools/", header: tt.header, body: "{}"})
		if got.status != tt.want || (len(l.passed()) == 1) != (tt.want == 200) {
			t.Errorf("%s %q: status %d, want %d", tt.method, tt.header[1:], got.status, tt.want)
		}
	}
}

func TestCaddyOddPaths(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	l.start()
	for _, target := range []string{
		"//api/flows/filter", "/api//flows/filter", "/api/./flows/filter", "/api/x/../admin/database/drop", "/./api/x", "/api/admin/database%2Fdrop", "/api/admin%2fdatabase/drop",
		"/api/%2e%2e/x", "/api/%2E/x", `/api/x%5cy`, "/api/x%00", "/api/x%2500", "/api/admin;x/database/drop", "/api/x;y", "/.git/config", "/api/flows/filter/..", "/..%2fx",
	} {
		for _, header := range []string{bearer(token("worker-1", "run")), basic("admin", uiPassword), "X-None: 1"} {
			l.passed()
			got, err := l.do(request{method: "POST", target: target, header: []string{header}})
			if err != nil || got.status != 400 || len(l.passed()) != 0 {
				t.Errorf("%s: %d %v, want 400", target, got.status, err)
			}
		}
	}
	for target, want := range map[string]int{
		"/api/x?next=//y/../z;%2f":                            200, // only the path counts
		"/api/variables/name/with%20space":                    200,
		"https://prefect.example.org/api/x":                   200,
		"https://prefect.example.org//api/x":                  400,
		"https://prefect.example.org/api/./x":                 400,
		"/api/Admin/Database/Drop":                            403,
		"/api/admin/database/drop?x":                          403,
		"https://prefect.example.org/api/admin/database/drop": 403,
	} {
		if got := l.must(request{method: "POST", target: target, header: []string{basic("admin", uiPassword)}}); got.status != want {
			t.Errorf("%s: status %d, want %d", target, got.status, want)
		}
	}
	t.Run("headers that override", func(t *testing.T) {
		for _, header := range []string{"X-HTTP-Method-Override: DELETE", "X-Original-URL: /api/admin/database/drop", "X-Rewrite-URL: /api/admin/database/drop", "X-Forwarded-Prefix: /x", "X-Forwarded-Host: evil.org"} {
			l.passed()
			got := l.must(request{method: "POST", target: "/api/flow_runs/filter", header: []string{bearer(token("worker-1", "poll")), header}})
			passed := l.passed()
			if got.status != 200 || len(passed) != 1 || passed[0].Method != "POST" || passed[0].URL.Path != "/api/flow_runs/filter" || passed[0].Header.Get("X-Forwarded-Host") != "prefect.example.org" {
				t.Errorf("%s: status %d, passed on %d requests", header, got.status, len(passed))
			}
		}
	})
}
