//go:build race

package provision_test

// raceDetector says that everything takes some ten times as long.
const raceDetector = true
