#!/usr/bin/env bash
# A real Slurm on this machine: one controller, two nodes, none of them known outside FOLDER.
#
#   setup.sh install        once, as root, on Debian: the packages
#   setup.sh start FOLDER   munged, slurmctld and two slurmd; then: export SLURM_CONF=FOLDER/slurm.conf
#   setup.sh stop FOLDER    ends them and what their jobs left
set -euo pipefail

CPUS=1          # of each node, for Slurm; nothing is enforced
PATIENCE=60     # seconds until both nodes must be idle
# cred_expire below is how long a job that is put back waits before it may start again (2 minutes by default).

install() {
  apt-get update -qq
  # Nothing may be started by the packages: their services are not this script's.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    munge slurmctld slurmd slurm-client > /dev/null
}

configure() {
  local ports
  # Three ports that are free now.
  ports=($(python3 - <<'PY'
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in taken))
PY
))
  mkdir -p state spool-node1 spool-node2 log
  head -c 1024 /dev/urandom > munge.key
  chmod 600 munge.key
  cat > slurm.conf <<CONF
ClusterName=bench
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$PWD/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation=$PWD/state
SlurmdSpoolDir=$PWD/spool-%n
SlurmctldPidFile=$PWD/slurmctld.pid
SlurmdPidFile=$PWD/slurmd-%n.pid
SlurmctldLogFile=$PWD/log/slurmctld.log
SlurmdLogFile=$PWD/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
MpiDefault=none
KillWait=30
ReturnToService=2
SlurmctldTimeout=300
SlurmdTimeout=300
NodeName=node1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=$CPUS State=UNKNOWN
NodeName=node2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=$CPUS State=UNKNOWN
PartitionName=short Nodes=node1,node2 Default=YES MaxTime=01:00:00 State=UP
CONF
}

start() {
  mkdir -p "$1" && cd "$1"
  chmod 755 .
  trap 'stop "$PWD"' ERR
  configure
  export SLURM_CONF=$PWD/slurm.conf
  munged --force --key-file="$PWD/munge.key" --socket="$PWD/munge.socket" --pid-file="$PWD/munged.pid" \
    --log-file="$PWD/log/munged.log" --seed-file="$PWD/munge.seed"
  slurmctld -c -f "$SLURM_CONF"
  slurmd -N node1 -f "$SLURM_CONF"
  slurmd -N node2 -f "$SLURM_CONF"
  local deadline=$((SECONDS + PATIENCE))
  until [ "$(sinfo -h -o %D -t idle 2> /dev/null)" = 2 ]; do
    if [ $SECONDS -gt $deadline ]; then
      tail -n 5 log/*.log >&2
      echo "setup.sh: the two nodes are not idle after $PATIENCE s" >&2
      return 1
    fi
    sleep 0.5
  done
  echo "export SLURM_CONF=$SLURM_CONF"
}

stop() {
  cd "$1"
  export SLURM_CONF=$PWD/slurm.conf
  timeout 20 scancel --user="$(id -un)" 2> /dev/null || true
  local deadline=$((SECONDS + 40))
  until [ -z "$(timeout 10 squeue -h -t all -o %T 2> /dev/null | grep -E 'RUNNING|COMPLETING')" ] || [ $SECONDS -gt $deadline ]; do
    sleep 0.5
  done
  for file in slurmd-node1.pid slurmd-node2.pid slurmctld.pid munged.pid; do
    [ -f "$file" ] && kill "$(cat "$file")" 2> /dev/null || true
  done
  for file in slurmd-node1.pid slurmd-node2.pid slurmctld.pid munged.pid; do
    deadline=$((SECONDS + 10))
    while pid=$(cat "$file" 2> /dev/null) && kill -0 "$pid" 2> /dev/null; do
      [ $SECONDS -gt $deadline ] && kill -9 "$pid" && break
      sleep 0.2
    done
  done
}

case "${1:-}" in
  install) install ;;
  start | stop) "$1" "${2:?a folder is needed}" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
