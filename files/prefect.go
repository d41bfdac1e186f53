package files

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"text/template"
)

// PrefectVersion is the version of Prefect that the images of server and agent are locked to.
const PrefectVersion = "2.20.25"

// ResultBlock is the storage that registration makes for results which flows keep.
const ResultBlock = "local-file-system/provision-results"

//go:embed prefect/image.Dockerfile.tmpl prefect/caddy.Dockerfile.tmpl prefect/poetry.txt prefect/received.py prefect/entrypoint prefect/bin
//go:embed prefect/base/pyproject.toml prefect/base/poetry.lock prefect/hello/*.py prefect/provision_glue/*.py prefect/guard
var prefectFiles embed.FS

// PrefectImage is the image of the Prefect server and of the agent.
type PrefectImage struct {
	Base           string // a Python image, under the name by which the host has it: a mirror is no part of it
	Version        string // of Prefect; "" is PrefectVersion
	CACertificates []byte // PEM, trusted in the build and in the image beside the base's own
}

// BusinessImage is the image in which flows are executed.
type BusinessImage struct {
	Base           string
	Version        string
	CACertificates []byte
	Project        string // directory of a Poetry project; "" is the built-in hello project
}

// CaddyImage is the image of the proxy.
type CaddyImage struct {
	Caddy          string
	Base           string // a Python image
	CACertificates []byte
}

// PrefectContext is the build context of the server's and agent's image.
func PrefectContext(i PrefectImage) (Context, error) {
	if i.Version != "" && i.Version != PrefectVersion {
		return Context{}, fmt.Errorf("there is no lock for Prefect %s, only for %s", i.Version, PrefectVersion)
	}
	t := tree{}
	if err := t.addFS(prefectFiles, "prefect/base", "project", "pyproject.toml", "poetry.lock"); err != nil {
		return Context{}, err
	}
	return t.pythonContext(recipe{Base: i.Base}, i.CACertificates)
}

// BusinessContext is the build context of the image with the flows. It reads the project; nothing is read of what its .dockerignore names.
func BusinessContext(i BusinessImage) (Context, error) {
	t, r := tree{}, recipe{Base: i.Base, Business: true}
	if i.Project == "" {
		if err := t.addFS(prefectFiles, "prefect/base", "project", "pyproject.toml", "poetry.lock"); err != nil {
			return Context{}, err
		}
		if err := t.addFS(prefectFiles, "prefect/hello", "project", "*.py"); err != nil {
			return Context{}, err
		}
		return t.pythonContext(r, i.CACertificates)
	}
	version := i.Version
	if version == "" {
		version = PrefectVersion
	}
	project, err := readProject(i.Project)
	if err != nil {
		return Context{}, err
	}
	if r.WholeProject, err = checkPoetry(project, version); err != nil {
		return Context{}, err
	}
	for name, e := range project {
		t["project/"+name] = e
	}
	return t.pythonContext(r, i.CACertificates)
}

// CaddyContext is the build context of the proxy's image.
func CaddyContext(i CaddyImage) (Context, error) {
	if err := checkImageName(i.Caddy); err != nil {
		return Context{}, err
	}
	t := tree{}
	if err := t.addFS(prefectFiles, "prefect", "provision", "provision_glue/__init__.py", "provision_glue/health.py"); err != nil {
		return Context{}, err
	}
	return t.dockerContext("caddy.Dockerfile.tmpl", recipe{Base: i.Base, Caddy: i.Caddy}, i.CACertificates)
}

// recipe is what the Dockerfiles depend on.
type recipe struct {
	Base, Caddy  string
	CA           bool
	Business     bool
	WholeProject bool // dependencies are directories of the project, so it must be there before they are installed
}

func (t tree) pythonContext(r recipe, ca []byte) (Context, error) {
	if err := t.addFS(prefectFiles, "prefect", "provision", "entrypoint", "bin/*", "provision_glue/*.py"); err != nil {
		return Context{}, err
	}
	if err := t.addFS(prefectFiles, "prefect", "", "poetry.txt", "received.py", "guard/*"); err != nil {
		return Context{}, err
	}
	return t.dockerContext("image.Dockerfile.tmpl", r, ca)
}

func (t tree) dockerContext(name string, r recipe, ca []byte) (Context, error) {
	if err := checkImageName(r.Base); err != nil {
		return Context{}, err
	}
	t.addCertificates(ca)
	_, r.CA = t["ca/extra.pem"]
	dockerfile, err := template.ParseFS(prefectFiles, "prefect/"+name)
	if err != nil {
		return Context{}, err
	}
	var text bytes.Buffer
	if err := dockerfile.Execute(&text, r); err != nil {
		return Context{}, err
	}
	t["Dockerfile"] = entry{content: text.Bytes()}
	return t.context()
}

// BuildArgs are the ways out of the network that a build uses. They decide nothing in the image, and are in none of its layers. They may hold credentials:
// hand them to the builder by its environment, not by its arguments.
func BuildArgs(pipIndex, proxy string, noProxy []string) map[string]string {
	args := map[string]string{}
	if pipIndex != "" {
		args["PIP_INDEX"] = pipIndex
	}
	if proxy != "" {
		args["HTTP_PROXY"], args["HTTPS_PROXY"] = proxy, proxy
		if len(noProxy) > 0 {
			args["NO_PROXY"] = strings.Join(noProxy, ",")
		}
	}
	return args
}
