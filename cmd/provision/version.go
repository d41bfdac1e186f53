package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"provision/provision"
)

// build is what a binary says of itself. All of it is recorded by the Go command; nothing is stamped in from outside, so two builds
// of one commit stay the same to the byte.
type build struct {
	Version  int    `json:"version"`
	Type     string `json:"type"`
	Release  string `json:"release"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildOf(info *debug.BuildInfo) build {
	recorded := map[string]string{}
	for _, s := range info.Settings {
		recorded[s.Key] = s.Value
	}
	return build{
		Version: provision.EventVersion, Type: "version",
		Release: cmp.Or(info.Main.Version, "(devel)"), Commit: recorded["vcs.revision"], Modified: recorded["vcs.modified"] == "true",
		Go: info.GoVersion, Platform: recorded["GOOS"] + "/" + recorded["GOARCH"],
	}
}

func (b build) String() string {
	commit := cmp.Or(b.Commit, "(not recorded)")
	if b.Modified {
		commit += ", with changes that are not committed"
	}
	return fmt.Sprintf("provision  %s\ncommit     %s\ngo         %s\nplatform   %s\n", b.Release, commit, b.Go, b.Platform)
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version, the commit, and what it was built with",
		Example: "  provision version\n  provision version --json",
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return errors.New("this binary has no record of its build: it was not built in module mode")
			}
			if c.json {
				return json.NewEncoder(c.stdout).Encode(buildOf(info))
			}
			_, err := fmt.Fprint(c.stdout, buildOf(info))
			return err
		},
	}
}
