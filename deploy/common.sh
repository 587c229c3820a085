# What the scripts here and tests/run share; sourced, not run. Needs bash and apt alone.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$0: $*"
  exit 1
}

# install_packages [tests|all]: what packages.txt names, up to that part, and the machine lacks.
install_packages() {
  local wanted missing=() package
  local end='^# tests'
  case ${1:-} in
    tests) end='^# peers' ;;
    all) end='^# there is no such part' ;;
  esac
  wanted=$(sed "/$end/,\$d" "$root/deploy/packages.txt" | grep -vE '^(#|$)')
  for package in $wanted; do
    case $package in  # A machine may bring its own Node.
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "not root and there is no sudo; as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq >&2
  # Some packages start a server of their own; they are asked not to, as long as this goes on.
  local policy=/usr/sbin/policy-rc.d installed=true
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null && "${as_root[@]}" chmod 755 $policy
  else
    policy=
  fi
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 || installed=false
  [ -z "$policy" ] || "${as_root[@]}" rm -f "$policy"
  $installed || die "apt-get could not install all of: ${missing[*]}"
}

# build PRESET [TARGET…]: configures and builds with all cores.
build() {
  local preset=$1
  shift
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1  # Another checkout of the same sources finds what this one compiled.
  (cd "$root" && cmake --preset "$preset" >"/tmp/xundian-configure.$$" 2>&1) || {
    cat "/tmp/xundian-configure.$$" >&2
    die "cmake could not configure the preset $preset"
  }
  rm -f "/tmp/xundian-configure.$$"
  if [ -t 2 ]; then
    cmake --build "$root/build/$preset" --target "$@" >&2
  else
    cmake --build "$root/build/$preset" --target "$@" 2>&1 | grep -vE '^\[[0-9]+/[0-9]+\]' >&2 || true
    cmake --build "$root/build/$preset" --target "$@" >/dev/null 2>&1 || die "the build of $preset failed"
  fi
}

home=${XUNDIAN_HOME:-$root/var}
case $home in /*) ;; *) home=$PWD/$home ;; esac
export XUNDIAN_HOME=$home
export XUNDIAN_HTTP=${XUNDIAN_HTTP:-127.0.0.1:8080}
export XUNDIAN_GRPC=${XUNDIAN_GRPC:-127.0.0.1:8081}
bin=${XUNDIAN_BIN:-$root/build/release/bin}
services="bus metrics campaigns inventory support alerts intake gateway"

control() { supervisorctl -c "$home/run/supervisord.conf" "$@"; }

# Whether the supervisor of this home runs.
running() { [ -S "$home/run/supervisor.sock" ] && control pid >/dev/null 2>&1; }
