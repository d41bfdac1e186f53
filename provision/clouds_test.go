package provision

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestACloudIsAFolder: outside of its folder and its row a cloud is named in no code but what has still to move there: its tables in
// the inventory, and the verbs and questions that are about it.
func TestACloudIsAFolder(t *testing.T) {
	t.Parallel()
	still := []string{
		"cmd/provision/droplet.go", "cmd/provision/droplet_destroy.go", "cmd/provision/init.go", "cmd/provision/init_answers.go", "cmd/provision/init_items.go",
		"cmd/provision/ui/place.go",
		"inventory/digitalocean.go", "inventory/digitalocean_tags.go", "inventory/host.go", "inventory/inventory.go", "inventory/load.go",
		"inventory/template.go", "inventory/tls.go",
		"provision/droplets.go",
	}
	var found []string
	for _, top := range []string{"cmd", "files", "inventory", "provision", "remote"} {
		err := filepath.WalkDir("../"+top, func(path string, d fs.DirEntry, err error) error {
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || name == "provision/cloud/digitalocean"):
				return filepath.SkipDir
			case d.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"), name == "provision/cloud/clouds/clouds.go":
				return nil
			}
			if text, err := os.ReadFile(path); err != nil {
				return err
			} else if names(text, "digitalocean") || names(text, "godo") {
				found = append(found, name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range found {
		if !slices.Contains(still, name) {
			t.Errorf("%s names a cloud: that is for the cloud's folder", name)
		}
	}
	for _, name := range still {
		if !slices.Contains(found, name) {
			t.Errorf("%s names no cloud any more: take it off the list", name)
		}
	}
}

// names tells whether a word is in the identifiers or the strings of a Go file, in any case; what comments say does not count.
func names(text []byte, word string) bool {
	files := token.NewFileSet()
	var s scanner.Scanner
	s.Init(files.AddFile("", files.Base(), len(text)), text, nil, 0)
	for {
		_, tok, literal := s.Scan()
		if tok == token.EOF {
			return false
		}
		if (tok == token.IDENT || tok == token.STRING) && strings.Contains(strings.ToLower(literal), word) {
			return true
		}
	}
}
