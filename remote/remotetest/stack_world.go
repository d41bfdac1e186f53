package remotetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// database is what PostgreSQL keeps in its volume, as far as the rest of the system looks at it.
type database struct {
	password    string
	migrated    bool
	pool        string
	queues      map[string]time.Time // name to the time of the last poll
	deployments map[string]Deployment
	record      *string
	running     map[string]int    // flow runs in flight, by the host name of their agent
	automations map[string]string // name to what is wrong with it, "" if nothing is
}

// Deployment is one deployment in the Prefect of a simulated server host.
type Deployment struct {
	ID         string   `json:"id"`
	Flow       string   `json:"flow"`
	Name       string   `json:"name"`
	Tags       []string `json:"tags"`
	Queue      string   `json:"queue"`
	Pool       string   `json:"pool"`
	Entrypoint string   `json:"entrypoint"`
	Version    string   `json:"version"`
	Paused     bool     `json:"paused"`
	Schedules  []any    `json:"schedules"`
}

// stackPrograms are the programs in the images of databases, proxies and Prefect.
func stackPrograms() map[string]func(*proc) int {
	all := map[string]func(*proc) int{
		"docker-entrypoint.sh": func(p *proc) int { return p.execInside(p.shift(1)) },
		"postgres":             postgresMain, "psql": psqlMain, "pg_isready": pgIsReadyMain,
		"python": pythonMain, "python3": pythonMain,
		"caddy": caddyMain, "prefect": prefectMain, "valkey-server": valkeyMain, "valkey-cli": valkeyAsked,
		"sleep": func(p *proc) int {
			if p.engine != nil && p.engine.service {
				return p.stay()
			}
			return p.host.sys.Programs["sleep"](p.Proc)
		},
	}
	all[glueBridge] = bridgeMain
	all["backup-dump"], all["backup-repository"], all["backup-prove"] = backupDump, backupRepository, backupProve
	return all
}

// shift drops leading words of the command line.
func (p *proc) shift(n int) []string {
	p.SetArgv(p.Argv[n:])
	if len(p.Argv) == 0 {
		p.Errorf("no command given\n")
		panic(unix.Exited(1))
	}
	return p.Argv
}

// dataVolume is the volume that a container keeps its database in.
func (c *container) dataVolume(d *docker) *volume {
	for _, m := range c.Mounts {
		if m.Type == "volume" && m.Destination == "/var/lib/postgresql/data" {
			return d.volumes[m.Name]
		}
	}
	return nil
}

func postgresMain(p *proc) int {
	d, v := p.host.docker, p.container.dataVolume(p.host.docker)
	if v == nil {
		p.Errorf("postgres: no data volume\n")
		return 1
	}
	_, disk := p.host.mountedAt(v.Options["device"])
	if v.database == nil && disk != nil {
		v.database = disk.database
	}
	if v.database == nil {
		password := p.Env["POSTGRES_PASSWORD"]
		if file := p.Env["POSTGRES_PASSWORD_FILE"]; file != "" {
			b, err := p.ReadAll(file)
			if err != nil {
				p.Errorf("/usr/local/bin/docker-entrypoint.sh: line 21: %s: %s\n", file, unix.Strerror(err))
				return 1
			}
			password = strings.TrimRight(string(b), "\n")
		}
		if password == "" {
			p.Errorf("Error: Database is uninitialized and superuser password is not specified.\n")
			return 1
		}
		v.database = newDatabase(password)
		if disk != nil {
			disk.database = v.database
		}
		major := "13"
		if m := imageMajor.FindStringSubmatch(p.container.Config.Image); m != nil {
			major = m[1]
		}
		// A directory of one's own is mounted there only while a container runs, which is not simulated.
		file := cmp.Or(v.Options["device"], v.Mountpoint) + "/PG_VERSION"
		_ = d.h.sys.Tree.WriteFile(file, major+"\n", 0o600)
		_ = d.h.sys.Tree.Chown(unix.Cred{}, file, p.Cred.UID, p.Cred.GID, false)
	}
	p.Printf("LOG:  database system is ready to accept connections\n")
	return p.stay()
}

