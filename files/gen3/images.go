package gen3

import (
	"embed"

	"provision/files/glue"
)

//go:embed prefect/provision_glue/*.py prefect/image.Dockerfile.tmpl prefect/tools.txt prefect/requirements.py prefect/operations.txt prefect/guard
//go:embed prefect/base/pyproject.toml prefect/base/requirements.txt prefect/hello/*.py
var prefectFiles embed.FS

var images = glue.Images{
	Own: prefectFiles, Beside: []string{"tools.txt", "requirements.py", "operations.txt", "guard/*"}, Lock: "requirements.txt", Check: checkPacked,
}
