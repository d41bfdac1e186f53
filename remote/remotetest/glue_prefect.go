package remotetest

import "strings"

// glueModules are the Python programs that the images of all generations have.
func glueModules() map[string]func(*proc, []string) int {
	return map[string]func(*proc, []string) int{
		"provision_glue.observe": observeGlue, "provision_glue.pool": poolGlue, "provision_glue.describe": describeGlue, "provision_glue.register": registerGlue,
		"provision_glue.check": checkGlue, "provision_glue.smoke": smokeGlue, "provision_glue.health": healthGlue,
		"provision_glue.serve": serveGlue,
	}
}

// databaseSetting is a setting of the server's database, by the name that the generation has for it.
func (p *proc) databaseSetting(name string) string {
	for _, g := range generations() {
		if value, ok := p.Env[g.database+name]; ok {
			return value
		}
	}
	return ""
}

// token is what the process sends to the API.
func (p *proc) token() string {
	for _, g := range generations() {
		if value := p.Env[g.token]; value != "" {
			return value
		}
	}
	return ""
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
		return code
	case strings.HasPrefix(words, "server start"):
		p.locked(func() {
			db, why := p.openDatabase()
			switch {
			case db == nil:
				p.Errorf("%s\nApplication startup failed. Exiting.\n", why)
				code = 3
			case strings.HasSuffix(words, "--no-services") && p.valkey() != "":
				p.Errorf("%s\nApplication startup failed. Exiting.\n", p.valkey())
				code = 3
			case !db.migrated && p.databaseSetting("MIGRATE_ON_START") == "false":
				p.Errorf("asyncpg.exceptions.UndefinedTableError: relation \"configuration\" does not exist\nApplication startup failed. Exiting.\n")
				code = 3
			default:
				db.migrated = true
				p.Printf("INFO:     Application startup complete.\n")
				p.stay()
			}
		})
		return code
	}
	for _, g := range generations() {
		if f := g.commands[words]; f != nil {
			return f(p)
		}
		if g.polling != nil && g.fetch != nil && g.polling(p.Argv) != nil {
			return g.fetch(p)
		}
	}
	p.host.sys.Unknown("in container " + p.container.name() + ": prefect " + words)
	return 2
}

func bridgeMain(p *proc) int {
	if len(p.Argv) < 2 || p.Argv[1] != "serve" {
		p.Unsupported(glueBridge + " " + strings.Join(p.Argv[1:], " "))
	}
	b, err := p.ReadAll(p.Env["BRIDGE_TOKEN_FILE"])
	if err != nil || len(strings.TrimSpace(string(b))) < 32 {
		p.Errorf("provision-bridge: the token file cannot be read or is too short\n")
		return 78
	}
	p.Printf("listening on %s\n", p.Env["BRIDGE_LISTEN"])
	return p.stay()
}

// serveGlue is an executor and what fetches for it, in one process.
func serveGlue(p *proc, args []string) int {
	b, err := p.ReadAll(p.Env["BRIDGE_TOKEN_FILE"])
	if err != nil || len(strings.TrimSpace(string(b))) < 32 || len(args) < 3 {
		p.Errorf("provision-bridge: the token file cannot be read or is too short\n")
		return 78
	}
	p.SetArgv(args)
	if args[0] == "python" {
		return pythonMain(p)
	}
	return prefectMain(p)
}

// glueBridge is the program that executes runs.
const glueBridge = "provision-bridge"

// glueReceived is in the lines of Dockerfiles that tell how much they have received.
const glueReceived = "/received.py "
