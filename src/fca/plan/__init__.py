"""`fca plan`: estimate what a configuration will take, before anything runs."""

from fca.plan.steps import Plan, plan
from fca.plan.text import as_text

__all__ = ["Plan", "as_text", "plan"]
