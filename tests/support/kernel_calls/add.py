"""Calls of the sum."""

from tests.support.kernel_calls.base import Cost, elementwise_calls

CALLS = {"add_forward": elementwise_calls(2)}
COSTS = {"add_forward": Cost(CALLS["add_forward"])}
