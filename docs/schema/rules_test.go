package schema

import (
	"github.com/invopop/jsonschema"

	"provision/inventory"
	"provision/provision/stack"
)

// The rules say no more than what both loaders refuse, which agree_test.go and refused_test.go hold.
var (
	role = oneOf(inventory.RoleServer, inventory.RoleAgent)

	inventoryRules = map[string]rule{
		"tls.mode":              oneOf(inventory.TLSInternal, inventory.TLSACME, inventory.TLSFiles, inventory.TLSOff),
		"ssh.host_key_checking": oneOf("strict", "accept-new"),
		"sudo.password":         oneForm,

		"hosts":               named,
		"hosts.*":             needs("address", "roles"),
		"hosts.*.address":     notEmpty,
		"hosts.*.port":        from("1", "65535"),
		"hosts.*.roles":       different,
		"hosts.*.roles[]":     role,
		"hosts.*.concurrency": from("1", ""),
		"hosts.*.queues":      different,
		"hosts.*.queues[]":    queue,

		"digitalocean":             needs("name", "region", "ssh_keys", "admin_cidrs"),
		"digitalocean.name":        pattern(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`),
		"digitalocean.token":       oneForm,
		"digitalocean.region":      notEmpty,
		"digitalocean.ssh_keys":    notEmpty,
		"digitalocean.admin_cidrs": notEmpty,

		"droplets":               named,
		"droplets.*":             needs("roles"),
		"droplets.*.roles":       different,
		"droplets.*.roles[]":     role,
		"droplets.*.count":       from("1", "500"),
		"droplets.*.concurrency": from("1", ""),
		"droplets.*.queues":      different,
		"droplets.*.queues[]":    queue,
	}

	stackRules = map[string]rule{
		"name":            pattern(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`),
		"prefect.version": oneOf(versions()...),
		"prefect.image":   notEmpty,
		"postgres.image":  notEmpty,
		"caddy.image":     notEmpty,

		"ui.user":           pattern(`^[A-Za-z0-9._@][A-Za-z0-9._@-]{0,63}$`),
		"postgres.url":      oneForm,
		"ui.password":       oneForm,
		"agent.concurrency": from("1", ""),
		"agent.queues":      different,
		"agent.queues[]":    queue,

		"business_logic.execution": oneOf(stack.ExecutionBridge, stack.ExecutionServe),
		"business_logic.api":       oneOf(stack.APIFlows, stack.APIAll),
		"business_logic.cut_runs":  oneOf(stack.CutCrash, stack.CutRetry),

		"business_logic.pickled_results": oneOf(stack.PicklesOwn, stack.PicklesAny),

		"deployments[]":      needs("flow"),
		"deployments[].flow": pattern(`^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$`),
		"deployments[].schedule": func(s *jsonschema.Schema) {
			s.OneOf = []*jsonschema.Schema{{Required: []string{"cron"}}, {Required: []string{"interval"}}}
		},

		"scale.servers": from("1", "8"),

		"backup.repository":   pattern(`^/[A-Za-z0-9._/@+-]+$`),
		"backup.at":           pattern(`^([01][0-9]|2[0-3]):[0-5][0-9]$`),
		"backup.verify":       oneOf(stack.VerifyDaily, stack.VerifyWeekly, stack.VerifyNever),
		"backup.keep.daily":   from("0", "1000"),
		"backup.keep.weekly":  from("0", "1000"),
		"backup.keep.monthly": from("0", "1000"),
		"backup.image":        notEmpty,

		"docker.key":    pattern(`^(0[xX])?( *[0-9A-Fa-f]){40} *$`),
		"docker.source": oneOf(stack.DockerAuto, stack.DockerOfficial, stack.DockerDistro, stack.DockerPresent),
	}
)

func versions() (all []any) {
	for _, v := range stack.Versions() {
		all = append(all, v)
	}
	return all
}
