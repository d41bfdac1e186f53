package digitaloceantest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/godo"
)

// TestSchema has a proxy between client and fake that judges every request and every answer by
// DigitalOcean's own description of the API.
func TestSchema(t *testing.T) {
	description := os.Getenv("PROVISION_DO_OPENAPI")
	if description == "" {
		t.Skip("not held to the schema: in a clone of digitalocean/openapi `npm i @redocly/cli @stoplight/prism-cli && npx redocly bundle specification/DigitalOcean-public.v2.yaml -o /tmp/do.yaml`, then PATH=$PWD/node_modules/.bin:$PATH PROVISION_DO_OPENAPI=/tmp/do.yaml go test")
	}
	c := New(Options{Tokens: map[string][]string{"dop_v1_reader": {"account:read"}}})
	t.Cleanup(c.Close)
	url := judge(t, description, c.URL())
	g := client(t, url, Token)

	t.Run("judges", func(t *testing.T) { judges(t, description) })
	t.Run("refusals", func(t *testing.T) { refusals(t, c, url) })
	t.Run("pages", func(t *testing.T) { pages(t, c, g, 45) })
	t.Run("sequence", func(t *testing.T) { sequence(t, c, g, asDescribed(g)) })
}

// asDescribed creates droplets with the ids of volumes as the description has them: godo sends objects.
func asDescribed(g *godo.Client) creator {
	return func(ctx context.Context, want *godo.DropletCreateRequest) (*godo.Droplet, *godo.Response, error) {
		raw, err := json.Marshal(want)
		if err != nil {
			return nil, nil, err
		}
		body := object{}
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, nil, err
		}
		ids := []string{}
		for _, v := range want.Volumes {
			ids = append(ids, v.ID)
		}
		body["volumes"] = ids
		req, err := g.NewRequest(ctx, http.MethodPost, "v2/droplets", body)
		if err != nil {
			return nil, nil, err
		}
		var got struct {
			Droplet *godo.Droplet `json:"droplet"`
			Links   *godo.Links   `json:"links"`
		}
		resp, err := g.Do(ctx, req, &got)
		if resp != nil {
			resp.Links = got.Links
		}
		return got.Droplet, resp, err
	}
}

// judge starts the proxy in front of an endpoint and answers its own.
func judge(t *testing.T, description, upstream string) string {
	t.Helper()
	prism, err := exec.LookPath("prism")
	if err != nil {
		t.Fatalf("prism (@stoplight/prism-cli) is not in PATH: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, prism, "proxy", "--errors", "-h", "127.0.0.1", "-p", port, description, upstream)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			if strings.Contains(s.Text(), "is listening") {
				listening <- true
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = cmd.Wait()
	})
	select {
	case <-listening:
	case <-ended:
		t.Fatal("prism ended before it listened")
	}
	return "http://" + address
}

// judges: the proxy is no proof unless it refuses what is wrong on either side.
func judges(t *testing.T, description string) {
	bad := http.NewServeMux()
	bad.HandleFunc("GET /v2/account", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, `{"account":{"email":"ops@example.org"}}`)
	})
	s := &http.Server{Handler: bad, ReadHeaderTimeout: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-served })
	g := client(t, judge(t, description, "http://"+l.Addr().String()), Token)
	if _, resp, err := g.Account.Get(within(t)); err == nil || resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("an answer without required fields passed: %v", err)
	}
	if _, resp, err := g.Droplets.Create(within(t), &godo.DropletCreateRequest{Name: "x"}); err == nil || resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a request with null for ssh_keys passed: %v", err)
	}
}
