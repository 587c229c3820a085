# What the scripts here and tests/run share; sourced, not run. Needs bash and apt alone.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$0: $*"
  exit 1
}

# install_packages [tests]: what packages.txt names and the machine lacks.
install_packages() {
  local wanted missing=() package
  if [ "${1:-}" = tests ]; then
    wanted=$(grep -vE '^(#|$)' "$root/deploy/packages.txt")
  else
    wanted=$(sed '/^# tests$/,$d' "$root/deploy/packages.txt" | grep -vE '^(#|$)')
  fi
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
  # A package that starts a server of its own must not do so here.
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
    die "apt-get could not install all of: ${missing[*]}"
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
