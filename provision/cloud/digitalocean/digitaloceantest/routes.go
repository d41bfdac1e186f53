package digitaloceantest

import (
	"net/http"
)

// route is a call that is simulated: who may make it, what its body has, and what it does.
type route struct {
	pattern, scope string
	form           form
	do             func(*request) answer
}

func (c *Cloud) router() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range c.routes() {
		mux.HandleFunc(rt.pattern, c.serve(rt))
	}
	mux.HandleFunc("/", c.serve(route{do: func(*request) answer { return notFound }}))
	return mux
}

func (c *Cloud) routes() []route {
	tags := form{"tags": "[]string!?"}
	firewall := form{"name": "string!", "inbound_rules": "[]object?", "outbound_rules": "[]object?", "droplet_ids": "[]integer?", "tags": "[]string?"}
	rules := form{"inbound_rules": "[]object?", "outbound_rules": "[]object?"}
	volume := form{"name": "string!", "region": "string!", "size_gigabytes": "integer!", "description": "string", "snapshot_id": "string", "filesystem_type": "string", "filesystem_label": "string", "tags": "[]string?"}
	record := form{"type": "string!", "name": "string", "data": "string", "ttl": "integer", "priority": "integer?", "port": "integer?", "weight": "integer?", "flags": "integer?", "tag": "string?"}
	project := form{"name": "string", "purpose": "string", "description": "string", "environment": "string"}
	kind := form{"type": "string!"}
	return []route{
		{"GET /v2/account", "account:read", nil, c.getAccount},
		{"GET /v2/account/keys", "ssh_key:read", nil, c.listKeys},
		{"POST /v2/account/keys", "ssh_key:create", form{"name": "string!", "public_key": "string!"}, c.createKey},
		{"GET /v2/account/keys/{key}", "ssh_key:read", nil, c.getKey},
		{"PUT /v2/account/keys/{key}", "ssh_key:update", form{"name": "string"}, c.renameKey},
		{"DELETE /v2/account/keys/{key}", "ssh_key:delete", nil, c.deleteKey},

		{"GET /v2/actions", "actions:read", nil, c.listActions},
		{"GET /v2/actions/{action_id}", "actions:read", nil, c.getAction},
		{"GET /v2/regions", "regions:read", nil, c.listRegions},
		{"GET /v2/sizes", "sizes:read", nil, c.listSizes},
		{"GET /v2/images", "image:read", nil, c.listImages},
		{"GET /v2/images/{image_id}", "image:read", nil, c.getImage},

		{"GET /v2/tags", "tag:read", nil, c.listTags},
		{"POST /v2/tags", "tag:create", form{"name": "string!"}, c.createTag},
		{"GET /v2/tags/{tag}", "tag:read", nil, c.getTag},
		{"DELETE /v2/tags/{tag}", "tag:delete", nil, c.deleteTag},
		{"POST /v2/tags/{tag}/resources", "tag:create", form{"resources": "[]object!"}, c.tagResources},
		{"DELETE /v2/tags/{tag}/resources", "tag:delete", form{"resources": "[]object!"}, c.tagResources},

		{"GET /v2/vpcs", "vpc:read", nil, c.listVPCs},
		{"POST /v2/vpcs", "vpc:create", form{"name": "string!", "region": "string!", "description": "string", "ip_range": "string"}, c.createVPC},
		{"GET /v2/vpcs/{vpc}", "vpc:read", nil, c.getVPC},
		{"PUT /v2/vpcs/{vpc}", "vpc:update", form{"name": "string!", "description": "string", "default": "boolean"}, c.editVPC},
		{"PATCH /v2/vpcs/{vpc}", "vpc:update", form{"name": "string", "description": "string", "default": "boolean"}, c.editVPC},
		{"DELETE /v2/vpcs/{vpc}", "vpc:delete", nil, c.deleteVPC},
		{"GET /v2/vpcs/{vpc}/members", "vpc:read", nil, c.listMembers},

		{"GET /v2/firewalls", "firewall:read", nil, c.listFirewalls},
		{"POST /v2/firewalls", "firewall:create", firewall, c.createFirewall},
		{"GET /v2/firewalls/{firewall}", "firewall:read", nil, c.getFirewall},
		{"PUT /v2/firewalls/{firewall}", "firewall:update", firewall, c.replaceFirewall},
		{"DELETE /v2/firewalls/{firewall}", "firewall:delete", nil, c.deleteFirewall},
		{"POST /v2/firewalls/{firewall}/tags", "firewall:update", tags, c.firewallTags},
		{"DELETE /v2/firewalls/{firewall}/tags", "firewall:update", tags, c.firewallTags},
		{"POST /v2/firewalls/{firewall}/droplets", "firewall:update", form{"droplet_ids": "[]integer!"}, c.firewallDroplets},
		{"DELETE /v2/firewalls/{firewall}/droplets", "firewall:update", form{"droplet_ids": "[]integer!"}, c.firewallDroplets},
		{"POST /v2/firewalls/{firewall}/rules", "firewall:update", rules, c.firewallRules},
		{"DELETE /v2/firewalls/{firewall}/rules", "firewall:update", rules, c.firewallRules},

		{"GET /v2/droplets", "droplet:read", nil, c.listDroplets},
		{"POST /v2/droplets", "droplet:create", dropletForm(), c.createDroplet},
		{"GET /v2/droplets/backups/policies", "droplet:read", nil, c.listBackupPolicies},
		{"DELETE /v2/droplets", "droplet:delete", nil, c.deleteDroplets},
		{"GET /v2/droplets/{droplet_id}", "droplet:read", nil, c.getDroplet},
		{"DELETE /v2/droplets/{droplet_id}", "droplet:delete", nil, c.deleteDroplet},
		{"GET /v2/droplets/{droplet_id}/firewalls", "firewall:read", nil, c.firewallsOf},
		{"GET /v2/droplets/{droplet_id}/actions", "droplet:read", nil, c.dropletActions},
		{"POST /v2/droplets/{droplet_id}/actions", "droplet:update", kind, c.actOnDroplet},
		{"GET /v2/droplets/{droplet_id}/actions/{action_id}", "droplet:read", nil, c.dropletAction},
		{"POST /v2/droplets/actions", "droplet:update", kind, c.actOnDroplets},

		{"GET /v2/volumes", "block_storage:read", nil, c.listVolumes},
		{"POST /v2/volumes", "block_storage:create", volume, c.createVolume},
		{"DELETE /v2/volumes", "block_storage:delete", nil, c.deleteVolumeByName},
		{"POST /v2/volumes/actions", "block_storage_action:create", kind, c.actOnVolumeByName},
		{"GET /v2/volumes/{volume_id}", "block_storage:read", nil, c.getVolume},
		{"DELETE /v2/volumes/{volume_id}", "block_storage:delete", nil, c.deleteVolume},
		{"GET /v2/volumes/{volume_id}/actions", "block_storage_action:read", nil, c.volumeActions},
		{"POST /v2/volumes/{volume_id}/actions", "block_storage_action:create", kind, c.actOnVolume},
		{"GET /v2/volumes/{volume_id}/actions/{action_id}", "block_storage_action:read", nil, c.volumeAction},

		{"GET /v2/reserved_ips", "reserved_ip:read", nil, c.listReservedIPs},
		{"POST /v2/reserved_ips", "reserved_ip:create", form{"droplet_id": "integer", "region": "string", "project_id": "string"}, c.createReservedIP},
		{"GET /v2/reserved_ips/{ip}", "reserved_ip:read", nil, c.getReservedIP},
		{"DELETE /v2/reserved_ips/{ip}", "reserved_ip:delete", nil, c.deleteReservedIP},
		{"GET /v2/reserved_ips/{ip}/actions", "reserved_ip:read", nil, c.reservedIPActions},
		{"POST /v2/reserved_ips/{ip}/actions", "reserved_ip:update", kind, c.actOnReservedIP},
		{"GET /v2/reserved_ips/{ip}/actions/{action_id}", "reserved_ip:read", nil, c.reservedIPAction},

		{"GET /v2/domains", "domain:read", nil, c.listDomains},
		{"POST /v2/domains", "domain:create", form{"name": "string!", "ip_address": "string"}, c.createDomain},
		{"GET /v2/domains/{domain}", "domain:read", nil, c.getDomain},
		{"DELETE /v2/domains/{domain}", "domain:delete", nil, c.deleteDomain},
		{"GET /v2/domains/{domain}/records", "domain:read", nil, c.listRecords},
		{"POST /v2/domains/{domain}/records", "domain:create", record, c.createRecord},
		{"GET /v2/domains/{domain}/records/{record}", "domain:read", nil, c.getRecord},
		{"PUT /v2/domains/{domain}/records/{record}", "domain:update", record, c.editRecord},
		{"PATCH /v2/domains/{domain}/records/{record}", "domain:update", record, c.editRecord},
		{"DELETE /v2/domains/{domain}/records/{record}", "domain:delete", nil, c.deleteRecord},

		{"GET /v2/projects", "project:read", nil, c.listProjects},
		{"POST /v2/projects", "project:create", project, c.createProject},
		{"GET /v2/projects/{project}", "project:read", nil, c.getProject},
		{"PUT /v2/projects/{project}", "project:update", form{"name": "string!", "purpose": "string!", "description": "string!", "environment": "string!", "is_default": "boolean!"}, c.editProject},
		{"PATCH /v2/projects/{project}", "project:update", form{"name": "string?", "purpose": "string?", "description": "string?", "environment": "string?"}, c.editProject},
		{"DELETE /v2/projects/{project}", "project:delete", nil, c.deleteProject},
		{"GET /v2/projects/{project}/resources", "project:read", nil, c.listAssigned},
		{"POST /v2/projects/{project}/resources", "project:assign_resource", form{"resources": "[]string!"}, c.assignResources},
	}
}
