# Sets D: yes if the engine answers, no if none was ever installed, unknown otherwise. DV is then the engine's version or why there
# is no answer, DC the version of Compose, DB that of buildx, DG how the engine is kept apart from the host, DS the settings that
# daemon.json sets. One call tells them all; some clients end with 0 without an engine, too.
D=no DV='' DC='' DB='' DG='' DS=''
if command -v docker >/dev/null 2>&1; then
	D=unknown
	DV=$(timeout 20 docker info --format '{{.ServerVersion}},{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Version}}{{end}}{{end}},{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Version}}{{end}}{{end}},{{range .SecurityOptions}}{{if eq . "name=userns"}}userns-remap{{end}}{{if eq . "name=rootless"}}rootless{{end}}{{if eq . "name=selinux"}}selinux{{end}}{{end}},{{.LoggingDriver}} {{.LiveRestoreEnabled}} {{range .DefaultAddressPools}}{{.Base}}/{{.Size}} {{end}}' 2>/dev/null); rc=$?
	case $rc,$DV in
	0,,*) DV=$(timeout 20 docker version 2>&1 >/dev/null) ;;
	0,*,*) D=yes DS=${DV#*,}; DV=${DV%%,*} DC=${DS%%,*} DS=${DS#*,}; DB=${DS%%,*} DS=${DS#*,}; DG=${DS%%,*} DS=${DS#*,} ;;
	124,*) DV="no answer within 20 s" ;;
	*) DV=$(timeout 20 docker version 2>&1 >/dev/null) ;;
	esac
	DV=${DV:-no answer}
elif [ -e /var/run/docker.sock ]; then D=unknown DV='there is an engine socket but no docker command'; fi
