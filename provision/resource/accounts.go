package resource

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"provision/remote"
)

// Accounts warns of accounts of the host that have the user id of a container. Such an account, and
// whatever runs as it, can read that container's secrets, files and memory.
type Accounts struct {
	Host string
	Of   map[string]string // what runs as a user id, by the id
}

var (
	_ Resource = (*Accounts)(nil)
	_ Warner   = (*Accounts)(nil)
)

func (a *Accounts) ID() ID                                 { return ID{a.Host, "accounts", ""} }
func (a *Accounts) Needs() []ID                            { return nil }
func (a *Accounts) Diff(World) []Change                    { return nil }
func (a *Accounts) Do(context.Context, *Run, Change) error { return nil }

func (a *Accounts) Probe(s *Script) {
	// getent answers for accounts of a directory service, too. It ends with 2 if one is missing.
	s.Record(a.ID(), "f passwd; getent passwd "+strings.Join(sortedKeys(a.Of), " ")+" | head -c 8192\nyes")
}

// Warn names the accounts.
func (a *Accounts) Warn(w World) (out []string) {
	rec, _ := w.Fact(a.ID())
	var lines []string
	for line := range strings.Lines(rec.Fields["passwd"]) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, line := range lines {
		f := strings.Split(line, ":")
		if len(f) < 3 || a.Of[f[2]] == "" {
			continue
		}
		name := remote.Sanitize(f[0])
		out = append(out, fmt.Sprintf("host %s: its account %s has the user id %s, as %s has in its container, so it can read the secrets of that; give it another id: usermod --uid NUMBER %s",
			a.Host, name, f[2], a.Of[f[2]], name))
	}
	return out
}
