package inventory_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/digitaloceantest"
)

func TestWhereANameLeads(t *testing.T) {
	t.Parallel()
	c := digitaloceantest.New(digitaloceantest.Options{})
	t.Cleanup(c.Close)
	server, err := c.Names()
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range [][2]string{{"/v2/domains", `{"name": "example.org"}`}, {"/v2/domains/example.org/records", `{"type": "A", "name": "a.b", "data": "203.0.113.7", "ttl": 300}`}} {
		q, err := http.NewRequest(http.MethodPost, c.URL()+call[0], strings.NewReader(call[1]))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+digitaloceantest.Token)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
		if err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	for name, want := range map[string][]inventory.Lead{
		"a.b.example.org": {{Server: "ns1.digitalocean.com", Addresses: []string{"203.0.113.7"}}},
		"b.example.org":   {{Server: "ns1.digitalocean.com"}},
		"a.example.net":   {{Server: "the resolver"}}, // nobody is known for that domain
	} {
		got, err := inventory.Names{Resolver: server}.Ask(t.Context(), name)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := (inventory.Names{Resolver: server}).Ask(ctx, "a.b.example.org"); err == nil {
		t.Errorf("nobody was asked, and yet: %+v", got)
	}
}