var imageMajor = regexp.MustCompile(`:(\d+)[^/]*$`)

func pgIsReadyMain(p *proc) int { return 0 }

// psqlMain knows "select 1" and the change of a role's password.
func psqlMain(p *proc) int {
	o := p.Anywhere("qAtX", "h:p:U:d:c:v:", nil)
	sql := o.Value["c"]
	if sql == "" {
		b, err := io.ReadAll(p.Stdin())
		if err != nil {
			return 2
		}
		sql = string(b)
	}
	code := 0
	p.locked(func() {
		v := p.container.dataVolume(p.host.docker)
		if v == nil || v.database == nil {
			p.Errorf("psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory\n")
			code = 2
			return
		}
		if h := o.Value["h"]; h != "" && p.Env["PGPASSWORD"] != v.database.password {
			p.Errorf("psql: error: connection to server at \"%s\", port 5432 failed: FATAL:  password authentication failed for user \"%s\"\n", h, o.Value["U"])
			code = 2
			return
		}
		for statement := range strings.SplitSeq(sql, ";") {
			s := strings.TrimSpace(statement)
			switch m := alterRole.FindStringSubmatch(s); {
			case s == "" || strings.HasPrefix(strings.ToLower(s), "set "):
			case strings.EqualFold(s, "select 1"):
				p.Printf("1\n")
			case m != nil:
				v.database.password = m[1]
			default:
				p.host.sys.Unknown("psql: " + s)
				p.Errorf("ERROR:  syntax error\n")
				code = 3
				return
			}
		}
	})
	return code
}

var alterRole = regexp.MustCompile(`(?is)^alter\s+(?:role|user)\s+"?prefect"?\s+(?:with\s+)?password\s+'([^']*)'$`)

// neighbour finds a running container that this one reaches by name.
func (c *container) neighbour(d *docker, name string) *container {
	for _, k := range slices.Sorted(maps.Keys(d.containers)) {
		o := d.containers[k]
		if !o.State.Running || o.State.Restarting {
			continue
		}
		for net, e := range o.NetworkSettings.Networks {
			if c.NetworkSettings.Networks[net] != nil && slices.Contains(e.Aliases, name) {
				return o
			}
		}
	}
	return nil
}

// openDatabase is the database that a Prefect process gets to with its settings.
func (p *proc) openDatabase() (*database, string) {
	where := p.databaseSetting("CONNECTION_URL")
	name := "postgres"
	if _, rest, ok := strings.Cut(where, "@"); ok {
		name, _, _ = strings.Cut(rest, ":")
	}
	pg := p.container.neighbour(p.host.docker, name)
	if pg == nil {
		return p.host.fleet.managed(where, p.Env["PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_ENABLED"] == "true")
	}
	v := pg.dataVolume(p.host.docker)
	if v == nil || v.database == nil {
		return nil, "ConnectionRefusedError: [Errno 111] Connect call failed"
	}
	if v.database.password != p.databaseSetting("PASSWORD") {
		return nil, `asyncpg.exceptions.InvalidPasswordError: password authentication failed for user "prefect"`
	}
	return v.database, ""
}

// api is one request to Prefect's API with the token in the environment: what comes back, and the
// database behind it if the request is allowed. need is the kind of token that may.
func (p *proc) api(need string) (status int, db *database, why string) {
	return p.request(need, p.token())
}

