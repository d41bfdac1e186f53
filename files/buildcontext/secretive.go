package buildcontext

import (
	"path"
	"slices"
	"strings"
)

// Secretive are the files of a project that look like secrets, by their names: they are in an image that every agent host has, readable by all that runs in it.
func Secretive(c Context) []string {
	var found []string
	for _, name := range c.Files {
		if in, ok := strings.CutPrefix(name, "project/"); ok && secretName(path.Base(in), in) {
			found = append(found, in)
		}
	}
	return found
}

// What tools keep their secrets in, by the name of the file and, where that says little, of its directory.
var (
	secretNames = []string{
		".env", ".envrc", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd", ".dockercfg", ".vault-token",
		"id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "credentials.json", "service_account.json", "secrets.toml", "secrets.yaml", "secrets.yml",
	}
	secretEndings     = []string{".pem", ".key", ".ppk", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".tfstate"}
	secretDirectories = []string{".ssh/", ".aws/", ".azure/", ".gcloud/", ".gnupg/", ".docker/config.json", ".kube/config", "pip/pip.conf", "pypoetry/auth.toml"}
	harmlessEndings   = []string{".example", ".sample", ".template", ".dist", ".pub"}
)

func secretName(base, full string) bool {
	base, full = strings.ToLower(base), "/"+strings.ToLower(full)
	has := func(endings []string) bool {
		return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(base, e) })
	}
	switch {
	case has(harmlessEndings):
		return false
	case slices.Contains(secretNames, base), strings.HasPrefix(base, ".env."), has(secretEndings):
		return true
	}
	return slices.ContainsFunc(secretDirectories, func(d string) bool { return strings.Contains(full, "/"+d) })
}
