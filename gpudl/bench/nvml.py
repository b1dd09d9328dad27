"""What the driver tells of a GPU while it works: clocks, power, heat, and why clocks are lowered."""

from __future__ import annotations

import importlib.util
from typing import Any

from gpudl.bench import rules
from gpudl.bench.device import Telemetry


class Monitor:
    """Of one GPU. `missing` says why there is none, and `sample` gives an empty Telemetry then."""

    def __init__(self, bus_id: str):
        """bus_id : where it sits, as CUDA names it: the order of NVML is not that of CUDA."""
        self.missing: str | None = None
        self._handle = None
        if importlib.util.find_spec("pynvml") is None:
            self.missing = "nvidia-ml-py is not installed: pip install 'gpudl[bench]'"
            return
        import pynvml

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByPciBusId(bus_id)
        except pynvml.NVMLError as error:
            self.missing = f"NVML: {error}"

    def describe(self) -> dict[str, Any]:
        if self._handle is None:
            return {"telemetry": self.missing}
        limit = self._asked("nvmlDeviceGetEnforcedPowerLimit")
        return {
            "driver": self._nvml.nvmlSystemGetDriverVersion(),
            "power_limit_w": None if limit is None else limit / 1e3,
        }

    def sample(self) -> Telemetry:
        if self._handle is None:
            return Telemetry()
        power = self._asked("nvmlDeviceGetPowerUsage")
        bits = self._asked("nvmlDeviceGetCurrentClocksThrottleReasons")
        return Telemetry(
            clock_mhz=self._asked("nvmlDeviceGetClockInfo", self._nvml.NVML_CLOCK_SM),
            power_w=None if power is None else power / 1e3,
            temperature_c=self._asked("nvmlDeviceGetTemperature", self._nvml.NVML_TEMPERATURE_GPU),
            throttled=None if bits is None else rules.throttled(bits),
        )

    def _asked(self, question: str, *arguments: int) -> int | None:
        """None where this GPU, or this driver, does not answer."""
        try:
            return getattr(self._nvml, question)(self._handle, *arguments)
        except self._nvml.NVMLError:
            return None
