package stack

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed stack.toml.tmpl
var templateText string

// Template is the default stack as a file, with every key explained, for `provision init`.
func Template() string {
	var out strings.Builder
	if err := template.Must(template.New("stack.toml").Parse(templateText)).Execute(&out, Default()); err != nil {
		panic(fmt.Sprintf("render stack.toml: %v", err)) // the same for everybody: a test renders it
	}
	return out.String()
}
