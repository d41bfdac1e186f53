package remotetest

import "strings"

func gen2() generation {
	return generation{
		database: "PREFECT_API_DATABASE_",
		token:    "PREFECT_API_KEY",
		modules:  map[string]func(*proc, []string) int{"provision_glue.retention": retentionGlue},
		commands: map[string]func(*proc) int{"version": func(p *proc) int {
			p.Printf("2.20.25\n")
			return 0
		}},
		polling: func(words []string) (queues []string) {
			if !strings.Contains(strings.Join(words, " "), "prefect agent start ") {
				return nil
			}
			for i, w := range words {
				if w == "--work-queue" && i+1 < len(words) {
					queues = append(queues, words[i+1])
				}
			}
			return queues
		},
		fetch: agentMain,
	}
}

// retentionGlue deletes nothing, because nothing here is old. It waits where it cannot ask the database.
func retentionGlue(p *proc, args []string) int {
	code := 0
	p.locked(func() {
		password, err := p.ReadAll("/run/secrets/password")
		db := p.serverDatabase()
		works := err == nil && db != nil && strings.TrimSpace(string(password)) == db.password
		switch {
		case len(args) == 1 && args[0] == "--check":
			if !works {
				code = 1
			}
			return
		case works:
			p.Printf("retention: deleted 0 flow runs that ended more than %s seconds ago, in 0.1 s\n", strings.Join(args, " "))
		default:
			p.Errorf("retention: deletes flow runs again later\n")
		}
		p.stay()
	})
	return code
}

// agentMain ends where the pool is missing.
func agentMain(p *proc) int {
	code := 0
	p.locked(func() {
		o := p.Parse(p.Argv[3:], "", "", map[string]string{"pool": "p:", "work-queue": "q:", "limit": "l:"}, true)
		status, db, why := p.api("poll")
		if status == 200 && db.pool != o.Value["p"] {
			status, why = 404, "prefect.exceptions.ObjectNotFound"
		}
		if status != 200 {
			p.Errorf("Traceback (most recent call last):\n%s (%d)\n", why, status)
			code = 1
			return
		}
		for _, q := range o.List["q"] {
			db.asked(q, p.host.sys.Now())
		}
		p.Printf("Agent started! Looking for work from queue(s): %s...\n", strings.Join(o.List["q"], ", "))
		p.stay()
	})
	return code
}
