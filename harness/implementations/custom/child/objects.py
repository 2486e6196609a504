"""What torch's objects say of themselves: a network, an optimiser, an output."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def logits(output: Any) -> Any:
    """The first output of two dimensions; networks give one, a tuple or a dictionary."""
    values = output
    if isinstance(output, dict):
        values = [output["logits"]] if "logits" in output else list(output.values())
    elif not isinstance(output, (tuple, list)):
        values = [output]
    return next((v for v in values if getattr(v, "ndim", 0) == 2 and v.shape[1] > 1), None)


def optimizer_groups(optimizer: Any) -> list[dict[str, Any]]:
    keys = ("momentum", "nesterov", "weight_decay")
    return [
        {
            "kind": type(optimizer).__name__,
            "lr": group.get("initial_lr", group["lr"]),
            "tensors": len(group["params"]),
            **{key: group.get(key) for key in keys},
        }
        for group in optimizer.param_groups
    ]


def network_modules(network: Any) -> dict[str, Any]:
    from torch import nn

    modules = list(network.modules())
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    return {
        "class": type(network).__name__,
        "parameters": sum(p.numel() for p in network.parameters()),
        "shapes": [list(p.shape) for p in network.parameters()],
        "convolutions": len(convolutions),
        "convolution_biases": sum(m.bias is not None for m in convolutions),
        "batch_norm": sorted({(m.momentum, m.eps) for m in norms}, key=str),
        "leaky_slopes": sorted({m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)}),
        "dropout": sorted({m.p for m in modules if isinstance(m, (nn.Dropout, nn.Dropout2d))}),
    }


def processor() -> str:
    """The name of the CPU, as the kernel has it; '' where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else ""


def precision(network: Any) -> str:
    """Of its first training pass, by the names of the profiles; '' where it is another."""
    import torch

    kinds = {parameter.dtype for parameter in network.parameters()}
    if kinds != {torch.float32}:
        return ""
    if not torch.is_autocast_enabled():
        return "fp32"
    lower = torch.get_autocast_gpu_dtype()
    return "bf16" if lower == torch.bfloat16 else "amp fp16"
