package ui

import (
	"sync"

	"provision/provision/report"
)

// Face shows a stream of events while work is going on. Its methods may be called concurrently.
type Face interface {
	// Event shows one event.
	Event(report.Event)
	// Say shows a remark of the program itself.
	Say(text string)
	// Pause leaves the terminal to somebody else, for a question or a result, until the next event.
	Pause()
	// Question is Pause until the returned function is called, whatever events come meanwhile.
	Question() (answered func())
	// Close is Pause for good.
	Close()
}

// Hand knows which changes are in hand. Its zero value is ready to use, concurrently.
type Hand struct {
	mu      sync.Mutex
	changes []report.Event
}

// Event takes note of what begins and of what ends.
func (h *Hand) Event(e report.Event) {
	if e.Type != "change" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, c := range h.changes {
		if c.Host == e.Host && c.Step == e.Step {
			h.changes = append(h.changes[:i:i], h.changes[i+1:]...)
			break
		}
	}
	if e.State == "start" {
		h.changes = append(h.changes, e)
	}
}

// Changes are the changes in hand, each as "add image caddy:2 on prefect", the first one first.
func (h *Hand) Changes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]string, len(h.changes))
	for i, c := range h.changes {
		out[i] = c.Act + " " + c.Step + " on " + c.Host
	}
	return out
}
