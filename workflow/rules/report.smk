# The HTML report: scores, predictions next to the ground truth, provenance.


rule report:
    input:
        [scores(dataset) for dataset in CONFIG.datasets],
        vae_roundtrips(),
        [edited_samples(dataset) for dataset in CONFIG.datasets],
        vbench_results(CONFIG.datasets) if is_ready(CONFIG.score.vbench) else [],
    output:
        LAYOUT.report,
    log:
        log_of("report", CONFIG.scale),
    params:
        config=config_file,
        fingerprint=fingerprint_of("report"),
    shell:
        "fca report -c {params.config:q} 2>&1 | tee {log:q}"


# Tables and figures of the paper that compare variants: `snakemake table3`. Each is a folder in the report's, with a page.
for name in COMPARISONS:

    rule:
        name:
            name
        input:
            comparison_scores(name),
            comparison_differences(name),
        output:
            report(directory(LAYOUT.comparison(name).parent), category="Report", htmlindex=LAYOUT.report.name),
        log:
            log_of("report", name),
        params:
            config=config_file,
            name=name,
            fingerprint=fingerprint_of("report"),
        shell:
            "fca report -c {params.config:q} {params.name} 2>&1 | tee {log:q}"
