package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"provision/remote/remotetest"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

// hostCommands are what scripts do with hosts. A host is named first, and is otherwise as a stranger
// finds it: blank Debian 13, root, and nothing that listens but sshd.
func hostCommands() map[string]command {
	return map[string]command{
		// host NAME [OPTION=VALUE...] boots a host and sets $NAME_PORT and $NAME_KEY, its host key.
		"host": bootHost,
		// unplug NAME takes it off the network, plug NAME puts it back.
		"unplug": onHost("unplug NAME", 0, func(_ *testscript.TestScript, h *remotetest.Host, _ []string) { h.Unplug() }),
		"plug":   onHost("plug NAME", 0, func(ts *testscript.TestScript, h *remotetest.Host, _ []string) { ts.Check(h.Plug()) }),
		// poweroff NAME ends it: nothing listens any more.
		"poweroff": onHost("poweroff NAME", 0, func(_ *testscript.TestScript, h *remotetest.Host, _ []string) { h.Close() }),

		// snapshot NAME... remembers all files of a host; [!] untouched NAME... wants them to be the same.
		// A host that was not remembered is compared with itself as it was booted.
		"snapshot": snapshot, "untouched": untouched,
		// spent NAME [CONNECTIONS EXECS] is what the host was asked since it booted or this was last said.
		"spent": spent,
		// hostcat NAME FILE prints a file of the host.
		"hostcat": onHost("hostcat NAME FILE", 1, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			text, err := h.ReadFile(args[0])
			ts.Check(err)
			fmt.Fprintf(ts.Stdout(), "%s", text)
		}),
		// hostput NAME FILE COPY puts a file of the script on the host, over what is there.
		"hostput": onHost("hostput NAME FILE COPY", 2, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			ts.Check(h.WriteFile(args[1], ts.ReadFile(args[0]), 0o644))
		}),
		"hostrm": onHost("hostrm NAME FILE", 1, func(_ *testscript.TestScript, h *remotetest.Host, args []string) { h.Remove(args[0]) }),
		// undeploy NAME FLOW/DEPLOYMENT deletes a deployment as a person in the UI would.
		"undeploy": onHost("undeploy NAME FLOW/DEPLOYMENT", 1, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			if !h.DeleteDeployment(args[0]) {
				ts.Fatalf("there is no deployment %s", args[0])
			}
		}),
		// hole NAME open|closed has the proxy of a host let every token do everything.
		"hole": onHost("hole NAME open|closed", 1, func(_ *testscript.TestScript, h *remotetest.Host, args []string) { h.OpenHole(args[0] == "open") }),
		// runsend NAME HOW says how runs of the built-in flow end on this server host; "" is well.
		"runsend": onHost("runsend NAME HOW", 1, func(_ *testscript.TestScript, h *remotetest.Host, args []string) { h.EndRuns(args[0]) }),
		// deployments NAME prints the deployments in its database.
		"deployments": onHost("deployments NAME", 0, func(ts *testscript.TestScript, h *remotetest.Host, _ []string) {
			out := ts.Stdout()
			for _, d := range h.Prefect().Deployments {
				fmt.Fprintf(out, "%s/%s\n", d.Flow, d.Name)
			}
		}),
		// running NAME prints its containers that run.
		"running": onHost("running NAME", 0, func(ts *testscript.TestScript, h *remotetest.Host, _ []string) {
			out := ts.Stdout() // also if nothing runs: what was printed before is not looked at again
			for _, c := range h.Containers() {
				if c.State.Running && !c.State.Restarting {
					fmt.Fprintln(out, strings.TrimPrefix(c.Name, "/"))
				}
			}
		}),

		// healthy NAME CONTAINER waits until the engine has brought a container up again.
		"healthy": onHost("healthy NAME CONTAINER", 1, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
				for _, c := range h.Containers() {
					if c.Name == "/"+args[0] && c.State.Running && c.State.Health != nil && c.State.Health.Status == "healthy" {
						return
					}
				}
				if time.Now().After(deadline) {
					ts.Fatalf("%s is not healthy", args[0])
				}
			}
		}),

		// stopunit NAME UNIT stops a systemd unit.
		"stopunit": onHost("stopunit NAME UNIT", 1, func(_ *testscript.TestScript, h *remotetest.Host, args []string) { h.StopUnit(args[0]) }),
		// failing NAME CODE REGEXP WORDS makes the next command that matches fail with these last words.
		"failing": onHost("failing NAME CODE REGEXP WORDS", 3, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			code, err := strconv.Atoi(args[0])
			ts.Check(err)
			h.Fail(remotetest.Failure{Match: args[1], Code: code, Stderr: strings.ReplaceAll(args[2], `\n`, "\n") + "\n"})
		}),
		// cutting NAME REGEXP cuts the connection when a command that matches begins.
		"cutting": onHost("cutting NAME REGEXP", 1, func(_ *testscript.TestScript, h *remotetest.Host, args []string) {
			h.Fail(remotetest.Failure{Match: args[0], Cut: true})
		}),
		// noticing NAME REGEXP looks out for the next command that matches, holding NAME REGEXP also
		// makes it wait before it begins; reached REGEXP waits until one does, letgo REGEXP lets it go on.
		"noticing": onHost("noticing NAME REGEXP", 1, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			lookOut(ts, h, args[0]).letGo()
		}),
		"holding": onHost("holding NAME REGEXP", 1, func(ts *testscript.TestScript, h *remotetest.Host, args []string) { lookOut(ts, h, args[0]) }),
		"reached": func(ts *testscript.TestScript, neg bool, args []string) {
			want(ts, neg, len(args) == 1 && labOf(ts).held[args[0]] != nil, "reached REGEXP")
			select {
			case <-labOf(ts).held[args[0]].reached:
			case <-time.After(2 * time.Minute):
				ts.Fatalf("no such command began")
			}
		},
		"letgo": func(ts *testscript.TestScript, neg bool, args []string) {
			want(ts, neg, len(args) == 1 && labOf(ts).held[args[0]] != nil, "letgo REGEXP")
			labOf(ts).held[args[0]].letGo()
		},
		// crashing NAME CONTAINER CODE WORDS makes a container end whenever it starts; code 0 mends it.
		"crashing": onHost("crashing NAME CONTAINER CODE WORDS", 3, func(ts *testscript.TestScript, h *remotetest.Host, args []string) {
			code, err := strconv.Atoi(args[1])
			ts.Check(err)
			h.Crash(args[0], code, strings.ReplaceAll(args[2], `\n`, "\n"))
		}),
		// mirror NAME WORDS is what apt gets from its mirror instead of packages; "" mends it.
		"mirror": onHost("mirror NAME WORDS", 1, func(_ *testscript.TestScript, h *remotetest.Host, args []string) {
			if args[0] == "" {
				h.SetMirror(nil)
				return
			}
			h.SetMirror(errors.New(args[0]))
		}),
	}
}

