package digitaloceantest

import (
	"net/http"
	"regexp"
	"slices"
)

// Call is one call that came in.
type Call struct {
	N       int // counted from 1
	Method  string
	Path    string // with its query
	Pattern string // of the path, such as "GET /v2/droplets/{droplet_id}"; "" if it is not simulated
	Body    string
	Status  int // of the answer; 0 if there was none
}

// String is what [Fault.Match] and [Cloud.Count] are held against.
func (c Call) String() string { return c.Method + " " + c.Path }

// Calls lists all calls in the order in which they came.
func (c *Cloud) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Count is how many calls match a regular expression on "METHOD /path?query".
func (c *Cloud) Count(match string) int {
	re, n := regexp.MustCompile(match), 0
	for _, call := range c.Calls() {
		if re.MatchString(call.String()) {
			n++
		}
	}
	return n
}

// Unknown lists the calls of methods and paths that are not simulated. A test that ends with an empty
// list has called nothing that was merely assumed to work.
func (c *Cloud) Unknown() []Call {
	return slices.DeleteFunc(c.Calls(), func(call Call) bool { return call.Pattern != "" })
}

// OnRequest has f called when a call has had its effect, or was refused, and is not yet answered: a
// process that f kills never learns of it. nil ends it. For a client in the test's own process, whose
// end may come after the answer, a [Fault] with Late, Drop and Do is the certain way.
func (c *Cloud) OnRequest(f func(Call)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onRequest = f
}

func (c *Cloud) hook() func(Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.onRequest
}

func (c *Cloud) begin(r *http.Request, pattern string, body []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.calls) + 1
	c.calls = append(c.calls, Call{N: n, Method: r.Method, Path: r.URL.RequestURI(), Pattern: pattern, Body: string(body)})
	return n
}

func (c *Cloud) end(n, status int) Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[n-1].Status = status
	return c.calls[n-1]
}

func (c *Cloud) requestID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uuid("request")
}
