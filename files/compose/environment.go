package compose

import (
	"maps"
	"strings"
)

// Overlay gives the union of maps; of a key in several, the last counts.
func Overlay(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// ProxyEnvironment is what programs read to find the way out; direct are names that are never asked for there.
func ProxyEnvironment(proxy string, noProxy []string, direct ...string) map[string]string {
	if proxy == "" {
		return nil
	}
	exempt := strings.Join(append(append([]string{"localhost", "127.0.0.1"}, direct...), noProxy...), ",")
	env := map[string]string{}
	for name, value := range map[string]string{"http_proxy": proxy, "https_proxy": proxy, "no_proxy": exempt} {
		env[name], env[strings.ToUpper(name)] = value, value
	}
	return env
}
