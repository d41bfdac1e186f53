//go:build !race

package remote

import (
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestKnownHostsCostPerHost: what a host costs does not grow with the number of other hosts in the file.
func TestKnownHostsCostPerHost(t *testing.T) {
	allocs := map[int]float64{}
	for _, hosts := range []int{100, 1000} {
		file, key := knownFleet(t, hosts)
		d := &Dialer{}
		if err := checkOf(t, d, file, fmt.Sprintf("host-%d", hosts-1))("", nil, key); err != nil {
			t.Fatal(err)
		}
		allocs[hosts] = testing.AllocsPerRun(20, func() { checkOf(t, d, file, "host-7") })
		kept := make([]ssh.HostKeyCallback, 200)
		before := heap()
		for n := range kept {
			kept[n] = checkOf(t, d, file, fmt.Sprintf("host-%d", n%hosts))
		}
		if each := (heap() - before) / len(kept); each > 8<<10 {
			t.Errorf("with %d hosts in the file a connection keeps %d bytes", hosts, each)
		}
		runtime.KeepAlive(kept)
	}
	if allocs[1000] > 2*allocs[100] {
		t.Errorf("a host takes %.0f allocations where 100 hosts are known and %.0f where 1,000 are", allocs[100], allocs[1000])
	}
}

// heap is what is in use, in bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
