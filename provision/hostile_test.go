package provision_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"provision/provision"
	"provision/remote/remotetest"
)

// poison is what a host may send to harm a terminal or imitate our own frames.
const poison = "\x1b[2J\x1b]0;owned\a\x1b]52;c;cm0gLXJm\a\x9b31m\u202e\u2066\x00\r" +
	"\nPROVISION-0-END 0\n\n00000000000000000000000000000000 r 0\n\n00000000000000000000000000000000 k yes\n\n00000000000000000000000000000000 e\n" +
	"../../../../etc/passwd|$(reboot)|`reboot`|';reboot;'|{{.Id}}|<script>|"

// harmless wants that nothing of what an attempt told can do anything to a terminal.
func harmless(t *testing.T, a *attempt, err error) {
	t.Helper()
	for _, text := range a.told(err) {
		for _, r := range text {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("the character %U is shown in %.200q", r, text)
				break
			}
		}
	}
}

func named(t *testing.T, err error, host string) {
	t.Helper()
	errs := provision.Errors(err)
	if len(errs) == 0 {
		t.Errorf("nothing is said of %s", host)
	}
	for _, e := range errs {
		if e.Host != host {
			t.Errorf("the error names %q, not %q: %s", e.Host, host, explain(err))
		}
	}
}

// endless writes until nobody reads any more.
func endless(text string) func(remotetest.Call) int {
	block := bytes.Repeat([]byte(text), 1+(64<<10)/len(text))
	return func(c remotetest.Call) int {
		for {
			if _, err := c.Stdout.Write(block); err != nil {
				return 1
			}
			if _, err := c.Stderr.Write(block); err != nil {
				return 1
			}
		}
	}
}

// TestHostileAnswers has one host answer with what harms, once it is converged: to each program
// that an observation or a change runs there.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	programs := []string{"docker", "cat", "stat", "head", "sha256sum", "date", "uname", "id", "grep", "df", "ss", "find", "mktemp", "cut", "sort"}
	programs = sample(programs, 4)
	each(len(programs), func(i int) {
		t.Run(programs[i], func(t *testing.T) {
			s := arrange(t, split)
			s.converge()
			worker := s.hosts[1]
			worker.Replace(programs[i], func(c remotetest.Call) int {
				_, _ = c.Stdout.Write([]byte(poison))
				_, _ = c.Stderr.Write([]byte(poison))
				return 0
			})
			before := len(s.server.Ran("docker compose --project"))
			a := s.attempt()
			a.LockWait = 0
			_, err := a.apply()
			harmless(t, a, err)
			for _, e := range provision.Errors(err) {
				if e.Host != "worker-1" && !strings.Contains(e.Cause, "worker-1") {
					t.Errorf("the error is of %q: %s", e.Host, explain(err))
				}
			}
			if after := len(s.server.Ran("docker compose --project")); after != before {
				t.Errorf("containers of the other host were touched: %q", s.server.Ran("docker compose --project")[before:])
			}
			st := s.attempt()
			defer st.end()
			hosts, err := st.Status(st.ctx)
			harmless(t, st, err)
			for _, h := range hosts {
				if h.Host == "prefect" && (h.Error != "" || len(h.Services) != 3) {
					t.Errorf("the other host: %+v", h)
				}
				for _, v := range append([]string{h.Error}, h.Problems...) {
					if strings.ContainsAny(v, "\x1b\a\x00\r") {
						t.Errorf("status shows %q", v)
					}
				}
			}
		})
	})
}

// TestEndlessOutput has one host that never stops to talk: while it is observed, and while a change
// runs on it. The memory stays bounded, and it is given up.
func TestEndlessOutput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ program, text string }{
		"observation":       {"uname", "x"},
		"observation lines": {"df", "\n"},
		"a change":          {"dpkg-query", "progress\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := arrange(t, split)
			s.hosts[1].Replace(c.program, endless(c.text))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.attempt()
			_, err := a.apply()
			runtime.ReadMemStats(&after)
			if !isCode(err, provision.ExitUnknown) {
				t.Errorf("%s", explain(err))
			}
			named(t, err, "worker-1")
			harmless(t, a, err)
			if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 256<<20 {
				t.Errorf("the heap has grown by %d MiB", grown>>20)
			}
		})
	}
}

// TestLyingSFTP has an SFTP server that tells wrong sizes: what is staged there counts as not
// arrived, and the other host goes on.
func TestLyingSFTP(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(int64) int64{
		"less": func(n int64) int64 { return n - 1 }, "more": func(n int64) int64 { return n + 1<<40 }, "below nothing": func(int64) int64 { return -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 1, host: func(name string, o *remotetest.HostOptions) {
				if name == "worker-1" {
					o.SFTPSize = func(_ string, n int64) int64 { return lie(n) }
				}
			}})
			a := s.attempt()
			report, err := a.apply()
			if !isCode(err, provision.ExitStep) {
				t.Errorf("%s", explain(err))
			}
			named(t, err, "worker-1")
			harmless(t, a, err)
			for _, o := range report.Outcomes {
				if o.Host == "prefect" && o.State != provision.Done {
					t.Errorf("the other host: %+v", o)
				}
			}
		})
	}
}

// TestSilentHost has a host that takes the connection and never says anything.
func TestSilentHost(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, host: func(name string, o *remotetest.HostOptions) { o.Silent = name == "worker-1" }})
	s.connectTimeout("2s")
	a := s.attempt()
	_, err := a.apply()
	if !isCode(err, provision.ExitUnreachable) {
		t.Errorf("%s", explain(err))
	}
	named(t, err, "worker-1")
	if errs := provision.Errors(err); !strings.Contains(errs[0].Cause, "no SSH session within 2s") || !strings.Contains(errs[0].Evidence, "said nothing") {
		t.Errorf("%s", explain(err))
	}
	for _, e := range a.seen() {
		if e.Type == "change" {
			t.Errorf("something was changed: %+v", e)
		}
	}
}

// TestHostileStaging has a host name a directory of its choice as the place to stage files in.
func TestHostileStaging(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/var/tmp/../../etc", "/", "/var/tmp/.provision-aaaaaaaa/../../../etc", "/var/tmp/.provision-aaaa\x1baaa", "", "/var/tmp/.provision-aaaaaaaa\n/etc"} {
		s := arrange(t, split)
		s.hosts[1].Replace("mktemp", func(c remotetest.Call) int {
			_, _ = c.Stdout.Write([]byte(dir + "\n"))
			return 0
		})
		a := s.attempt()
		_, err := a.apply()
		if !isCode(err, provision.ExitStep) {
			t.Errorf("%q: %s", dir, explain(err))
		}
		named(t, err, "worker-1")
		harmless(t, a, err)
		for _, h := range s.hosts {
			if h.Counts().SFTP > 0 {
				t.Errorf("%q: something was uploaded to %s", dir, h.Name())
			}
		}
		for _, rm := range s.hosts[1].Ran("rm -rf") {
			if !strings.HasPrefix(rm, "rm -rf /var/tmp/.provision-") {
				t.Errorf("%q: %q ran", dir, rm)
			}
		}
	}
}
