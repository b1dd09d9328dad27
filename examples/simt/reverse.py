"""Find the planted race of reverse.cu, on a machine without CUDA or a GPU."""

from pathlib import Path

import numpy as np

from gpudl import simt

module = simt.compile(Path(__file__).with_name("reverse.cu"))
x = np.arange(1024, dtype=np.float32)
x.flags.writeable = False  # an input: a kernel that writes it is a finding
y = np.empty_like(x)
module.launch_reverse(x, y, x.size)

for finding in module.findings():
    print(finding)
for cost in module.profile().lines:
    print(f"{cost.line} {cost.space} {cost.operation}: {cost.sectors} sectors, {cost.needed_sectors} needed")
