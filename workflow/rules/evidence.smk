# Are the paper's claims true here? `snakemake evidence --configfile config/pocket-evidence.yaml` trains every row several
# times and records each training in docs/evidence as soon as it is scored. What is recorded there with these settings and
# networks is never computed again, on any machine.


rule record_evidence:
    input:
        lambda wildcards: [
            LAYOUT.scores(wildcards.dataset, name) for name in (wildcards.variant, *CONFIG.lengths(wildcards.variant))
        ],
    output:
        LAYOUT.recorded("{dataset}", "{variant}"),
    log:
        log_of("record", "{dataset}", "{variant}"),
    wildcard_constraints:
        variant="|".join(CONFIG.every_replicate),
    params:
        config=config_file,
        fingerprint=fingerprint_of("score"),
    shell:
        "fca record -c {params.config:q} {wildcards.dataset} {wildcards.variant} 2>&1 | tee {log:q}"


rule evidence:
    input:
        not_recorded,
    log:
        log_of("report", "evidence"),
    params:
        config=config_file,
    shell:
        "fca report -c {params.config:q} evidence 2>&1 | tee {log:q}"
