# Compare a variant's predictions with the ground truth.


rule score_variant:
    input:
        clips=lambda wildcards: clips(wildcards.dataset, "validation"),
        samples=lambda wildcards: samples(wildcards.dataset, wildcards.variant),
    output:
        score_file(LAYOUT.scores("{dataset}", "{variant}"), of="{variant}"),
    log:
        log_of("score", "{dataset}", "{variant}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("score"),
    shell:
        "fca score -c {params.config:q} {wildcards.dataset} {wildcards.variant} 2>&1 | tee {log:q}"


# Put the scores of a variant's trainings together (train.replicates).
rule score_replicates:
    input:
        lambda wildcards: [LAYOUT.scores(wildcards.dataset, name) for name in CONFIG.replicates(wildcards.variant)],
    output:
        score_file(LAYOUT.replicates_scores("{dataset}", "{variant}"), of="{variant}, all trainings"),
    log:
        log_of("score_replicates", "{dataset}", "{variant}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("score"),
    shell:
        "fca score-replicates -c {params.config:q} {wildcards.dataset} {wildcards.variant} 2>&1 | tee {log:q}"


# Compare the variants of a table or figure in pairs.
rule compare_variants:
    input:
        lambda wildcards: comparison_runs(wildcards.dataset, wildcards.comparison),
    output:
        score_file(LAYOUT.differences("{dataset}", "{comparison}"), of="{comparison}, differences"),
    log:
        log_of("compare_variants", "{dataset}", "{comparison}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("score"),
    shell:
        "fca compare-variants -c {params.config:q} {wildcards.dataset} {wildcards.comparison} 2>&1 | tee {log:q}"
