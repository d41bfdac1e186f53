export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y --no-install-recommends install $PACKAGES
until docker version >/dev/null 2>&1; do sleep 1; done
images
