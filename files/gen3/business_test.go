package gen3

import (
	"fmt"
	"strings"
	"testing"
)

// TestHeartbeat: the automation waits for three heartbeats.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	text, err := prefectFiles.ReadFile("prefect/provision_glue/zombies.py")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\nWITHIN = %d\n", 3*heartbeat); !strings.Contains(string(text), want) {
		t.Errorf("zombies.py has no %q", want)
	}
}
