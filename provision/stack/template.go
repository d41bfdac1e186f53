package stack

import _ "embed"

//go:embed stack.toml
var template string

// Template is the default stack as a file, with every key explained, for `provision init`.
func Template() string { return template }
