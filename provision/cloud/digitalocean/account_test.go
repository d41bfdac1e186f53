package digitalocean

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
)

const canaryToken = "dop_v1_canary"

// asked makes an account at a server that answers each call in turn, the last answer for ever.
func asked(t *testing.T, answers ...http.HandlerFunc) (*Account, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(calls.Add(1))
		if r.Header.Get("Authorization") != "Bearer "+canaryToken {
			t.Errorf("authorization is %q", r.Header.Get("Authorization"))
		}
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(canaryToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), &declared.Account{Token: strict.SecretRef{File: file}, APIURL: server.URL}, "", cloud.Pace{Call: 5 * time.Second, Pause: time.Millisecond, Deadline: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, &calls
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n+1 < len(header); n += 2 {
			w.Header().Set(header[n], header[n+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"id": "x", "message": "no", "account": {}, "droplet": {"id": 7}}`))
	}
}

func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutOff promises more than it sends.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"acc`))
	panic(http.ErrAbortHandler)
}

func TestCallsAreRepeatedWhereThatDoesNoHarm(t *testing.T) {
	t.Parallel()
	get := func(ctx context.Context, a *Account) error { _, _, err := a.Client.Account.Get(ctx); return err }
	create := func(ctx context.Context, a *Account) error {
		_, _, err := a.Droplets.Create(ctx, &godo.DropletCreateRequest{})
		return err
	}
	remove := func(ctx context.Context, a *Account) error { _, err := a.Droplets.Delete(ctx, 7); return err }
	for name, c := range map[string]struct {
		call    func(context.Context, *Account) error
		answers []http.HandlerFunc
		calls   int32
		ok      bool
	}{
		"a read after faults":            {get, []http.HandlerFunc{status(500), reset, cutOff, status(429, "Retry-After", "1"), status(200)}, 5, true},
		"a deletion after faults":        {remove, []http.HandlerFunc{status(503), reset, status(204)}, 3, true},
		"a read that never works":        {get, []http.HandlerFunc{status(502)}, attempts, false},
		"a refusal":                      {get, []http.HandlerFunc{status(403)}, 1, false},
		"a create whose reply is 500":    {create, []http.HandlerFunc{status(500), status(202)}, 1, false},
		"a create whose reply is lost":   {create, []http.HandlerFunc{reset, status(202)}, 1, false},
		"a create that was cut off":      {create, []http.HandlerFunc{cutOff, status(202)}, 1, false},
		"a create that was not let in":   {create, []http.HandlerFunc{status(429), status(202)}, 2, true},
		"more than anybody waits for":    {get, []http.HandlerFunc{status(429, "Retry-After", "3600")}, 1, false},
		"a redirect is not followed":     {get, []http.HandlerFunc{status(307, "Location", "https://elsewhere.example")}, 1, false},
		"a redirect of a create, either": {create, []http.HandlerFunc{status(307, "Location", "/v2/other")}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, calls := asked(t, c.answers...)
			err := c.call(t.Context(), a)
			if (err == nil) != c.ok || calls.Load() != c.calls {
				t.Errorf("%d calls, want %d: %v", calls.Load(), c.calls, err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

// What the API asks to wait is the least, not the most.
func TestARetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	for range 4 {
		a, _ := asked(t, status(429, "Retry-After", "1"), status(200))
		begun := time.Now()
		if _, _, err := a.Client.Account.Get(t.Context()); err != nil || time.Since(begun) < time.Second {
			t.Errorf("asked again after %s: %v", time.Since(begun), err)
		}
	}
}

func TestPendingEventsAndNewActionsAreWaitedFor(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"id": "unprocessable_entity", "message": "Droplet already has a pending event."}`))
	}
	a, calls := asked(t, busy, busy, status(204))
	if err := a.WhenFree(t.Context(), "it is deleted", func(ctx context.Context) error { _, err := a.Droplets.Delete(ctx, 7); return err }); err != nil || calls.Load() != 3 {
		t.Errorf("%d calls: %v", calls.Load(), err)
	}
	action := func(status string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"action": {"id": 9, "status": "` + status + `"}}`))
		}
	}
	a, _ = asked(t, status(404), action("in-progress"), action("completed"))
	if err := a.Done(t.Context(), "it is attached", 9); err != nil {
		t.Error(err)
	}
	a, _ = asked(t, action("errored"))
	if err := a.Done(t.Context(), "it is attached", 9); err == nil || !strings.Contains(err.Error(), "it is attached: the action 9 ended with an error") {
		t.Error(err)
	}
	a, _ = asked(t, action("in-progress"))
	a.Deadline = 20 * time.Millisecond
	if err := a.Done(t.Context(), "it is attached", 9); err == nil || !strings.Contains(err.Error(), "it is attached: not within") {
		t.Error(err)
	}
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := a.Done(stopped, "it is attached", 9); err == nil || err.Error() != "enough" {
		t.Error(err)
	}
}

