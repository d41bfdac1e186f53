package resource

import (
	"embed"

	"provision/remote"
)

//go:embed *.sh
var files embed.FS

// scripts are the shell of this package. Those named KIND_probe are fragments of the observing script, those named KIND_change carry
// out a change; the others define functions for them, or are a step of a change.
var scripts = remote.ReadScripts(files)
