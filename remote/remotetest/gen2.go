package remotetest

import "strings"

func gen2() generation {
	return generation{
		programs: map[string]func(*proc) int{"prefect": prefectMain, "provision-bridge": bridgeMain},
		modules: map[string]func(*proc, []string) int{
			"provision_glue.observe": observeGlue, "provision_glue.pool": poolGlue, "provision_glue.describe": describeGlue, "provision_glue.register": registerGlue,
			"provision_glue.check": checkGlue, "provision_glue.smoke": smokeGlue, "provision_glue.health": healthGlue,
			"provision_glue.serve": serveGlue,
		},
		polls:  "prefect agent start ",
		counts: "/received.py ",
	}
}

func prefectMain(p *proc) int {
	words := strings.Join(p.argv[1:], " ")
	code := 0
	switch {
	case strings.HasPrefix(words, "server database upgrade"):
		p.workFor(10)
		p.locked(func() {
			db, why := p.openDatabase()
			if db == nil {
				p.errorf("%s\n", why)
				code = 1
				return
			}
			db.migrated = true
			p.printf("Migrations succeeded!\n")
		})
	case strings.HasPrefix(words, "server start"):
		p.locked(func() {
			db, why := p.openDatabase()
			switch {
			case db == nil:
				p.errorf("%s\nApplication startup failed. Exiting.\n", why)
				code = 3
			case !db.migrated && p.env["PREFECT_API_DATABASE_MIGRATE_ON_START"] == "false":
				p.errorf("asyncpg.exceptions.UndefinedTableError: relation \"configuration\" does not exist\nApplication startup failed. Exiting.\n")
				code = 3
			default:
				db.migrated = true
				p.printf("INFO:     Application startup complete.\n")
				p.stay()
			}
		})
	case strings.HasPrefix(words, "agent start"):
		p.locked(func() {
			o := p.parse(p.argv[3:], "", "", map[string]string{"pool": "p:", "work-queue": "q:", "limit": "l:"}, true)
			status, db, why := p.api("poll")
			if status == 200 && db.pool != o.value["p"] {
				status, why = 404, "prefect.exceptions.ObjectNotFound"
			}
			if status != 200 {
				p.errorf("Traceback (most recent call last):\n%s (%d)\n", why, status)
				code = 1
				return
			}
			for _, q := range o.list["q"] {
				db.asked(q, p.host.now())
			}
			p.printf("Agent started! Looking for work from queue(s): %s...\n", strings.Join(o.list["q"], ", "))
			p.stay()
		})
	case words == "version":
		p.printf("2.20.25\n")
	default:
		p.host.unknown("in container " + p.container.name() + ": prefect " + words)
		code = 2
	}
	return code
}

func bridgeMain(p *proc) int {
	if len(p.argv) < 2 || p.argv[1] != "serve" {
		p.unsupported("provision-bridge " + strings.Join(p.argv[1:], " "))
	}
	b, err := p.readAll(p.env["BRIDGE_TOKEN_FILE"])
	if err != nil || len(strings.TrimSpace(string(b))) < 32 {
		p.errorf("provision-bridge: the token file cannot be read or is too short\n")
		return 78
	}
	p.printf("listening on %s\n", p.env["BRIDGE_LISTEN"])
	return p.stay()
}

// serveGlue is an executor and its agent in one process.
func serveGlue(p *proc, args []string) int {
	b, err := p.readAll(p.env["BRIDGE_TOKEN_FILE"])
	if err != nil || len(strings.TrimSpace(string(b))) < 32 || len(args) < 3 || args[0] != "prefect" {
		p.errorf("provision-bridge: the token file cannot be read or is too short\n")
		return 78
	}
	p.setArgv(args)
	return prefectMain(p)
}
