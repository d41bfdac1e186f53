// Command fleet boots simulated hosts in a process of its own, so that the memory and the time of
// what talks to them can be measured apart from them.
//
//	fleet DIR N LATENCY    writes DIR/onprem.toml and what it names, says "ready", and ends with its standard input
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"provision/remote/remotetest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: fleet DIR N LATENCY")
	}
	dir := args[0]
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	latency, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	fleet := remotetest.NewFleet(remotetest.Options{})
	defer fleet.Close()
	key, known := filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "known_hosts")
	var b strings.Builder
	fmt.Fprintf(&b, "url = \"https://prefect.bench.test\"\n\n[ssh]\nuser = \"root\"\nidentity_file = %q\nknown_hosts = %q\nconnect_timeout = \"60s\"\n", key, known)
	for i := range n {
		name, role := fmt.Sprintf("worker-%03d", i), "agent"
		if i == 0 {
			name, role = "prefect", "server"
		}
		h, err := fleet.Host(name, remotetest.HostOptions{Latency: latency})
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n[hosts.%s]\naddress = \"127.0.0.1\"\nport = %d\nroles = [%q]\n", name, h.Port(), role)
	}
	for name, text := range map[string]string{key: string(fleet.ClientKeyPEM()), known: fleet.KnownHosts(), filepath.Join(dir, "onprem.toml"): b.String()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
