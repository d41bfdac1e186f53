package report

import "provision/remote"

func WireOf(s remote.Stats) Wire {
	return Wire{RoundTrips: s.Execs + s.Scripts + s.SFTPOps, BytesIn: s.BytesIn, BytesOut: s.BytesOut}
}

func (w Wire) Minus(v Wire) Wire {
	return Wire{w.RoundTrips - v.RoundTrips, w.BytesIn - v.BytesIn, w.BytesOut - v.BytesOut}
}
