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
	words := strings.Join(p.Argv[1:], " ")
	code := 0
	switch {
	case strings.HasPrefix(words, "server database upgrade"):
		p.workFor(10)
		p.locked(func() {
			db, why := p.openDatabase()
			if db == nil {
				p.Errorf("%s\n", why)
				code = 1
				return
			}
			db.migrated = true
			p.Printf("Migrations succeeded!\n")
		})
	case strings.HasPrefix(words, "server start"):
		p.locked(func() {
			db, why := p.openDatabase()
			switch {
			case db == nil:
				p.Errorf("%s\nApplication startup failed. Exiting.\n", why)
				code = 3
			case !db.migrated && p.Env["PREFECT_API_DATABASE_MIGRATE_ON_START"] == "false":
				p.Errorf("asyncpg.exceptions.UndefinedTableError: relation \"configuration\" does not exist\nApplication startup failed. Exiting.\n")
				code = 3
			default:
				db.migrated = true
				p.Printf("INFO:     Application startup complete.\n")
				p.stay()
			}
		})
	case strings.HasPrefix(words, "agent start"):
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
	case words == "version":
		p.Printf("2.20.25\n")
	default:
		p.host.sys.Unknown("in container " + p.container.name() + ": prefect " + words)
		code = 2
	}
	return code
}

func bridgeMain(p *proc) int {
	if len(p.Argv) < 2 || p.Argv[1] != "serve" {
		p.Unsupported("provision-bridge " + strings.Join(p.Argv[1:], " "))
	}
	b, err := p.ReadAll(p.Env["BRIDGE_TOKEN_FILE"])
	if err != nil || len(strings.TrimSpace(string(b))) < 32 {
		p.Errorf("provision-bridge: the token file cannot be read or is too short\n")
		return 78
	}
	p.Printf("listening on %s\n", p.Env["BRIDGE_LISTEN"])
	return p.stay()
}

// serveGlue is an executor and its agent in one process.
func serveGlue(p *proc, args []string) int {
	b, err := p.ReadAll(p.Env["BRIDGE_TOKEN_FILE"])
	if err != nil || len(strings.TrimSpace(string(b))) < 32 || len(args) < 3 || args[0] != "prefect" {
		p.Errorf("provision-bridge: the token file cannot be read or is too short\n")
		return 78
	}
	p.SetArgv(args)
	return prefectMain(p)
}
