package declared

import (
	_ "embed"

	"provision/inventory"
)

//go:embed template.toml
var template string

// Layout is an inventory of droplets.
var Layout = inventory.Layout{Name: "digitalocean", Usage: "droplets", Title: "droplets on DigitalOcean, which are created", File: "prod.toml", Text: template}
