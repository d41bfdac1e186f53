package provision_test

import (
	"strings"
	"testing"

	"provision/files/naming"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// replaced is how often an apply replaces each container.
func replaced(r *report.Report) map[string]int {
	times := map[string]int{}
	for _, o := range r.Outcomes {
		if name, ok := strings.CutPrefix(o.Step, "container "); ok && o.Act == "replace" {
			times[o.Host+" "+name]++
		}
	}
	return times
}

// TestReplacedOnce: a container is replaced once where a secret that it read goes away, though the file is
// removed after the container was replaced.
func TestReplacedOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, before, after string
		gone                string // file
		want                []string
	}{
		{"one server of two", servers2, prefect3, "/server/secrets/server/redis_password", []string{"prefect prefect-server"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 1, stack: tt.before})
			s.converge()
			sh(t, s, 0, "[ -e "+base+tt.gone+" ]")
			s.stack(tt.after)
			once(t, s.converge(), tt.want...)
			sh(t, s, 0, "[ ! -e "+base+tt.gone+" ]")
		})
	}
	t.Run("a database elsewhere", func(t *testing.T) {
		t.Parallel()
		s, db := elsewhere(t, single)
		s.stack(prefect3)
		s.converge()
		db.Set(func(d *remotetest.Database) {
			d.Answers = map[string]string{"prefects": "t", "tables": "35", "trigrams": "t"}
		})
		s.stack(prefect3 + "[postgres]\nurl = { file = \"database-url\" }\n")
		once(t, s.converge(), "prefect prefect-server")
		sh(t, s, 0, "[ ! -e "+base+"/server/secrets/server/password ]")
	})
}

func once(t *testing.T, r *report.Report, want ...string) {
	t.Helper()
	times := replaced(r)
	for name, n := range times {
		if n > 1 {
			t.Errorf("%s was replaced %d times", name, n)
		}
	}
	for _, name := range want {
		if times[name] == 0 {
			t.Errorf("%s was not replaced, but %v", name, times)
		}
	}
}

// TestMountsDigest: the digest with which a container is labelled is that of all files in the directories that it has mounted, as
// it has always been: another one would replace the containers of all who upgrade.
func TestMountsDigest(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]layout{
		"gen2":   {agents: 1, stack: "[prefect]\nversion = \"2.20.25\"\n"},
		"gen3":   {agents: 1, stack: prefect3},
		"single": {stack: prefect3},
		"two":    {agents: 1, stack: servers2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, l)
			s.converge()
			labelled := 0
			for n, h := range s.hosts {
				for _, c := range h.Containers() {
					label := c.Config.Labels[naming.LabelMounts]
					if label == "" {
						continue
					}
					labelled++
					dirs := ""
					for _, m := range c.Mounts {
						if m.Type == "bind" {
							dirs += " " + m.Source
						}
					}
					sh(t, s, n, "files=$(find"+dirs+" -type f | sort); [ \"$({ cat "+base+"/salt; for f in $files; do echo \"$f\"; sha256sum <\"$f\"; done; } | sha256sum)\" = \""+label+"  -\" ] || { echo "+c.Name+" $files; exit 1; }")
				}
			}
			if labelled < 2 {
				t.Errorf("%d containers are labelled", labelled)
			}
		})
	}
}
