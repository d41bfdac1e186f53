//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// The lab's network: the machine is the gateway and the registry.
const (
	bridge = "provlab0"
	// Without an address of its own a bridge takes the lowest of its ports', which changes as hosts
	// come and go: the others then talk to a stale one for half a minute.
	bridgeMAC = "02:70:72:6f:76:01"
	gateway   = "10.77.0.1"
	network   = "10.77.0.0/24"
	prefix    = "10.77.0."
)

// rules are the firewall entries of the lab, each without its -A or -D.
var rules = [][]string{
	{"-t", "nat", "POSTROUTING", "-s", network, "!", "-d", network, "-j", "MASQUERADE"},
	{"-t", "filter", "FORWARD", "-i", bridge, "-j", "ACCEPT"},
	{"-t", "filter", "FORWARD", "-o", bridge, "-j", "ACCEPT"},
}

func iptables(ctx context.Context, verb string, rule []string) error {
	args := append([]string{"-w", "10", rule[0], rule[1], verb}, rule[2:]...)
	_, err := run(ctx, "iptables", args...)
	return err
}

// networkUp makes the bridge and the rules that are not there yet.
func networkUp(ctx context.Context) error {
	if _, err := net.InterfaceByName(bridge); err != nil {
		if _, err := run(ctx, "ip", "link", "add", bridge, "address", bridgeMAC, "type", "bridge"); err != nil {
			return err
		}
	}
	if _, err := run(ctx, "ip", "address", "replace", gateway+"/24", "dev", bridge); err != nil {
		return err
	}
	if _, err := run(ctx, "ip", "link", "set", bridge, "up"); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return fmt.Errorf("switching forwarding on: %w", err)
	}
	for _, rule := range rules {
		if iptables(ctx, "-C", rule) == nil {
			continue
		}
		verb := "-I" // before rules that others have there
		if err := iptables(ctx, verb, rule); err != nil {
			return err
		}
	}
	return nil
}

// networkDown removes what networkUp made. Forwarding stays on: others may have
// come to need it.
func networkDown(ctx context.Context) error {
	var errs []error
	for _, rule := range rules {
		for iptables(ctx, "-C", rule) == nil {
			if err := iptables(ctx, "-D", rule); err != nil {
				errs = append(errs, err)
				break
			}
		}
	}
	if _, err := net.InterfaceByName(bridge); err == nil {
		if _, err := run(ctx, "ip", "link", "delete", bridge); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// cable is what the host's interface says of itself.
type cable struct {
	Peer    int    `json:"link_index"` // the machine's end
	Address string `json:"address"`    // of the host's end
}

func (h *Host) cable(ctx context.Context) (cable, error) {
	// Asked over netlink: /sys here shows this machine's interfaces, not the
	// host's.
	out, err := h.netns(ctx, "ip", "-json", "link", "show", "dev", "host0")
	if err != nil {
		return cable{}, err
	}
	var all []cable
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return cable{}, fmt.Errorf("the interface of %s: %q (%w)", h.Name, out, err)
	}
	return all[0], nil
}

// port is the machine's end of the host's cable.
func (h *Host) port(ctx context.Context) (string, error) {
	c, err := h.cable(ctx)
	if err != nil {
		return "", err
	}
	i, err := net.InterfaceByIndex(c.Peer)
	if err != nil {
		return "", fmt.Errorf("the machine's end of the cable to %s: %w", h.Name, err)
	}
	return i.Name, nil
}

// Drop lets every packet to and from the host vanish without an answer, as a
// pulled cable does, or connects it again. What was connected stays half-open.
// It lasts until the host is started again.
func (h *Host) Drop(ctx context.Context, drop bool) error {
	port, err := h.port(ctx)
	if err != nil {
		return err
	}
	// The neighbour stays known, so that the machine's own dial waits for an
	// answer, as it does when the host is behind a router.
	if drop {
		c, err := h.cable(ctx)
		if err != nil {
			return err
		}
		if _, err := run(ctx, "ip", "neighbour", "replace", h.Address, "lladdr", c.Address, "dev", bridge, "nud", "permanent"); err != nil {
			return err
		}
		_, err = run(ctx, "ip", "link", "set", port, "nomaster")
		return err
	}
	if _, err := run(ctx, "ip", "link", "set", port, "master", bridge); err != nil {
		return err
	}
	return h.forgetNeighbour(ctx)
}

// forgetNeighbour undoes what Drop pinned; a host that starts has a new cable.
func (h *Host) forgetNeighbour(ctx context.Context) error {
	out, err := run(ctx, "ip", "neighbour", "show", h.Address, "dev", bridge)
	if err != nil || !strings.Contains(out, "PERMANENT") {
		return err
	}
	_, err = run(ctx, "ip", "neighbour", "delete", h.Address, "dev", bridge)
	return err
}

// ErrNoLatency is Latency's error where the kernel has no packet scheduler that
// can delay.
var ErrNoLatency = errors.New("this kernel cannot delay packets (sch_netem)")

// Latency adds d to every round trip to the host, from wherever; 0 takes it
// away. It lasts until the host is started again.
func (h *Host) Latency(ctx context.Context, d time.Duration) error {
	port, err := h.port(ctx)
	if err != nil {
		return err
	}
	if d == 0 {
		_, _ = run(ctx, "tc", "qdisc", "delete", "dev", port, "root") // an error when there is none
		return nil
	}
	_, err = run(ctx, "tc", "qdisc", "replace", "dev", port, "root", "netem", "delay", strconv.FormatInt(d.Microseconds(), 10)+"us")
	if err != nil && strings.Contains(err.Error(), "qdisc kind is unknown") {
		return ErrNoLatency
	}
	return err
}