func TestWhereTheTokenComesFrom(t *testing.T) {
	for _, name := range []string{"DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_API_URL"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	d := &declared.Account{}
	token := func() string {
		a, err := open(t.Context(), d, "", cloud.Pace{})
		if err != nil {
			return err.Error()
		}
		return a.calls.token + " " + a.calls.host
	}
	if got := token(); !strings.HasPrefix(got, "no token: ") {
		t.Error(got)
	}
	t.Setenv("DIGITALOCEAN_ACCESS_TOKEN", "second")
	if got := token(); got != "second api.digitalocean.com" {
		t.Error(got)
	}
	t.Setenv("DIGITALOCEAN_TOKEN", "first")
	t.Setenv("DIGITALOCEAN_API_URL", "http://127.0.0.1:9")
	if got := token(); got != "first 127.0.0.1:9" {
		t.Error(got)
	}
	t.Setenv("MINE", "mine")
	d.Token, d.APIURL = strict.SecretRef{Env: "MINE"}, "https://api.example.org"
	if got := token(); got != "mine api.example.org" {
		t.Error(got)
	}
	t.Setenv("MINE", "two words")
	if got := token(); got != "digitalocean.token: has characters that no token has" {
		t.Error(got)
	}
}

func TestTagsNameHostsAndKeys(t *testing.T) {
	t.Parallel()
	d := &declared.Account{Name: "prod"}
	for _, host := range []string{"prefect", "worker-1", "a.b-c"} {
		tags := []string{"web", d.Tag(), d.AddressTag("other", "203.0.113.9"), d.NameTag(host), d.RoleTag(inventory.RoleAgent), declared.HostKeyTag("aa"), declared.HostKeyTag("bb"), declared.BirthTag("bb")}
		if got := d.HostOf(tags); got != host {
			t.Errorf("%s is read as %q", host, got)
		}
		if keys := declared.HostKeys(tags); len(keys) != 2 || declared.BirthKey(tags) != "bb" {
			t.Errorf("%v %q", keys, declared.BirthKey(tags))
		}
		for _, tag := range tags {
			if strings.Trim(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:") != "" {
				t.Errorf("%q is no tag", tag)
			}
		}
	}
	if other := (&declared.Account{Name: "production"}); d.HostOf([]string{other.NameTag("a")}) != "" || d.HostOf(nil) != "" {
		t.Error("another inventory's droplet is taken for ours")
	}
	if got := d.Addresses([]string{d.AddressTag("a", "203.0.113.9"), d.AddressTag("ab", "203.0.113.8"), d.NameTag("a") + ":address:x"}, "a"); len(got) != 1 || got[0] != "203.0.113.9" {
		t.Error(got)
	}
	one := func(count int) *declared.Droplet { return &declared.Droplet{Name: "worker", Count: count} }
	if got := append(one(0).Names(), one(1).Names()...); strings.Join(got, " ") != "worker worker-1" {
		t.Error(got)
	}
}

// A token goes out encrypted, or to this machine alone, whoever names the API.
func TestATokenIsNotSentInTheClear(t *testing.T) {
	t.Setenv("DIGITALOCEAN_TOKEN", canaryToken)
	for url, fine := range map[string]bool{
		"https://api.example.org": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:8080": true, "http://[::ffff:127.0.0.1]": true,
		"http://api.example.org": false, "http://10.0.0.1": false, "http://localhost.example.org": false, "http://127.0.0.1.example.org": false, "http://0.0.0.0": false,
	} {
		t.Setenv("DIGITALOCEAN_API_URL", url)
		a, err := open(t.Context(), &declared.Account{}, "", cloud.Pace{})
		if (err == nil) != fine {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil {
			a.Close()
		}
	}
}
