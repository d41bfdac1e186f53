package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"provision/files"
	"provision/files/buildcontext"
	"provision/files/generation"
	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud"
	"provision/provision/database"
	"provision/provision/resource"
)

// Bind gives every host of the inventory what it should have, and its cloud's account, if it has one. Files are rendered and build
// contexts hashed here, before the first connection; secrets that the user gives are fetched.
func Bind(ctx context.Context, inv *inventory.Inventory, s *Stack, at cloud.Provider) ([]resource.Resource, error) {
	b := &binder{
		ctx: ctx, projects: &generation.AgentProjects{Parts: s.Generation().Parts}, inv: inv, stack: s, cloud: at,
		parts: s.Generation().Parts, built: map[string]built{}, names: s.Names(), base: s.Names().Dir(), server: inv.Server(),
	}
	if b.server == nil {
		return nil, nil
	}
	for _, h := range inv.Agents() {
		b.agents = append(b.agents, h.Name)
	}
	for _, h := range inv.Hosts {
		if h.Name != b.server.Name {
			b.others = append(b.others, h.Name)
		}
		if len(h.Roles) == 0 {
			b.cleaned = append(b.cleaned, h.Name)
		}
	}
	if err := b.contexts(); err != nil {
		return nil, err
	}
	if err := b.readDatabase(); err != nil {
		return nil, err
	}
	for _, p := range b.parts.Stopping() {
		b.stopping = append(b.stopping, resource.Stopped{Container: b.names.Container(p.Name), Note: p.Removed})
	}
	nets := b.stack.Docker.Subnets
	var err error
	if b.daemon, err = (files.Daemon{Avoid: []netip.Prefix{nets.Server, nets.Database, nets.Agent}, Proxy: inv.Site.Proxy, NoProxy: inv.Site.NoProxy}).Render(); err != nil {
		return nil, err
	}
	if err := b.account(); err != nil {
		return nil, err
	}
	// Rendering is most of the work before the first connection, so hosts are bound beside each other.
	hosts, errs := make([][]resource.Resource, len(inv.Hosts)), make([]error, len(inv.Hosts))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for n := range inv.Hosts {
		g.Go(func() error {
			h, one := &inv.Hosts[n], *b
			one.out = nil
			if err := one.host(h); err != nil {
				errs[n] = fmt.Errorf("%s: %w", h.Name, err)
				return nil
			}
			one.leftovers(h)
			hosts[n] = one.out
			return nil
		})
	}
	g.Wait()
	return append(b.out, slices.Concat(hosts...)...), errors.Join(errs...)
}

// binder collects the resources of the account, or those of one host. Their order is the order of work on a host, as far as
// needs leave it open: what takes long and needs nobody comes first.
type binder struct {
	ctx    context.Context
	inv    *inventory.Inventory
	stack  *Stack
	parts  generation.Parts
	names  naming.Stack
	base   string // the stack's directory on every host
	server *inventory.Host
	cloud  cloud.Provider // nil for none
	agents []string       // names of the agent hosts, sorted
	// Names of all hosts but the server's, and of those that are to lose the stack. Resources share all of these lists.
	others, cleaned []string
	stopping        []resource.Stopped // the stack's containers in the order in which they end
	elsewhere       *database.URL      // of the database; nil for the stack's own

	daemon   []byte // the engine's settings
	projects *generation.AgentProjects
	built    map[string]built // by image
	named    resource.ID      // the url's host, where we make it or wait for it
	place    *resource.Disk   // where the database is, if not on the server's own disk
	out      []resource.Resource
}

// built is an image that is built on hosts.
type built struct {
	ref     string
	context buildcontext.Context
}

// What hosts need, in MiB: memory in all, and room for images before they are there.
const (
	serverMemory, agentMemory = 900, 450
	serverDisk, agentDisk     = 3000, 3000
)

func (b *binder) add(rs ...resource.Resource) { b.out = append(b.out, rs...) }

// certificates are the site's extra CA certificates, joined.
func (b *binder) certificates() ([]byte, error) {
	var all []byte
	for _, name := range b.inv.Site.CACertificates {
		pem, err := strict.ReadFile(name, inventory.MaxFile)
		if err != nil {
			return nil, fmt.Errorf("read site.ca_certificates: %w", err)
		}
		all = append(append(all, bytes.TrimSpace(pem)...), '\n')
	}
	return all, nil
}

func (b *binder) contexts() error {
	cas, err := b.certificates()
	if err != nil {
		return err
	}
	name := func(kind string, c buildcontext.Context, err error) (built, error) {
		if err != nil {
			return built{}, strict.Problems{{File: b.stack.where(), Problem: fmt.Sprintf("the build context of %s: %v", kind, err)}}
		}
		return built{b.names.Image(kind) + ":" + c.Hash, c}, nil
	}
	in := generation.BuildInput{Base: b.stack.Prefect.Image, Caddy: b.stack.Caddy.Image, Postgres: b.stack.Postgres.Image, Restic: b.stack.Backup.Image, CACertificates: cas, Project: b.stack.BusinessLogic.Path}
	for _, image := range []string{generation.ImagePrefect, generation.ImageBusiness, generation.ImageCaddy, generation.ImageBackup} {
		c, err := b.stack.Generation().Build(image, in)
		made, err := name(image, c, err)
		if err != nil {
			return err
		}
		b.built[image] = made
		if image == generation.ImageBusiness {
			b.stack.Packed = secretive(c)
		}
	}
	return nil
}

