"""All sections of `fca doctor`, in the order of its page."""

from fca.config import Config
from fca.doctor import files, machine
from fca.doctor.finding import Sections


def look(config: Config) -> Sections:
    """Look at the machine and at the files that a configuration names. Nothing is downloaded and nothing is kept."""
    return {
        "Versions": machine.versions(),
        "Devices": machine.devices(),
        "Videos": machine.decoders(config.decode.decoder),
        "Workflow": machine.workflow(),
        "Disk": files.disk(config),
        "Weights": files.weights(config),
        "Datasets": files.datasets(config),
    }
