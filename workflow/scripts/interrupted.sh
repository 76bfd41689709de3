#!/usr/bin/env bash
# Run by a rule after its command has failed: interrupted.sh STATUS
# Status 75 (EX_TEMPFAIL) means: asked to stop, everything is saved, the next run resumes. Inside a Slurm job, that job is
# requeued under its own number, so Snakemake keeps waiting for it. Any other status is a failure.
set -uo pipefail
[ "$1" = 75 ] || [ "$1" = 143 ] || exit "$1" # 143: TERM in its first second, before it had a handler

# Never requeue a job that is being cancelled.
if [ -n "${SLURM_JOB_ID:-}" ] && [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T 2>/dev/null)" = RUNNING ]; then
    trap '' TERM # Slurm ends this job now; to exit before that would count as a failure
    if scontrol requeue "$SLURM_JOB_ID"; then
        echo "interrupted, everything is saved: Slurm job $SLURM_JOB_ID is requeued" >&2
        sleep 600
    fi
fi
echo "interrupted, everything is saved: run the same command again to resume" >&2
exit 75
