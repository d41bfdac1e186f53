package provision

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture holds the direction of imports: cmd, provision, then fleet and plan, what they report, stack, the clouds with their table above them, what all clouds
// share, resource, platform, then inventory, files and remote, which know nothing of each other or of anything above.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	const cloud = "provision/provision/cloud"
	layer := func(path string) int {
		switch {
		case path == "provision/files/naming", path == "provision/inventory/strict": // for all layers
			return 0
		case path == "provision/provision/platform", path == "provision/provision/database":
			return 2
		case strings.HasPrefix(path, "provision/cmd"):
			return 11
		case path == "provision/provision":
			return 10
		case path == "provision/provision/fleet", path == "provision/provision/plan": // neither knows the other
			return 9
		case path == "provision/provision/report":
			return 8
		case path == "provision/provision/stack":
			return 7
		case path == cloud+"/clouds":
			return 6
		case strings.HasPrefix(path, cloud+"/") && strings.HasSuffix(path, "/declared"): // its tables of an inventory
			return 2
		case strings.HasPrefix(path, cloud+"/"):
			return 5
		case path == cloud:
			return 4
		case path == "provision/provision/resource":
			return 3
		case strings.HasPrefix(path, "provision/inventory"), strings.HasPrefix(path, "provision/files"), strings.HasPrefix(path, "provision/remote"):
			return 1
		}
		return 0
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "provision/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := layer(p.ImportPath)
		// remotecontract holds test cases and is linked into no binary.
		if from == 0 || p.ImportPath == "provision/remote/remotecontract" {
			continue
		}
		seen++
		for _, i := range p.Imports {
			if to := layer(i); to >= from && !strings.HasPrefix(p.ImportPath, "provision/cmd") && !belowInFiles(p.ImportPath, i) && !belowInSimulation(p.ImportPath, i) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
			if (i == "os/signal" || i == "github.com/spf13/cobra") && from != 11 {
				t.Errorf("%s imports %s, which is the command line's", p.ImportPath, i)
			}
			if i == "testing" && p.ImportPath != "provision/files/filestest" {
				t.Errorf("%s imports testing, and is linked into the binary", p.ImportPath)
			}
			if ofGeneration(i) && p.ImportPath != "provision/files" {
				t.Errorf("%s imports %s: a generation is known to the table alone", p.ImportPath, i)
			}
			if strings.HasPrefix(i, cloud+"/") && i != cloud+"/clouds" && p.ImportPath != cloud+"/clouds" && !strings.HasPrefix(i, p.ImportPath+"/") {
				t.Errorf("%s imports %s: a cloud is known to the table alone", p.ImportPath, i)
			}
			if p.ImportPath == simulation[0] && !ofBareSystem(i) {
				t.Errorf("%s imports %s: a bare system has a file tree, processes and programs, and no network", p.ImportPath, i)
			}
			if strings.HasPrefix(i, "github.com/jackc/") && p.ImportPath != "provision/provision/database" && !strings.HasPrefix(p.ImportPath, simulation[1]) {
				t.Errorf("%s imports %s, which is for the folder that speaks with databases", p.ImportPath, i)
			}
			if strings.HasPrefix(i, "github.com/digitalocean/godo") && p.ImportPath != cloud+"/digitalocean" {
				t.Errorf("%s imports %s, which is for the folder of its cloud", p.ImportPath, i)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

func ofGeneration(path string) bool {
	return strings.HasPrefix(path, "provision/files/gen") && path != "provision/files/generation"
}

// simulation is the order of imports within the simulated hosts, the lowest layer first.
var simulation = []string{"provision/remote/remotetest/unix", "provision/remote/remotetest"}

func belowInSimulation(from, to string) bool {
	at := slices.Index(simulation, to)
	return at >= 0 && at < slices.Index(simulation, from)
}

// ofBareSystem says what the lowest layer of the simulation may use: the standard library without its network, and the shell's parser.
func ofBareSystem(path string) bool {
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
		return strings.HasPrefix(path, "mvdan.cc/sh/")
	}
	return path == "net/netip" || path != "net" && !strings.HasPrefix(path, "net/") && !strings.HasPrefix(path, "provision/")
}

// belowInFiles is the order of imports within files: how things are written, what a generation is, what they share, each of them, and their table.
func belowInFiles(from, to string) bool {
	level := func(path string) int {
		switch {
		case path == "provision/files/compose", path == "provision/files/buildcontext", path == "provision/files/pki":
			return 1
		case path == "provision/files/generation":
			return 2
		case path == "provision/files/glue":
			return 3
		case ofGeneration(path):
			return 4
		case path == "provision/files":
			return 5
		}
		return 0
	}
	return level(to) > 0 && level(to) < level(from)
}
