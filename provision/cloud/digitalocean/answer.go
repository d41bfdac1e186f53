package digitalocean

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// kindsOf names what the last part of a path lists, in the singular; its list adds an s.
var kindsOf = map[string]string{
	"keys": "ssh_key", "actions": "action", "regions": "region", "sizes": "size", "images": "image", "tags": "tag", "vpcs": "vpc", "firewalls": "firewall", "droplets": "droplet",
	"volumes": "volume", "reserved_ips": "reserved_ip", "domains": "domain", "records": "domain_record", "projects": "project", "resources": "resource",
}

// holds names what the answer to a call that succeeds holds; "" where nobody needs it.
func holds(method, path string) string {
	parts := strings.Split(strings.Trim(path[strings.LastIndex(path, "v2/")+len("v2/"):], "/"), "/")
	last := parts[len(parts)-1]
	kind, list := kindsOf[last], method == http.MethodGet
	switch {
	case method == http.MethodDelete, parts[0] == "tags" && last == "resources": // 204
		return ""
	case last == "account", last == "policies":
		return last
	case parts[0] == "projects" && last == "resources":
		return "resources"
	case kind != "" && list:
		return kind + "s"
	case kind != "":
		return kind
	case len(parts) > 1:
		return kindsOf[parts[len(parts)-2]]
	}
	return ""
}

// incomplete says what an answer of success lacks. The library reads such an answer as an empty list, which is not an
// account without anything in it, or as nothing at all.
func incomplete(req *http.Request, status int, text []byte) error {
	what := holds(req.Method, req.URL.Path)
	if what == "" || status < 200 || status > 299 {
		return nil
	}
	var body map[string]json.RawMessage
	err := json.Unmarshal(text, &body)
	value := bytes.TrimSpace(body[what])
	if err == nil && len(value) > 0 && value[0] == '[' {
		var all []map[string]any // each is an object, and none of them null
		err = json.Unmarshal(value, &all)
		for _, one := range all {
			if one == nil {
				err = fmt.Errorf("null in a list")
			}
		}
	}
	if err != nil || len(value) == 0 || value[0] != '{' && value[0] != '[' {
		return fmt.Errorf("the API answered %d to %s %s without the %q that belongs in it", status, req.Method, req.URL.Path, what)
	}
	return nil
}
