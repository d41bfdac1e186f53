package digitaloceantest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// request is a call while it is served.
type request struct {
	*http.Request
	body  object
	fault Fault
}

// count is a number of the query, or the one for when there is none.
func (r *request) count(name string, or int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return or
	}
	return n
}

// id is a number of the path, 0 if it is none.
func (r *request) id(name string) int {
	n, _ := strconv.Atoi(r.PathValue(name))
	return n
}

// serve does what is the same for all calls: the log, faults, limits, who may call, and the lock.
func (c *Cloud) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(hr.Body, 1<<20))
		if err != nil {
			return // the client is gone
		}
		n := c.begin(hr, rt.pattern, raw)
		c.settle()
		text := hr.Method + " " + hr.URL.RequestURI()
		r := &request{Request: hr, fault: c.fault(text)}
		requestID := c.requestID()
		rate, a := c.spend(rt.pattern == "GET /v2/account/keys")
		struck := false
		strike := func() bool {
			f := r.fault
			if f.Do != nil {
				f.Do()
			}
			switch {
			case f.Drop:
				c.end(n, 0)
				reset(w)
				return true
			case f.Hang:
				c.end(n, 0)
				select {
				case <-hr.Context().Done():
				case <-c.closing:
				}
				panic(http.ErrAbortHandler)
			case f.Status != 0:
				a, struck = f.answer(), true
			}
			return false
		}
		if !r.fault.Late && strike() {
			return
		}
		if !struck && !a.refused() {
			if a = c.allow(hr, rt.scope); !a.refused() {
				a = c.handle(rt, r, raw)
			}
		}
		c.settle()
		if f := c.hook(); f != nil {
			f(c.end(n, a.status))
		}
		if r.fault.Late && strike() {
			return
		}
		c.end(n, a.status)
		if r.fault.Empty && a.body != nil {
			a.body = object{"links": object{}, "meta": object{}}
		}
		c.write(w, a, requestID, rate)
	}
}

func (c *Cloud) handle(rt route, r *request, raw []byte) answer {
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &r.body); err != nil {
			return refuse(http.StatusBadRequest, "The request body could not be parsed.")
		}
	}
	if a := rt.form.check(r.body); a.refused() {
		return a
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return rt.do(r)
}

// allow answers whether the token is known and has the scope.
func (c *Cloud) allow(r *http.Request, scope string) answer {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if found && token == Token {
		return answer{}
	}
	scopes, known := c.options.Tokens[token]
	if !found || !known {
		return refuse(http.StatusUnauthorized, "Unable to authenticate you.")
	}
	for _, s := range scopes {
		if s == scope || s == "project:update" && scope == "project:assign_resource" { // the one grants the other
			return answer{}
		}
	}
	return forbidden
}

// hide takes away fields that the caller has no scope to see.
func (c *Cloud) hide(r *request, o object, scopes map[string]string) {
	for field, scope := range scopes {
		if !c.may(r, scope) {
			delete(o, field)
		}
	}
}

// may tells whether the caller has a scope that only a part of the call needs.
func (c *Cloud) may(r *request, scope string) bool { return !c.allow(r.Request, scope).refused() }

// reset closes the connection so that the client sees a reset and no answer.
func reset(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	conn.Close()
}
