package provision

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/inventory"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/remote"
)

// prove asks from every agent host what its token opens and what it does not, and runs the built-in
// flow on the hosts that were named.
func (p *Pass) prove(ctx context.Context, smoke []string) error {
	var agents []string
	for _, h := range p.System.Inventory.Agents() {
		if p.limitHas(h.Name) && !p.fleet().IsGone(h.Name) {
			agents = append(agents, h.Name)
		}
	}
	if p.fleet().IsGone(p.System.Inventory.Server().Name) {
		return nil // nothing that could be asked would answer
	}
	smoke = slices.DeleteFunc(slices.Clone(smoke), p.fleet().IsGone)
	on := p.System.ByHost()
	err := p.fleet().Each(agents, func(host string) error {
		for _, r := range on[host] {
			route, ok := r.(*resource.Route)
			if !ok {
				continue
			}
			var out string
			err := p.askAgain(ctx, func() (answered bool, err error) {
				out, err = p.fleet().Run(ctx, host, "prove the token", route.Prove(), 2*time.Minute)
				return !resource.Unanswered(out), err
			})
			if err != nil {
				return err
			}
			tried, why := route.Proved(out)
			if why != "" {
				return &report.Error{Code: report.ExitUnhealthy, Host: host, Step: "prove the token", Cause: why}
			}
			p.emit(report.Event{Type: "verify", Host: host, State: report.Done, Text: tried})
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, host := range smoke {
		errs = append(errs, p.smoke(ctx, host))
	}
	return errors.Join(errs...)
}

// smoke runs the built-in flow on one agent host and wants it Completed, executed there.
func (p *Pass) smoke(ctx context.Context, host string) error {
	server, stack := p.System.Inventory.Server().Name, p.System.Stack.Names()
	p.emit(report.Event{Type: "verify", Host: host, State: "start", Text: "a run of the built-in flow (an agent polls every 15 s)"})
	// The answer says how the run ended, whatever the program's status is; without an answer the smoke test fails below.
	out, err := p.fleet().Run(ctx, server, "smoke", resource.SmokeScript(stack.Container("server"), p.System.Stack.Generation().Glue.Smoke, host)+" || true", resource.SmokePatience)
	if err != nil {
		return err
	}
	var answer struct {
		OK       bool    `json:"ok"`
		Run      string  `json:"run"`
		State    string  `json:"state"`
		Seconds  float64 `json:"seconds"`
		Hostname string  `json:"hostname"`
		Error    string  `json:"error"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return &report.Error{Code: report.ExitUnhealthy, Host: host, Step: "smoke", Cause: "the server's container gave an answer that is not understood", Evidence: remote.Sanitize(report.LastLines(out, 5))}
	}
	if !answer.OK {
		return &report.Error{
			Code: report.ExitUnhealthy, Host: host, Step: "smoke", Cause: remote.Sanitize(answer.Error),
			Hint: fmt.Sprintf("see on %s: docker logs --tail 50 %s; docker logs --tail 50 %s", host, stack.Container("agent"), stack.Container("business-logic")),
		}
	}
	p.emit(report.Event{
		Type: "verify", Host: host, State: report.Done, Seconds: answer.Seconds,
		Text: fmt.Sprintf("flow run %s %s in container %s", remote.Sanitize(answer.Run), remote.Sanitize(answer.State), remote.Sanitize(answer.Hostname)),
	})
	return nil
}

//go:embed *.sh
var scriptFiles embed.FS

// scripts are the shell of this package.
var scripts = remote.ReadScripts(scriptFiles)

// Login is the way into the UI.
type Login struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// Credentials reads the login from the server; this requires root there.
func (p *Pass) Credentials(ctx context.Context) (Login, error) {
	s := p.System
	path := resource.Root + "/" + s.Stack.Name + "/server/secrets/login/ui_password"
	server := s.Inventory.Server()
	if server == nil {
		return Login{}, report.Usage("", "there is no server in the inventory")
	}
	out, err := p.fleet().Run(ctx, server.Name, "read the login", scripts.With("login_read", "f", path), time.Minute)
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Code == 3 {
		return Login{}, &report.Error{Code: report.ExitFailed, Host: server.Name, Step: "read the login", Cause: "the login does not exist yet", Hint: "provision apply"}
	}
	password := strings.TrimSuffix(out, "\n")
	if err == nil && (remote.Sanitize(password) != password || strings.ContainsAny(password, "\n\t")) {
		// Shown as it is, it could drive the terminal; shown otherwise, it would be a wrong password.
		return Login{}, &report.Error{
			Code: report.ExitFailed, Host: server.Name, Step: "read the login", Cause: "the password has characters that are not shown: control characters, or characters that change the direction of writing",
			Hint: fmt.Sprintf("see it on %s: cat -v %s\nto have a new one made, remove that file, then: provision apply", server.Name, path),
		}
	}
	return Login{s.Inventory.URL, s.Stack.UI.User, password}, err
}

// ServiceStatus is one container as status shows it.
type ServiceStatus struct {
	Host     string    `json:"host"`
	Name     string    `json:"name"`
	Image    string    `json:"image"`
	State    string    `json:"state"`
	Health   string    `json:"health,omitempty"`
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts"`
}

// HostStatus is what runs on one host.
type HostStatus struct {
	Host     string           `json:"host"`
	Address  string           `json:"address"`
	Roles    []inventory.Role `json:"roles"`
	Error    string           `json:"error,omitempty"`
	Absent   bool             `json:"absent,omitempty"` // a droplet that does not exist, or is not set up
	Services []ServiceStatus  `json:"services"`
	Problems []string         `json:"problems,omitempty"`
	// Backup is on the host that makes them.
	Backup *BackupStatus `json:"backup,omitempty"`
	// AtWork says who changes the host at the moment, and since when.
	AtWork string `json:"at_work,omitempty"`
}

// Status says what runs where. A host that cannot be asked, or whose engine gives no answer, has its
// error in its place, and the errors of all such hosts are returned, too. Where the account cannot be
// read, nobody knows of droplets.
func (p *Pass) Status(ctx context.Context) ([]HostStatus, error) {
	facts := plan.Facts{}
	err := p.observe(ctx, p.System.HostNames(), facts)
	for _, e := range p.fleet().Gone() {
		err = errors.Join(err, e)
	}
	failed := map[string]string{}
	for _, e := range report.Errors(err) {
		failed[e.Host] = strings.TrimPrefix(e.Error(), e.Host+": ")
	}
	w, on := &plan.World{Facts: facts}, p.System.ByHost()
	out := []HostStatus{}
	for _, name := range p.System.HostNames() {
		h := p.System.Host(name)
		if h.Machine != nil && failed[""] != "" {
			continue
		}
		hs := HostStatus{Host: name, Address: cmp.Or(h.Address, p.fleet().Address(name)), Roles: h.Roles, Error: failed[name], Services: []ServiceStatus{}}
		if hs.Absent = p.fleet().Absent(name); hs.Absent {
			out = append(out, hs)
			continue
		}
		hs.AtWork = resource.AtWork(w, name)
		containers, know := resource.Containers(w, name)
		if know == resource.Unknown && hs.Error == "" {
			hs.Error = "Docker gives no answer"
			err = errors.Join(err, &report.Error{
				Code: report.ExitUnknown, Host: name, Step: "docker", Cause: "gives no answer, so it is not known what runs", Evidence: remote.Sanitize(facts[resource.EngineID(name)].Why),
				Hint: fmt.Sprintf("see on %s: systemctl status docker; journalctl -u docker --since -1h", name),
			})
		}
		for _, c := range containers {
			hs.Services = append(hs.Services, ServiceStatus{name, remote.Sanitize(c.Name), remote.Sanitize(c.Image), remote.Sanitize(c.State), remote.Sanitize(c.Health), c.Started, c.Restarts})
		}
		if hs.Error == "" {
			hs.Backup = p.backupStatus(w, on[name], h.Has(inventory.RoleServer))
			for _, r := range on[name] {
				if c, ok := r.(resource.Checker); ok {
					for _, problem := range c.Check(w) {
						hs.Problems = append(hs.Problems, fmt.Sprintf("%s: %s", problem.ID, problem.What))
					}
				}
			}
		}
		out = append(out, hs)
	}
	return out, err
}

// Ill returns 22 where something that should run does not, 2 where a droplet is not there yet, and 0
// where everything runs: what verify would say of what status has seen.
func Ill(hosts []HostStatus) int {
	code := report.ExitDone
	for _, h := range hosts {
		switch {
		case len(h.Problems) > 0:
			return report.ExitUnhealthy
		case h.Absent:
			code = report.ExitChanges
		}
	}
	return code
}
