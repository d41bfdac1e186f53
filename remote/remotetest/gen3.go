package remotetest

import (
	"io"
	"maps"
	"regexp"
	"slices"
)

func gen3() generation {
	return generation{
		database:    "PREFECT_SERVER_DATABASE_",
		token:       "PROVISION_TOKEN",
		modules:     map[string]func(*proc, []string) int{"provision_glue.worker": workerGlue, "provision_glue.connected": connectedGlue},
		commands:    map[string]func(*proc) int{"server services start": servicesMain},
		automations: []string{"provision-zombies"},
		polling: func(words []string) []string {
			if !slices.Contains(words, "provision_glue.worker") {
				return nil
			}
			return words[slices.Index(words, "--")+1:]
		},
	}
}

// valkeyMain is what several servers talk through. The password comes by its standard input.
func valkeyMain(p *proc) int {
	text, _ := io.ReadAll(p.Stdin())
	m := regexp.MustCompile(`(?m)^requirepass ([0-9a-f]{32,})$`).FindSubmatch(text)
	if m == nil {
		p.Errorf("*** FATAL CONFIG FILE ERROR ***\nwrong number of arguments\n")
		return 1
	}
	p.locked(func() {
		p.container.password = string(m[1])
		p.stay()
	})
	return 0
}

// valkeyAsked is the client beside it.
func valkeyAsked(p *proc) int {
	p.locked(func() {
		if p.container.password != p.Env["REDISCLI_AUTH"] {
			p.Printf("NOAUTH Authentication required.\n")
			return
		}
		p.Printf("PONG\n")
	})
	return 0
}

// valkey is that which a process of Prefect gets to; why there is none otherwise.
func (p *proc) valkey() (why string) {
	host := p.Env["PREFECT_REDIS_MESSAGING_HOST"]
	if host == "" {
		return "there is no PREFECT_REDIS_MESSAGING_HOST"
	}
	v := p.container.neighbour(p.host.docker, host)
	switch password := p.Env["PREFECT_REDIS_MESSAGING_PASSWORD"]; {
	case v == nil:
		return "redis.exceptions.ConnectionError: Error -2 connecting to " + host
	case v.password == "" || v.password != password:
		return "redis.exceptions.AuthenticationError: invalid username-password pair"
	case p.Env["PREFECT_SERVER_DOCKET_URL"] != "redis://:"+password+"@"+host+":6379/1":
		return "docket has no url"
	}
	return ""
}

// servicesMain does what is done once for all servers.
func servicesMain(p *proc) int {
	code := 0
	p.locked(func() {
		db, why := p.openDatabase()
		if why == "" {
			why = p.valkey()
		}
		if db == nil || !db.migrated || why != "" {
			p.Errorf("%s\n", why)
			code = 1
			return
		}
		p.stay()
	})
	return code
}

// connectedGlue tells of connections by the port of who is there.
func connectedGlue(p *proc, ports []string) int {
	code := 0
	p.locked(func() {
		// The check knows no secrets, so it asks for no more than this.
		if ports[0] == "5432" && p.container.neighbour(p.host.docker, "postgres") == nil || p.container.neighbour(p.host.docker, p.Env["PREFECT_REDIS_MESSAGING_HOST"]) == nil {
			p.Printf("no connection\n")
			code = 1
		}
	})
	return code
}

// workerGlue waits where the pool or the server is missing.
func workerGlue(p *proc, args []string) int {
	p.locked(func() {
		queues := args[slices.Index(args, "--")+1:]
		status, db, why := p.api("poll")
		if status != 200 {
			p.Errorf("worker: asks again later: %s (%d)\n", why, status)
		} else {
			for _, q := range slices.Sorted(maps.Keys(db.queues)) {
				if slices.Contains(queues, q) {
					db.asked(q, p.host.sys.Now())
				}
			}
		}
		p.stay()
	})
	return 0
}
