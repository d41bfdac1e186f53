package remotetest

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"provision/remote/remotetest/unix"
)

var (
	caddyAnswer = regexp.MustCompile(`(?s)http://:2020 \{.*?respond "([^"]*)"`)
	caddyMounts = regexp.MustCompile(`(?m)^mounts "([^"]*)"`)
	// caddyRunPolls is a configuration in which run tokens may ask for work.
	caddyRunPolls = regexp.MustCompile(`@run-post \{\n\s*method POST\n\s*path_regexp .*get_scheduled_flow_runs`)
	// caddyRunAll is one in which they may do everything.
	caddyRunAll = regexp.MustCompile(`@run vars kind run\n\s*handle @run \{\n\s*import upstream`)
	caddyAgents = regexp.MustCompile(`(?m)^\s*import token poll "?([^"\s]+)"?\s*$`)
	caddyFiles  = regexp.MustCompile(`(?:cert|key|trusted_roots|tls) (/run/secrets/\S+)(?: (/run/secrets/\S+))?`)
)

// caddyMain is caddy run, validate, reload and version.
func caddyMain(p *proc) int {
	if len(p.Argv) < 2 {
		p.Unsupported("caddy without a command")
	}
	o := p.Parse(p.Argv[2:], "", "", map[string]string{"config": "c:", "adapter": "a:", "address": "d:", "force": "f"}, true)
	switch verb := p.Argv[1]; verb {
	case "version":
		p.Printf("v2.11.9\n")
		return 0
	case "run", "reload", "validate":
		text, err := p.caddyfile(o.Value["c"])
		if err == nil {
			text, err = p.imported(text)
		}
		if err == nil {
			err = p.adapt(text)
		}
		var certificate shown
		if err == nil {
			certificate, err = p.configured(text)
		}
		if err != nil {
			p.Errorf("Error: %v\n", err)
			return 1
		}
		if verb == "validate" {
			p.Printf("Valid configuration\n")
			return 0
		}
		p.locked(func() {
			if verb == "run" {
				p.container.shown = shown{}
			}
			p.loadCaddy(text)
			p.container.manage(p.host, certificate)
		})
		if verb == "run" {
			return p.stay()
		}
		return 0
	default:
		p.Unsupported("caddy " + verb)
		return 1
	}
}

func (p *proc) caddyfile(name string) (string, error) {
	if name == "-" {
		b, err := io.ReadAll(p.Stdin())
		return string(b), err
	}
	b, err := p.ReadAll(name)
	if err != nil {
		return "", fmt.Errorf("reading config from file: open %s: %s", name, strings.ToLower(unix.Strerror(err)))
	}
	return string(b), nil
}

// adapt is what makes Caddy refuse a configuration: blocks that do not end, files that it cannot
// read.
func (p *proc) adapt(text string) error {
	depth := 0
	for n, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "#") {
			continue
		}
		if strings.HasSuffix(l, "{") && (l == "{" || strings.HasSuffix(l, " {")) {
			depth++
		}
		if l == "}" {
			depth--
		}
		if depth < 0 {
			return fmt.Errorf("adapting config using caddyfile: Caddyfile:%d: unexpected '}' because no matching opening brace", n+1)
		}
	}
	if depth != 0 {
		return fmt.Errorf("adapting config using caddyfile: Caddyfile:%d: unexpected EOF", strings.Count(text, "\n"))
	}
	files := []string{}
	for _, m := range caddyFiles.FindAllStringSubmatch(text, -1) {
		files = append(files, m[1])
		if m[2] != "" {
			files = append(files, m[2])
		}
	}
	for _, f := range files {
		if _, err := p.ReadAll(f); err != nil {
			return fmt.Errorf("loading initial config: open %s: %s", f, strings.ToLower(unix.Strerror(err)))
		}
	}
	if strings.Contains(text, "{file./run/secrets/ui_password_hash}") {
		if b, err := p.ReadAll("/run/secrets/ui_password_hash"); err != nil || len(b) == 0 {
			return fmt.Errorf("loading initial config: provision http: account 0: username and password are required")
		}
	}
	return nil
}

func (p *proc) loadCaddy(text string) {
	c := p.container
	c.loaded, c.agents = "loaded", nil
	if m := caddyAnswer.FindStringSubmatch(text); m != nil {
		mounts := ""
		if b, err := p.ReadAll("/etc/caddy/mounts"); err == nil {
			if m := caddyMounts.FindStringSubmatch(string(b)); m != nil {
				mounts = m[1]
			}
		}
		c.loaded = strings.ReplaceAll(m[1], "{vars.mounts}", mounts)
	}
	for _, m := range caddyAgents.FindAllStringSubmatch(text, -1) {
		c.agents = append(c.agents, m[1])
	}
	c.runAll = caddyRunAll.MatchString(text)
	c.runPolls = c.runAll || caddyRunPolls.MatchString(text)
}
