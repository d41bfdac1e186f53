package report

// Report is what became of an apply.
type Report struct {
	Outcomes  []Outcome `json:"outcomes"`
	Unchanged int       `json:"unchanged"`
	Rounds    int       `json:"rounds"`
	Seconds   float64   `json:"seconds"`
	URL       string    `json:"url,omitempty"`
	User      string    `json:"user,omitempty"`
	Stats     Stats     `json:"stats"`
	ExitCode  int       `json:"exit_code"`
	Errors    []*Error  `json:"errors,omitempty"`
	// Unreachable are the hosts that it went on without.
	Unreachable []Unreachable `json:"unreachable,omitempty"`
}

// Stats counts what went over the wire.
type Stats struct {
	Connections int   `json:"connections"`
	Execs       int   `json:"execs"`
	BytesIn     int64 `json:"bytes_in"`
	BytesOut    int64 `json:"bytes_out"`
}

// Outcome is what became of one change.
type Outcome struct {
	Host    string  `json:"host"`
	Stage   string  `json:"stage"`
	Step    string  `json:"step"`
	Act     string  `json:"act"`
	State   string  `json:"state"` // done, failed, skipped, unknown
	Why     string  `json:"why,omitempty"`
	Seconds float64 `json:"seconds"`
	Wire    Wire    `json:"wire"`
}

// States of an outcome.
const (
	Done    = "done"
	Failed  = "failed"
	Skipped = "skipped"
	// Unsure means that the connection ended while the change ran.
	Unsure = "unknown"
)
