package report

import "provision/provision/resource"

// Stages are the parts of the work on a host, in the order in which they are shown. Work itself
// follows the graph of needs, so a host can return to an earlier stage.
var Stages = []string{"cloud", "system", "network", "images", "files", "secrets", "data", "services", "prefect", "cleanup"}

// stage says to which part of the work a change belongs.
func StageOf(c resource.Change) string {
	switch {
	case c.ID.Host == "":
		return "cloud"
	case c.Act == resource.Remove:
		return "cleanup"
	}
	switch c.ID.Kind {
	case "network", "networks":
		return "network"
	case "image":
		return "images"
	case "file":
		return "files"
	case "secret", "authority":
		return "secrets"
	case "volume", "database":
		return "data"
	case "container", "caddy", "stop":
		return "services"
	case "pool", "deployments", "prefect", "route":
		return "prefect"
	}
	return "system"
}
