//go:build linux && e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"provision/e2e/lab"
)

// lives are flow runs that an agent host's token makes and carries through their states, one a second, as flows do. What is refused or not answered is
// counted and asked again.
type lives struct {
	mu     sync.Mutex
	begun  []string       // the ids that the API has given
	errors map[string]int // by what was said
}

// livesOf begins lives of a flow. The function begins no more, and waits for those that are open, which have a while.
func (s *site) livesOf(server *lab.Host, flow string) (*lives, func()) {
	s.Helper()
	web := s.outside(server)
	token := s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/tokens/worker-1.run")
	out := &lives{errors: map[string]int{}}
	ctx, cancel := context.WithCancel(s.Context())
	ask := func(path string, body any, into any) bool {
		text, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		said := func() string {
			r, err := http.NewRequestWithContext(ctx, "POST", web.base+"/api"+path, bytes.NewReader(text))
			if err != nil {
				return err.Error()
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			answer, err := web.client.Do(r)
			if err != nil {
				return "no answer"
			}
			defer answer.Body.Close()
			content, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode >= 300 {
				return fmt.Sprintf("%d", answer.StatusCode)
			}
			if err := json.Unmarshal(content, into); err != nil {
				return "no JSON"
			}
			return ""
		}()
		if said == "" || ctx.Err() != nil {
			return said == ""
		}
		out.mu.Lock()
		out.errors[said]++
		out.mu.Unlock()
		return false
	}
	var all sync.WaitGroup
	live := func(n int) {
		var run struct{ ID string }
		if !ask("/flow_runs/", map[string]any{"flow_id": flow, "name": fmt.Sprintf("life-%d", n)}, &run) {
			return
		}
		out.mu.Lock()
		out.begun = append(out.begun, run.ID)
		out.mu.Unlock()
		for _, state := range []string{"PENDING", "RUNNING", "COMPLETED"} {
			for {
				var set struct{ Status string }
				if ask("/flow_runs/"+run.ID+"/set_state", map[string]any{"state": map[string]any{"type": state}}, &set) {
					break
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Second):
				}
			}
		}
	}
	enough := make(chan struct{})
	all.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-enough:
				return
			case <-tick.C:
				all.Go(func() { live(n) })
			}
		}
	})
	return out, sync.OnceFunc(func() {
		close(enough)
		defer time.AfterFunc(2*time.Minute, cancel).Stop()
		all.Wait()
		cancel()
	})
}

// said is what was counted, in words.
func (l *lives) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%d runs were begun, one a second; errors of the API:", len(l.begun))
	if len(l.errors) == 0 {
		return text + " none"
	}
	for _, what := range slices.Sorted(maps.Keys(l.errors)) {
		text += fmt.Sprintf(" %s: %d;", what, l.errors[what])
	}
	return text
}

// count is how many were begun.
func (l *lives) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.begun)
}
