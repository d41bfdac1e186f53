package generation

import (
	"slices"
	"strings"
	"testing"

	"provision/files/compose"
)

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
