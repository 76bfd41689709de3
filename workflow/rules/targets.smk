# Names for the coarse stages of a dataset: `snakemake train_ssv2`. dvc.yaml has the same stages.


rule prepare:
    input:
        lambda wildcards: latents(wildcards.dataset, "train") + latents(wildcards.dataset, "validation"),
    output:
        LAYOUT.root / "{dataset}" / "prepared.sha256",
    log:
        log_of("prepare", "{dataset}"),
    shell:
        "sha256sum {input} > {output} 2> {log}"


for name in CONFIG.datasets:

    rule:
        name:
            f"prepare_{name}"
        input:
            LAYOUT.root / name / "prepared.sha256",

    rule:
        name:
            f"verify_{name}"
        input:
            LAYOUT.verified(name),

    rule:
        name:
            f"preview_{name}"
        input:
            LAYOUT.preview(name),

    rule:
        name:
            f"train_{name}"
        input:
            models(name),

    rule:
        name:
            f"evaluate_{name}"
        input:
            scores(name),
            LAYOUT.floor(name),
