package provision_test

import (
	"testing"

	"provision/remote/remotetest"
)

// TestConverge is the main job: blank hosts to a verified stack, and nothing to do afterwards, at
// the cost of one connection and one exec per host.
func TestConverge(t *testing.T) {
	t.Parallel()
	for name, l := range raced(map[string]layout{
		"single":     single,
		"split":      split,
		"two agents": {agents: 2},
		"ubuntu":     {agents: 1, host: func(_ string, o *remotetest.HostOptions) { o.Distro = "ubuntu 24.04" }},
		"sudo":       {agents: 1, host: func(_ string, o *remotetest.HostOptions) { o.User = "ops" }},
		"no sftp":    {agents: 1, host: func(_ string, o *remotetest.HostOptions) { o.NoSFTP = true }},
		"engine there": {agents: 1, host: func(_ string, o *remotetest.HostOptions) {
			o.Docker = "running"
		}},
		"prefect 3, single":      {stack: prefect3},
		"prefect 3, split":       {agents: 1, stack: prefect3},
		"prefect 3, two servers": {agents: 1, stack: servers2},
		"prefect 3, serve":       {agents: 1, stack: prefect3 + "[business_logic]\nexecution = \"serve\"\n"},
	}, 5) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, l)
			result, err := s.attempt().apply()
			if err != nil {
				t.Fatal(explain(err))
			}
			if len(result.Outcomes) < 20 || result.ExitCode != 0 {
				t.Errorf("%d changes, exit code %d", len(result.Outcomes), result.ExitCode)
			}
			for _, o := range result.Outcomes {
				if o.State != "done" {
					t.Errorf("%+v", o)
				}
			}
			before := map[string]remotetest.Counts{}
			for _, h := range s.hosts {
				before[h.Name()] = h.Counts()
				if n := h.Counts().AtOnce; n < 1 || n > 8 {
					t.Errorf("%s: %d channels of one connection at once", h.Name(), n)
				}
			}
			s.unchanged()
			for _, h := range s.hosts {
				b, a := before[h.Name()], h.Counts()
				if a.Connections-b.Connections != 1 || a.Execs-b.Execs != 1 || a.Channels-b.Channels != 1 || a.SFTP != b.SFTP {
					t.Errorf("%s: nothing to do cost %d connections, %d execs, %d channels, %d uploads", h.Name(),
						a.Connections-b.Connections, a.Execs-b.Execs, a.Channels-b.Channels, a.SFTP-b.SFTP)
				}
			}
			v := s.attempt()
			defer v.end()
			if err := v.Verify(v.ctx, nil); err != nil {
				t.Error(explain(err))
			}
		})
	}
}
