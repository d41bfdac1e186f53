package resource_test

import (
	"strings"
	"testing"

	. "provision/provision/resource"
)

// What the data cannot be read without stays wherever the data may be: its volume is listed, or the mark
// says that it was made here. The packages of an engine are removed without its volumes.
func TestLeftoversKeepTheKey(t *testing.T) {
	t.Parallel()
	const base = Root + "/prefect"
	const key, mark, token = base + "/server/secrets/server/encryption_key", base + "/volume.prefect-postgres", base + "/server/secrets/caddy/tokens/a.run"
	l := &Leftovers{Host: "h", Stack: "prefect", Keep: []string{base + "/id", key, mark}}
	for name, c := range map[string]struct {
		engine Fact
		files  []string
		keeps  bool
	}{
		"its volume is there":                       {engine("volumes", "prefect-postgres|prefect|/x\n"), []string{key, token}, true},
		"the engine is gone":                        {no(), []string{key, mark, token}, true},
		"another engine that does not list it":      {engine(), []string{key, mark, token}, true},
		"it was never made":                         {engine(), []string{key, token}, false},
		"it was never made, and there is no engine": {no(), []string{key, token}, false},
		"there is only a volume of somebody else":   {engine("volumes", "theirs||/x\n"), []string{key, token}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var gone string
			for _, c := range l.Diff(world{Facts: facts{EngineID("h"): c.engine, l.ID(): yes("files", strings.Join(c.files, "\n")+"\n")}}) {
				gone += c.Diff
			}
			if strings.Contains(gone, key) == c.keeps || strings.Contains(gone, mark) || !strings.Contains(gone, token) {
				t.Errorf("removed are\n%s", gone)
			}
		})
	}
}
