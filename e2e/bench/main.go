//go:build linux

// Command bench measures provision against what people use in its place: on real lab hosts and on a
// simulated fleet, in one run, in turns, and as ratios of medians. A time by itself says more of the
// machine than of the program, so none is held against a limit. A comparison that cannot be run is a
// failure; a goal that is missed is said in the table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"provision/e2e/lab"
)

// bench is what all contests use.
type bench struct {
	context.Context
	dir              string // for all that is written, and removed at the end
	provision, bare  string // programs
	fleet            string
	turns            int
	firstTurns, size int
}

// jobs are the contests by the name that -only takes, in the order of their run.
var jobs = []struct {
	name string
	run  func(*bench) ([]*contest, error)
}{
	{"fleet", (*bench).fleetJobs},
	{"plan", (*bench).planJob},
	{"again", (*bench).againJob},
	{"first", (*bench).firstJob},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := &bench{Context: ctx}
	only := flag.String("only", "", "comma-separated: fleet, plan, again, first; default all")
	out := flag.String("o", "", "write the results into this file, too")
	flag.IntVar(&b.turns, "turns", 15, "of what takes seconds")
	flag.IntVar(&b.firstTurns, "first-turns", 3, "of what takes minutes")
	flag.IntVar(&b.size, "hosts", 200, "of the simulated fleet")
	flag.Parse()
	if missing := lab.Missing(); missing != "" {
		return errors.New(missing)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "provision-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for name, pkg := range map[*string]string{&b.provision: "provision/cmd/provision", &b.bare: "provision/e2e/bench/bare", &b.fleet: "provision/e2e/bench/fleet"} {
		*name = filepath.Join(b.dir, filepath.Base(pkg))
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", *name, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
		}
	}
	text := preface()
	for _, job := range jobs {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), job.name) {
			continue
		}
		contests, err := job.run(b)
		if err != nil {
			return fmt.Errorf("%s could not be compared: %w", job.name, err)
		}
		for _, c := range contests {
			text += "\n" + c.table()
		}
	}
	fmt.Print("\n" + text)
	if *out != "" {
		return os.WriteFile(*out, []byte(text), 0o644)
	}
	return nil
}

func preface() string {
	return fmt.Sprintf(`# Benchmarks

What `+"`make bench`"+` printed on %s, on a machine with %d CPUs that also ran all hosts. It needs what `+"`make e2e`"+` needs, and Python 3
with pip for the other tools. The times say little beyond that machine: the ratios are what it is about. Contenders take turns, in one
run; a ratio is one median by another.
`, time.Now().Format("2 January 2006"), runtime.NumCPU())
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05")+" "+format+"\n", args...)
}
