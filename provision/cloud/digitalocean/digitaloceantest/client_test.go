package digitaloceantest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/digitalocean/godo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is a cloud that ends with the test, and a client of its owner.
func start(t *testing.T, o Options) (*Cloud, *godo.Client) {
	t.Helper()
	c := New(o)
	t.Cleanup(c.Close)
	return c, client(t, c.URL(), Token)
}

// bearer sends the token with each request; nothing is tried twice.
type bearer struct {
	token string
	next  *http.Transport
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	resp, err := b.next.RoundTrip(r)
	if err == nil && resp.Header.Get("sl-violations") != "" {
		resp.Status += " violates the schema: " + resp.Header.Get("sl-violations")
	}
	return resp, err
}

func client(t *testing.T, url, token string) *godo.Client {
	t.Helper()
	// A connection that is used again is one on which the transport repeats a GET by itself.
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	g, err := godo.New(&http.Client{Transport: bearer{token, transport}}, godo.SetBaseURL(url))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](v T, _ *godo.Response, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wants fails unless err is the API's refusal with a status, of the whole shape.
func wants(t *testing.T, err error, status int, message string) *godo.ErrorResponse {
	t.Helper()
	var e *godo.ErrorResponse
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %d %s", err, status, message)
	}
	if e.Response.StatusCode != status || e.Message != message || e.RequestID == "" {
		t.Fatalf("got %d %q, request %q; want %d %q", e.Response.StatusCode, e.Message, e.RequestID, status, message)
	}
	return e
}

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops"

func firewallRequest(name string, tags ...string) *godo.FirewallRequest {
	all := []string{"0.0.0.0/0", "::/0"}
	return &godo.FirewallRequest{
		Name: name, Tags: tags, DropletIDs: []int{},
		InboundRules: []godo.InboundRule{
			{Protocol: "tcp", PortRange: "22", Sources: &godo.Sources{Addresses: []string{"203.0.113.7/32"}}},
			{Protocol: "udp", PortRange: "443", Sources: &godo.Sources{Addresses: all}},
		},
		OutboundRules: []godo.OutboundRule{
			{Protocol: "tcp", PortRange: "0", Destinations: &godo.Destinations{Addresses: all}},
			{Protocol: "icmp", PortRange: "0", Destinations: &godo.Destinations{Addresses: all}},
		},
	}
}

func dropletRequest(name string, tags ...string) *godo.DropletCreateRequest {
	return &godo.DropletCreateRequest{
		Name: name, Region: "fra1", Size: "s-2vcpu-4gb", Image: godo.DropletCreateImage{Slug: "debian-13-x64"}, SSHKeys: []godo.DropletCreateSSHKey{}, Volumes: []godo.DropletCreateVolume{}, Tags: tags,
	}
}
