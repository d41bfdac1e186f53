package remotetest

import (
	"encoding/json"
	"slices"
	"strings"

	"provision/remote/remotetest/unix"
)

// Counts are totals since the host was made.
type Counts struct {
	Connections, Channels, Execs, SFTP int
	BytesIn, BytesOut                  int64
	// AtOnce is the most channels that were open on one connection.
	AtOnce int
}

// Command is one program that ran; shell builtins are none.
type Command struct {
	Argv []string
	UID  int
	// Session is the process that the command descends from: what one exec channel started has one.
	Session int
}

func (c Command) String() string { return strings.Join(c.Argv, " ") }

// Counts returns the totals so far.
func (h *Host) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}

// Commands lists the programs that ran, in the order in which they began.
func (h *Host) Commands() []Command {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.commands)
}

// Ran lists the commands whose words, joined by blanks, hold the text.
func (h *Host) Ran(text string) []string {
	var out []string
	for _, c := range h.Commands() {
		if s := c.String(); strings.Contains(s, text) {
			out = append(out, s)
		}
	}
	return out
}

// Unknown lists the commands, options and constructs that the simulation lacks and was asked for. A
// test that ends with a non-empty list proves nothing.
func (h *Host) Unknown() []string {
	return h.sys.Unknowns()
}

func (h *Host) ran(p *proc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commands = append(h.commands, Command{slices.Clone(p.Argv), p.Cred.UID, p.Session})
}

// Exposed says where a text can be read by others than those it is meant for: in the arguments of a
// program, in a file that everybody may read, in what the engine tells of containers and in logs.
func (h *Host) Exposed(text string) []string {
	var out []string
	for _, c := range h.Commands() {
		if strings.Contains(c.String(), text) {
			out = append(out, "arguments: "+c.String())
		}
	}
	for _, f := range h.Files("/") {
		if f.FileMode.IsRegular() && f.FileMode&0o004 != 0 && h.readableByAll(f.Path) {
			if b, err := h.ReadFile(f.Path); err == nil && strings.Contains(string(b), text) {
				out = append(out, "file: "+f.Path)
			}
		}
	}
	for _, c := range h.Containers() {
		if b, err := json.Marshal(c); err == nil && strings.Contains(string(b), text) {
			out = append(out, "docker inspect: "+c.Name)
		}
	}
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	for name, c := range h.docker.containers {
		if strings.Contains(strings.Join(c.log, "\n"), text) {
			out = append(out, "docker logs: "+name)
		}
	}
	return out
}

func (h *Host) readableByAll(name string) bool {
	return h.sys.Tree.Access(unix.Cred{UID: 65534, GID: 65534}, name, 4) == nil
}

// Process is one running process.
type Process = unix.Process

// Processes lists what runs now.
func (h *Host) Processes() []Process { return h.sys.Processes() }
