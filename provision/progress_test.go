package provision

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMeter feeds lines as the engine prints them and wants what they say of the whole.
func TestMeter(t *testing.T) {
	t.Parallel()
	pull := func(done, total int64) *Progress { return &Progress{"pull", "layers", done, total} }
	build := func(done, total int64) *Progress { return &Progress{"build", "steps", done, total} }
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
			{"b4d181a07f80: Verifying Checksum", nil},
			{"b4d181a07f80: Download complete", nil},
			{"b4d181a07f80: Pull complete", pull(2, 3)},
			{"46ca1d02c28c: Pull complete", pull(3, 3)},
			{"Digest: sha256:eaf8ba0ed9e25cb4bd06e1cbdd1b1b9f2a9d7c2e43bc1ac2e6a9b2d4f6fa2c0f", nil},
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
			m := &meter{building: true}
			for _, s := range lines {
				if d := cmp.Diff(s.want, m.line(s.line)); d != "" {
					t.Errorf("%s\n%s", s.line, d)
				}
			}
		})
	}
	other := &meter{}
	if p := other.line("b4d181a07f80: Pulling fs layer"); p != nil {
		t.Errorf("a change that neither pulls nor builds tells %v", p)
	}
}

// TestMeterUpload wants the first and the last byte told, and not every block between them.
func TestMeterUpload(t *testing.T) {
	t.Parallel()
	m, told := &meter{}, 0
	for n := int64(1); n <= 10000; n++ {
		if p := m.upload(n, 10000); p != nil {
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
