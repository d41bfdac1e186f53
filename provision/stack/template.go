package stack

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"provision/files/generation"
)

//go:embed stack.toml.tmpl
var templateText string

// Template is the stack of a generation with its defaults as a file, with every key explained, for `provision init`.
func Template(g generation.Generation) string {
	var out strings.Builder
	if err := template.Must(template.New("stack.toml").Parse(templateText)).Execute(&out, struct {
		*Stack
		Known generation.Generation
	}{Of(g), g}); err != nil {
		panic(fmt.Sprintf("render stack.toml: %v", err)) // the same for everybody: a test renders it
	}
	return out.String()
}
