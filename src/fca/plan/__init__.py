"""`fca plan`: estimate what a configuration will take, before anything runs."""

from fca.plan.cards import Cards, cards, cards_as_text
from fca.plan.steps import Plan, plan
from fca.plan.text import as_text

__all__ = ["Cards", "Plan", "as_text", "cards", "cards_as_text", "plan"]
