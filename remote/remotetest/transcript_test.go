package remotetest

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/remote/remotetest/unix"
)

// answer is what a command of a transcript gave.
type answer struct {
	Out, Err string
	Code     int
}

type step struct {
	setUp, command string
	want           answer
	looseErr       bool
}

func readTranscript(t *testing.T, name string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	fresh := true
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		kind, rest, _ := strings.Cut(l, " ")
		if kind == "!" {
			if fresh {
				steps = append(steps, step{})
			}
			steps[len(steps)-1].setUp += rest + "\n"
			fresh = false
			continue
		}
		fresh = true
		if kind == "$" {
			steps = append(steps, step{command: rest})
		}
		if len(steps) == 0 {
			continue
		}
		s := &steps[len(steps)-1]
		switch kind {
		case ">":
			s.want.Out += rest + "\n"
		case "2>":
			s.want.Err += rest + "\n"
		case "2~":
			s.looseErr = true
		case "=":
			if s.want.Code, err = strconv.Atoi(rest); err != nil {
				t.Fatalf("%s: %q", name, l)
			}
		}
	}
	return steps
}

func normalise(s string) string {
	for _, r := range []struct{ re, to string }{
		{`\b[0-9a-f]{64}\b`, "<id>"},
		{`\b[0-9a-f]{12}\b`, "<id>"},
		{`\d{4}-\d\d-\d\dT[0-9:.]+Z`, "<time>"},
		{`failed to bind port \S+: `, ""},
	} {
		s = regexp.MustCompile(r.re).ReplaceAllString(s, r.to)
	}
	return s
}

// TestAnswersOfARealEngine replays what was typed at a real host with Docker, and compares.
func TestAnswersOfARealEngine(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"engine.txt", "compose.txt"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := NewFleet(Options{Speed: 20})
			t.Cleanup(f.Close)
			f.SetRegistry(nil, "registry.example.org/library/postgres:13.3")
			h, err := f.Host("host-1", HostOptions{Docker: "running"})
			if err != nil {
				t.Fatal(err)
			}
			p := h.sys.NewProc(unix.Cred{}, map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, "/")
			typed := unix.Session(p)
			for _, step := range readTranscript(t, name) {
				var out, errs lockedBuffer
				null, err := p.Open("/dev/null", os.O_RDONLY)
				if err != nil {
					t.Fatal(err)
				}
				p.SetFD(0, unix.FileDesc(null))
				p.SetFD(1, unix.WriterDesc(&out))
				p.SetFD(2, unix.WriterDesc(&errs))
				code := typed(step.setUp + step.command)
				if step.command == "" {
					continue
				}
				got := answer{normalise(out.String()), normalise(errs.String()), code}
				if step.looseErr {
					got.Err = ""
				}
				if d := cmp.Diff(step.want, got); d != "" {
					t.Errorf("%s\nthe real one (-) and the simulated one (+) differ:\n%s", step.command, d)
				}
			}
			p.End()
			for _, u := range h.Unknown() {
				if !strings.Contains(u, "nosuchprog") {
					t.Errorf("not simulated: %s", u)
				}
			}
		})
	}
}
