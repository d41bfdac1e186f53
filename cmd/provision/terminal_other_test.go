//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// onTerminal is there so that the other scripts run; those with a terminal skip themselves.
func onTerminal(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("terminals are made on Linux only")
}
