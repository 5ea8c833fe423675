#!/usr/bin/env bash
# A bare Debian or Ubuntu machine with a real systemd, for the tests: a folder of packages made once
# with debootstrap, a layer of its own over it for each machine, a network of its own, and
# systemd-nspawn that boots it in about a second. Needs root, and the packages systemd-container,
# debootstrap and iproute2. Everything lies in HOST_FOLDER (default: target/host).
#
#   host.sh missing            says what this cannot run without here; fails when that is anything
#   host.sh base               makes what all machines share, once (about a minute)
#   host.sh up NAME            makes a new machine and boots it
#   host.sh exec NAME COMMAND  runs a command in it as root, for HOST_SECONDS (default: 300) at most
#   host.sh journal NAME       what it wrote last, whether it runs or not
#   host.sh address NAME       the address at which it is reached from here
#   host.sh powercut NAME      ends it at once, as if its power were cut; its disk stays
#   host.sh boot NAME          boots it again
#   host.sh down NAME          ends and deletes it
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${HOST_FOLDER:-$here/../../target/host}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# The distribution and the mirror of the machine that runs the tests: so the program that was built
# here runs there, and nothing is fetched from where nothing else is.
suite() { . /etc/os-release && echo "${VERSION_CODENAME:-}"; }
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 2>/dev/null |
    awk -v suite="$(suite)" '$2 == suite { print $1; exit }'
}
base=$folder/base-$(suite)
packages=systemd,systemd-sysv,dbus,iproute2,ca-certificates,procps,passwd

# Nothing here waits for ever: what hangs would hang all tests behind it.
limit=${HOST_SECONDS:-300}
boot_seconds=60

fail() { echo "host.sh: $*" >&2; exit 1; }

