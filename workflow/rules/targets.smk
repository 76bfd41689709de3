# Names for the coarse stages of a dataset: `snakemake train_ssv2`. dvc.yaml has the same stages.


for name in CONFIG.datasets:

    rule:
        name:
            f"prepare_{name}"
        input:
            latents(name, "train"),
            latents(name, "validation"),
            clips(name, "validation"),

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
            [samples(name, run) for variant in CONFIG.variants for run in CONFIG.replicates(variant)],
            edited_samples(name),
            LAYOUT.vae_roundtrip(name),
