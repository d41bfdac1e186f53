package unix

import "sync"

// Work counts what runs. Other than with a [sync.WaitGroup], work may begin while somebody waits: a session
// begins whenever a client asks for one.
type Work struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n is 0 again; nil while it is 0
}

// Begin counts one more until done is called.
func (w *Work) Begin() (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n++; w.n == 1 {
		w.idle = make(chan struct{})
	}
	return w.end
}

func (w *Work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n == 0 {
		close(w.idle)
		w.idle = nil
	}
}

// Go runs f.
func (w *Work) Go(f func()) {
	done := w.Begin()
	go func() {
		defer done()
		f()
	}()
}

// Wait waits until nothing runs.
func (w *Work) Wait() {
	for {
		w.mu.Lock()
		idle := w.idle
		w.mu.Unlock()
		if idle == nil {
			return
		}
		<-idle
	}
}
