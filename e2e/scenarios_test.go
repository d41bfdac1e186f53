//go:build linux && e2e

package e2e

import (
	"flag"
	"strconv"
	"sync"
	"testing"
)

// scenarios are in the order in which they start: first those that others begin with something of, then the longest, so that no long
// one runs alone at the end.
var scenarios = []struct {
	name string
	run  func(*testing.T)
	// makes is the kind of site that the scenario keeps. Who wants one waits until it is kept, or the scenario has ended.
	makes *siteKind
}{
	{"split3", testSplit3, gen3.split},
	{"split", testSplit, nil},
	{"single", testSingle, nil},
	{"killed", testKilled, nil},
	{"packages", testDockersOwnRepository, nil},
	{"lived", testLived, nil},
	{"rotated", testRotated, nil},
	{"production", testProduction, nil},
	{"attacked", testAttacked, nil},
	{"attacked2", testAttacked2, nil},
	{"redhat", testRedHat, nil},
	{"others", testOthers, nil},
	{"refused", testRefused, nil},
}

// TestHosts runs the scenarios, as many at the same time as -parallel says, each on hosts of its own.
func TestHosts(t *testing.T) {
	most, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		if s.makes != nil {
			s.makes.begin()
		}
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range most {
		workers.Go(func() {
			for n := range next {
				t.Run(scenarios[n].name, scenarios[n].run)
				if s := scenarios[n]; s.makes != nil {
					s.makes.end()
				}
			}
		})
	}
	for n := range scenarios {
		next <- n
	}
	close(next)
	workers.Wait()
}
