package provision

import (
	"time"
)

// EventVersion is the version of the stream of events.
const EventVersion = 1

// Event is one thing that happened. The engine tells events and never prints; text, live board and
// JSON are made from the same stream. Text in it is already safe to show and never secret.
type Event struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	// Type is one of: connect, observe, plan, lock, round, change, progress, note, verify, report.
	Type string `json:"type"`
	Host string `json:"host,omitempty"`
	// Step names the resource, for change and progress.
	Step string `json:"step,omitempty"`
	Act  string `json:"act,omitempty"`
	// State of a change: start, done, failed, skipped. Of other events: start, done, failed.
	State   string  `json:"state,omitempty"`
	Text    string  `json:"text,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Round   int     `json:"round,omitempty"`
	// Plan and Report are set in the events of their names.
	Plan   *Plan   `json:"plan,omitempty"`
	Report *Report `json:"report,omitempty"`
}

func (p *Pass) emit(e Event) {
	if p.Events == nil {
		return
	}
	e.Version, e.Time = EventVersion, time.Now().UTC()
	p.eventMu.Lock()
	defer p.eventMu.Unlock()
	p.Events(e)
}
