package inventory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/godo"
)

// Account is an account of DigitalOcean, asked through its API. Reads, deletions and whole replacements are tried again with
// back-off; what creates is sent once, since its effect may be there although its reply was lost.
type Account struct {
	*godo.Client
	// Pause is the first of the waits between two looks at something that is under way; they grow fivefold.
	Pause time.Duration
	// Deadline bounds each such wait as a whole.
	Deadline time.Duration

	// Held hears of each wait before a call is made again, once where many calls wait for the same; nil: nobody does.
	Held func(why string, wait time.Duration)

	calls *caller
}

const (
	callTimeout  = 40 * time.Second
	firstPause   = 2 * time.Second
	waitDeadline = 15 * time.Minute
	attempts     = 6
	// longestHold is the longest that a retry-after is obeyed: more is told to the operator instead.
	longestHold = 10 * time.Minute
	maxAnswer   = 32 << 20
)

// Pace says how patiently an account is asked; zero values are the usual ones. Tests have less time.
type Pace struct{ Call, Pause, Deadline time.Duration }

// Account makes the account's client. Relative paths of the token's file count from dir. Errors never hold the token.
func (d *DigitalOcean) Account(ctx context.Context, dir string, pace Pace) (*Account, error) {
	token := d.Token
	if !token.Set() {
		token.Env = "DIGITALOCEAN_TOKEN"
		if os.Getenv(token.Env) == "" {
			token.Env = "DIGITALOCEAN_ACCESS_TOKEN"
		}
	}
	value, err := token.Resolve(ctx, dir)
	switch {
	case err != nil && d.Token.Set():
		return nil, fmt.Errorf("digitalocean.token: %w", err)
	case err != nil:
		return nil, errors.New("no token: neither digitalocean.token nor DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN in the environment is set")
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("digitalocean.token: has characters that no token has")
	}
	endpoint, err := url.Parse(cmp.Or(d.APIURL, os.Getenv("DIGITALOCEAN_API_URL"), "https://api.digitalocean.com"))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" {
		return nil, errors.New("DIGITALOCEAN_API_URL is not a url")
	}
	a := &Account{Pause: cmp.Or(pace.Pause, firstPause), Deadline: cmp.Or(pace.Deadline, waitDeadline)}
	a.calls = &caller{
		told: map[string]time.Time{},
		held: func(why string, wait time.Duration) {
			if a.Held != nil {
				a.Held(why, wait)
			}
		},
		token: value, host: endpoint.Host, timeout: cmp.Or(pace.Call, callTimeout), pause: min(a.Pause, time.Second),
		transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute},
	}
	a.Client, err = godo.New(&http.Client{
		Transport: a.calls,
		// A redirect would take the token elsewhere; the API has none.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, godo.SetBaseURL(strings.TrimSuffix(endpoint.String(), "/")+"/"), godo.SetUserAgent("provision"))
	return a, err
}

// Close ends the idle connections.
func (a *Account) Close() { a.calls.transport.CloseIdleConnections() }

// Budget is how many calls the account has left this hour, of how many, and how many were made here.
func (a *Account) Budget() (left, limit, made int) {
	a.calls.mu.Lock()
	defer a.calls.mu.Unlock()
	return a.calls.left, a.calls.limit, a.calls.made
}

// Refused tells whether the API has judged a call and not carried it out. Any other error leaves open whether it took effect.
func Refused(err error) bool {
	status := Status(err)
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}

// Status is the HTTP status of the API's refusal, 0 if it gave none.
func Status(err error) int {
	var e *godo.ErrorResponse
	if errors.As(err, &e) && e.Response != nil {
		return e.Response.StatusCode
	}
	return 0
}

// Reset is when an account that has used up its calls of the hour has some again; zero where the API did not say.
func Reset(err error) time.Time {
	var e *godo.ErrorResponse
	if errors.As(err, &e) && Status(err) == http.StatusTooManyRequests {
		if at, err := strconv.ParseInt(e.Response.Header.Get("Ratelimit-Reset"), 10, 64); err == nil && e.Response.Header.Get("Retry-After") == "" {
			return time.Unix(at, 0)
		}
	}
	return time.Time{}
}

// Missing tells whether the API says that there is no such thing.
func Missing(err error) bool { return Status(err) == http.StatusNotFound }

// pending tells whether something else must end at the API first.
func pending(err error) bool {
	var e *godo.ErrorResponse
	return errors.As(err, &e) && Status(err) == http.StatusUnprocessableEntity && strings.Contains(strings.ToLower(e.Message), "pending event")
}

// Until looks again and again, less and less often, until done says so. The error says what was waited for.
func (a *Account) Until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.Deadline, fmt.Errorf("%s: not within %s", what, a.Deadline))
	defer cancel()
	for wait := a.Pause; ; wait = min(wait*5/4, 5*a.Pause) {
		ok, err := done(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case ok:
			return nil
		}
		if err := sleep(ctx, about(wait)); err != nil {
			return err
		}
	}
}

// WhenFree makes a call again as long as the API says that an event is pending there, which is no effect.
func (a *Account) WhenFree(ctx context.Context, what string, call func(context.Context) error) error {
	return a.Until(ctx, what, func(ctx context.Context) (bool, error) {
		err := call(ctx)
		if pending(err) {
			return false, nil
		}
		return true, err
	})
}

// Done waits for an action. One that was just begun may not be found yet.
func (a *Account) Done(ctx context.Context, what string, id int) error {
	return a.Until(ctx, what, func(ctx context.Context) (bool, error) {
		action, _, err := a.Actions.Get(ctx, id)
		switch {
		case Missing(err):
			return false, nil
		case err != nil:
			return false, err
		case action.Status == "errored":
			return false, fmt.Errorf("%s: the action %d ended with an error at DigitalOcean", what, id)
		}
		return action.Status == godo.ActionCompleted, nil
	})
}

// CreateDroplet sends the volumes as the published schema has them, by their ids alone; godo would send objects.
func (a *Account) CreateDroplet(ctx context.Context, q *godo.DropletCreateRequest, volumes ...string) (*godo.Droplet, error) {
	req, err := a.NewRequest(ctx, http.MethodPost, "v2/droplets", struct {
		*godo.DropletCreateRequest
		Volumes []string `json:"volumes,omitempty"`
	}{q, volumes})
	if err != nil {
		return nil, err
	}
	var made struct{ Droplet *godo.Droplet }
	if _, err := a.Do(ctx, req, &made); err != nil {
		return nil, err
	}
	if made.Droplet == nil {
		return nil, errors.New("the answer to the creation holds no droplet")
	}
	return made.Droplet, nil
}

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

// Appears looks for something whose creation may not be listed yet, for a tenth part of the usual time.
func (a *Account) Appears(ctx context.Context, what string, seen func(context.Context) (bool, error)) error {
	short := *a
	short.Deadline = max(a.Deadline/30, 10*a.Pause)
	return short.Until(ctx, what, seen)
}
