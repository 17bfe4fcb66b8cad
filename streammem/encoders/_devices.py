"""What torch says of the devices here: which there are, what they are good at, what is free."""

from typing import Any, Self

import torch

from streammem.core.errors import MissingError, UsageError
from streammem.encoders.runtime_choice import free_memory_bytes


class MemoryMeter:
    """Measures the working memory of a forward pass: exact on CUDA, estimated on a CPU.

    The estimate is four times the largest input and output of any layer, which covers residuals
    and the scratch space of the kernels.
    """

    def __init__(self, visual: Any, device: torch.device, *, active: bool) -> None:
        self.needed_bytes = 0
        self._visual, self._device, self._active = visual, device, active
        self._hooks: list[Any] = []
        self._before = 0

    def __enter__(self) -> Self:
        if self._active and self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        elif self._active:
            self._hooks = [
                module.register_forward_hook(self._note) for module in self._visual.modules()
            ]
        return self

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()
        if self._active and self._device.type == "cuda":
            self.needed_bytes = torch.cuda.max_memory_allocated(self._device) - self._before

    def _note(self, module: Any, inputs: Any, output: Any) -> None:
        tensors = [value for value in (*inputs, output) if isinstance(value, torch.Tensor)]
        layer_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self.needed_bytes = max(self.needed_bytes, 4 * layer_bytes)


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a device, None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory_bytes()


def types_worth_timing(device: torch.device) -> tuple[str, ...]:
    """Number types that this device has instructions for."""
    if device.type == "cuda":
        return ("float16", "bfloat16") if torch.cuda.is_bf16_supported() else ("float16",)
    # Without wide vectors bfloat16 is emulated, and slower than float32 without exception.
    wide = torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX")
    return ("float32", "bfloat16") if wide else ("float32",)


def resolve_device(requested: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` means here.

    Raises:
        UsageError: the text names no device.
        MissingError: the device is not in this machine.
    """
    if requested == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise UsageError(
            f"there is no device {requested!r}", hint="expected auto, cpu, cuda or cuda:N"
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MissingError(
            f"the device {requested!r} is not here: {torch.cuda.device_count()} CUDA devices found",
            hint="use --device cpu or --device auto",
            code="missing_device",
        )
    return device


def describe_device() -> str:
    """The device that `auto` takes, and its name where it is a GPU."""
    device = resolve_device("auto")
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"cpu: {torch.get_num_threads()} threads, no CUDA device"
