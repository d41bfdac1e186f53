package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/provision/platform"
	"provision/remote"
)

// System is what a host has to bring with it: a supported system, room, memory, free ports, a
// clock that agrees and networks that do not overlap the stack's. It is never changed; what stands
// against the plan is refused before the first change.
type System struct {
	Host    string
	Stack   string
	Server  string         // name of the server host, with whose clock an agent's must agree
	Ports   []int          // that the stack publishes here
	Subnets []netip.Prefix // that the stack uses here
	// SubnetKeys are the keys below docker.subnets, one for each of Subnets.
	SubnetKeys []string
	Projects   []string // of compose, that the stack has here
	// OwnPort is the port at which containers of this host reach the url at the host's own address, and OwnBridge the
	// interface that they come from; 0 where they do not.
	OwnPort   int
	OwnBridge string
	// PortsOf is the container that holds Ports when they are taken by ourselves.
	PortsOf    string
	MinMemory  int // MiB in all
	MinDisk    int // MiB free before the images are there
	Image      string
	MaxSkew    time.Duration // between an agent and the server
	NetworkIDs []ID
	Before     []ID // what the host has to be before anything is done on it: a droplet
}

var (
	_ Resource = (*System)(nil)
	_ Checker  = (*System)(nil)
)

// SystemID is the ID of a host's system.
func SystemID(host string) ID { return ID{host, "system", ""} }

// OffsetField is set by whoever reads the facts: the seconds by which the host's clock is ahead of
// the controller's, at the moment the answer came.
const (
	OffsetField = "offset"
	ClockField  = "clock"
)

func (s *System) ID() ID      { return SystemID(s.Host) }
func (s *System) Needs() []ID { return s.Before }

func (s *System) Probe(sc *Script) {
	sc.Record(s.ID(), scripts.With("system_probe"))
}

func (s *System) Diff(w World) []Change {
	rec, know := w.Fact(s.ID())
	if know != Yes {
		return nil
	}
	var out []Change
	refuse := func(why, hint string) {
		out = append(out, Change{ID: s.ID(), Act: Refuse, Risk: Preflight, Why: why, Hint: hint})
	}
	os := platform.OSRelease(rec.Fields["os"])
	if _, ok := platform.Find(os["ID"]); !ok {
		refuse(fmt.Sprintf("%s is not supported: hosts must run %s", orNone(os["PRETTY_NAME"]), platform.Supported()), "use a Debian 13 or Ubuntu 24.04 host")
		return out
	}
	d, dk := docker(w, s.Host)
	if mem := meminfo(rec.Fields["memory"])["MemTotal"]; mem > 0 && mem < s.MinMemory {
		refuse(fmt.Sprintf("the host has %d MiB of memory; its roles need %d", mem, s.MinMemory), "use a larger machine")
	}
	if free, ok := diskFree(rec.Fields["disk"]); ok && dk != Unknown && d.Images[s.Image] == "" && free < s.MinDisk {
		refuse(fmt.Sprintf("%d MiB are free for images and data; %d are needed", free, s.MinDisk), "make room below /var/lib/docker, or use a larger disk")
	}
	// A container that starts and ends again may have held the ports when they were read and be
	// between two starts when the containers were.
	if own := d.Containers[s.PortsOf].State; dk != Unknown && own != "running" && own != "restarting" {
		taken := listening(rec.Fields["listen"])
		for _, port := range s.Ports {
			if taken[port] {
				refuse(fmt.Sprintf("port %d is taken by %s", port, listener(rec.Fields["listeners"], port)), "stop what listens there, or move it to another port")
			}
		}
	}
	for _, project := range s.Projects {
		if names := d.Projects[project]; len(names) > 0 {
			refuse(fmt.Sprintf("the compose project %s is somebody else's here (%s), and Compose would take its containers for ours", project, strings.Join(slices.Sorted(slices.Values(names)), ", ")),
				"give the stack another name: "+otherName(s.Stack))
		}
	}
	all := routes(rec.Fields["routes"])
	for _, route := range s.overlaps(all, d, dk) {
		refuse(fmt.Sprintf("the stack's network %s overlaps %s (interface %s)", route.ours, route.net, remote.Sanitize(route.dev)), s.elsewhere(all))
	}
	for _, f := range s.firewall(rec) {
		refuse(f[0], f[1])
	}
	return append(out, s.skew(w, rec)...)
}

