package resource

import "testing"

// TestCountSteps has Dockerfiles and the sum of what BuildKit numbers in their stages.
func TestCountSteps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0,
		"FROM python:3.8-slim AS base\nRUN a \\\n  # a comment between\n  && RUN b\nENV X=1 \\\n    RUN=2\nFROM base AS build\nWORKDIR /opt\nCOPY a b\nfrom Base\nrun c\nCOPY --from=build /a /b\nUSER 1\nCMD [\"x\"]\n": 6,
		"FROM scratch\nADD x /\n": 1,
		"ARG B=x\nFROM $B AS caddy\nRUN cp a b\nFROM ${B}\nCOPY --from=caddy b c\n": 4,
	} {
		if got := countSteps(text); got != want {
			t.Errorf("%d steps, want %d, in\n%s", got, want, text)
		}
	}
}
