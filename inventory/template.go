package inventory

import (
	_ "embed"
	"fmt"
)

// Layout is a kind of inventory that `provision init` can begin with.
type Layout string

// The layouts.
const (
	LayoutSingle       Layout = "single"       // both roles on one host
	LayoutSplit        Layout = "split"        // server and agents on hosts of their own
	LayoutDigitalOcean Layout = "digitalocean" // droplets to be created
)

//go:embed templates/single.toml
var single string

//go:embed templates/split.toml
var split string

//go:embed templates/digitalocean.toml
var digitalOcean string

// Template is a commented inventory of the layout and the file name that it usually has. It panics on another layout.
func Template(layout Layout) (name, text string) {
	switch layout {
	case LayoutSingle:
		return "onprem.toml", single
	case LayoutSplit:
		return "onprem.toml", split
	case LayoutDigitalOcean:
		return "prod.toml", digitalOcean
	}
	panic(fmt.Sprintf("inventory: no layout %q", layout))
}
