package inventory

import (
	_ "embed"
)

// Layout is a kind of inventory that `provision init` can begin with.
type Layout struct {
	// Name is the flag that chooses it.
	Name string
	// Usage is what it is in the help, and Title in the question.
	Usage, Title string
	// File is the name that such an inventory usually has, and Text a commented one.
	File, Text string
}

//go:embed templates/single.toml
var single string

//go:embed templates/split.toml
var split string

// The layouts of machines that exist already.
var (
	LayoutSingle = Layout{"single", "server and agent on one host", "one host: server and agent together", "onprem.toml", single}
	LayoutSplit  = Layout{"split", "server and agents on hosts of their own", "several hosts: the server on one, agents on others", "onprem.toml", split}
)
