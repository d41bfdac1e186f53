package provision_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"provision/remote/remotetest"
)

// TestUploadedContextIsCopiedFirst: a build context is uploaded as the login user. What that user makes of
// the file after root has checked it does not reach the image.
func TestUploadedContextIsCopiedFirst(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	var checked atomic.Int64
	s.server.Replace("sha256sum", func(c remotetest.Call) int {
		code := c.Real(c.Stdout)
		for _, f := range s.server.Files("/var/tmp") {
			if strings.HasSuffix(f.Name(), "context.tar") {
				checked.Add(1)
			}
			if strings.HasSuffix(f.Name(), "-context.tar") { // uploaded; root's copy has no number
				if err := s.server.WriteFile(f.Path, "swapped", 0o600); err != nil {
					t.Error(err)
				}
			}
		}
		return code
	})
	s.converge()
	if checked.Load() == 0 {
		t.Error("no context was ever seen beside a checksum")
	}
	for _, f := range s.server.Files("/var/tmp") {
		if strings.HasSuffix(f.Name(), "context.tar") {
			t.Errorf("left: %s", f.Path)
		}
	}
}
