package report

import (
	"regexp"
	"strconv"
	"time"
)

// meter turns what a change prints, and what is uploaded for it, into parts of a whole. It is used
// by one goroutine at a time.
type Meter struct {
	Building bool // lines are those of docker pull and docker build

	told   time.Time          // of the last upload
	layers map[string]layer   // pull
	step   map[string]string  // build: number of a vertex to "STAGE N"
	size   map[string]int64   // build: stage to its number of steps
	ended  map[string]bool    // build: "STAGE N" that is done
	moved  map[string]float64 // build: what a vertex fetches to its bytes
	whole  int64              // build: the number of all steps, where it was told beforehand
}

// layer is what is known of a layer that is pulled, in bytes; 0 is not known.
type layer struct {
	here, all float64
	whole     bool // nothing of it is missing any more
}

// uploadEvery keeps the events of one upload apart.
const uploadEvery = 100 * time.Millisecond

// upload counts bytes; nil where nothing is worth telling yet.
func (m *Meter) Upload(done, total int64) *Progress {
	if done < total && time.Since(m.told) < uploadEvery {
		return nil
	}
	m.told = time.Now()
	return &Progress{What: "upload", Unit: "bytes", Done: done, Total: total}
}

// The lines that docker pull draws on a terminal, those of docker build with BUILDKIT_PROGRESS=plain,
// and among them what steps of the images tell of what they have received.
var (
	pullLine  = regexp.MustCompile(`^([0-9a-f]{12}): (?:(Pulling fs layer|Waiting|Verifying Checksum)|(Already exists|Download complete|Pull complete)|(Downloading|Extracting)(?: +(?:\[.*\] +)?` + bytesOf + `/` + bytesOf + `| .*)?)$`)
	wholeLine = regexp.MustCompile(`^building in (\d{1,4}) steps$`) // of resource.BuiltImage
	stepLine  = regexp.MustCompile(`^#(\d+) \[(?:([^\]]*) )?(\d+)/(\d+)\] `)
	endedLine = regexp.MustCompile(`^#(\d+) (?:DONE|CACHED)\b`)
	movedLine = regexp.MustCompile(`^#(\d+) (?:(sha256:[0-9a-f]+) ` + bytesOf + `|[0-9.]+ (received) (\d+) bytes$)`)
)

const bytesOf = `([0-9.]+) ?([kMGT]?)B`

// amount reads a number as it is written for people, in units of 1000. A host may write anything.
func amount(number, unit string) float64 {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	return min(n*map[string]float64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit], 1e15)
}

// line reads one line and returns what there is to show of it; nil where it says nothing of how far
// the change is. A step of a build counts once it has ended. The bytes of a pull are those of the
// layers whose size is known by then, because the engine tells it when a layer's turn comes.
func (m *Meter) Line(line string) (text string, p *Progress) {
	if !m.Building {
		return line, nil
	}
	if l := wholeLine.FindStringSubmatch(line); l != nil {
		m.whole, _ = strconv.ParseInt(l[1], 10, 32)
		return line, nil
	}
	if l := pullLine.FindStringSubmatch(line); l != nil && room(m.layers, l[1]) {
		return "", m.pulled(l)
	}
	if m.step == nil {
		m.step, m.size, m.ended, m.moved = map[string]string{}, map[string]int64{}, map[string]bool{}, map[string]float64{}
	}
	if l := stepLine.FindStringSubmatch(line); l != nil && room(m.step, l[1]) {
		stage, step := l[2], l[2]+" "+l[3]
		m.step[l[1]] = step
		m.size[stage], _ = strconv.ParseInt(l[4], 10, 32)
		if _, ok := m.ended[step]; !ok {
			m.ended[step] = false
		}
		return line, m.built()
	}
	if l := endedLine.FindStringSubmatch(line); l != nil && m.step[l[1]] != "" {
		m.ended[m.step[l[1]]] = true
		return line, m.built()
	}
	if l := movedLine.FindStringSubmatch(line); l != nil && len(m.size) > 0 && room(m.moved, l[1]+" "+l[2]) {
		if l[5] != "" {
			m.moved[l[1]+" "] = amount(l[6], "")
			return "", m.built()
		}
		m.moved[l[1]+" "+l[2]] = amount(l[3], l[4])
		return line, m.built()
	}
	return line, nil
}

// room tells whether a key may be set: a host may tell of any number of things, and each line goes
// through all of them.
func room[V any](m map[string]V, key string) bool {
	_, known := m[key]
	return known || len(m) < 500
}

// pulled takes a state of a layer. What is extracted has come whole, and a state that was not seen is
// made up for by a later one.
func (m *Meter) pulled(l []string) *Progress {
	if m.layers == nil {
		m.layers = map[string]layer{}
	}
	one := m.layers[l[1]]
	one.whole = one.whole || l[3] != "" || l[4] == "Extracting"
	if l[7] != "" { // not every engine tells the size, and none that of what it extracts in seconds
		one.here, one.all = amount(l[5], l[6]), amount(l[7], l[8])
	}
	if one.whole {
		one.here = one.all
	}
	m.layers[l[1]] = one
	var sum layer
	whole := int64(0)
	for _, known := range m.layers {
		sum.here, sum.all = sum.here+known.here, sum.all+known.all
		if known.whole {
			whole++
		}
	}
	if sum.all == 0 {
		return &Progress{What: "pull", Unit: "layers", Done: whole, Total: int64(len(m.layers))}
	}
	return &Progress{What: "pull", Unit: "bytes", Done: int64(min(sum.here, 1e18)), Total: int64(min(sum.all, 1e18))}
}

func (m *Meter) built() *Progress {
	p := &Progress{What: "build", Unit: "steps", Done: count(m.ended)}
	for _, n := range m.size {
		p.Total += n
	}
	p.Total = max(p.Total, p.Done, m.whole)
	bytes := 0.0
	for _, n := range m.moved {
		bytes += n
	}
	p.Bytes = int64(min(bytes, 1e18))
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
