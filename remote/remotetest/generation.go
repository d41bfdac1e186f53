package remotetest

import "strings"

// generation is what the images of one generation of the stack bring beside what all have (glue*.go). Each is a file genN.go.
type generation struct {
	database string                               // begins the names of settings of the server's database
	token    string                               // the variable with the token for the API
	modules  map[string]func(*proc, []string) int // of Python
	commands map[string]func(*proc) int           // of Prefect
	polling  func(words []string) []string        // the queues that a command asks for runs; nil if it does not
	fetch    func(*proc) int                      // is such a command, where it is one of Prefect
	// automations are those that the pool's program makes.
	automations []string
}

func generations() []generation { return []generation{gen2(), gen3()} }

// polled are the queues that a container's command asks for runs.
func polled(words []string) []string {
	for _, g := range generations() {
		if queues := g.polling(words); queues != nil {
			return queues
		}
	}
	return nil
}

// automations are those that the process's Prefect should have.
func (p *proc) automations() []string {
	for _, g := range generations() {
		if _, ok := p.Env[g.database+"CONNECTION_URL"]; ok {
			return g.automations
		}
	}
	return nil
}

// counting says whether a line of a Dockerfile tells how much it has received.
func counting(line string) bool { return strings.Contains(line, glueReceived) }
