package provision

import "provision/remote"

// wire is what the connection to a host has carried so far.
func (p *Pass) wire(host string) Wire {
	p.connMu.Lock()
	c := p.conns[host]
	p.connMu.Unlock()
	if c == nil {
		return Wire{}
	}
	return wireOf(c.Stats())
}

func wireOf(s remote.Stats) Wire {
	return Wire{RoundTrips: s.Execs + s.Scripts + s.SFTPOps, BytesIn: s.BytesIn, BytesOut: s.BytesOut}
}

func (w Wire) minus(v Wire) Wire {
	return Wire{w.RoundTrips - v.RoundTrips, w.BytesIn - v.BytesIn, w.BytesOut - v.BytesOut}
}
