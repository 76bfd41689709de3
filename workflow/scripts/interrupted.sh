#!/usr/bin/env bash
# What a rule does when its command has failed: interrupted.sh STATUS
# 75 (EX_TEMPFAIL) says: told to stop, has saved, goes on from there when it is run again. Inside a Slurm job, that job goes
# back to the queue under its own number, so Snakemake keeps waiting for it. Any other status is a failure as ever.
set -uo pipefail
[ "$1" = 75 ] || [ "$1" = 143 ] || exit "$1" # 143: told in its first second, before it could listen

# Not for a job that is being cancelled: queueing it again would bring it back to life.
if [ -n "${SLURM_JOB_ID:-}" ] && [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T 2>/dev/null)" = RUNNING ]; then
    trap '' TERM # Slurm ends this job now; to leave before it does would count as a failure
    if scontrol requeue "$SLURM_JOB_ID"; then
        echo "interrupted, and what was done is saved: Slurm job $SLURM_JOB_ID goes back to the queue" >&2
        sleep 600
    fi
fi
echo "interrupted, and what was done is saved: run the same command again, and it goes on from there" >&2
exit 75
