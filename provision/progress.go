package provision

import (
	"regexp"
	"strconv"
	"time"
)

// meter turns what a change prints, and what is uploaded for it, into parts of a whole. It is used
// by one goroutine at a time.
type meter struct {
	building bool // lines are those of docker pull and docker build

	told   time.Time         // of the last upload
	layers map[string]bool   // pull: layer to whether it is complete
	step   map[string]string // build: number of a vertex to "STAGE N"
	size   map[string]int64  // build: stage to its number of steps
	ended  map[string]bool   // build: "STAGE N" that is done
}

// uploadEvery keeps the events of one upload apart.
const uploadEvery = 100 * time.Millisecond

// upload counts bytes; nil where nothing is worth telling yet.
func (m *meter) upload(done, total int64) *Progress {
	if done < total && time.Since(m.told) < uploadEvery {
		return nil
	}
	m.told = time.Now()
	return &Progress{What: "upload", Unit: "bytes", Done: done, Total: total}
}

// The lines of docker pull without a terminal, and of docker build with BUILDKIT_PROGRESS=plain.
var (
	pullLine  = regexp.MustCompile(`^([0-9a-f]{12}): (Pulling fs layer|Already exists|Pull complete)$`)
	stepLine  = regexp.MustCompile(`^#(\d+) \[(?:([^\]]*) )?(\d+)/(\d+)\] `)
	endedLine = regexp.MustCompile(`^#(\d+) (?:DONE|CACHED)\b`)
)

// line reads one line; nil where it says nothing of how far the change is. A step of a build counts
// once it has ended, and so does a layer that was pulled.
func (m *meter) line(line string) *Progress {
	if !m.building {
		return nil
	}
	if l := pullLine.FindStringSubmatch(line); l != nil {
		if m.layers == nil {
			m.layers = map[string]bool{}
		}
		m.layers[l[1]] = l[2] != "Pulling fs layer"
		return &Progress{What: "pull", Unit: "layers", Done: count(m.layers), Total: int64(len(m.layers))}
	}
	if m.step == nil {
		m.step, m.size, m.ended = map[string]string{}, map[string]int64{}, map[string]bool{}
	}
	if l := stepLine.FindStringSubmatch(line); l != nil {
		stage, step := l[2], l[2]+" "+l[3]
		m.step[l[1]] = step
		m.size[stage], _ = strconv.ParseInt(l[4], 10, 32)
		if _, ok := m.ended[step]; !ok {
			m.ended[step] = false
		}
		return m.built()
	}
	if l := endedLine.FindStringSubmatch(line); l != nil && m.step[l[1]] != "" {
		m.ended[m.step[l[1]]] = true
		return m.built()
	}
	return nil
}

func (m *meter) built() *Progress {
	p := &Progress{What: "build", Unit: "steps", Done: count(m.ended)}
	for _, n := range m.size {
		p.Total += n
	}
	p.Total = max(p.Total, p.Done)
	return p
}

func count(m map[string]bool) (n int64) {
	for _, yes := range m {
		if yes {
			n++
		}
	}
	return n
}
