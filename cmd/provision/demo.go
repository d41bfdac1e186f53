package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/files/generation"
	"provision/files/naming"
	"provision/provision"
	"provision/provision/stack"
	"provision/remote/remotetest"
)

// demoDrift is what the demo breaks by hand, and its path on the simulated server.
var demoDrift = stack.Default().Names().RoleDir(naming.RoleServer) + "/caddy/Caddyfile"

func (c *cli) demoVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Show the main job on two simulated hosts inside this process",
		Example: "  provision demo\n  provision demo --prefect 2",
		Long: `Plans, applies, applies again, breaks a file and heals it, and shows the status, on two simulated
hosts: real SSH on loopback and the product's real scripts, but the shell, apt, Docker and Prefect
behind it are simulated. Needs no root and no Docker, and leaves nothing behind.`,
	}
	prefect := prefectFlag(cmd)
	return plain(c, cmd, func(ctx context.Context, _ []string) (*textResult, error) {
		ctx, cancel := reading(ctx)
		defer cancel()
		g, err := generationCalled(*prefect)
		if err != nil {
			return nil, err
		}
		return nil, c.demo(ctx, g)
	})
}

// demoSpeed is how many times faster than ours the hosts' time passes where somebody watches: slow
// enough to see what happens.
const demoSpeed = 12

func (c *cli) demo(ctx context.Context, g generation.Generation) error {
	dir, err := os.MkdirTemp("", "provision-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	options := remotetest.Options{}
	if c.live() {
		options.Speed = demoSpeed
	}
	fleet := remotetest.NewFleet(options)
	defer fleet.Close()
	inventory, err := demoInventory(fleet, dir, g)
	if err != nil {
		return err
	}
	say := func(text string) {
		c.write(func(w io.Writer, s ui.Style) { ui.Heading(w, s, text) })
	}
	c.inventory, c.yes = inventory, true
	say("SIMULATED: two blank hosts in this process; SSH and the scripts are real, apt, Docker and Prefect are not")

	say("provision apply: the plan, then the work")
	if err := c.demoApply(ctx); err != nil {
		return err
	}
	say("provision apply again: one connection and one exec a host, nothing to do")
	if err := c.demoApply(ctx); err != nil {
		return err
	}
	say("somebody edits the Caddyfile on the server by hand; apply names it and heals it")
	server := fleet.Hosts()[0]
	text, err := server.ReadFile(demoDrift)
	if err != nil {
		return err
	}
	if err := server.WriteFile(demoDrift, string(text)+"# a change by hand\n", 0o644); err != nil {
		return err
	}
	if err := c.demoApply(ctx); err != nil {
		return err
	}
	say("provision status")
	if err := c.demoStatus(ctx); err != nil {
		return err
	}
	if unknown := fleet.Unknown(); len(unknown) > 0 {
		return fmt.Errorf("the simulation does not know: %s", strings.Join(unknown, "; "))
	}
	return nil
}

// demoInventory makes the hosts and writes the files that reach them.
func demoInventory(fleet *remotetest.Fleet, dir string, g generation.Generation) (string, error) {
	var b strings.Builder
	key, known := filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "known_hosts")
	// Docker's own repository is not simulated.
	stack := filepath.Join(dir, "stack.toml")
	fmt.Fprintf(&b, "stack = \"stack.toml\"\nurl = \"https://prefect.demo.test\"\n\n[ssh]\nuser = \"root\"\nidentity_file = %q\nknown_hosts = %q\n", key, known)
	for _, h := range []struct{ name, role string }{{"prefect", "server"}, {"worker-1", "agent"}} {
		host, err := fleet.Host(h.name, remotetest.HostOptions{})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n[hosts.%s]\naddress = \"127.0.0.1\"\nport = %d\nroles = [%q]\n", h.name, host.Port(), h.role)
	}
	for name, text := range map[string]string{key: string(fleet.ClientKeyPEM()), known: fleet.KnownHosts(), stack: fmt.Sprintf("[prefect]\nversion = %q\n\n[docker]\nsource = \"distro\"\n", g.Prefect)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	inventory := filepath.Join(dir, "onprem.toml")
	return inventory, os.WriteFile(inventory, []byte(b.String()), 0o600)
}

func (c *cli) demoPass(ctx context.Context) (*provision.Pass, error) {
	sys, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	p, err := c.pass(sys)
	if err == nil {
		// Only the demo's own files count, not the user's ssh_config and agent.
		p.Dialer.ConfigFile, p.Dialer.AgentSocket = os.DevNull, "none"
	}
	return p, err
}

func (c *cli) demoApply(ctx context.Context) error {
	p, err := c.demoPass(ctx)
	if err != nil {
		return err
	}
	defer c.face.Close()
	defer p.Close()
	p.Confirm = c.confirm
	result, err := c.apply(ctx, ctx, p, "")
	if err == nil {
		c.write(applyResult{result, "provision credentials"}.Text)
	}
	return err
}

func (c *cli) demoStatus(ctx context.Context) error {
	p, err := c.demoPass(ctx)
	if err != nil {
		return err
	}
	defer c.face.Close()
	defer p.Close()
	hosts, err := p.Status(ctx)
	c.write(statusResult{p.System.Inventory.URL, hosts, ""}.Text)
	return err
}
