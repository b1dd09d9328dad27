"""Right calls of every compiled operator, as the checks of the executor run them: one file for each family.

A file has CALLS, operator -> calls; `calls(dtype)` yields (arrays in order, numbers by name) and reaches every branch, a
tail, more than one block, memory off the 16-byte grid. It yields nothing for a dtype that changes nothing. COSTS is
operator -> Cost for kernels bound by memory, WITHOUT_COST operator -> reason for the others.
"""

import importlib
import pkgutil

CALLS, COSTS, WITHOUT_COST = {}, {}, {}
for _found in pkgutil.iter_modules(__path__):
    _module = importlib.import_module(f"{__name__}.{_found.name}")
    CALLS |= getattr(_module, "CALLS", {})
    COSTS |= getattr(_module, "COSTS", {})
    WITHOUT_COST |= getattr(_module, "WITHOUT_COST", {})
