package report

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
	// Stage and Step name the resource, for change and progress.
	Stage string `json:"stage,omitempty"`
	Step  string `json:"step,omitempty"`
	Act   string `json:"act,omitempty"`
	// State of a change: start, done, failed, skipped, unknown. Of other events: start, done, failed.
	State   string  `json:"state,omitempty"`
	Text    string  `json:"text,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Round   int     `json:"round,omitempty"`
	// Progress is how far a change is, where that is known as a number.
	Progress *Progress `json:"progress,omitempty"`
	// Wire is what a change that ended, or an observation, cost on the host's connection.
	Wire *Wire `json:"wire,omitempty"`
	// Plan and Report are set in the events of their names.
	Plan   *Plan   `json:"plan,omitempty"`
	Report *Report `json:"report,omitempty"`
}

// Progress is a part of a whole.
type Progress struct {
	What  string `json:"what"` // upload, pull, build
	Unit  string `json:"unit"` // bytes, layers, steps
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
	// Bytes fetched so far, if known and Unit is not bytes.
	Bytes int64 `json:"bytes,omitempty"`
}

// Wire counts what went over a host's connection: requests that were waited for, and bytes.
type Wire struct {
	RoundTrips int   `json:"round_trips"`
	BytesIn    int64 `json:"bytes_in"`
	BytesOut   int64 `json:"bytes_out"`
}
