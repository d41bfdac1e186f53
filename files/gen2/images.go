package gen2

import (
	"embed"

	"provision/files/glue"
)

//go:embed prefect/provision_glue/*.py prefect/image.Dockerfile.tmpl prefect/poetry.txt
//go:embed prefect/base/pyproject.toml prefect/base/poetry.lock prefect/hello/*.py prefect/guard
var prefectFiles embed.FS

var images = glue.Images{Own: prefectFiles, Beside: []string{"poetry.txt", "guard/*"}, Lock: "poetry.lock", Check: checkPoetry}