// held is a command on a host that waits for the script.
type held struct {
	reached, released chan struct{}
	letGo             func()
}

func lookOut(ts *testscript.TestScript, h *remotetest.Host, match string) *held {
	l := &held{reached: make(chan struct{}), released: make(chan struct{})}
	l.letGo = sync.OnceFunc(func() { close(l.released) })
	labOf(ts).held[match] = l
	h.Fail(remotetest.Failure{Match: match, Do: func() {
		close(l.reached)
		<-l.released
	}})
	return l
}

// onHost is a command on one host with n more arguments.
func onHost(usage string, n int, f func(*testscript.TestScript, *remotetest.Host, []string)) command {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		want(ts, neg, len(args) == n+1, usage)
		f(ts, hostOf(ts, args[0]), args[1:])
	}
}

func hostOf(ts *testscript.TestScript, name string) *remotetest.Host {
	for _, h := range labOf(ts).fleet.Hosts() {
		if h.Name() == name {
			return h
		}
	}
	ts.Fatalf("there is no host %q", name)
	return nil
}

func bootHost(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) > 0, "host NAME [OPTION=VALUE...]")
	o := remotetest.HostOptions{}
	for _, pair := range args[1:] {
		name, value, _ := strings.Cut(pair, "=")
		ts.Check(setOption(&o, name, value))
	}
	l, name := labOf(ts), args[0]
	h, err := l.fleet.Host(name, o)
	ts.Check(err)
	variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	ts.Setenv(variable+"_PORT", strconv.Itoa(h.Port()))
	ts.Setenv(variable+"_KEY", h.HostKey())
	ts.Check(os.WriteFile(ts.MkAbs("known_hosts"), []byte(l.fleet.KnownHosts()), 0o600))
	l.seen[name] = files(h)
}

