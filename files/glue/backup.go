package glue

import (
	"strconv"

	"provision/files/buildcontext"
	"provision/files/compose"
	"provision/files/generation"
	"provision/files/naming"
)

// instance are the files of the stack's directory that a backup holds: what cannot be made anew. As an expression that the whole path in the container
// must match.
const instance = `^/instance/(id|born|server/secrets/(server/encryption_key|login/.*|caddy/.*))$`

// backedUp says that there are backups of the stack's own database.
func backedUp(in generation.Input) bool { return in.Backup != nil && in.DatabasePort == 0 }

// work is a directory that the programs of a backup hand something over in.
func work(in generation.Input, name string) string { return in.Stack.Backups() + "/work/" + name }

// What a backup does is done by three programs, each of which reaches no more than it needs: who reads the database has no network but the
// database's and sees no repository, who sees the repository and the secrets has no network and no password of the database, and who
// loads what came back sees nothing else.
var (
	// BackupDump dumps the database.
	BackupDump = generation.Part{
		Name: "backup-dump", Role: naming.RoleServer, Title: "PostgreSQL", UID: naming.PostgresUID, Image: generation.ImageBackup, Once: true,
		Networks: []naming.Network{naming.DatabaseNetwork},
		Secrets:  "backup-dump",
		Calls:    []generation.Call{{Part: "postgres", Healthy: true}},
		When:     backedUp,
		Define: func(in generation.Input, _ generation.Site) (compose.Service, error) {
			return compose.Service{
				Entrypoint:  []string{"/opt/provision/backup-dump"},
				Environment: map[string]string{"PGHOST": "postgres", "PGPORT": "5432"},
				Volumes:     []compose.Mount{compose.WritableBind(work(in, "dump"), "/dump")},
				CPUShares:   128,
			}, nil
		},
	}
	// BackupStore works with the repository. It is root, because the files of a backup have several owners.
	BackupStore = generation.Part{
		Name: "backup-store", Role: naming.RoleServer, Title: "root", UID: naming.RootUID, Image: generation.ImageBackup, Once: true,
		Secrets: "backup",
		When:    backedUp,
		Define: func(in generation.Input, _ generation.Site) (compose.Service, error) {
			readOnly := func(m compose.Mount) compose.Mount { m.ReadOnly = true; return m }
			return compose.Service{
				Entrypoint: []string{"/opt/provision/backup-repository"},
				// Locks of a repository name the host. A container's own name would be another one each time.
				Hostname: in.Stack.Container("backup"),
				Environment: map[string]string{
					"RESTIC_REPOSITORY":  "/repository",
					"PROVISION_STACK":    string(in.Stack),
					"PROVISION_INSTANCE": instance,
					"KEEP_DAILY":         strconv.Itoa(in.Backup.Keep.Daily),
					"KEEP_WEEKLY":        strconv.Itoa(in.Backup.Keep.Weekly),
					"KEEP_MONTHLY":       strconv.Itoa(in.Backup.Keep.Monthly),
				},
				Volumes: []compose.Mount{
					readOnly(compose.Volume(in.Stack.Volume(naming.ArtifactsVolume), "/artifacts")),
					readOnly(compose.Volume(in.Stack.Volume(naming.CaddyVolume), "/caddy")),
					compose.Bind(in.Stack.Dir(), "/instance"),
					compose.WritableBind(in.Backup.Repository, "/repository"),
					compose.WritableBind(in.Stack.Backups()+"/work", "/work"),
				},
				CapAdd:    []string{"CHOWN", "DAC_OVERRIDE", "FOWNER"},
				CPUShares: 128,
			}, nil
		},
	}
	// BackupProve loads a backup into a database that is thrown away.
	BackupProve = generation.Part{
		Name: "backup-prove", Role: naming.RoleServer, Title: "PostgreSQL", UID: naming.PostgresUID, Image: generation.ImageBackup, Once: true,
		When: backedUp,
		Define: func(in generation.Input, _ generation.Site) (compose.Service, error) {
			return compose.Service{
				Entrypoint: []string{"/opt/provision/backup-prove"},
				Volumes:    []compose.Mount{compose.WritableBind(work(in, "proof"), "/proof")},
				ShmSize:    "256m",
				CPUShares:  128,
			}, nil
		},
	}
)

// backupContext is that of the programs of a backup.
func backupContext(in generation.BuildInput) (buildcontext.Context, error) {
	if err := buildcontext.CheckImageName(in.Restic); err != nil {
		return buildcontext.Context{}, err
	}
	t := buildcontext.Tree{}
	if err := t.AddFS(shared, "backup", "provision", "*"); err != nil {
		return buildcontext.Context{}, err
	}
	return dockerContext(t, shared, "backup.Dockerfile.tmpl", recipe{Base: in.Postgres, Restic: in.Restic}, in.CACertificates)
}
