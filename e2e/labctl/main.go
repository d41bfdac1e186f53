//go:build linux

// Command labctl brings labs of real hosts up and down by hand. What it brings
// up stays until it takes it down.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"provision/e2e/lab"
)

const usage = `usage: labctl VERB [--name LAB] ...
  missing             what this machine lacks, and the line that installs it
  cache               make all that takes long now: file systems, images
  up [--hosts N] [--images SET,...]
                      blank hosts that stay, the image mirror (of all images, or of gen2 or
                      gen3 alone), and an inventory for them
  down [--all]        remove a lab and all that belongs to it
  status              the labs there are
  blank [HOST...]     throw the disks away: hosts as they were at first
  caddy DIR           make the program caddy there, as it is in the image caddy:2
  mirror              serve the images again, after a restart of this machine
  exec HOST CMD...    a command as root in a host, not over SSH
  start, poweroff, kill [HOST...]`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := labctl(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		fmt.Fprintln(os.Stderr, "labctl:", err)
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "labctl:", err)
		os.Exit(1)
	}
}

func labctl(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	name := flags.String("name", "lab", "")
	hosts := flags.Int("hosts", 2, "")
	images := flags.String("images", strings.Join(lab.ImageSets(), ","), "")
	all := flags.Bool("all", false, "")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "missing":
		if line := lab.Missing(); line != "" {
			return errors.New(line)
		}
		return nil
	case "up":
		return up(ctx, *name, *hosts, strings.Split(*images, ","))
	case "cache":
		return lab.Warm(ctx, note)
	case "caddy":
		dir, err := filepath.Abs(flags.Arg(0))
		if err != nil {
			return err
		}
		return lab.BuildCaddy(ctx, dir)
	case "status":
		return status(ctx)
	case "down":
		return down(ctx, *name, *all)
	}
	l, err := lab.Open(ctx, *name, note)
	if err != nil {
		return err
	}
	switch args[0] {
	case "serve":
		return l.ServeMirror(ctx, func() error { _, err := fmt.Println("ready"); return err })
	case "mirror":
		return startMirror(ctx, *name)
	case "exec":
		if flags.NArg() < 2 {
			return errors.New(usage)
		}
		h, err := host(l, flags.Arg(0))
		if err != nil {
			return err
		}
		out, err := h.Exec(ctx, flags.Args()[1:]...)
		fmt.Print(out)
		return err
	case "blank":
		return each(l, flags.Args(), func(h *lab.Host) error { return h.Blank(ctx) })
	case "start":
		return each(l, flags.Args(), func(h *lab.Host) error { return h.Start(ctx) })
	case "poweroff":
		return each(l, flags.Args(), func(h *lab.Host) error { return h.PowerOff(ctx) })
	case "kill":
		return each(l, flags.Args(), func(h *lab.Host) error { return h.Kill(ctx) })
	}
	return fmt.Errorf("unknown verb %q\n%s", args[0], usage)
}

func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05")+" "+format+"\n", args...)
}

func up(ctx context.Context, name string, count int, images []string) (err error) {
	l, err := lab.New(ctx, lab.Options{Name: name, Keep: true, ImageSets: images, Log: note})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // half a lab is of no use to anybody
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, l.Close(clean))
		}
	}()
	for i := range count {
		o := lab.HostOptions{Name: "prefect", Users: []lab.User{
			{Name: "ops", Sudo: "nopasswd"},
			{Name: "careful", Sudo: "password", Password: "correct horse"},
			{Name: "guest", Sudo: "none"},
		}}
		if i > 0 {
			o.Name = fmt.Sprintf("worker-%d", i)
		}
		h, err := l.Host(ctx, o)
		if err != nil {
			return err
		}
		note("%s is up at %s", h.Name, h.Address)
	}
	if err := startMirror(ctx, name); err != nil {
		return err
	}
	path, err := l.WriteInventory(ctx)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Printf("# %s\n# users beside root: ops (sudo without a password), careful (sudo password \"correct horse\"), guest (no sudo)\n%s", path, b)
	note("ssh -i %s -o UserKnownHostsFile=%s root@%s", l.IdentityFile, l.KnownHostsFile, l.Hosts()[0].Address)
	return nil
}

// startMirror starts the mirror as a process that stays when this one ends, and
// waits until it answers.
func startMirror(ctx context.Context, name string) error {
	l, err := lab.Open(ctx, name, note)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(l.Dir(), "mirror.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// Made here, where progress and a mistake are seen.
	if err := l.MakeImages(ctx); err != nil {
		return err
	}
	// The file of a program that `go run` built is gone after it, its image is not.
	cmd := exec.Command("/proc/self/exe", "serve", "--name", name)
	cmd.Stderr = log
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the image mirror: %w", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return fmt.Errorf("the image mirror did not start (%w): see %s", err, log.Name())
	}
	note("images are pulled from %s", l.ImageMirror())
	return nil
}

func down(ctx context.Context, name string, all bool) error {
	names := []string{name}
	if all {
		var err error
		if names, err = lab.Names(); err != nil {
			return err
		}
	}
	var errs []error
	for _, n := range names {
		l, err := lab.Open(ctx, n, note)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, l.Close(ctx))
	}
	return errors.Join(errs...)
}

func status(ctx context.Context) error {
	names, err := lab.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		l, err := lab.Open(ctx, n, note)
		if err != nil {
			fmt.Printf("%s: %v\n", n, err)
			continue
		}
		fmt.Printf("%s: %s\n", n, filepath.Join(l.Dir(), "inventory.toml"))
		for _, h := range l.Hosts() {
			state := "off"
			if h.Running() {
				state = "on"
			}
			fmt.Printf("  %-12s %-12s %s\n", h.Name, h.Address, state)
		}
	}
	return nil
}

func host(l *lab.Lab, name string) (*lab.Host, error) {
	for _, h := range l.Hosts() {
		if h.Name == name {
			return h, nil
		}
	}
	return nil, fmt.Errorf("the lab %s has no host %q", l.Name, name)
}

// each does something to the named hosts, or to all.
func each(l *lab.Lab, names []string, do func(*lab.Host) error) error {
	hosts := l.Hosts()
	if len(names) > 0 {
		hosts = nil
		for _, n := range names {
			h, err := host(l, n)
			if err != nil {
				return err
			}
			hosts = append(hosts, h)
		}
	}
	for _, h := range hosts {
		if err := do(h); err != nil {
			return err
		}
	}
	return nil
}
