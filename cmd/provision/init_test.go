//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// interview is init on a terminal, without colours, in a directory of its own.
type interview struct {
	*session
	dir  string
	seen int // how much of what was shown was looked at
}

func interviewed(t *testing.T, dir string) *interview {
	t.Helper()
	return &interview{session: openIn(t, dir, 200, 30, []string{"NO_COLOR=1", "HOME=" + dir}, "provision", "init"), dir: dir}
}

// shows waits until the terminal shows a text after what was looked at before.
func (i *interview) shows(text string) {
	i.t.Helper()
	i.waitAfter(i.seen, text)
	i.seen += strings.Index(i.text()[i.seen:], text) + len(text)
}

// asks waits for a question, answers it, and waits until the answer stands in its line.
func (i *interview) asks(question, keys, shown string) {
	i.t.Helper()
	i.shows(question)
	i.typed(keys + "\r")
	i.shows(question + "  " + shown)
}

const (
	down  = "\x1b[B"
	clear = "\x15" // Ctrl-U: what stands before the cursor goes
)

// valid wants validate to accept what init wrote, and returns it.
func valid(t *testing.T, file string) string {
	t.Helper()
	if code, _, errs := capture(t, "validate", "-i", file); code != 0 {
		t.Errorf("validate: %d\n%s", code, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func hasLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line) {
			t.Errorf("no line begins with %q in\n%s", line, text)
		}
	}
}

// TestInitAsks: on a terminal init asks, shows its defaults, repeats a question with what validate
// says of a bad answer, and writes what validate accepts.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	s := interviewed(t, t.TempDir())
	s.asks("What is it to run on?", down, "several hosts")
	s.shows("Address of the server")
	s.typed("10.0.0.11:22\r")
	s.shows(`"10.0.0.11:22" is neither an IP address nor a DNS name; a port is written apart: port = 22`)
	s.typed(clear + "10.0.0.11" + "\r")
	s.shows("Address of the server" + "  " + "10.0.0.11")
	s.shows("Addresses of the agent hosts")
	s.typed("\r")
	s.shows(`missing; where the host is reached: address = "10.0.0.11"`)
	s.typed("10.0.0.21, 10.0.0.11\r")
	s.shows(`is the address and port of "prefect", too`)
	s.typed(clear + "10.0.0.21, 10.0.0.22" + "\r")
	s.shows("Addresses of the agent hosts" + "  " + "10.0.0.21, 10.0.0.22")
	s.shows("> root")
	s.typed(clear + "ops" + "\r")
	s.shows("User to log in with over SSH" + "  " + "ops")
	s.asks("Where does the server's certificate come from?", "", "internal")
	s.shows("URL by which browsers and agents reach the server")
	s.typed("http://prefect.example.org\r")
	s.shows("must begin with https://")
	s.typed(clear + "https://prefect.example.org" + "\r")
	s.shows("URL by which browsers and agents reach the server" + "  " + "https://prefect.example.org")
	s.asks("Which Prefect?", "", "Prefect 3")
	s.exit(0)
	if !strings.Contains(s.text(), "next: provision plan -i onprem.toml") {
		t.Errorf("no next step in\n%s", s.text())
	}
	hasLines(t, valid(t, filepath.Join(s.dir, "onprem.toml")), `url = "https://prefect.example.org"`, `user = "ops"`, `address = "10.0.0.11"`, `address = "10.0.0.21"`, `address = "10.0.0.22"`, "[hosts.worker-2]")
}

// TestInitAsksForDroplets: the key that is there is the default, and so is the url's domain.
func TestInitAsksForDroplets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "id_ed25519.pub"), []byte(somePublicKey(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := interviewed(t, dir)
	s.asks("What is it to run on?", down+down, "droplets on DigitalOcean")
	s.asks("Region of the droplets", "", "fra1")
	s.asks("Public keys that may log in", "", "~/.ssh/id_ed25519.pub")
	s.shows("Networks that may reach port 22")
	s.typed("\r")
	s.shows("missing: nobody could reach port 22")
	s.asks("Networks that may reach port 22", "203.0.113.7/32", "203.0.113.7/32")
	s.asks("Where does the server's certificate come from?", "", "acme")
	s.shows("URL by which browsers and agents reach the server")
	s.typed("\r")
	s.shows(`missing: mode "acme" needs a public DNS name`)
	s.asks("URL by which browsers and agents reach the server", "https://prefect.example.com", "https://prefect.example.com")
	s.asks("Domain that is managed in the account", "", "example.com")
	s.asks("Which Prefect?", down, "Prefect 2")
	s.exit(0)
	stack, err := os.ReadFile(filepath.Join(dir, "stack.toml"))
	if err != nil {
		t.Fatal(err)
	}
	hasLines(t, string(stack), `version = "2.`, `image = "python:3.8-slim"`)
	text, err := os.ReadFile(filepath.Join(dir, "prod.toml"))
	if err != nil {
		t.Fatal(err)
	}
	hasLines(t, string(text), `domain = "example.com"`, `admin_cidrs = ["203.0.113.7/32"]`, `mode = "acme"`, `url = "https://prefect.example.com"`)
}

// TestInitPlaintext: no encryption is asked for twice.
func TestInitPlaintext(t *testing.T) {
	t.Parallel()
	s := interviewed(t, t.TempDir())
	s.asks("What is it to run on?", "", "one host")
	s.asks("Address of the server", "10.0.0.11", "10.0.0.11")
	s.asks("User to log in with over SSH", "", "root")
	s.asks("Where does the server's certificate come from?", down+down+down, "off")
	s.asks("All the same?", "", "no")
	s.asks("Where does the server's certificate come from?", down+down+down, "off")
	s.asks("All the same?", down, "yes")
	s.asks("URL by which browsers and agents reach the server", "", "-")
	s.asks("Which Prefect?", "", "Prefect 3")
	s.exit(0)
	hasLines(t, valid(t, filepath.Join(s.dir, "onprem.toml")), `mode = "off"`, "allow_plaintext = true", "# url = ")
}

// TestInitInterrupted: Ctrl-C at a question writes nothing and leaves the terminal as it was.
func TestInitInterrupted(t *testing.T) {
	t.Parallel()
	s := interviewed(t, t.TempDir())
	s.asks("What is it to run on?", "", "one host")
	s.shows("Address of the server")
	s.typed("10.0.0\x03")
	s.exit(130)
	if !strings.Contains(s.text(), "interrupted at the question, nothing was written") {
		t.Error(s.text())
	}
	if files, err := filepath.Glob(filepath.Join(s.dir, "*.toml")); err != nil || len(files) > 0 {
		t.Errorf("%v %v", files, err)
	}
}

// TestInitWhereThereAreFiles: nothing is asked, and nothing written over.
func TestInitWhereThereAreFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "stack.toml")
	if err := os.WriteFile(file, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := interviewed(t, dir)
	s.exit(3)
	if text, err := os.ReadFile(file); err != nil || string(text) != "# mine\n" || !strings.Contains(s.text(), "stack.toml exists; nothing was written") {
		t.Errorf("%q %v\n%s", text, err, s.text())
	}
}
