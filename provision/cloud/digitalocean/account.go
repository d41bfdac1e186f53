package digitalocean

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/godo"

	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
)

// Account is an account of DigitalOcean, asked through its API. Reads, deletions and whole replacements are tried again with
// back-off; what creates is sent once, since its effect may be there although its reply was lost.
type Account struct {
	*godo.Client
	// Pause is the first of the waits between two looks at something that is under way; they grow fivefold.
	Pause time.Duration
	// Deadline bounds each such wait as a whole.
	Deadline time.Duration

	// OnWait is called before each retry, once for all calls that wait for the same reset. It may be nil.
	OnWait func(why string, wait time.Duration)

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

// open makes the account's client. Relative paths of the token's file count from dir. Errors never hold the token.
func open(ctx context.Context, d *declared.Account, dir string, pace cloud.Pace) (*Account, error) {
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
	switch {
	case err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http":
		return nil, errors.New("DIGITALOCEAN_API_URL is not a url")
	case !declared.SafeForToken(endpoint):
		return nil, errors.New("DIGITALOCEAN_API_URL: the token would be sent in the clear; write https://")
	}
	a := &Account{Pause: cmp.Or(pace.Pause, firstPause), Deadline: cmp.Or(pace.Deadline, waitDeadline)}
	a.calls = &caller{
		told: map[string]time.Time{},
		held: func(why string, wait time.Duration) {
			if a.OnWait != nil {
				a.OnWait(why, wait)
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

// pending tells whether something else must end at the API first: an event, or what holds a thing that is to be deleted.
func pending(err error) bool {
	var e *godo.ErrorResponse
	if !errors.As(err, &e) {
		return false
	}
	switch Status(err) {
	case http.StatusConflict:
		return true
	case http.StatusUnprocessableEntity:
		return foreign.Say(e.Message, underway)
	case http.StatusBadRequest:
		return foreign.Say(e.Message, addressHeld)
	case http.StatusForbidden:
		return foreign.Say(e.Message, networkHeld)
	}
	return false
}

// ErrNotWithin is of what was waited for and did not come in time.
var ErrNotWithin = errors.New("not within")

// Until looks again and again, less and less often, until done says so. The error says what was waited for.
func (a *Account) Until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	return a.until(ctx, a.Deadline, what, done)
}

// UntilGrace waits as Until does, no longer than Grace.
func (a *Account) UntilGrace(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	return a.until(ctx, a.Grace(), what, done)
}

// Grace is how long something may take that is expected within a minute or so, and for which there is another way.
func (a *Account) Grace() time.Duration { return a.Deadline / 6 }

func (a *Account) until(ctx context.Context, limit time.Duration, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: %w %s", what, ErrNotWithin, limit))
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

// WhenFree makes a call again as long as the API says that something else must end first, which is no effect. What it says last is
// the error, and told while it lasts.
func (a *Account) WhenFree(ctx context.Context, what string, call func(context.Context) error) error {
	return a.whenFree(ctx, a.Deadline, what, call)
}

// WhenFreeInTime is WhenFree for Grace only.
func (a *Account) WhenFreeInTime(ctx context.Context, what string, call func(context.Context) error) error {
	return a.whenFree(ctx, a.Grace(), what, call)
}

func (a *Account) whenFree(ctx context.Context, limit time.Duration, what string, call func(context.Context) error) error {
	var last error
	err := a.until(ctx, limit, what, func(ctx context.Context) (bool, error) {
		err := call(ctx)
		if !pending(err) {
			return true, err
		}
		if last == nil && a.OnWait != nil {
			a.OnWait(what+": waiting, because the API says: "+err.Error(), 0)
		}
		last = err
		return false, nil
	})
	if errors.Is(err, ErrNotWithin) && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

// ErrErrored is of an action that has ended at DigitalOcean without its effect.
var ErrErrored = errors.New("ended with an error at DigitalOcean")

// Ended tells whether an action has ended, and whether with an error. Statuses that the API has beside those that are documented
// have been seen after its end.
func Ended(action *godo.Action) (bool, error) {
	switch action.Status {
	case "errored":
		return true, fmt.Errorf("the action %d %w", action.ID, ErrErrored)
	case godo.ActionInProgress, "":
		return false, nil
	}
	return true, nil
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
		}
		ended, err := Ended(action)
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
		return ended, err
	})
}

// CreateDroplet sends the volumes as the published schema has them, by their ids alone; godo would send objects. The action is
// that of the creation, 0 where the answer does not name it: that the creation was accepted does not mean that it succeeds.
func (a *Account) CreateDroplet(ctx context.Context, q *godo.DropletCreateRequest, volumes ...string) (one *godo.Droplet, action int, err error) {
	req, err := a.NewRequest(ctx, http.MethodPost, "v2/droplets", struct {
		*godo.DropletCreateRequest
		Volumes []string `json:"volumes,omitempty"`
	}{q, volumes})
	if err != nil {
		return nil, 0, err
	}
	var made struct {
		Droplet *godo.Droplet
		Links   godo.Links
	}
	if _, err := a.Do(ctx, req, &made); err != nil {
		return nil, 0, err
	}
	for _, l := range made.Links.Actions {
		if l.Rel == "create" {
			action = l.ID
		}
	}
	return made.Droplet, action, nil
}

// Creation is the action by which a droplet was created.
func (a *Account) Creation(ctx context.Context, droplet int) (*godo.Action, error) {
	all, err := pages(func(o *godo.ListOptions) ([]godo.Action, *godo.Response, error) {
		return a.Droplets.Actions(ctx, droplet, o)
	})
	for n := range all {
		if all[n].Type == "create" {
			return &all[n], err
		}
	}
	return nil, err
}

// Moment is how long something may take that is usually there at once.
func (a *Account) Moment() time.Duration { return max(a.Deadline/30, 10*a.Pause) }

// leastLooks are made before anything is said not to appear: on a busy machine a moment may be over after the first one.
const leastLooks = 10

// Appears looks for something whose creation may not be listed yet, for a moment.
func (a *Account) Appears(ctx context.Context, what string, seen func(context.Context) (bool, error)) error {
	looks, end := 0, time.Now().Add(a.Moment())
	return a.Until(ctx, what, func(ctx context.Context) (bool, error) {
		ok, err := seen(ctx)
		if looks++; !ok && err == nil && looks >= leastLooks && time.Now().After(end) {
			err = fmt.Errorf("%s: %w %s", what, ErrNotWithin, a.Moment())
		}
		return ok, err
	})
}
