package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
	"provision/remote/remotetest"
)

var update = flag.Bool("update", false, "write what was printed into the scripts that compare it with a file of theirs")

// TestMain makes this test binary the command that the scripts call.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"provision": main, "crash": crash})
}

// TestScript runs testdata/script: what a user types, what comes back, and what became of the
// hosts. The command is a process of its own; the hosts are simulated in this one. Every script
// begins in a directory with a client key, id_ed25519, that all hosts accept, and with known_hosts.
//
// Beside testscript's own commands there are
//
//	exits CODE COMMAND...           run a command that must end with this code
//	terminal ANSWER CODE COMMAND... the same on a terminal on which ANSWER is typed
//	expand FILE [COPY]              replace $NAME in a file, or in its copy
//	key [-locked PASSPHRASE] FILE   write a key that no host knows, or the known one encrypted
//	json FILE                       every line of a file (or of stdout) is JSON with a version
//
// and those for hosts, in [hostCommands], and for an account, in [cloudCommands].
func TestScript(t *testing.T) {
	t.Parallel()
	commands := hostCommands()
	commands["exits"], commands["terminal"], commands["expand"], commands["key"], commands["json"] = exits, onTerminal, expand, makeKey, jsonLines
	maps.Copy(commands, cloudCommands())
	params := testscript.Params{
		Dir: "testdata/script", Cmds: commands, Setup: setUp, UpdateScripts: *update, RequireUniqueNames: true,
	}
	params.Deadline, _ = t.Deadline()
	testscript.RunT(scriptT{t}, params)
}

// scriptT is what a script's test is to testscript. It shows the details of the phase that failed
// alone, and which line did as its last words: what the commands in the background printed comes
// after that line, and a log that is cut in its middle would be without it.
type scriptT struct{ *testing.T }

func (t scriptT) Verbose() bool { return false }

func (t scriptT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(scriptT{t}) })
}

func (t scriptT) Log(args ...any) {
	text := fmt.Sprint(args...)
	if m := failedLine.FindString(text); m != "" {
		text += "\n" + m
	}
	t.T.Log(text)
}

var failedLine = regexp.MustCompile(`(?m)^FAIL: .*$`)

type labKey struct{}

// lab is what belongs to one script.
type lab struct {
	fleet *remotetest.Fleet
	cloud *digitaloceantest.Cloud      // if the script has made one
	seen  map[string]map[string]string // by host: what lay on it when the script last looked
	spent map[string]remotetest.Counts // by host: what it had cost when the script last looked
	held  map[string]*held             // by expression: the commands that are waited for
}

func labOf(ts *testscript.TestScript) *lab { return ts.Value(labKey{}).(*lab) }

func setUp(e *testscript.Env) error {
	l := &lab{fleet: remotetest.NewFleet(remotetest.Options{}), seen: map[string]map[string]string{}, spent: map[string]remotetest.Counts{}, held: map[string]*held{}}
	e.Values[labKey{}] = l
	e.Setenv("HOME", e.WorkDir)
	e.Defer(func() {
		for _, h := range l.held {
			h.letGo()
		}
		unknown := l.fleet.Unknown()
		l.fleet.Close()
		if len(unknown) > 0 {
			e.T().Log("the simulation does not know: " + strings.Join(unknown, "; "))
			e.T().FailNow()
		}
	})
	if err := os.WriteFile(e.WorkDir+"/known_hosts", nil, 0o600); err != nil {
		return err
	}
	return os.WriteFile(e.WorkDir+"/id_ed25519", l.fleet.ClientKeyPEM(), 0o600)
}

// want ends the script if the arguments are not as many as there should be.
func want(ts *testscript.TestScript, neg, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 2, "exits CODE COMMAND...")
	wantCode(ts, args[0], args[1:], ts.Exec(args[1], args[2:]...))
}

// wantCode compares how a process ended with the code that it should end with.
func wantCode(ts *testscript.TestScript, code string, command []string, err error) {
	want, bad := strconv.Atoi(code)
	ts.Check(bad)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(command, " "), got, want)
	}
}

func expand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1 || len(args) == 2, "expand FILE [COPY]")
	text := os.Expand(ts.ReadFile(args[0]), func(name string) string {
		value := ts.Getenv(name)
		if value == "" {
			ts.Fatalf("%s: $%s is not set", args[0], name)
		}
		return value
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[len(args)-1]), []byte(text), 0o600))
}

func makeKey(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1 || len(args) == 3 && args[0] == "-locked", "key [-locked PASSPHRASE] FILE")
	var block *pem.Block
	var err error
	if len(args) == 1 {
		_, fresh, bad := ed25519.GenerateKey(rand.Reader)
		ts.Check(bad)
		block, err = ssh.MarshalPrivateKey(fresh, "")
	} else {
		known, bad := ssh.ParseRawPrivateKey(labOf(ts).fleet.ClientKeyPEM())
		ts.Check(bad)
		block, err = ssh.MarshalPrivateKeyWithPassphrase(known, "", []byte(args[1]))
	}
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[len(args)-1]), pem.EncodeToMemory(block), 0o600))
}

// jsonLines wants an object with our version and a type in every line, and prints the types.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "json FILE")
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	for n, line := range lines {
		var e struct {
			Version int
			Type    string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Version != report.EventVersion || e.Type == "" {
			ts.Fatalf("line %d is not an object with version %d and a type (%v): %s", n+1, report.EventVersion, err, line)
		}
		fmt.Fprintln(ts.Stdout(), e.Type)
	}
}
