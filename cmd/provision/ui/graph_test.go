package ui

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"provision/provision"
)

const (
	graphSingle = `url = "https://prefect.example.org"
[hosts.desk]
address = "10.0.0.11"
roles = ["server", "agent"]
`
	graphSplit = `url = "https://prefect.example.org"
[hosts.prefect]
address = "10.0.0.11"
roles = ["server"]
[hosts.worker-1]
address = "10.0.0.21"
roles = ["agent"]
[hosts.worker-2]
address = "worker-2.example.org"
roles = ["agent"]
[hosts.a-retired-host]
address = "10.0.0.29"
roles = []
`
	graphDroplets = `url = "https://prefect.example.org"
[tls]
mode = "acme"
[digitalocean]
name = "prod"
region = "fra1"
size = "s-2vcpu-4gb"
ssh_keys = ["id.pub"]
admin_cidrs = ["203.0.113.7/32"]
domain = "example.org"
[droplets.prefect]
roles = ["server"]
volume = "20GiB"
[droplets.worker]
roles = ["agent"]
count = 2
size = "s-4vcpu-8gb"
`
	graphPlain = `[tls]
mode = "off"
allow_plaintext = true
[hosts.prefect]
address = "10.0.0.11"
roles = ["server", "agent"]
[hosts.worker-1]
address = "10.0.0.21"
roles = ["agent"]
`
)

func topology(t *testing.T, inventory string) *provision.Topology {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "onprem.toml")
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops\n"
	if err := os.WriteFile(filepath.Join(dir, "id.pub"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	sys, err := provision.Load(t.Context(), file, "")
	if err != nil {
		t.Fatal(err)
	}
	top, err := sys.Topology()
	if err != nil {
		t.Fatal(err)
	}
	// The tags say what is in the images, which is not the matter here.
	for _, h := range top.Hosts {
		for n := range h.Containers {
			h.Containers[n].Image = builtTag.ReplaceAllString(h.Containers[n].Image, ":0123456789abcdef")
		}
	}
	return top
}

var builtTag = regexp.MustCompile(`:[0-9a-f]{16}$`)

// TestGraph has the pictures of four inventories in every format.
func TestGraph(t *testing.T) {
	t.Parallel()
	for name, inventory := range map[string]string{"single": graphSingle, "split": graphSplit, "droplets": graphDroplets, "plain": graphPlain} {
		top := topology(t, inventory)
		for _, format := range GraphFormats {
			var b strings.Builder
			Graph(&b, Style{}, top, format)
			golden(t, "graph-"+name+"."+map[string]string{"text": "txt", "mermaid": "mermaid", "svg": "svg"}[format], b.String())
		}
	}
}

// TestGraphEscapes: what a file names cannot become a part of the picture's own language.
func TestGraphEscapes(t *testing.T) {
	t.Parallel()
	const bad = `x"]<script>alert(1)</script>`
	top := topology(t, graphSingle)
	top.Stack, top.URL = bad, bad
	top.Hosts[0].Name, top.Hosts[0].Containers[0].Image = bad, bad
	picture := svg(top)
	d := xml.NewDecoder(strings.NewReader(picture))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
			t.Fatal("a name became an element")
		}
	}
	if m := mermaid(top); strings.Contains(m, "<script") || strings.Contains(m, `x"]`) {
		t.Errorf("a name ends its label:\n%s", m)
	}
}

// TestPictureOfTheDocs: the picture of the documentation is the one that graph draws.
func TestPictureOfTheDocs(t *testing.T) {
	t.Parallel()
	drawn, err := os.ReadFile("testdata/graph-split.svg")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := os.ReadFile("../../../docs/topology.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, shown) {
		t.Error("docs/topology.svg is not cmd/provision/ui/testdata/graph-split.svg: make screenshots")
	}
}
