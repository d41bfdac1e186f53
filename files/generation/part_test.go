package generation

import (
	"slices"
	"strings"
	"testing"

	"provision/files/compose"
	"provision/files/naming"
)

// TestReplicas: several containers of a part are services with names of their own, and who calls the part calls all of them.
func TestReplicas(t *testing.T) {
	t.Parallel()
	plain := func(Input, Site) (compose.Service, error) { return compose.Service{Command: []string{"x"}}, nil }
	for n, want := range map[int][]string{1: {"front", "back", "data"}, 3: {"front", "back", "back-2", "back-3", "data"}} {
		parts := Parts{
			{Name: "front", Role: naming.RoleServer, Calls: []Call{{Part: "back", Healthy: true}}, Define: plain, Networks: []naming.Network{naming.ServerNetwork}},
			{Name: "back", Role: naming.RoleServer, Calls: []Call{{Part: "data"}}, Define: plain, Replicas: func(Input) int { return n }, Most: 3, Networks: []naming.Network{naming.ServerNetwork}},
			{Name: "data", Role: naming.RoleServer, Define: plain, Networks: []naming.Network{naming.ServerNetwork}},
		}
		var stopping []string
		for _, p := range parts.Stopping() {
			stopping = append(stopping, p.Name)
		}
		if all := []string{"front", "back", "back-2", "back-3", "data"}; !slices.Equal(stopping, all) { // those that are there no more, too
			t.Errorf("%d: %v end, and not %v", n, stopping, all)
		}
		in := Input{Stack: "mine", Host: "one", TLS: TLSOff, PublicURL: "http://192.0.2.1:4200"}
		var names, rows []string
		for _, p := range parts.Of(naming.RoleServer, in) {
			names, rows = append(names, p.Name), append(rows, p.Row())
		}
		if !slices.Equal(names, want) || !slices.Equal(slices.Compact(rows), []string{"front", "back", "data"}) {
			t.Errorf("%d: %v of the rows %v", n, names, rows)
		}
		rendered, err := parts.Render(naming.RoleServer, in)
		if err != nil {
			t.Fatal(err)
		}
		text := string(rendered.YAML)
		for _, name := range want {
			if strings.Count(text, "container_name: mine-"+name+"\n") != 1 {
				t.Errorf("%d: no container mine-%s in\n%s", n, name, text)
			}
		}
		for k := range n {
			if name := naming.Replica("back", k+1); !strings.Contains(text, "            "+name+":\n") && !strings.Contains(text, "      "+name+":\n") {
				t.Errorf("%d: nobody waits for %s in\n%s", n, name, text)
			}
		}
		if got := strings.Count(text, "condition: service_healthy"); got != n {
			t.Errorf("%d: the front waits for %d", n, got)
		}
	}
}

// TestPulledImage has a part name an image that is only pulled: it is among the images that come to a host, and its container runs it.
func TestPulledImage(t *testing.T) {
	t.Parallel()
	const image = "registry.example.org/cache:8"
	parts := Parts{
		{Name: "front", Role: "server", UID: "1", Image: ImageCaddy, Define: func(Input, Site) (compose.Service, error) { return compose.Service{}, nil }},
		{Name: "cache", Role: "server", UID: "2", Image: image, Define: func(Input, Site) (compose.Service, error) { return compose.Service{}, nil }},
	}
	if got := parts.Images(); !slices.Equal(got, []string{ImageCaddy, image}) {
		t.Errorf("images: %v", got)
	}
	rendered, err := parts.Render("server", Input{Stack: "s", Host: "h", TLS: TLSOff, PublicURL: "http://h", Images: map[string]string{ImageCaddy: "built:1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image: " + image, "image: built:1"} {
		if !strings.Contains(strings.ReplaceAll(string(rendered.YAML), `"`, ""), want) {
			t.Errorf("no %q in\n%s", want, rendered.YAML)
		}
	}
}
