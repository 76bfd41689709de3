"""Captions of tabletop scenes in the three datasets' own wordings, and back from a caption to its motion."""

from fca.data.tabletop.scene import OPPOSITE, Scene

SSV2_TEMPLATES: dict[str, str] = {
    "left": "Pushing [something] from right to left",
    "right": "Pushing [something] from left to right",
    "up": "Moving [something] up",
    "down": "Moving [something] down",
    "pan_left": "Turning the camera left while filming [something]",
    "pan_right": "Turning the camera right while filming [something]",
}
"""Something-Something V2 templates as the dataset writes them, by motion."""


def caption(scene: Scene, motion: str | None = None) -> dict[str, object]:
    """The annotation of a scene in its style's fields; `motion` replaces the scene's own.

    ssv2: `label`, `template`, `placeholders` (a list of one name). bridge: `task`, a folder name such as
    `"push_red_block_left"`. epic: `narration`, `verb`, `noun`.
    """
    motion = scene.motion if motion is None else motion
    name = scene.items[scene.target].name
    if scene.style == "ssv2":
        template = SSV2_TEMPLATES[motion]
        return {"label": template.replace("[something]", name), "template": template, "placeholders": [name]}
    if motion in ("pan_left", "pan_right"):
        direction = motion.removeprefix("pan_")
        return {"narration": f"look {direction}", "verb": "look", "noun": direction}
    if motion in ("up", "down"):
        verb = "lift" if motion == "up" else "lower"
        words = f"{verb} {name}"
    else:
        verb = scene.verb if scene.verb in ("push", "slide") else "push"
        words = f"{verb} {name} {motion}"
    if scene.style == "bridge":
        return {"task": words.replace(" ", "_")}
    return {"narration": words, "verb": verb, "noun": scene.items[scene.target].shape}


def caption_text(scene: Scene, motion: str | None = None) -> str:
    """The plain caption a reader of the dataset makes of `caption`: e.g. `"lift red block"`."""
    fields = caption(scene, motion)
    return str(fields.get("label") or fields.get("narration") or str(fields["task"]).replace("_", " "))


def motion_of_caption(text: str) -> str:
    """The motion a caption names, in any of the three wordings; underscores, case and `distractors` don't matter."""
    words = text.lower().replace("_", " ").removesuffix(" distractors").split()
    if "camera" in words or words[:1] == ["look"]:
        return "pan_left" if "left" in words else "pan_right"
    if words[:1] == ["lift"] or (words[:1] == ["moving"] and words[-1] == "up"):
        return "up"
    if words[:1] == ["lower"] or (words[:1] == ["moving"] and words[-1] == "down"):
        return "down"
    for word in reversed(words):
        if word in ("left", "right"):
            return word
    raise ValueError(f"no motion in caption {text!r}")


_TURNED = OPPOSITE | {"lift": "lower", "lower": "lift"}


def opposite_caption(text: str) -> str:
    """The same caption asking for the opposite motion, in the same wording; spaces between words are kept single."""
    return " ".join(_TURNED.get(word, word) for word in text.split())