func (s *System) skew(w World, rec Record) []Change {
	server, know := w.Fact(SystemID(s.Server))
	own, err1 := strconv.ParseFloat(rec.Fields[OffsetField], 64)
	other, err2 := strconv.ParseFloat(server.Fields[OffsetField], 64)
	if s.Host == s.Server || know != Yes || err1 != nil || err2 != nil {
		return nil
	}
	// A clock that is behind refuses certificates dated "from now".
	diff := time.Duration((own - other) * float64(time.Second))
	if diff.Abs() <= s.MaxSkew {
		return nil
	}
	word := "behind"
	if diff > 0 {
		word = "ahead of"
	}
	words := hostFamily(w, s.Host).Packages.Words()
	return []Change{{
		ID: s.ID(), Act: Refuse, Risk: Preflight,
		Why:  fmt.Sprintf("the clock is %s %s that of %s; at most %s can be", diff.Abs().Round(time.Second), word, s.Server, s.MaxSkew),
		Hint: "set up time synchronisation: " + words.Install + " " + words.TimeSync,
	}}
}

func (s *System) Do(context.Context, *Run, Change) error { return nil }

// minFree is the room below which a database that still answers is about to stop doing so: with a
// full volume Prefect's health checks stay green while writes fail.
const minFree = 512

func (s *System) Check(w World) []Problem {
	rec, know := w.Fact(s.ID())
	if know != Yes {
		return []Problem{{ID: s.ID(), What: "the host gave no answer"}}
	}
	if free, ok := diskFree(rec.Fields["disk"]); ok && free < minFree {
		return []Problem{{ID: s.ID(), What: fmt.Sprintf("only %d MiB are free for images and data", free), Hint: "make room below /var/lib/docker"}}
	}
	return nil
}

// meminfo returns MiB by name.
func meminfo(content string) map[string]int {
	m := map[string]int{}
	for l := range strings.Lines(content) {
		if f := strings.Fields(l); len(f) >= 2 {
			kib, _ := strconv.Atoi(f[1])
			m[strings.TrimSuffix(f[0], ":")] = kib / 1024
		}
	}
	return m
}

// diskFree returns the MiB that `df -P -k` says are available.
func diskFree(df string) (mib int, ok bool) {
	rows := strings.Split(strings.TrimSpace(df), "\n")
	f := strings.Fields(rows[len(rows)-1])
	if len(rows) < 2 || len(f) < 4 {
		return 0, false
	}
	kib, err := strconv.Atoi(f[3])
	return kib / 1024, err == nil
}

// listening returns the TCP ports in rows of /proc/net/tcp that are not bound to loopback alone.
func listening(rows string) map[int]bool {
	ports := map[int]bool{}
	for l := range strings.Lines(rows) {
		f := strings.Fields(l)
		if len(f) < 4 || f[3] != "0A" {
			continue
		}
		addr, port, ok := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		if ok && err == nil && !strings.HasSuffix(addr, "0100007F") && addr != "00000000000000000000000001000000" {
			ports[int(n)] = true
		}
	}
	return ports
}

// listener names the process that `ss -Hltnp` shows on a port.
func listener(ss string, port int) string {
	for l := range strings.Lines(ss) {
		f := strings.Fields(l)
		if len(f) >= 6 && strings.HasSuffix(f[3], ":"+strconv.Itoa(port)) {
			// users:(("nginx",pid=400,fd=6),("nginx",pid=399,fd=6))
			name, rest, _ := strings.Cut(strings.TrimPrefix(f[5], `users:(("`), `",pid=`)
			pid, _, _ := strings.Cut(rest, ",")
			return remote.Sanitize(fmt.Sprintf("%s (process %s)", name, pid))
		}
	}
	return "another program"
}

// settingsOf is what `docker info` shows of an engine that runs with this daemon.json.
func settingsOf(daemon []byte) string {
	var d struct {
		LogDriver   string `json:"log-driver"`
		LiveRestore bool   `json:"live-restore"`
		Pools       []struct {
			Base string `json:"base"`
			Size int    `json:"size"`
		} `json:"default-address-pools"`
	}
	if json.Unmarshal(daemon, &d) != nil {
		return ""
	}
	out := fmt.Sprintf("%s %t", d.LogDriver, d.LiveRestore)
	for _, p := range d.Pools {
		out += fmt.Sprintf(" %s/%d", p.Base, p.Size)
	}
	return out
}
