package main

import (
	"os"
	"path/filepath"
	"testing"

	"provision/remote/remotetest"
)

// bootFleet boots the two hosts of the demo and returns an inventory that names them.
func bootFleet(t *testing.T, o remotetest.Options) (*remotetest.Fleet, string) {
	t.Helper()
	fleet := remotetest.NewFleet(o)
	t.Cleanup(fleet.Close)
	inventory, err := demoInventory(fleet, t.TempDir(), newest())
	if err != nil {
		t.Fatal(err)
	}
	return fleet, inventory
}

// capture runs the command line with files for its streams.
func capture(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	in, out, errs := open("in"), open("out"), open("err")
	code = run(args, streams{in, out, errs})
	read := func(f *os.File) string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return code, read(out), read(errs)
}
