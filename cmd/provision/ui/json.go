package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"provision/provision/report"
)

// JSON is the face for programs: one event a line. Remarks go to another stream.
type JSON struct {
	mu      sync.Mutex
	enc     *json.Encoder
	remarks io.Writer
}

var _ Face = (*JSON)(nil)

// NewJSON writes events to out and remarks to remarks.
func NewJSON(out, remarks io.Writer) *JSON {
	return &JSON{enc: json.NewEncoder(out), remarks: remarks}
}

func (j *JSON) Event(e report.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.enc.Encode(e)
}

func (j *JSON) Say(text string)  { fmt.Fprintln(j.remarks, text) }
func (j *JSON) Pause()           {}
func (j *JSON) Question() func() { return func() {} }
func (j *JSON) Close()           {}

// ErrorsJSON writes one line for each error.
func ErrorsJSON(w io.Writer, err error) {
	enc := json.NewEncoder(w)
	for _, e := range report.Errors(err) {
		enc.Encode(struct {
			Version int    `json:"version"`
			Type    string `json:"type"`
			*report.Error
		}{report.EventVersion, "error", e})
	}
}
