package provision

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestACloudIsAFolder: outside of provision/cloud no code names a cloud or its machines, but for these files, each for its reason.
func TestACloudIsAFolder(t *testing.T) {
	t.Parallel()
	const (
		verbs = "the verbs about droplets, which have that name for users"
		asks  = "init asks for what the template of droplets wants to know"
		says  = "the help or a message has the word, and is the same for all inventories"
		shows = "a face shows droplets and what they cost, by the keys that the JSON has"
	)
	reasons := map[string]string{
		"cmd/provision/droplet.go": verbs, "cmd/provision/droplet_destroy.go": verbs, "cmd/provision/verbs.go": verbs, "provision/droplets.go": verbs,
		"cmd/provision/init_answers.go": asks, "cmd/provision/init_items.go": asks,
		"cmd/provision/allow.go": says, "cmd/provision/destroy.go": says, "cmd/provision/apply.go": says, "cmd/provision/status.go": says, "provision/plan/saved.go": says, "provision/fleet/place.go": says,
		"provision/resource/disk.go": says, "provision/resource/metadata.go": says,
		"cmd/provision/ui/droplets.go": shows, "cmd/provision/ui/graph.go": shows, "cmd/provision/ui/place.go": shows, "cmd/provision/ui/plan.go": shows,
		"cmd/provision/ui/result.go": shows,
	}
	seen := map[string]bool{}
	for _, top := range []string{"cmd", "files", "inventory", "provision", "remote"} {
		err := filepath.WalkDir("../"+top, func(path string, d fs.DirEntry, err error) error {
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || name == "provision/cloud"):
				return filepath.SkipDir
			case d.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			seen[name] = false
			for _, word := range []string{"digitalocean", "godo", "droplet"} {
				if names(text, word) {
					seen[name] = true
					if reasons[name] == "" {
						t.Errorf("%s names %s: that is for the folder of the cloud", name, word)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, reason := range reasons {
		if !seen[name] {
			t.Errorf("%s names no cloud any more: remove it from the list (%s)", name, reason)
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
