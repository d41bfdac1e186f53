package unix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestHereDocumentOfTwo: who reads one here-document at the same time gets each byte of it once.
func TestHereDocumentOfTwo(t *testing.T) {
	t.Parallel()
	s := New(Options{Name: "host-1", MemoryMiB: 4096, DiskMiB: 40960, Speed: 1000, Programs: Programs()})
	defer s.Work.Wait()
	defer s.PowerOff()
	if err := s.Layout(slices.Collect(maps.Keys(s.Programs))); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat(strings.Repeat("x", 99)+"\n", 5000)
	for range 20 {
		out, errs, code := s.Sh("root", "{ wc -c <&3 >/tmp/a & wc -c <&3 >/tmp/b; wait; } 3<<E\n"+text+"E\necho $(($(cat /tmp/a) + $(cat /tmp/b)))")
		if want := fmt.Sprintln(len(text)); out != want || code != 0 {
			t.Fatalf("two read %q bytes of %q, exit status %d: %s", out, want, code, errs)
		}
	}
}

// TestWork: what begins while somebody waits is waited for, too.
func TestWork(t *testing.T) {
	t.Parallel()
	var w Work
	var mu sync.Mutex
	ended := 0
	end := make(chan struct{})
	w.Go(func() { <-end })
	waiting, waited := make(chan struct{}), make(chan int)
	go func() {
		close(waiting)
		w.Wait()
		mu.Lock()
		defer mu.Unlock()
		waited <- ended
	}()
	<-waiting
	for range 3 {
		w.Go(func() {
			<-end
			mu.Lock()
			defer mu.Unlock()
			ended++
		})
	}
	close(end)
	if n := <-waited; n != 3 {
		t.Errorf("%d of 3 had ended", n)
	}
	w.Wait() // for nothing
}
