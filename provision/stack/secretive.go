package stack

import (
	"fmt"
	"strings"

	"provision/files/buildcontext"
	"provision/inventory/strict"
)

const fewNames = 5

// secretive says, in one line, which files of the project look like secrets and are in the image all the same.
func secretive(c buildcontext.Context) []string {
	found := buildcontext.Secretive(c)
	if len(found) == 0 {
		return nil
	}
	var names []string
	for _, name := range found[:min(len(found), fewNames)] {
		names = append(names, strict.Show(name))
	}
	if more := len(found) - fewNames; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return []string{fmt.Sprintf("these files of the flows' project look like secrets, and every agent host gets them in the image: %s; a line in the project's .dockerignore keeps a file out", strings.Join(names, ", "))}
}
