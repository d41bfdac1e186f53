package remotetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/files/naming"
	"provision/remote/remotetest/unix"
)

func checkGlue(p *proc, args []string) int {
	code := 0
	p.locked(func() {
		queue := p.Env["PROVISION_QUEUE"]
		out := map[string]any{"ok": false, "error": ""}
		status, db, why := p.api("poll")
		if status > 0 {
			out["status"] = status
		}
		polled := time.Time{}
		if status == 200 {
			p.host.fleet.poll(db)
			var ok bool
			if polled, ok = db.queues[queue]; !ok {
				status, why = 404, "GET /work_pools/queues/"+queue+" gives 404: not found"
			}
		} else if status > 0 {
			why = "GET /work_pools/queues/" + queue + " gives " + why
		}
		if status == 200 {
			out["ok"], out["queue"], out["last_polled"] = true, queue, nil
			if !polled.IsZero() {
				out["last_polled"], out["last_polled_age"] = polled.UTC().Format(time.RFC3339Nano), p.host.sys.Now().Sub(polled).Seconds()
			}
			if slices.Contains(args, "--deep") {
				var wrong []string
				out["deep"], wrong = p.deepCheck()
				if wrong != nil {
					out["ok"], out["error"] = false, strings.Join(wrong, "; ")
					code = 1
				}
			}
		} else {
			out["error"] = why
			code = 1
		}
		p.json(out)
	})
	return code
}

// deepCheck is what the token opens and what it does not: for each attempt the status seen and the
// one that is right.
func (p *proc) deepCheck() (deep map[string][2]int, wrong []string) {
	token := p.token()
	changed := "0" + token[1:]
	if changed == token {
		changed = "1" + token[1:]
	}
	deep = map[string][2]int{}
	try := func(name, need, token string, want int) {
		status, _, _ := p.request(need, token)
		deep[name] = [2]int{status, want}
		if status != want {
			wrong = append(wrong, fmt.Sprintf("%s gives %d, not %d", name, status, want))
		}
	}
	try("token with one character changed", "poll", changed, 401)
	for _, name := range []string{"empty bearer token", "empty authorization", "no token"} {
		try(name, "poll", "", 401)
	}
	if p.Env["PROVISION_API"] != "all" {
		try("write to deployments", "all", token, 403)
	}
	return deep, wrong
}

func smokeGlue(p *proc, args []string) int {
	o := p.Parse(args, "", "", map[string]string{"timeout": "t:"}, true)
	host := ""
	if len(o.Args) > 0 {
		host = o.Args[0]
	}
	p.workFor(4)
	out := map[string]any{"ok": false, "host": host, "run": nil, "state": nil, "seconds": 4.2, "hostname": nil, "error": ""}
	p.locked(func() {
		db := p.serverDatabase()
		switch {
		case db == nil:
			out["error"] = "cannot connect to 127.0.0.1:4200"
		case db.deployments["provision-smoke/"+host].ID == "":
			out["error"] = "there is no deployment provision-smoke/" + host + ": the deployments are not registered"
		case !p.host.fleet.executes(host):
			out["run"], out["state"], out["error"] = unix.RandomUUID(), "Late", "still Late after "+o.Value["t"]+" s"
		case p.host.runsEnd != "":
			state, _, _ := strings.Cut(p.host.runsEnd, ":")
			out["run"], out["state"], out["error"] = unix.RandomUUID(), state, p.host.runsEnd
		default:
			out["ok"], out["run"], out["state"], out["hostname"] = true, unix.RandomUUID(), "Completed", naming.Hostname("business-logic", host)
		}
	})
	p.json(out)
	return unix.BoolToInt(out["ok"] != true)
}

// executes tells whether agent and business logic of an agent host run.
func (f *Fleet) executes(name string) bool {
	up := map[string]bool{}
	for _, h := range f.Hosts() {
		for _, c := range h.docker.containers {
			if c.State.Running && !c.State.Restarting && slices.Contains(c.Config.Env, "PROVISION_HOST="+name) {
				up[c.Config.Labels["com.docker.compose.service"]] = true
			}
		}
	}
	return up["agent"] && up["business-logic"]
}

func healthGlue(p *proc, args []string) int {
	if len(args) != 1 {
		return 64
	}
	why := ""
	p.locked(func() {
		switch args[0] {
		case "server":
			if p.serverDatabase() == nil {
				why = "/ready gives 503"
			}
		case "caddy":
			if p.container.loaded == "" {
				why = "Connection refused"
			}
		case "agent":
			if status, _, text := p.api("poll"); status != 200 {
				why = text
			}
		case "serve":
			if status, _, text := p.api("poll"); status != 200 {
				why = text
			}
		case "business-logic":
			if status, _, text := p.api("run"); status == 0 || status >= 500 {
				why = text
			}
		default:
			why = "no such check"
		}
	})
	if why != "" {
		p.Printf("%s: %s\n", args[0], why)
		return 1
	}
	return 0
}
