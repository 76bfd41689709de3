# Train a variant. Checkpoints stay in runs/, which is no output, because Snakemake deletes the outputs of a failed job:
# the same command resumes from the last checkpoint. On TERM the trainer saves and ends with status 75, which is no
# failure under Slurm (interrupted.sh); the shell and tee outlive it, so the log has its last lines.


rule train_adapter:
    input:
        training_latents,
    output:
        LAYOUT.model_manifest("{dataset}", "{variant}"),
        [LAYOUT.model_manifest("{dataset}", f"{{variant}}{LENGTH}{steps}") for steps in CONFIG.train.lengths],
    log:
        log_of("train", "{dataset}", "{variant}"),
    wildcard_constraints:
        variant="|".join(name for name in CONFIG.every_replicate if CONFIG.variant(name).trains),
    threads: 2
    params:
        config=config_file,
        fingerprint=fingerprint_of("train"),
    shell:
        "trap : TERM; "
        "fca train -c {params.config:q} {wildcards.dataset} {wildcards.variant} 2>&1 | (trap '' TERM; tee -a {log:q})"
        " || interrupted.sh $?"
