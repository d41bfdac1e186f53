package digitalocean

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// about is a wait of our own choosing, not the same for everybody.
func about(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// caller carries out single calls.
type caller struct {
	token, host    string
	timeout, pause time.Duration
	transport      *http.Transport
	held           func(why string, wait time.Duration)

	mu                sync.Mutex
	left, limit, made int
	told              map[string]time.Time // until when the same is not told again
}

// RoundTrip sends a call, again where that cannot do harm. The limiter's 429 stands before the API itself: what it answers
// to has not been done, so a create may follow it, too.
func (c *caller) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != c.host {
		return nil, errors.New("the API named another host; the token stays here")
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	wait := c.pause
	for try := 1; ; try++ {
		resp, err := c.once(req, body)
		limited := err == nil && resp.StatusCode == http.StatusTooManyRequests
		failed := err != nil || resp.StatusCode >= 500
		if try == attempts || req.Context().Err() != nil || !limited && (!failed || req.Method == http.MethodPost) {
			return resp, err
		}
		hold := about(wait)
		if err == nil {
			if seconds, problem := strconv.Atoi(resp.Header.Get("Retry-After")); problem == nil && seconds > 0 {
				hold = time.Duration(seconds)*time.Second + rand.N(c.pause+1)
			}
		}
		if hold > longestHold+c.pause {
			return resp, err
		}
		c.tell(req, resp, err, hold)
		if problem := sleep(req.Context(), hold); problem != nil {
			return nil, problem
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// tell says why the next try of a call waits. Many calls that wait for the same are told of once.
func (c *caller) tell(req *http.Request, resp *http.Response, err error, hold time.Duration) {
	why := ""
	switch {
	case err != nil:
		why = err.Error() + "; trying again"
	case resp.Header.Get("Retry-After") != "":
		why = "the API asks to wait " + inWords(hold)
	default:
		why = fmt.Sprintf("the API answered %d to %s %s; trying again", resp.StatusCode, req.Method, req.URL.Path)
	}
	c.mu.Lock()
	quiet := time.Now().Before(c.told[why])
	if !quiet {
		c.told[why] = time.Now().Add(hold / 2)
	}
	c.mu.Unlock()
	if !quiet {
		c.held(why, hold)
	}
}

func inWords(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d min", (d+30*time.Second)/time.Minute)
}

// once reads the whole answer, so that one that is cut off is an error of the call and tried again with it.
func (c *caller) once(req *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), c.timeout, fmt.Errorf("no answer within %s", c.timeout))
	defer cancel()
	one := req.Clone(ctx)
	one.Header.Set("Authorization", "Bearer "+c.token)
	if req.Body != nil {
		one.Body = io.NopCloser(bytes.NewReader(body))
		// A GetBody would let the transport send a create again by itself.
		one.GetBody = nil
	}
	resp, err := c.transport.RoundTrip(one)
	if err != nil {
		return nil, cmp.Or(timedOut(ctx), err)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if err != nil {
		return nil, cmp.Or(timedOut(ctx), err)
	}
	if err := incomplete(req, resp.StatusCode, text); err != nil {
		return nil, err
	}
	// What an answer says is shown in errors, and somebody in between may quote what was sent.
	text = bytes.ReplaceAll(text, []byte(c.token), []byte("[secret]"))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	// What is kept of the request is shown in errors.
	resp.Request = req
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	if left, err := strconv.Atoi(resp.Header.Get("Ratelimit-Remaining")); err == nil {
		c.left = left
		c.limit, _ = strconv.Atoi(resp.Header.Get("Ratelimit-Limit"))
	}
	return resp, nil
}

func timedOut(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
