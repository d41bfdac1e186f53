//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"provision/e2e/lab"
)

// againJob is a run on three real hosts on which nothing is to be done.
func (b *bench) againJob() ([]*contest, error) {
	c := &contest{
		title: "Nothing to do on 3 hosts",
		text: "A server host and two agent hosts on which the stack runs. provision connects, asks, compares all resources and verifies. `ssh` carries the same commands, the same docker calls among them, one after the " +
			"other as a script of one's own would; the bare program (golang.org/x/crypto/ssh, all hosts at once, host keys checked) carries the very scripts of provision, in which those that wait run beside each other. Both " +
			"throw the answers away. The commands' own time is in all of these, and all hosts share the CPUs of the controller here. What that time is, and what a connection takes, is told by those that only have the one or the other: " +
			"where all CPUs are busy no program that runs the commands takes much less than they do, so a goal far below that is met by more CPUs or by asking less, not by a faster program. The other tools compare the packages, the files without secrets, and the service, and run `docker ps`: much less than provision does.",
		memory: 64 << 20,
	}
	return []*contest{c}, b.withSite("bench-again", 2, othersNeed, func(s *site) error {
		if _, err := b.apply(s.inventory, "everything works"); err != nil {
			return err
		}
		all, err := askings(b, s.inventory)
		if err != nil {
			return err
		}
		dir := filepath.Join(b.dir, "again.d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		line, err := b.bareScripts(dir, s.IdentityFile, s.KnownHostsFile, all)
		if err != nil {
			return err
		}
		// A connection over which nothing is asked.
		idle := slices.Clone(all)
		for n, a := range idle {
			idle[n].script = "echo '" + a.end + "'"
		}
		dir = filepath.Join(b.dir, "idle.d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		idleLine, err := b.bareScripts(dir, s.IdentityFile, s.KnownHostsFile, idle)
		if err != nil {
			return err
		}
		others, err := b.others(s)
		if err != nil {
			return err
		}
		few := max(3, b.turns/3)
		c.contenders = []*contender{
			{name: "provision", turns: b.turns, run: func() (usage, error) { return b.apply(s.inventory, nothing) }},
			{name: "bare dial and exec", turns: b.turns, goal: 1.2, run: func() (usage, error) { return finish(command(b, line[0], line[1:]...), "") }},
			{name: "`ssh HOST sh -s`", turns: b.turns, goal: 0.7, run: func() (usage, error) {
				return usage{}, b.sshScripts(s.IdentityFile, s.KnownHostsFile, all, func(a asking) string { return a.inTurn })
			}},
			{name: "`ssh HOST sh -s`, provision's own script", turns: b.turns, run: func() (usage, error) {
				return usage{}, b.sshScripts(s.IdentityFile, s.KnownHostsFile, all, func(a asking) string { return a.script })
			}},
			{name: "the same commands without a connection, as root in the hosts", turns: b.turns, run: func() (usage, error) { return usage{}, b.alone(s, all) }},
			{name: "`ssh HOST sh -s`, a connection without the commands", turns: b.turns, run: func() (usage, error) {
				return usage{}, b.sshScripts(s.IdentityFile, s.KnownHostsFile, idle, func(a asking) string { return a.script })
			}},
			{name: "bare dial and exec, a connection without the commands", turns: b.turns, run: func() (usage, error) {
				return finish(command(b, idleLine[0], idleLine[1:]...), "")
			}},
			{name: "pyinfra 3.10.0", turns: few, run: others.pyinfra},
			{name: "ansible-core 2.19.14, mitogen 0.3.54", turns: few, run: others.mitogen},
			{name: "ansible-core 2.19.14, pipelining", turns: few, run: func() (usage, error) { return others.ansible() }},
		}
		return c.hold(say)
	})
}

// alone runs the commands one after the other in each host, all hosts at once, entered from outside.
func (b *bench) alone(s *site, all []asking) error {
	return together(len(all), func(n int) error {
		a := all[n]
		host := s.hosts[slices.IndexFunc(s.hosts, func(h *lab.Host) bool { return h.Name == a.host })]
		out, err := host.Shell(b, a.inTurn)
		if err == nil && !strings.HasSuffix(strings.TrimSpace(out), a.end) {
			err = fmt.Errorf("%s: the answer is not whole", a.host)
		}
		return err
	})
}