func (s *Stack) where() string {
	if s.File == "" {
		return "built-in stack"
	}
	return s.File
}

// buildArgs are what a build may use and what decides nothing in its result.
func (b *binder) buildArgs() map[string]string {
	args := map[string]string{}
	if b.inv.Site.PipIndex != "" {
		args["PIP_INDEX"] = b.inv.Site.PipIndex
	}
	if p := b.inv.Site.Proxy; p != "" {
		args["HTTP_PROXY"], args["HTTPS_PROXY"] = p, p
		if len(b.inv.Site.NoProxy) > 0 {
			args["NO_PROXY"] = join(b.inv.Site.NoProxy)
		}
	}
	return args
}

func join(list []string) string {
	var out bytes.Buffer
	for i, x := range list {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(x)
	}
	return out.String()
}

// pulled adds an image to pull, once per host.
func (b *binder) pulled(host, ref string) resource.ID {
	id := resource.ImageID(host, ref)
	if !slices.ContainsFunc(b.out, func(r resource.Resource) bool { return r.ID() == id }) {
		b.add(&resource.PulledImage{Host: host, Ref: ref, Mirror: b.inv.Site.ImageMirror})
	}
	return id
}

func (b *binder) image(host string, i built, from ...string) resource.ID {
	id := resource.ImageID(host, i.ref)
	if slices.ContainsFunc(b.out, func(r resource.Resource) bool { return r.ID() == id }) {
		return id
	}
	var after []resource.ID
	for _, ref := range from {
		after = append(after, b.pulled(host, ref))
	}
	b.add(&resource.BuiltImage{Host: host, Stack: b.stack.Name, Ref: i.ref, Context: i.context.Bytes, Args: b.buildArgs(), After: after})
	return id
}

// host adds what a host has whatever it is for, then what its roles bring.
func (b *binder) host(h *inventory.Host) error {
	server, agent := h.Has(inventory.RoleServer), h.Has(inventory.RoleAgent)
	identity := &resource.Identity{
		Host: h.Name, Stack: b.stack.Name, Server: b.server.Name, DataVolume: b.data(), Others: b.others, Cleaned: len(h.Roles) == 0, Before: b.machine(h),
	}
	if identity.Cleaned {
		b.add(identity, &resource.Engine{Host: h.Name, Stack: b.stack.Name, AsIs: true})
		return nil
	}
	sys := &resource.System{Host: h.Name, Stack: b.stack.Name, Server: b.server.Name, Image: b.built[generation.ImagePrefect].ref, MaxSkew: time.Minute, Before: b.machine(h)}
	if b.inv.TLS.Mode == inventory.TLSInternal {
		sys.MaxSkew = 10 * time.Second
	}
	for _, role := range []inventory.Role{inventory.RoleServer, inventory.RoleAgent} {
		if !h.Has(role) {
			continue
		}
		sys.Projects = append(sys.Projects, b.names.Project(string(role)))
		for _, n := range b.parts.Roled(string(role)).Networks() {
			sys.Subnets, sys.SubnetKeys = append(sys.Subnets, b.subnet(n)), append(sys.SubnetKeys, string(n))
			sys.NetworkIDs = append(sys.NetworkIDs, resource.NetworkID(h.Name, b.names.Network(n)))
		}
	}
	if server {
		sys.Ports, sys.PortsOf = []int{80, 443}, b.names.Container(b.parts.Entrance().Name)
		if b.inv.TLS.Mode == inventory.TLSOff {
			sys.Ports = []int{4200}
		}
		sys.MinMemory, sys.MinDisk = sys.MinMemory+serverMemory, serverDisk
		if further := b.stack.Scale.Servers - 1; further > 0 {
			g := b.stack.Generation()
			sys.MinMemory += g.BetweenServers + further*g.FurtherServer
		}
	}
	if agent {
		sys.MinMemory, sys.MinDisk = sys.MinMemory+agentMemory, max(sys.MinDisk, agentDisk)
		// Under a name Caddy is on the agents' network, too; an address leads them out of it and to the host.
		if _, err := netip.ParseAddr(b.inv.Hostname()); server && err == nil {
			sys.OwnPort, sys.OwnBridge = b.port(), resource.BridgeName(b.names.Network(naming.AgentNetwork))
		}
	}
	repository := b.inv.Site.DockerRepository
	if repository == "" {
		repository = "https://download.docker.com/linux"
	}
	b.add(sys, b.accounts(h))
	if disk, volume := b.disk(h); disk != nil {
		b.place = disk
		identity.Before, identity.Disk = append(identity.Before, disk.ID()), volume
	}
	b.add(identity,
		&resource.Engine{Host: h.Name, Stack: b.stack.Name, Source: b.stack.Docker.Source, Repository: repository, Key: b.stack.Docker.Key, DaemonJSON: b.daemon},
	)
	if h.Machine != nil {
		b.add(&resource.Metadata{Host: h.Name})
	}
	guard := &resource.NetworkGuard{Host: h.Name}
	// Where networks are replaced, flow runs end while there is a server to tell.
	for _, role := range []inventory.Role{inventory.RoleAgent, inventory.RoleServer} {
		if !h.Has(role) {
			continue
		}
		for _, n := range b.parts.Roled(string(role)).Networks() {
			network := &resource.BridgeNetwork{Host: h.Name, Stack: b.stack.Name, Name: b.names.Network(n), Subnet: b.subnet(n).String(), Internal: n.Internal(), Order: b.stopping}
			guard.Networks = append(guard.Networks, network)
			b.add(network)
		}
	}
	b.add(guard)
	if server {
		if err := b.serverRole(h); err != nil {
			return err
		}
	}
	if agent {
		return b.agentRole(h)
	}
	return nil
}

