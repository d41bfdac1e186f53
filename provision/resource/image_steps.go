package resource

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
)

// buildSteps counts the steps of the Dockerfile in a build context as BuildKit numbers them, over all stages: it tells of a
// stage only when that begins, so without this nobody knows the whole before its last one. 0: not known.
func buildSteps(context []byte) int {
	for r := tar.NewReader(bytes.NewReader(context)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) || err != nil {
			return 0
		}
		if h.Name == "Dockerfile" {
			text, err := io.ReadAll(r)
			if err != nil {
				return 0
			}
			return countSteps(string(text))
		}
	}
}

// countSteps counts what makes a layer, and each image from elsewhere that a stage begins with.
func countSteps(dockerfile string) (n int) {
	stages := map[string]bool{}
	continued := false
	for l := range strings.Lines(dockerfile) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		f, rest := strings.Fields(l), continued
		continued = strings.HasSuffix(l, `\`)
		if rest {
			continue
		}
		switch strings.ToUpper(f[0]) {
		case "RUN", "COPY", "ADD", "WORKDIR":
			n++
		case "FROM":
			if len(f) > 1 && !stages[strings.ToLower(f[1])] && f[1] != "scratch" {
				n++
			}
			if len(f) == 4 && strings.EqualFold(f[2], "as") {
				stages[strings.ToLower(f[3])] = true
			}
		}
	}
	return n
}
