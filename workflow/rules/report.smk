# The HTML report: scores, clips beside the truth, what was run.


rule report:
    input:
        [scores(dataset) for dataset in CONFIG.datasets],
    output:
        LAYOUT.report,
    log:
        log_of("report", CONFIG.scale),
    params:
        code=code_hash("report"),
        settings=settings("report"),
    shell:
        "fca report -c {CONFIG_FILE} 2>&1 | tee {log}"