missing() {
  local reasons=()
  [ "$(id -u)" -eq 0 ] || reasons+=("they need root")
  local tool
  for tool in systemd-nspawn:systemd-container debootstrap:debootstrap ip:iproute2; do
    command -v "${tool%%:*}" >/dev/null || reasons+=("the package ${tool#*:} is not installed")
  done
  [ -n "$(mirror)" ] || reasons+=("apt knows no mirror for “$(suite)”")
  local probe=probe-$$
  if [ ${#reasons[@]} -eq 0 ] && ! ip netns add "$probe" 2>/dev/null; then
    reasons+=("the kernel allows no network of its own here")
  fi
  ip netns del "$probe" 2>/dev/null || true
  [ ${#reasons[@]} -eq 0 ] && return
  local IFS=';'
  echo "${reasons[*]}"
  return 1
}

base() {
  [ -e "$base/.complete" ] && return
  # One maker at a time; who waited finds it made. The lock ends with this: a machine that inherited
  # it would keep everybody else waiting as long as it runs.
  (
    flock --wait 1800 9 || fail "somebody else makes the base for too long"
    [ -e "$base/.complete" ] || make_base
  ) 9>"$folder/lock"
}

make_base() {
  rm -rf "$base"
  timeout --kill-after=10 1500 debootstrap --variant=minbase "--include=$packages" "$(suite)" "$base" "$(mirror)" \
    >"$folder/debootstrap.log" 2>&1 ||
    { tail -5 "$folder/debootstrap.log" >&2; fail "debootstrap failed"; }
  : >"$base/etc/machine-id"
  rm -f "$base/etc/hostname" "$base"/var/cache/apt/archives/*.deb
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$base/etc/hosts"
  # Timers that would look for updates in the middle of a test.
  local timer
  for timer in apt-daily apt-daily-upgrade e2scrub_all; do
    ln -sf /dev/null "$base/etc/systemd/system/$timer.timer"
  done
  touch "$base/.complete"
}

# Each machine has a number, from which its network follows.
number() { echo $((0x$(printf '%s' "$1" | md5sum | cut -c1-4) % 16000)); }
subnet() { local n; n=$(number "$1"); echo "10.$((192 + n / 250)).$((n % 250 + 1))"; }
# At most 15 letters, as the kernel wants.
interface() { echo "host$(number "$1")"; }
state() { echo "$folder/machines/$1"; }

# The first process of the machine, as this one sees it.
leader() {
  local supervisor children
  supervisor=$(cat "$(state "$1")/supervisor" 2>/dev/null) || return 1
  children=$(cat "/proc/$supervisor/task/$supervisor/children" 2>/dev/null) || return 1
  set -- $children
  [ $# -ge 1 ] && echo "$1"
}

connect() {
  local link net=$1
  link=$(interface "$1")
  ip netns add "$net"
  ip link add "$link" type veth peer name eth0 netns "$net"
  ip address add "$(subnet "$1").1/24" dev "$link"
  ip link set "$link" up
  ip -n "$net" address add "$(subnet "$1").2/24" dev eth0
  ip -n "$net" link set eth0 up
  ip -n "$net" link set lo up
  # By it the machine knows its own address; nothing beyond this one is reached.
  ip -n "$net" route add default via "$(subnet "$1").1"
}

# Where control groups can be made: the unified tree, alone or beside the older ones.
trees() {
  local tree
  for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ -e "$tree/cgroup.procs" ] && echo "$tree"
  done
}

boot() {
  local name=$1 place
  place=$(state "$name")
  [ -d "$place/root" ] || fail "there is no machine $name"
  mountpoint -q "$place/root" ||
    mount -t overlay "host-$name" \
      -o "lowerdir=$base,upperdir=$place/upper,workdir=$place/work" "$place/root"
  # Two machines in one control group would end each other's services. Without nspawn's own filter of
  # system calls, which knows no landlock: a real machine has none. Its network is its own, so it may
  # make others, as a real machine does for services without one.
  setsid bash -c '
    place=$1 name=$2
    shift 2
    for tree in "$@"; do
      mkdir -p "$tree/host-$name" && echo $$ >"$tree/host-$name/cgroup.procs"
    done
    while :; do
      code=0
      SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_SECCOMP=0 systemd-nspawn --quiet --boot --directory="$place/root" \
        --capability=CAP_NET_ADMIN --machine="$name" --hostname="$name" --network-namespace-path="/run/netns/$name" \
        --register=no --keep-unit --console=read-only --resolv-conf=off --timezone=off \
        --link-journal=no --kill-signal=SIGRTMIN+3 </dev/null >>"$place/console" 2>&1 &
      echo $! >"$place/supervisor"
      wait $! || code=$?
      # This is how nspawn says that the machine wants to boot again; anything else is its end.
      [ "$code" -eq 133 ] || break
    done' host "$place" "$name" $(trees) </dev/null >/dev/null 2>&1 &
  echo $! >"$place/keeper"
  disown
  await "$name"
}

await() {
  local state="" begin=$SECONDS
  while [ $((SECONDS - begin)) -lt "$boot_seconds" ]; do
    sleep 0.1
    state=$(limit=5 run "$1" systemctl is-system-running 2>/dev/null) || true
    case $state in
      running) return ;;
      degraded)
        # What this machine's kernel does not offer may fail; a service of ours may fail too, and
        # then its test says so.
        return ;;
    esac
  done
  { tail -20 "$(state "$1")/console"; limit=5 journal "$1"; } >&2 || true
  fail "$1 does not come up within $boot_seconds seconds ($state)"
}

run() {
  local process
  process=$(leader "$1") || fail "$1 is not up"
  shift
  timeout --foreground --kill-after=5 "$limit" nsenter --target "$process" --mount --uts --ipc --net --pid --cgroup \
    --root="/proc/$process/root" --wd="/proc/$process/root" \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    TERM=dumb LANG=C.UTF-8 SYSTEMD_PAGER= "$@"
}

# What the machine wrote last, also of one that is off or hangs: its files are read from here.
journal() {
  timeout --kill-after=5 "$limit" journalctl --no-pager --quiet -n 60 \
    --directory="$(state "$1")/root/var/log/journal" 2>/dev/null ||
    timeout --kill-after=5 "$limit" journalctl --no-pager --quiet -n 60 \
      --directory="$(state "$1")/root/run/log/journal" 2>/dev/null ||
    limit=5 run "$1" journalctl --no-pager --quiet -n 60 || true
  tail -5 "$(state "$1")/console" || true
}

up() {
  local place
  place=$(state "$1")
  base
  down "$1"
  # Its journal is on its disk, so that it can be read when the machine hangs or is off.
  mkdir -p "$place"/{upper,work,root} "$place/upper/var/log/journal"
  connect "$1"
  boot "$1"
}

powercut() {
  local place process
  place=$(state "$1")
  process=$(cat "$place/keeper" 2>/dev/null) && kill -KILL "$process" 2>/dev/null || true
  # With its first process the kernel ends all of the machine.
  process=$(leader "$1") && kill -KILL "$process" 2>/dev/null || true
  if process=$(cat "$place/supervisor" 2>/dev/null); then
    local tries
    for tries in $(seq 200); do
      [ -d "/proc/$process" ] || break
      sleep 0.05
    done
    kill -KILL "$process" 2>/dev/null || true
  fi
  rm -f "$place/keeper" "$place/supervisor"
}

down() {
  local place tree
  place=$(state "$1")
  powercut "$1"
  mountpoint -q "$place/root" && umount -l "$place/root"
  for tree in $(trees); do
    [ -d "$tree/host-$1" ] && find "$tree/host-$1" -depth -type d -exec rmdir {} \; 2>/dev/null
  done
  ip link del "$(interface "$1")" 2>/dev/null || true
  ip netns del "$1" 2>/dev/null || true
  rm -rf "$place"
}

case ${1:-} in
  missing) missing ;;
  base) base ;;
  up) up "$2" ;;
  boot) boot "$2" ;;
  exec) shift; run "$@" ;;
  journal) limit=10 journal "$2" ;;
  address) echo "$(subnet "$2").2" ;;
  powercut) powercut "$2" ;;
  down) down "$2" ;;
  *) sed -n '2,15p' "$0" | cut -c3-; exit 2 ;;
esac
