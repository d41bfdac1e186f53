package files

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Daemon is daemon.json of an engine that provision installed. An engine that was there before keeps its own.
type Daemon struct {
	Avoid   []netip.Prefix // networks that the engine's own address pool must not touch: the stack's subnets, those of the host
	Proxy   string
	NoProxy []string
}

// Render is pure and deterministic. It fails if every candidate for the address pool touches a network of Avoid.
func (d Daemon) Render() ([]byte, error) {
	pool, err := d.pool()
	if err != nil {
		return nil, err
	}
	type addressPool struct {
		Base string `json:"base"`
		Size int    `json:"size"`
	}
	type proxies struct {
		HTTP    string `json:"http-proxy"`
		HTTPS   string `json:"https-proxy"`
		NoProxy string `json:"no-proxy,omitempty"`
	}
	settings := struct {
		LogDriver string            `json:"log-driver"`
		LogOpts   map[string]string `json:"log-opts"`
		// Containers outlive a restart of the engine, as an upgrade makes one.
		LiveRestore bool          `json:"live-restore"`
		Pools       []addressPool `json:"default-address-pools"`
		Proxies     *proxies      `json:"proxies,omitempty"`
	}{
		LogDriver:   "local",
		LogOpts:     map[string]string{"max-size": "10m", "max-file": "5"},
		LiveRestore: true,
		Pools:       []addressPool{{Base: pool.String(), Size: 24}},
	}
	if d.Proxy != "" {
		settings.Proxies = &proxies{HTTP: d.Proxy, HTTPS: d.Proxy, NoProxy: strings.Join(d.NoProxy, ",")}
	}
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render daemon.json: %w", err)
	}
	return append(text, '\n'), nil
}

// pool is the first of the networks 10.211.0.0/16 to 10.254.0.0/16 that touches none of Avoid, then of 172.20.0.0/16 to 172.31.0.0/16.
func (d Daemon) pool() (netip.Prefix, error) {
	touched := func(p netip.Prefix) bool {
		return slices.ContainsFunc(d.Avoid, func(other netip.Prefix) bool { return other.Masked().Overlaps(p) })
	}
	for _, candidates := range []struct{ net, first, last byte }{{10, 211, 254}, {172, 20, 31}} {
		for second := candidates.first; second <= candidates.last; second++ {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{candidates.net, second, 0, 0}), 16)
			if !touched(p) {
				return p, nil
			}
		}
	}
	return netip.Prefix{}, fmt.Errorf("no network is left for the engine's own address pool: all candidates overlap with others")
}
