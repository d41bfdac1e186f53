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
	{"agents3", testAgents3, nil},
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

// places has one of each scenario that may work now.
var places chan struct{}

// idly does what waits and computes nothing, while another scenario works instead of this one.
func idly(wait func()) {
	<-places
	defer func() { places <- struct{}{} }()
	wait()
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
	places = make(chan struct{}, most)
	var all sync.WaitGroup
	for _, s := range scenarios {
		places <- struct{}{}
		all.Go(func() {
			t.Run(s.name, s.run)
			if s.makes != nil {
				s.makes.end()
			}
			<-places
		})
	}
	all.Wait()
}
