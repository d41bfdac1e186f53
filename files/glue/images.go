package glue

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"text/template"

	"provision/files/buildcontext"
	"provision/files/generation"
	"provision/files/naming"
)

//go:embed caddy.Dockerfile.tmpl backup.Dockerfile.tmpl backup python/received.py python/entrypoint python/bin python/provision_glue/*.py
var shared embed.FS

// Images builds the images of a generation.
type Images struct {
	// Own has the generation's files below prefect/: its modules of the glue in provision_glue/, the Dockerfile image.Dockerfile.tmpl, the lock of
	// the built-in project in base/ and its flows in hello/.
	Own fs.FS
	// Beside are patterns of files below prefect/ that lie beside the Dockerfile.
	Beside []string
	// Lock is the file in base/ that locks the built-in project.
	Lock string
	// Check says what would fail in the build of a user's project, or worse, only later.
	Check func(buildcontext.Tree) (Locked, error)
}

// Locked is what a project is installed by.
type Locked struct {
	Lock string // file of the project
	// Whole says that dependencies are directories of the project, so it must be there before they are installed.
	Whole bool
}

// recipe is what the Dockerfiles depend on.
type recipe struct {
	Base, Caddy, Restic string
	UID                 string // of who runs in it, and of the group
	CA                  bool
	Business            bool
	Locked
}

// Build gives the build context of an image.
func (i Images) Build(image string, in generation.BuildInput) (buildcontext.Context, error) {
	r := recipe{Base: in.Base, UID: naming.PrefectUID, Locked: Locked{Lock: i.Lock}}
	switch image {
	case generation.ImagePrefect:
		t, err := i.builtIn()
		if err != nil {
			return buildcontext.Context{}, err
		}
		return i.python(t, r, in.CACertificates)
	case generation.ImageBusiness:
		r.Business = true
		return i.business(r, in)
	case generation.ImageCaddy:
		return caddyContext(in)
	case generation.ImageBackup:
		return backupContext(in)
	}
	return buildcontext.Context{}, fmt.Errorf("the image %s is not built", image)
}

// builtIn is what the images of server and agent are made of.
func (i Images) builtIn() (buildcontext.Tree, error) {
	t := buildcontext.Tree{}
	return t, t.AddFS(i.Own, "prefect/base", "project", "pyproject.toml", i.Lock)
}

// business is the image in which flows are executed. It reads the project; nothing is read of what its .dockerignore names.
func (i Images) business(r recipe, in generation.BuildInput) (buildcontext.Context, error) {
	if in.Project == "" {
		t, err := i.builtIn()
		if err == nil {
			err = t.AddFS(i.Own, "prefect/hello", "project", "*.py")
		}
		if err != nil {
			return buildcontext.Context{}, err
		}
		return i.python(t, r, in.CACertificates)
	}
	project, err := buildcontext.ReadProject(in.Project)
	if err != nil {
		return buildcontext.Context{}, err
	}
	if r.Locked, err = i.Check(project); err != nil {
		return buildcontext.Context{}, err
	}
	t := buildcontext.Tree{}
	for name, e := range project {
		t["project/"+name] = e
	}
	return i.python(t, r, in.CACertificates)
}

func (i Images) python(t buildcontext.Tree, r recipe, ca []byte) (buildcontext.Context, error) {
	for _, add := range []error{
		t.AddFS(shared, "python", "provision", "entrypoint", "bin/*", "provision_glue/*.py"),
		t.AddFS(i.Own, "prefect", "provision", "provision_glue/*.py"),
		t.AddFS(shared, "python", "", "received.py"),
		t.AddFS(i.Own, "prefect", "", i.Beside...),
	} {
		if add != nil {
			return buildcontext.Context{}, add
		}
	}
	return dockerContext(t, i.Own, "prefect/image.Dockerfile.tmpl", r, ca)
}

// caddyContext is that of the proxy.
func caddyContext(in generation.BuildInput) (buildcontext.Context, error) {
	if err := buildcontext.CheckImageName(in.Caddy); err != nil {
		return buildcontext.Context{}, err
	}
	t := buildcontext.Tree{}
	if err := t.AddFS(shared, "python", "provision", "provision_glue/__init__.py", "provision_glue/health.py"); err != nil {
		return buildcontext.Context{}, err
	}
	return dockerContext(t, shared, "caddy.Dockerfile.tmpl", recipe{Base: in.Base, Caddy: in.Caddy, UID: naming.CaddyUID}, in.CACertificates)
}

func dockerContext(t buildcontext.Tree, from fs.FS, name string, r recipe, ca []byte) (buildcontext.Context, error) {
	if err := buildcontext.CheckImageName(r.Base); err != nil {
		return buildcontext.Context{}, err
	}
	t.AddCertificates(ca)
	_, r.CA = t["ca/extra.pem"]
	dockerfile, err := template.ParseFS(from, name)
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
