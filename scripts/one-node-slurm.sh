#!/usr/bin/env bash
# A one-node Slurm on this machine, for tests: one-node-slurm.sh start | stop
#
# The node claims 64 CPUs, 512 GB and four A100s that don't exist; partitions `cpu` and `gpu` share it. It runs as root, on
# loopback only, without systemd, cgroups, munge or accounting. It installs nothing; on Debian, first run
#     apt-get install --no-install-recommends slurmctld slurmd slurm-client
# It writes to $FCA_SLURM_DIR (default /var/tmp/fca-slurm), and two links in /etc/slurm point there, because jobs start job
# steps without SLURM_CONF in their environment. `start` keeps running daemons; `stop` ends only its own.
set -euo pipefail

dir=${FCA_SLURM_DIR:-/var/tmp/fca-slurm}
port=${FCA_SLURM_PORT:-26817}
node=$(hostname -s)
export PATH=/usr/sbin:/sbin:$PATH
for variable in "${!SLURM@}" "${!SBATCH_@}" "${!SRUN_@}"; do unset "$variable"; done # started from inside a job

die() {
    echo "one-node-slurm: $*" >&2
    tail -n 5 "$dir"/*.log >&2 2>/dev/null || true
    exit 1
}

# Process ids come from files, so compare the command, too: another process may have the id by now.
running() { # DAEMON
    local pid
    pid=$(cat "$dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] && ! grep -q '^State:.*Z' "/proc/$pid/status"
}

await() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

link() { # FILE: only ever over a link of ours
    local at=/etc/slurm/$1
    [ -e "$at" ] && [ "$(readlink "$at")" != "$dir/$1" ] && die "$at exists: a real cluster's? Nothing was changed."
    mkdir -p /etc/slurm
    ln -sfn "$dir/$1" "$at"
}

configure() {
    cat >"$dir/slurm.conf" <<CONF
ClusterName=one-node
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/none
CredType=cred/none
# a job waits this long before it is queued again
AuthInfo=cred_expire=10
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
# ends jobs over their memory, as cgroups do on a cluster
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=UsePss,OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
# finished jobs stay in squeue, which Snakemake asks
MinJobAge=3600
ReturnToService=2
SlurmdTimeout=10
KillWait=5
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=64 RealMemory=512000 Gres=gpu:a100:4 State=UNKNOWN
PartitionName=cpu Nodes=$node Default=YES DefaultTime=10 MaxTime=2-0
PartitionName=gpu Nodes=$node DefaultTime=10 MaxTime=2-0
CONF
    # A gpu counts only with a character device; nothing opens these.
    for device in null zero full random; do echo "Name=gpu Type=a100 File=/dev/$device"; done >"$dir/gres.conf"
}

start() {
    local tool
    for tool in slurmctld slurmd sinfo srun; do
        command -v "$tool" >/dev/null ||
            die "$tool isn't installed: apt-get install --no-install-recommends slurmctld slurmd slurm-client"
    done
    [ "$(id -u)" = 0 ] || die "must run as root: slurmd starts jobs for users"
    mkdir -p "$dir/state" "$dir/spool"
    link slurm.conf
    link gres.conf
    configure
    # in sessions of their own, so that signals to the calling shell don't reach them
    running slurmctld || setsid slurmctld -i </dev/null >/dev/null 2>&1
    running slurmd || setsid slurmd </dev/null >/dev/null 2>&1
    await 30 scontrol ping || die "slurmctld doesn't answer"
    await 30 sh -c "sinfo -h -N -o %t | grep -Eq 'idle|mix|alloc'" || {
        scontrol update nodename="$node" state=resume # it was left drained or down
        await 30 sh -c "sinfo -h -N -o %t | grep -Eq 'idle|mix|alloc'" || die "the node isn't ready"
    }
    sinfo -o 'one-node-slurm: partition %P, node %N %t, %c CPUs, %m MB, %G' -h
}

stop() {
    local daemon pid
    if running slurmctld; then
        timeout 20 scancel --quiet --user=root || true # job steps are no children of the daemons
        await 20 sh -c '[ -z "$(squeue -h -t RUNNING,COMPLETING)" ]' || true
    fi
    for daemon in slurmd slurmctld; do
        running "$daemon" || continue
        pid=$(cat "$dir/$daemon.pid")
        kill "$pid"
        await 15 sh -c "! kill -0 $pid" || kill -9 "$pid"
    done
    for file in slurm.conf gres.conf; do
        if [ "$(readlink /etc/slurm/$file)" = "$dir/$file" ]; then rm "/etc/slurm/$file"; fi
    done
    rm -rf "$dir"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
*)
    echo "usage: $0 start|stop" >&2
    exit 2
    ;;
esac