func (p *proc) request(need, token string) (status int, db *database, why string) {
	u, err := url.Parse(p.Env["PREFECT_API_URL"])
	if err != nil || u.Host == "" {
		return 0, nil, "PREFECT_API_URL is not set"
	}
	h, caddy := p.host.fleet.proxyFor(p, u.Hostname())
	if caddy == nil {
		return 0, nil, fmt.Sprintf("cannot connect to %s: Connection refused", u.Host)
	}
	if u.Scheme == "http" != caddy.shown.plain {
		return 0, nil, fmt.Sprintf("cannot connect to %s: Connection refused", u.Host)
	}
	if u.Scheme == "https" {
		var roots []byte
		if file := p.Env["PREFECT_API_SSL_CERT_FILE"]; file != "" {
			if roots, err = p.ReadAll(file); err != nil {
				return 0, nil, fmt.Sprintf("%s: %s", file, unix.Strerror(err))
			}
		}
		if why := caddy.refuses(h, u.Hostname(), roots); why != "" {
			return 0, nil, why
		}
	}
	kind := h.tokenKind(caddy, token)
	switch {
	case kind == "":
		return 401, nil, "401 Unauthorized"
	case h.hole:
	case need == "all" && !(kind == "run" && caddy.runAll), need == "poll" && kind == "run" && !caddy.runPolls:
		return 403, nil, "not allowed for this token"
	}
	server := caddy.neighbour(h.docker, "server")
	if server == nil {
		return 502, nil, "502 Bad Gateway"
	}
	if db = server.serving(h.docker); db == nil {
		return 503, nil, "503 Service Unavailable"
	}
	return 200, db, ""
}

// serving is the database of a running Prefect server, nil if it has none.
func (c *container) serving(d *docker) *database {
	pg := c.neighbour(d, "postgres")
	if pg == nil {
		where, _ := d.h.sys.Tree.ReadFile(c.inside("/run/secrets/database_url"))
		if db, _ := d.h.fleet.managed(string(where), true); db != nil && db.migrated {
			return db
		}
		return nil
	}
	if v := pg.dataVolume(d); v != nil && v.database != nil && v.database.migrated {
		return v.database
	}
	return nil
}

// proxyFor finds the proxy that answers for a name: a neighbour on the same network, the host that
// the name is mapped to, or the only proxy of the fleet.
func (f *Fleet) proxyFor(p *proc, name string) (*Host, *container) {
	if c := p.container.neighbour(p.host.docker, name); c != nil {
		return p.host, c
	}
	address := name
	for _, e := range p.container.HostConfig.ExtraHosts {
		if n, a, ok := strings.Cut(e, ":"); ok && n == name {
			address = a
		}
	}
	var found []*Host
	var proxies []*container
	for _, h := range f.Hosts() {
		for _, c := range h.docker.containers {
			if c.loaded == "" || !c.State.Running || c.State.Restarting || len(c.HostConfig.PortBindings) == 0 {
				continue
			}
			if slices.Contains(h.options.Addresses, address) || h.name == address {
				return h, c
			}
			found, proxies = append(found, h), append(proxies, c)
		}
	}
	if len(found) == 1 && len(found[0].options.Addresses) == 0 {
		return found[0], proxies[0]
	}
	return nil, nil
}

// tokenKind tells what a bearer token is for, by the files that the proxy reads at each request.
func (h *Host) tokenKind(caddy *container, token string) string {
	if len(token) < 32 {
		return ""
	}
	name := h.sys.Tree.Holding(caddy.inside("/run/secrets/tokens"), token)
	cut := strings.LastIndexByte(name, '.')
	if cut < 0 || !slices.Contains(caddy.agents, name[:cut]) {
		return ""
	}
	return name[cut+1:]
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func pythonMain(p *proc) int {
	args := p.Argv[1:]
	switch {
	case len(args) >= 2 && args[0] == "-ISc" && strings.Contains(args[1], `create_connection(("127.0.0.1", 2020)`):
		code := 0
		p.locked(func() {
			if p.container.loaded == "" {
				p.Errorf("ConnectionRefusedError: [Errno 111] Connection refused\n")
				code = 1
				return
			}
			p.Printf("%s", p.container.loaded)
			if len(args) >= 4 {
				p.showCertificate(args[3])
			}
		})
		return code
	case len(args) >= 2 && args[0] == "-m":
		if f := glueModules()[args[1]]; f != nil {
			return f(p, args[2:])
		}
		for _, g := range generations() {
			if f := g.modules[args[1]]; f != nil {
				return f(p, args[2:])
			}
		}
	}
	p.host.sys.Unknown(fmt.Sprintf("in container %s: %s", p.container.name(), strings.Join(p.Argv, " ")))
	p.Errorf("python: not simulated\n")
	return 1
}

func (p *proc) json(v any) {
	b, _ := json.Marshal(v)
	p.Printf("%s\n", b)
}
