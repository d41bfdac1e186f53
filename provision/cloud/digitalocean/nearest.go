package digitalocean

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mostNear are as many sizes as a hint names: DigitalOcean has more than a hundred.
const mostNear = 6

var (
	sizeCPUs   = regexp.MustCompile(`([0-9]+)vcpu`)
	sizeMemory = regexp.MustCompile(`([0-9]+)(gb|mb)`)
)

// measure takes a size's name apart: its line, its processors and its memory in MB, 0 where the name does not say.
func measure(slug string) (line string, cpus, memory int) {
	line, _, _ = strings.Cut(slug, "-")
	if m := sizeCPUs.FindStringSubmatch(slug); m != nil {
		cpus, _ = strconv.Atoi(m[1])
	}
	if m := sizeMemory.FindStringSubmatch(slug); m != nil {
		memory, _ = strconv.Atoi(m[1])
		if m[2] == "gb" {
			memory *= 1024
		}
	}
	return line, cpus, memory
}

// nearest names the sizes that are most like one that cannot be had, after the words that say what they are.
func nearest(words, want string, sizes []string) string {
	line, cpus, memory := measure(want)
	far := func(slug string) (d int) {
		l, c, m := measure(slug)
		if l != line {
			d += 1 << 30
		}
		return d + max(memory-m, m-memory) + 1024*max(cpus-c, c-cpus)
	}
	sorted := slices.Clone(sizes)
	slices.SortFunc(sorted, func(a, b string) int { return cmp.Or(cmp.Compare(far(a), far(b)), strings.Compare(a, b)) })
	if len(sorted) <= mostNear {
		return words + ": " + list(sorted)
	}
	return words + ", nearest to it: " + clean(strings.Join(sorted[:mostNear], ", ")) + "; all of them: doctl compute size list"
}
