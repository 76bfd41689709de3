# VBench's six dimensions by the official package, in an environment of its own: `make vbench-env`, `snakemake vbench`.
# The report depends on it if that environment and the weights exist; if not, it says what is missing.


rule vbench_scores:
    input:
        clips=lambda wildcards: clips(wildcards.dataset, "validation"),
        samples=vbench_samples,
    output:
        score_file(LAYOUT.vbench("{dataset}", "{row}"), of="{row}, VBench"),
    log:
        log_of("vbench", "{dataset}", "{row}"),
    wildcard_constraints:
        row="|".join([*CONFIG.every_variant, GROUND_TRUTH]),
    params:
        config=config_file,
        fingerprint=fingerprint_of("vbench"),
    shell:
        "fca vbench -c {params.config:q} {wildcards.dataset} {wildcards.row} 2>&1 | tee {log:q}"


rule vbench:
    input:
        vbench_results(CONFIG.datasets),
