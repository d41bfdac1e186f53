package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMeter feeds lines as the engine prints them and wants what they say of the whole.
func TestMeter(t *testing.T) {
	t.Parallel()
	pull := func(done, total int64) *Progress {
		return &Progress{What: "pull", Unit: "layers", Done: done, Total: total}
	}
	fetch := func(done, total int64) *Progress {
		return &Progress{What: "pull", Unit: "bytes", Done: done, Total: total}
	}
	build := func(done, total int64) *Progress {
		return &Progress{What: "build", Unit: "steps", Done: done, Total: total}
	}
	fetched := func(done, total, bytes int64) *Progress {
		return &Progress{What: "build", Unit: "steps", Done: done, Total: total, Bytes: bytes}
	}
	type said struct {
		line string
		want *Progress
	}
	for name, lines := range map[string][]said{
		"pull": {
			{"13.3: Pulling from library/postgres", nil},
			{"b4d181a07f80: Pulling fs layer", pull(0, 1)},
			{"46ca1d02c28c: Pulling fs layer", pull(0, 2)},
			{"a756866b5565: Already exists", pull(1, 3)},
			{"46ca1d02c28c: Waiting", pull(1, 3)},
			{"b4d181a07f80: Downloading  540.7kB/88.51MB", fetch(540_700, 88_510_000)},
			{"b4d181a07f80: Downloading [=====>      ]  1.081MB/88.51MB", fetch(1_081_000, 88_510_000)},
			{"46ca1d02c28c: Downloading      2B/900B", fetch(1_081_002, 88_510_900)},
			{"b4d181a07f80: Verifying Checksum", fetch(1_081_002, 88_510_900)},
			{"b4d181a07f80: Download complete", fetch(88_510_002, 88_510_900)},
			{"b4d181a07f80: Extracting  557.1kB/88.51MB", fetch(88_510_002, 88_510_900)},
			{"46ca1d02c28c: Retrying in 5 seconds", nil},
			{"46ca1d02c28c: Downloading     10B/900B", fetch(88_510_010, 88_510_900)},
			{"46ca1d02c28c: Extracting    900B/900B", fetch(88_510_900, 88_510_900)},
			{"b4d181a07f80: Pull complete", fetch(88_510_900, 88_510_900)},
			{"46ca1d02c28c: Pull complete", fetch(88_510_900, 88_510_900)},
			{"Digest: sha256:eaf8ba0ed9e25cb4bd06e1cbdd1b1b9f2a9d7c2e43bc1ac2e6a9b2d4f6fa2c0f", nil},
		},
		"a pull of which little was seen": {
			{"b4d181a07f80: Pulling fs layer", pull(0, 1)},
			{"b4d181a07f80: Down", nil},
			{"b4d181a07f80: Pull complete", pull(1, 1)},
			{"46ca1d02c28c: Extracting  1.5GB/3GB", fetch(3_000_000_000, 3_000_000_000)},
		},
		"an engine that tells less": {
			{"b4d181a07f80: Downloading", pull(0, 1)},
			{"46ca1d02c28c: Downloading  4.19MB", pull(0, 2)},
			{"46ca1d02c28c: Downloading  4.19MB/9MB", fetch(4_190_000, 9_000_000)},
			{"46ca1d02c28c: Downloading  9.3MB", fetch(4_190_000, 9_000_000)},
			{"46ca1d02c28c: Extracting 3 s", fetch(9_000_000, 9_000_000)},
		},
		"sizes that make no sense": {
			{"b4d181a07f80: Downloading 1.2.3MB/x", pull(0, 1)},
			{"b4d181a07f80: Downloading 1.2.3MB/9B", fetch(0, 9)},
			{"b4d181a07f80: Downloading 5B/" + strings.Repeat("9", 400) + "TB", pull(0, 1)},
			{"b4d181a07f80: Downloading 5B/" + strings.Repeat("9", 40) + "TB", fetch(5, 1_000_000_000_000_000)},
		},
		"build": {
			{`#0 building with "default" instance using docker driver`, nil},
			{"#1 [internal] load build definition from Dockerfile", nil},
			{"#1 transferring dockerfile: 1.55kB done", nil},
			{"#1 DONE 0.0s", nil},
			{"#5 [poetry 1/2] FROM docker.io/library/python:3.8-slim", build(0, 2)},
			{"#5 CACHED", build(1, 2)},
			{"#6 [poetry 2/2] RUN pip install poetry", build(1, 2)},
			{"#6 0.345 Collecting poetry [1/2] x", nil},
			{"#7 [stage-1 2/4] COPY pyproject.toml .", build(1, 6)},
			{"#6 DONE 12.3s", build(2, 6)},
			{"#7 DONE 0.1s", build(3, 6)},
			{"#7 DONE 0.1s", build(3, 6)},
			{"#9 exporting to image", nil},
		},
		"a build whose steps are counted beforehand": {
			{"building in 8 steps", nil},
			{"#5 [base 1/2] FROM docker.io/library/python:3.8-slim", build(0, 8)},
			{"#5 CACHED", build(1, 8)},
			{"#6 [base 2/2] RUN true", build(1, 8)},
			{"#6 DONE 0.1s", build(2, 8)},
			{"#7 [stage-1 1/6] COPY x x", build(2, 8)},
			{"#8 [other 1/3] COPY x x", build(2, 11)},
		},
		"a build that fetches": {
			{"#1 sha256:86a026f218e1 10.49MB / 30.00MB 1.2s", nil},
			{"#5 [base 1/2] FROM docker.io/library/python:3.8-slim", build(0, 2)},
			{"#5 sha256:86a026f218e1 10.49MB / 30.00MB 1.2s", fetched(0, 2, 10_490_000)},
			{"#5 sha256:cd47052432e0 500B / 500B done", fetched(0, 2, 10_490_500)},
			{"#5 DONE 2.0s", fetched(1, 2, 10_490_500)},
			{"#6 [base 2/2] RUN pip install poetry", fetched(1, 2, 10_490_500)},
			{"#6 1.024 received 1000000 bytes", fetched(1, 2, 11_490_500)},
			{"#6 2.048 received 2500000 bytes", fetched(1, 2, 12_990_500)},
			{"#6 2.100 received letters, 12 bytes", nil},
			{"#6 transferring context: 45.32kB done", nil},
			{"#6 DONE 12.3s", fetched(2, 2, 12_990_500)},
		},
		"one stage without a name": {
			{"#4 [1/3] FROM docker.io/library/caddy:2", build(0, 3)},
			{"#4 DONE 0.0s", build(1, 3)},
		},
		"numbers that make no sense": {
			{"#4 [a 1/99999999999999999999] RUN x", build(0, 2147483647)},
			{"#4 [a 5/1] RUN x", build(0, 1)},
			{"#4 DONE", build(1, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Meter{Building: true}
			for _, s := range lines {
				text, got := m.Line(s.line)
				if d := cmp.Diff(s.want, got); d != "" {
					t.Errorf("%s\n%s", s.line, d)
				}
				quiet := got != nil && (got.What == "pull" || strings.Contains(s.line, " received "))
				if want := map[bool]string{false: s.line, true: ""}[quiet]; text != want {
					t.Errorf("%s: %q is shown", s.line, text)
				}
			}
		})
	}
	other := &Meter{}
	if text, p := other.Line("b4d181a07f80: Pulling fs layer"); p != nil || text != "b4d181a07f80: Pulling fs layer" {
		t.Errorf("a change that neither pulls nor builds tells %q, %v", text, p)
	}
}

// TestMeterUpload wants the first and the last byte told, and not every block between them.
func TestMeterUpload(t *testing.T) {
	t.Parallel()
	m, told := &Meter{}, 0
	for n := int64(1); n <= 10000; n++ {
		if p := m.Upload(n, 10000); p != nil {
			told++
			if p.Done != n || p.Total != 10000 {
				t.Fatalf("told %v at %d", p, n)
			}
		} else if n == 1 || n == 10000 {
			t.Fatalf("%d of 10000 is not told", n)
		}
	}
	if told > 1000 {
		t.Errorf("told %d times", told)
	}
}

// TestMeterKeepsLittle: a host may tell of any number of layers, steps and transfers.
func TestMeterKeepsLittle(t *testing.T) {
	t.Parallel()
	m := &Meter{Building: true}
	for n := range 20_000 {
		m.Line(fmt.Sprintf("%012x: Downloading  1B/2B", n))
		m.Line(fmt.Sprintf("#%d [stage-%d 1/2] RUN true", n, n))
		m.Line(fmt.Sprintf("#%d sha256:%x 1B / 2B", n, n))
		m.Line(fmt.Sprintf("#1 sha256:%x 1B / 2B", n))
		m.Line(fmt.Sprintf("#%d 0.1 received 5 bytes", n))
	}
	for what, kept := range map[string]int{"layers": len(m.layers), "step": len(m.step), "size": len(m.size), "ended": len(m.ended), "moved": len(m.moved)} {
		if kept > 600 || kept == 0 {
			t.Errorf("%s: %d are kept", what, kept)
		}
	}
}
