package gen2

import (
	"bytes"
	"embed"
	"fmt"
	"text/template"

	"provision/files/buildcontext"
	"provision/files/generation"
	"provision/files/naming"
)

//go:embed prefect/image.Dockerfile.tmpl prefect/caddy.Dockerfile.tmpl prefect/poetry.txt prefect/received.py prefect/entrypoint prefect/bin
//go:embed prefect/base/pyproject.toml prefect/base/poetry.lock prefect/hello/*.py prefect/provision_glue/*.py prefect/guard
var prefectFiles embed.FS

// build gives the build context of an image.
func build(image string, in generation.BuildInput) (buildcontext.Context, error) {
	switch image {
	case generation.ImagePrefect:
		return prefectContext(in)
	case generation.ImageBusiness:
		return businessContext(in)
	case generation.ImageCaddy:
		return caddyContext(in)
	}
	return buildcontext.Context{}, fmt.Errorf("the image %s is not built", image)
}

// prefectContext is that of the server and of the agent.
func prefectContext(in generation.BuildInput) (buildcontext.Context, error) {
	t := buildcontext.Tree{}
	if err := t.AddFS(prefectFiles, "prefect/base", "project", "pyproject.toml", "poetry.lock"); err != nil {
		return buildcontext.Context{}, err
	}
	return pythonContext(t, recipe{Base: in.Base, UID: naming.PrefectUID}, in.CACertificates)
}

// businessContext is that of the image in which flows are executed. It reads the project; nothing is read of what its .dockerignore names.
func businessContext(in generation.BuildInput) (buildcontext.Context, error) {
	t, r := buildcontext.Tree{}, recipe{Base: in.Base, UID: naming.PrefectUID, Business: true}
	if in.Project == "" {
		if err := t.AddFS(prefectFiles, "prefect/base", "project", "pyproject.toml", "poetry.lock"); err != nil {
			return buildcontext.Context{}, err
		}
		if err := t.AddFS(prefectFiles, "prefect/hello", "project", "*.py"); err != nil {
			return buildcontext.Context{}, err
		}
		return pythonContext(t, r, in.CACertificates)
	}
	project, err := buildcontext.ReadProject(in.Project)
	if err != nil {
		return buildcontext.Context{}, err
	}
	if r.WholeProject, err = checkPoetry(project, prefectVersion); err != nil {
		return buildcontext.Context{}, err
	}
	for name, e := range project {
		t["project/"+name] = e
	}
	return pythonContext(t, r, in.CACertificates)
}

// caddyContext is that of the proxy.
func caddyContext(in generation.BuildInput) (buildcontext.Context, error) {
	if err := buildcontext.CheckImageName(in.Caddy); err != nil {
		return buildcontext.Context{}, err
	}
	t := buildcontext.Tree{}
	if err := t.AddFS(prefectFiles, "prefect", "provision", "provision_glue/__init__.py", "provision_glue/health.py"); err != nil {
		return buildcontext.Context{}, err
	}
	return dockerContext(t, "caddy.Dockerfile.tmpl", recipe{Base: in.Base, Caddy: in.Caddy, UID: naming.CaddyUID}, in.CACertificates)
}

// recipe is what the Dockerfiles depend on.
type recipe struct {
	Base, Caddy  string
	UID          string // of who runs in it, and of the group
	CA           bool
	Business     bool
	WholeProject bool // dependencies are directories of the project, so it must be there before they are installed
}

func pythonContext(t buildcontext.Tree, r recipe, ca []byte) (buildcontext.Context, error) {
	if err := t.AddFS(prefectFiles, "prefect", "provision", "entrypoint", "bin/*", "provision_glue/*.py"); err != nil {
		return buildcontext.Context{}, err
	}
	if err := t.AddFS(prefectFiles, "prefect", "", "poetry.txt", "received.py", "guard/*"); err != nil {
		return buildcontext.Context{}, err
	}
	return dockerContext(t, "image.Dockerfile.tmpl", r, ca)
}

func dockerContext(t buildcontext.Tree, name string, r recipe, ca []byte) (buildcontext.Context, error) {
	if err := buildcontext.CheckImageName(r.Base); err != nil {
		return buildcontext.Context{}, err
	}
	t.AddCertificates(ca)
	_, r.CA = t["ca/extra.pem"]
	dockerfile, err := template.ParseFS(prefectFiles, "prefect/"+name)
	if err != nil {
		return buildcontext.Context{}, err
	}
	var text bytes.Buffer
	if err := dockerfile.Execute(&text, r); err != nil {
		return buildcontext.Context{}, err
	}
	t["Dockerfile"] = buildcontext.Entry{Content: text.Bytes()}
	return t.Context()
}
