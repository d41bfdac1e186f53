package files

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"provision/files/generation"
	"provision/files/naming"
)

// TestAgentProjectsAreTheSame: what is shared between hosts is, for each of them, what is rendered for it alone.
func TestAgentProjectsAreTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SampledFrom(Generations).Draw(t, "generation")
		shared := generation.AgentProjects{Parts: g.Parts}
		project := agentProject(g)
		project.Serve = rapid.Bool().Draw(t, "serve")
		project.Stack = rapid.SampledFrom([]naming.Stack{"prefect", "yes", "zz-provision-stand-in-zz"}).Draw(t, "stack")
		name := rapid.OneOf(
			rapid.SampledFrom([]string{"", "yes", "no", "null", "1", "0x1f", "1e3", "2001-01-01", "1_0", "o", "y", "-", "a:", "~", ".5", "a$b", "zz-provision-stand-in-zz", "agent", "business-logic", "provision"}),
			rapid.StringMatching(`[a-z0-9][a-z0-9.-]{0,20}`),
		)
		for _, host := range rapid.SliceOfN(name, 1, 4).Draw(t, "hosts") {
			project.Host = host
			project.Concurrency = rapid.IntRange(1, 2).Draw(t, "concurrency")
			want, err := g.Parts.Render(naming.RoleAgent, project)
			if err != nil {
				t.Fatal(err)
			}
			got, err := shared.Render(project)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.YAML) != string(want.YAML) {
				t.Fatalf("for %q:\n%s\nwant\n%s", host, got.YAML, want.YAML)
			}
			for n := range want.Services {
				want.Services[n].Defined, got.Services[n].Defined = "", ""
			}
			if !reflect.DeepEqual(got.Services, want.Services) {
				t.Fatalf("for %q: %+v, want %+v", host, got.Services, want.Services)
			}
		}
	})
}
