"""The rules of order limits. Pure: same book, same input, same decision."""

from quota.decide.accounts import block, limit, policies, top_up
from quota.decide.facts import Fact, apply
from quota.decide.orders import drain, expire, hold

__all__ = ["Fact", "apply", "block", "drain", "expire", "hold", "limit", "policies", "top_up"]
