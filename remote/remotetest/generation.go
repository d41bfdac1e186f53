package remotetest

import "strings"

// generation is what the images of one generation of the stack bring. Each is a file genN.go, with its programs beside it.
type generation struct {
	programs map[string]func(*proc) int
	modules  map[string]func(*proc, []string) int // of Python
	polls    string                               // begins the command that asks for runs, with --work-queue NAME for each queue
	counts   string                               // is in the lines of Dockerfiles that tell how much they have received
}

func generations() []generation { return []generation{gen2()} }

// polling says whether a container's command asks for runs.
func polling(words []string) bool {
	for _, g := range generations() {
		if strings.Contains(strings.Join(words, " "), g.polls) {
			return true
		}
	}
	return false
}

// counting says whether a line of a Dockerfile tells how much it has received.
func counting(line string) bool {
	for _, g := range generations() {
		if strings.Contains(line, g.counts) {
			return true
		}
	}
	return false
}