// accounts looks for accounts with the user ids of the containers of a host.
func (b *binder) accounts(h *inventory.Host) *resource.Accounts {
	of := map[string]string{}
	for _, role := range h.Roles {
		for _, p := range b.parts.Roled(string(role)) {
			if p.UID != naming.RootUID {
				of[p.UID] = p.Title
			}
		}
	}
	return &resource.Accounts{Host: h.Name, Of: of}
}

// port is that of the url.
func (b *binder) port() int {
	u, err := url.Parse(b.inv.URL)
	if err != nil {
		return 0
	}
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	return map[string]int{"http": 80, "https": 443}[u.Scheme]
}

func (b *binder) subnet(n naming.Network) netip.Prefix {
	nets := b.stack.Docker.Subnets
	return map[naming.Network]netip.Prefix{naming.ServerNetwork: nets.Server, naming.DatabaseNetwork: nets.Database, naming.AgentNetwork: nets.Agent}[n]
}

func (b *binder) repositoryPassword() string {
	return b.base + "/server/secrets/backup/repository_password"
}

func (b *binder) encryptionKey() string { return b.base + "/server/secrets/server/encryption_key" }

// leftovers adds what looks for things that nothing else on the host stands for.
func (b *binder) leftovers(h *inventory.Host) {
	l := &resource.Leftovers{
		Host: h.Name, Stack: b.stack.Name, Agents: b.agents, Cleaned: b.cleaned, Order: b.stopping, Keep: []string{b.base + "/id", b.base + "/salt", b.base + "/born", b.encryptionKey()},
		BackupsDir: b.names.Backups(), Repository: b.stack.repository(), RepositoryPassword: b.repositoryPassword(),
	}
	for _, v := range naming.Volumes {
		l.Keep = append(l.Keep, b.base+"/volume."+b.names.Volume(v))
	}
	for _, r := range b.out {
		id := r.ID()
		l.After = append(l.After, id)
		switch r := r.(type) {
		case *resource.Backups:
			l.BackedUp = true
		case *resource.CaddyFiles:
			l.Readers = map[string][]resource.ID{r.Dir: {id}}
		case *resource.CaddyLoaded:
			l.Readers[r.Files.Dir] = append(l.Readers[r.Files.Dir], id)
		}
		if p, ok := r.(resource.Pather); ok {
			l.Files = append(l.Files, p.Paths()...)
		}
		switch id.Kind {
		case "backups":
			l.Containers = append(l.Containers, b.names.Container("backup"))
		case "container":
			l.Containers = append(l.Containers, id.Name)
		case "network":
			l.Networks = append(l.Networks, id.Name)
		case "networks":
			l.Guarded = true
		case "image":
			l.Images = append(l.Images, id.Name)
		}
	}
	b.add(l)
}

// serve tells whether business logic fetches its runs itself, so that there are no agents.
func (b *binder) serve() bool { return b.stack.BusinessLogic.Execution == ExecutionServe }

func (b *binder) salt() string { return b.base + "/salt" }

// given fetches a password of the user's once.
func (b *binder) given(ref strict.SecretRef, key string) (func(context.Context) (resource.Secret, error), func(string) string, error) {
	if !ref.Set() {
		return nil, nil, nil
	}
	value, err := ref.Resolve(b.ctx, b.stack.Dir)
	if err != nil {
		return nil, nil, strict.Problems{b.stack.problem(key, err.Error(), "")}
	}
	if len(value) > longestPassword {
		return nil, nil, strict.Problems{b.stack.problem(key, fmt.Sprintf("a password cannot be longer than %d bytes", longestPassword), "give a shorter one")}
	}
	return fixed(value)
}

// longestPassword is what bcrypt takes, in bytes.
const longestPassword = 72

func fixed(value string) (func(context.Context) (resource.Secret, error), func(string) string, error) {
	return func(context.Context) (resource.Secret, error) { return resource.NewSecret(value), nil },
		func(nonce string) string { return resource.SaltedDigest(nonce, value) }, nil
}

func digest(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only strings, numbers and lists of them come here
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
