package generation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"provision/files/compose"
	"provision/files/naming"
)

// AgentProjects renders the projects of many agent hosts. Hosts that differ in nothing but their names share one
// rendering, in which each name is put in the place of another one: writing YAML is most of what rendering costs. It is
// safe for concurrent use, and ready with its parts alone.
type AgentProjects struct {
	Parts Parts

	mu     sync.Mutex
	shared map[string]compose.Rendered
}

// hostStandIn is the name for which the shared text is rendered. YAML writes it without quotes.
const hostStandIn = "zz-provision-stand-in-zz"

// Render returns what Parts.Render does for an agent host.
func (s *AgentProjects) Render(a Input) (compose.Rendered, error) {
	host := a.Host
	a.Host = hostStandIn
	rest := a
	rest.Host = ""
	key := fmt.Sprintf("%#v", rest)
	if strings.Contains(key, hostStandIn) || !plainYAML(host) {
		a.Host = host
		return s.Parts.Render(naming.RoleAgent, a)
	}
	shared, err := s.of(key, a)
	if err != nil {
		return compose.Rendered{}, err
	}
	out := compose.Rendered{Services: slices.Clone(shared.Services)}
	swap := []string{hostStandIn, host}
	for n := range out.Services {
		one := &out.Services[n]
		sum := sha256.Sum256([]byte(strings.ReplaceAll(one.Defined, hostStandIn, host)))
		digest := hex.EncodeToString(sum[:])
		swap = append(swap, one.Definition, digest)
		one.Definition, one.Defined = digest, ""
	}
	out.YAML = []byte(strings.NewReplacer(swap...).Replace(string(shared.YAML)))
	return out, nil
}

func (s *AgentProjects) of(key string, a Input) (compose.Rendered, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.shared[key]; ok {
		return c, nil
	}
	c, err := s.Parts.Render(naming.RoleAgent, a)
	if err == nil {
		if s.shared == nil {
			s.shared = map[string]compose.Rendered{}
		}
		s.shared[key] = c
	}
	return c, err
}

// plainYAML tells whether a value stands in a project as it is: one that reads like a number or a truth value gets
// quotes, and a dollar sign is doubled.
func plainYAML(value string) bool {
	if strings.Contains(value, "$") {
		return false
	}
	text, err := yaml.Marshal(value)
	return err == nil && string(text) == value+"\n"
}
