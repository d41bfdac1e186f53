//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// startFleet boots blank hosts in a process of their own, and returns the directory with its files and the inventory.
func (b *bench) startFleet(name string, size int) (dir, inventory string, stop func() error, err error) {
	dir = filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", "", nil, err
	}
	fleet := command(b, b.fleet, dir, strconv.Itoa(size), "50ms")
	fleet.Stderr = os.Stderr
	in, err := fleet.StdinPipe()
	if err != nil {
		return "", "", nil, err
	}
	out, err := fleet.StdoutPipe()
	if err != nil {
		return "", "", nil, err
	}
	if err := fleet.Start(); err != nil {
		return "", "", nil, err
	}
	stop = func() error {
		_ = in.Close()
		return fleet.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return "", "", nil, errors.Join(fmt.Errorf("the fleet did not start: %w", err), stop())
	}
	return dir, filepath.Join(dir, "onprem.toml"), stop, nil
}

// planJob is the plan of a fleet that is larger than one whose apply can be waited for.
func (b *bench) planJob() (contests []*contest, err error) {
	const hosts = 1000
	_, inventory, stop, err := b.startFleet("plan.d", hosts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	plan := &contest{
		title:  "Plan of 1,000 blank simulated hosts, 50 ms away",
		text:   "One server host and agent hosts, all blank. The simulation takes its part of the CPU time.",
		memory: 256 << 20,
		contenders: []*contender{{name: "provision", turns: 3, run: func() (usage, error) {
			cmd := command(b, b.provision, "plan", "--inventory", inventory)
			cmd.Env = append(os.Environ(), "CI=true", "SSH_AUTH_SOCK=")
			return finish(cmd, fmt.Sprintf(" on %d hosts: ", hosts))
		}}},
	}
	return []*contest{plan}, plan.hold(say)
}

// fleetJobs are contests on simulated hosts with a long way to them. Both programs talk to the same
// process, which simulates all of the hosts on the same CPUs.
func (b *bench) fleetJobs() (contests []*contest, err error) {
	dir, inventory, stop, err := b.startFleet("fleet.d", b.size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	all, err := askings(b, inventory)
	if err != nil {
		return nil, err
	}
	line, err := b.bareScripts(dir, filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "known_hosts"), all)
	if err != nil {
		return nil, err
	}
	first := &contest{
		title:  fmt.Sprintf("First apply of %d simulated hosts, 50 ms away", b.size),
		text:   "One server host and agent hosts, all blank. The simulation takes most of the CPU time, so this says what the way to the hosts and the controller cost, not what Docker does.",
		memory: 256 << 20,
		contenders: []*contender{{name: "provision", turns: 1, run: func() (usage, error) {
			return b.apply(inventory, "everything works")
		}}},
	}
	if err := first.hold(say); err != nil {
		return nil, err
	}
	again := &contest{
		title: fmt.Sprintf("Nothing to do on %d simulated hosts, 50 ms away", b.size),
		text: "provision connects, asks, compares and verifies. The bare program (golang.org/x/crypto/ssh, all hosts at once, host keys checked) dials the same hosts and runs the same scripts with " +
			"`sh -s`, and throws the answers away.",
		memory: 256 << 20,
		contenders: []*contender{
			{name: "provision", turns: 5, run: func() (usage, error) { return b.apply(inventory, nothing) }},
			{name: "bare dial and exec", turns: 5, goal: 1.3, run: func() (usage, error) { return finish(command(b, line[0], line[1:]...), "") }},
		},
	}
	return []*contest{again, first}, again.hold(say)
}
