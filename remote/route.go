package remote

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// route is the hops on the way to the target, the target last.
func (d *Dialer) route(ctx context.Context, t Target) ([]*hop, error) {
	last, err := d.resolve(ctx, t)
	if err != nil {
		return nil, err
	}
	hops := []*hop{last}
	const limit = 8
	for jump := last.jump; jump != ""; {
		specs := strings.Split(jump, ",")
		via := make([]*hop, 0, len(specs))
		for i, spec := range specs {
			h, err := d.resolveJump(ctx, spec, strings.Join(specs[:i], ","), t)
			if err != nil {
				return nil, fmt.Errorf("jump host %q: %w", spec, err)
			}
			if i > 0 {
				h.jump = "" // the chain says how it is reached
			}
			h.label = fmt.Sprintf("%s (jump %s)", last.label, h.addr())
			via = append(via, h)
		}
		hops = append(via, hops...)
		if len(hops) > limit {
			return nil, fmt.Errorf("more than %d jump hosts, is there a loop in ssh_config?", limit-1)
		}
		jump = via[0].jump
	}
	return hops, nil
}

// resolveJump resolves a jump host like a target of its own, reached through the
// ones before it.
func (d *Dialer) resolveJump(ctx context.Context, spec, through string, t Target) (*hop, error) {
	j, err := jumpTarget(spec)
	if err != nil {
		return nil, err
	}
	j.Jump, j.IdentityFile, j.KnownHosts, j.HostKeyChecking, j.ConnectTimeout = through, t.IdentityFile, t.KnownHosts, t.HostKeyChecking, t.ConnectTimeout
	return d.resolve(ctx, j)
}

// jumpTarget reads [ssh://][user@]host[:port].
func jumpTarget(spec string) (j Target, err error) {
	spec = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(spec), "ssh://"), "/")
	if at := strings.LastIndexByte(spec, '@'); at >= 0 {
		j.User, spec = spec[:at], spec[at+1:]
		if j.User == "" {
			return j, errors.New("empty user")
		}
	}
	j.Address = spec
	// A bare IPv6 literal has several colons and no port.
	if strings.HasPrefix(spec, "[") || strings.Count(spec, ":") == 1 {
		end := strings.LastIndexByte(spec, ':')
		if end > strings.LastIndexByte(spec, ']') {
			port, err := strconv.Atoi(spec[end+1:])
			if err != nil || port < 1 || port > 65535 {
				return j, fmt.Errorf("port %q is out of range", spec[end+1:])
			}
			j.Address, j.Port = spec[:end], port
		}
	}
	return j, nil
}