// setOption sets one of the options by which machines differ.
func setOption(o *remotetest.HostOptions, name, value string) (err error) {
	switch name {
	case "distro":
		o.Distro = value
	case "user":
		o.User = value
	case "sudo":
		privilege, ok := map[string]remotetest.Privilege{
			"free": remotetest.SudoNoPassword, "password": remotetest.SudoPassword, "denied": remotetest.SudoDenied, "missing": remotetest.SudoMissing,
		}[value]
		if o.Privilege = privilege; !ok {
			err = errors.New("sudo is free, password, denied or missing")
		}
	case "password":
		o.Password = value
	case "shell":
		o.LoginShell = value
	case "noise":
		o.Noise = value + "\n"
	case "script":
		o.LoginScript = value
	case "forwarding":
		o.Login.NoForwarding = value == "no"
	case "login":
		o.Login.Refused = value == "refused"
	case "factor":
		o.Login.Password = value
	case "sftp":
		o.NoSFTP = value == "no"
	case "silent":
		o.Silent = value == "yes"
	case "memory":
		o.MemoryMiB, err = strconv.Atoi(value)
	case "disk":
		o.DiskMiB, err = strconv.Atoi(value)
	case "clock":
		o.ClockOffset, err = time.ParseDuration(value)
	case "port":
		number, process, _ := strings.Cut(value, ":")
		var n int
		n, err = strconv.Atoi(number)
		o.Ports = append(o.Ports, remotetest.Port{Number: n, Process: process})
	case "network":
		o.Interfaces = append(o.Interfaces, value)
	case "docker":
		o.Docker = value
	default:
		err = fmt.Errorf("hosts have no option %q", name)
	}
	return err
}

// files are all files of a host with what tells them apart: kind, mode, owner, content, and, so that
// a file written anew with the same content shows, inode and time.
func files(h *remotetest.Host) map[string]string {
	out := map[string]string{}
	for _, f := range h.Files("/") {
		if strings.HasPrefix(f.Path, "/proc/") {
			continue // made by the kernel while it is read
		}
		text := fmt.Sprint(f.FileMode, f.UID, f.GID, f.Target, f.Inode)
		if f.FileMode.IsRegular() {
			content, _ := h.ReadFile(f.Path)
			text += " " + f.Time.String() + " " + string(content)
		}
		out[f.Path] = text
	}
	return out
}

func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) > 0, "snapshot NAME...")
	for _, name := range args {
		labOf(ts).seen[name] = files(hostOf(ts, name))
	}
}

func untouched(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, len(args) > 0, "[!] untouched NAME...")
	for _, name := range args {
		before, now := labOf(ts).seen[name], files(hostOf(ts, name))
		var differ []string
		for _, path := range slices.Sorted(maps.Keys(now)) {
			switch before[path] {
			case now[path]:
			case "":
				differ = append(differ, "new "+path)
			default:
				differ = append(differ, "changed "+path)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(before)) {
			if now[path] == "" {
				differ = append(differ, "gone "+path)
			}
		}
		switch {
		case neg && len(differ) == 0:
			ts.Fatalf("%s is as it was", name)
		case !neg && len(differ) > 0:
			ts.Fatalf("%s is not as it was: %s", name, strings.Join(differ, ", "))
		}
	}
}

func spent(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1 || len(args) == 3, "spent NAME [CONNECTIONS EXECS]")
	l, now := labOf(ts), hostOf(ts, args[0]).Counts()
	before := l.spent[args[0]]
	l.spent[args[0]] = now
	got := []string{strconv.Itoa(now.Connections - before.Connections), strconv.Itoa(now.Execs - before.Execs)}
	if len(args) == 3 && !slices.Equal(got, args[1:]) {
		ts.Fatalf("%s was asked over %s connections by %s execs, want %s and %s", args[0], got[0], got[1], args[1], args[2])
	}
}
