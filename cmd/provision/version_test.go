package main

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildOf(t *testing.T) {
	t.Parallel()
	platform := []debug.BuildSetting{{Key: "GOARCH", Value: "arm64"}, {Key: "GOOS", Value: "darwin"}}
	with := func(more ...debug.BuildSetting) []debug.BuildSetting { return append(more, platform...) }
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{
			"release",
			debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: with(debug.BuildSetting{Key: "vcs.revision", Value: "0123abcd"}, debug.BuildSetting{Key: "vcs.modified", Value: "false"})},
			"provision  v1.2.3\ncommit     0123abcd\ngo         go1.26.8\nplatform   darwin/arm64\n",
		},
		{
			"with changes",
			debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.4-0.20261125091920-0123abcd+dirty"}, Settings: with(debug.BuildSetting{Key: "vcs.revision", Value: "0123abcd"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"})},
			"provision  v1.2.4-0.20261125091920-0123abcd+dirty\ncommit     0123abcd, with changes that are not committed\ngo         go1.26.8\nplatform   darwin/arm64\n",
		},
		{
			"outside a repository",
			debug.BuildInfo{GoVersion: "go1.26.8", Settings: platform},
			"provision  (devel)\ncommit     (not recorded)\ngo         go1.26.8\nplatform   darwin/arm64\n",
		},
	} {
		if diff := cmp.Diff(c.want, buildOf(&c.info).String()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
