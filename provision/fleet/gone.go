package fleet

import (
	"maps"

	"provision/provision/report"
)

// MarkGone lets the run go on without a host.
func (f *Fleet) MarkGone(host string, e *report.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone[host] = e
}

// Gone are the hosts that the run continues without, and why.
func (f *Fleet) Gone() map[string]*report.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.gone)
}

// IsGone tells whether the run goes on without a host.
func (f *Fleet) IsGone(host string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone[host] != nil
}
