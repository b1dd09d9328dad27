"""Right calls of every compiled operator, as the checks of the executor run them: one file for each family.

A file has CALLS, operator -> calls; `calls(dtype)` yields (arrays in order, numbers by name) and reaches every branch, a
tail, more than one block, memory off the 16-byte grid. It yields nothing for a dtype that changes nothing. COSTS is
operator -> Cost for kernels bound by memory, WITHOUT_COST operator -> reason for the others. Of an operator that several
files have, with kernels for other shapes in each, all calls are made.
"""

import importlib
import pkgutil

from tests.support.kernel_calls.base import both

CALLS, COSTS, WITHOUT_COST = {}, {}, {}
for _found in pkgutil.iter_modules(__path__):
    _module = importlib.import_module(f"{__name__}.{_found.name}")
    for _operator, _calls in getattr(_module, "CALLS", {}).items():
        CALLS[_operator] = both(CALLS[_operator], _calls) if _operator in CALLS else _calls
    COSTS |= getattr(_module, "COSTS", {})
    WITHOUT_COST |= getattr(_module, "WITHOUT_COST", {})
