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
        fingerprint=fingerprint_of("score"),
    shell:
        "fca record -c {CONFIG_FILE:q} {wildcards.dataset} {wildcards.variant} 2>&1 | tee {log:q}"


rule evidence:
    input:
        not_recorded,
    log:
        log_of("report", "evidence"),
    shell:
        "fca report -c {CONFIG_FILE:q} evidence 2>&1 | tee {log:q}"
