#!/usr/bin/env bash
# Run a shard's command, once in each run of Snakemake: once.sh MANIFEST COMMAND...
# Shards share a Slurm job. When it is killed, or its node is lost, Snakemake removes the manifests of all its shards and
# starts them all again, the finished ones too. So a copy of each finished manifest is kept under the name of the run of
# Snakemake, which is the name of its Slurm jobs, and a shard that this run has finished gets it back.
set -euo pipefail
manifest=$1
shift

# asked of Slurm, since the variable SLURM_JOB_NAME holds the name of the job step
run=$([ -z "${SLURM_JOB_ID:-}" ] || squeue --noheader --jobs="$SLURM_JOB_ID" --format=%j) || run=
[ -n "$run" ] || exec "$@"

copy() { # FROM TO: whole or not at all, and new: Snakemake compares times
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.aside"
    mv "$2.aside" "$2"
}

kept=.snakemake/kept/$manifest/$run
if [ -e "$kept" ]; then
    echo "finished before, in this run of Snakemake"
    copy "$kept" "$manifest"
else
    "$@"
    copy "$manifest" "$kept"
fi
