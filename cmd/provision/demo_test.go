package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// capture runs the command line with files for its streams.
func capture(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	in, out, errs := open("in"), open("out"), open("err")
	code = run(args, in, out, errs)
	read := func(f *os.File) string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return code, read(out), read(errs)
}

// TestDemo is the main job on simulated hosts: blank to verified, then nothing to do at the cost of
// one connection and one exec a host, then a change by hand that is healed.
func TestDemo(t *testing.T) {
	code, out, errs := capture(t, "demo")
	if code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	for _, want := range []string{"SIMULATED", "nothing to change; everything works", "2 connections, 2 execs", "2 changes in", "prefect-business-logic   healthy"} {
		if !strings.Contains(out, want) {
			t.Errorf("not found: %q in\n%s", want, out)
		}
	}
	if !strings.Contains(errs, "-# a change by hand") {
		t.Errorf("the plan does not show what was changed by hand:\n%s", errs)
	}
}

// TestUsage has the mistakes that are found before any connection, each with its code and words.
func TestUsage(t *testing.T) {
	good := "[hosts.a]\naddress = \"10.0.0.1\"\nroles = [\"server\", \"agent\"]\n"
	for name, test := range map[string]struct {
		inventory string
		args      []string
		code      int
		want      string
	}{
		"no inventory":        {"", []string{"plan"}, 3, "no inventory is named"},
		"unknown flag":        {"", []string{"plan", "--frobnicate"}, 3, "unknown flag"},
		"unknown verb":        {"", []string{"aply"}, 3, "unknown command"},
		"extra argument":      {good, []string{"plan", "now"}, 3, `unexpected argument "now"`},
		"unknown key":         {good + "adress = \"x\"\n", []string{"validate"}, 3, ":4: hosts.a.adress"},
		"no server":           {strings.Replace(good, `"server", `, "", 1), []string{"validate"}, 3, "no host has the server role"},
		"syntax":              {"[hosts", []string{"validate"}, 3, ":1"},
		"valid":               {good, []string{"validate"}, 0, ""},
		"unknown limit":       {good, []string{"plan", "--limit", "b"}, 3, "there is no such host or role"},
		"unknown smoke":       {good, []string{"verify", "--smoke=b"}, 3, "there is no such agent host"},
		"droplets":            {"[digitalocean]\nname = \"p\"\ntoken = { env = \"T\" }\nregion = \"fra1\"\nadmin_cidrs = [\"10.0.0.0/8\"]\n[droplets.a]\nroles = [\"server\"]\n", []string{"plan"}, 3, ""},
		"init without layout": {"", []string{"init"}, 3, "say which"},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if test.inventory != "" {
				file := filepath.Join(t.TempDir(), "onprem.toml")
				if err := os.WriteFile(file, []byte(test.inventory), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "-i", file)
			}
			code, out, errs := capture(t, args...)
			if code != test.code || !strings.Contains(errs, test.want) {
				t.Errorf("exit %d, want %d and %q\n%s\n%s", code, test.code, test.want, out, errs)
			}
		})
	}
}
