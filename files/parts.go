package files

// prefectParts are the containers of the stack.
var prefectParts = Parts{caddyPart, serverPart, postgresPart, migratePart, agentPart, businessPart, describePart}

// PrefectParts returns the parts of the stack.
func PrefectParts() Parts { return prefectParts }

// Users of the containers. An account of a host with one of these numbers is warned of.
const (
	PrefectUID  = "10001"
	CaddyUID    = "10002"
	PostgresUID = "999"
)

func noted(text string) func(Input) string { return func(Input) string { return text } }
