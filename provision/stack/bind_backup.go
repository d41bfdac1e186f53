package stack

import (
	"provision/files/naming"
	"provision/provision/resource"
)

// backups adds what makes backups of the stack by itself.
func (b *binder) backups(host string, identity []resource.ID) {
	in := b.stack.backups()
	if in == nil {
		return
	}
	role := b.names.RoleDir(naming.RoleServer)
	backups := &resource.Backups{
		Host: host, Stack: b.stack.Name, Dir: b.names.Backups(), Repository: in.Repository, At: b.stack.Backup.At, Verify: b.stack.Backup.Verify,
		StackDir: b.base, Program: role + "/backup/run", Project: b.names.Project(naming.RoleServer), ProjectDir: role, Container: b.names.Container("backup"),
		UID: b.uid("postgres"), Data: b.place,
	}
	password := &resource.SecretFile{
		Host: host, Path: b.repositoryPassword(), UID: naming.RootUID, Generate: resource.RandomHex, Precious: backups.Made(), Stack: b.stack.Name, After: identity,
	}
	program := &resource.File{Host: host, Path: backups.Program, Content: backups.Text(), Owner: "0:0", Mode: "0755", After: identity}
	backups.After = append([]resource.ID{password.ID(), program.ID()}, identity...)
	b.add(password, program, backups)
}
