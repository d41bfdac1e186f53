package plan

import "provision/provision/resource"

// Facts are what is known of every resource of every host at one moment.
type Facts map[resource.ID]resource.Fact

// World is what a diff sees. It is used by one goroutine at a time.
type World struct {
	Facts   Facts
	pending map[resource.ID]bool
	Options map[string]bool
	parsed  map[[2]string]any
}

func (w *World) Fact(id resource.ID) (resource.Record, resource.Know) {
	f := w.Facts[id]
	return f.Record, f.Know
}
func (w *World) Pending(id resource.ID) bool { return w.pending[id] }
func (w *World) Option(name string) bool     { return w.Options[name] }

func (w *World) Parsed(kind, host string, parse func() any) any {
	key := [2]string{kind, host}
	if v, ok := w.parsed[key]; ok {
		return v
	}
	if w.parsed == nil {
		w.parsed = map[[2]string]any{}
	}
	w.parsed[key] = parse()
	return w.parsed[key]
}
