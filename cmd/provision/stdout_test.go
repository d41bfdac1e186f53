package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"provision/remote/remotetest"
)

// silent are the verbs without a line in [resultLines], and why.
var silent = map[string]string{
	"init": "it writes files", "demo": "it brings up a stack",
	"rotate": "it needs a name", "destroy": "it takes away what the others look at",
	"droplet list": "it needs a cloud", "droplet create": "it needs a cloud", "droplet destroy": "it needs a cloud",
}

// resultLines are the calls of all verbs that write to standard output and change nothing on a host, with --json and without, and
// help; $I stands for the inventory.
func resultLines(t *testing.T) []string {
	t.Helper()
	lines := []string{
		"", "--help", "apply --help", "graph -i $I --format mermaid", "graph -i $I --format svg",
		"rotate ui -i $I --yes", "rotate ui -i $I --yes --json",
		// What fails already fails with the output as well.
		"validate -i $I --stack none.toml --json", "plan -i $I --limit nobody --json",
	}
	for _, cmd := range verbs(t) {
		name := strings.TrimPrefix(cmd.CommandPath(), "provision ")
		switch {
		case silent[name] != "":
			continue
		case len(cmd.ValidArgs) > 0:
			for _, arg := range cmd.ValidArgs {
				lines = append(lines, name+" "+arg)
			}
			continue
		}
		line := name
		for flag, more := range map[string]string{"inventory": " -i $I", "yes": " --yes"} {
			if cmd.Flag(flag) != nil {
				line += more
			}
		}
		lines = append(lines, line, line+" --json")
	}
	return lines
}

// TestOutputFails: a command whose standard output cannot be written does not end with 0, and says so
// once, whatever it was that wrote.
func TestOutputFails(t *testing.T) {
	t.Parallel()
	_, inventory := bootFleet(t, remotetest.Options{})
	if code, _, errs := capture(t, "apply", "--yes", "-i", inventory); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	sinks := map[string]func(t *testing.T) *os.File{
		"full": func(t *testing.T) *os.File {
			f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip(err)
			}
			return f
		},
		"closed pipe": func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			return w
		},
	}
	for name, open := range sinks {
		for _, line := range resultLines(t) {
			t.Run(name+"/"+line, func(t *testing.T) {
				sink := open(t)
				defer sink.Close()
				in, err := os.Open(os.DevNull)
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				errs, err := os.Create(filepath.Join(t.TempDir(), "err"))
				if err != nil {
					t.Fatal(err)
				}
				defer errs.Close()
				code := run(strings.Fields(strings.ReplaceAll(line, "$I", inventory)), streams{in, sink, errs})
				text, err := os.ReadFile(errs.Name())
				if err != nil {
					t.Fatal(err)
				}
				if code != 1 || strings.Count(string(text), "error: write to standard output: ") != 1 || !strings.Contains(string(text), "next: ") {
					t.Errorf("exit %d\n%s", code, text)
				}
			})
		}
	}
}

// TestOutputPipe: the process itself is not killed by the signal that a pipe without a reader sends,
// so an apply whose reader is gone ends its work.
func TestOutputPipe(t *testing.T) {
	t.Parallel()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	var errs bytes.Buffer
	cmd := exec.Command("provision", "apply", "--yes", "--json", "-i", inventory)
	cmd.Stdout, cmd.Stderr = w, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(errs.String(), "error: write to standard output: broken pipe\n") {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	for _, h := range fleet.Hosts() {
		running := 0
		for _, c := range h.Containers() {
			if c.State.Running {
				running++
			}
		}
		if running == 0 {
			t.Errorf("nothing runs on %s", h.Name())
		}
	}
}
