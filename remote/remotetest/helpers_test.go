package remotetest

import (
	"bytes"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what a script left behind.
type result struct {
	Stdout string
	Code   int
}

// sh runs a script on the host without a connection.
func (h *Host) sh(user, script string) (r result, stderr string) {
	r.Stdout, stderr, r.Code = h.sys.Sh(user, script)
	return r, stderr
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
