package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
)

// build is what a binary says of itself. All of it is recorded by the Go command; nothing is stamped in from outside, so two builds
// of one commit stay the same to the byte.
type build struct {
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
		Release: cmp.Or(info.Main.Version, "(devel)"), Commit: recorded["vcs.revision"], Modified: recorded["vcs.modified"] == "true",
		Go: info.GoVersion, Platform: recorded["GOOS"] + "/" + recorded["GOARCH"],
	}
}

func (build) Type() string                   { return "version" }
func (b build) Text(w io.Writer, _ ui.Style) { io.WriteString(w, b.String()) }

func (b build) String() string {
	commit := cmp.Or(b.Commit, "(not recorded)")
	if b.Modified {
		commit += ", with changes that are not committed"
	}
	return fmt.Sprintf("provision  %s\ncommit     %s\ngo         %s\nplatform   %s\n", b.Release, commit, b.Go, b.Platform)
}

func (c *cli) versionVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version, the commit, and what it was built with",
		Example: "  provision version\n  provision version --json",
	}
	return plain(c, cmd, func(context.Context, []string) (*build, error) {
		info, ok := debug.ReadBuildInfo()
		if !ok {
			return nil, errors.New("this binary has no record of its build: it was not built in module mode")
		}
		b := buildOf(info)
		return &b, nil
	})
}
