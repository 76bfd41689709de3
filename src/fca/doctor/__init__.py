"""`fca doctor`: what this machine and a configuration's files lack, each with its remedy."""

from fca.doctor.finding import Finding, Sections, as_json, as_text, problems
from fca.doctor.look import look

__all__ = ["Finding", "Sections", "as_json", "as_text", "look", "problems"]
