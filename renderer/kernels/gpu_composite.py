"""Composites the samples of rays (paper eq. 2, 3), with the gradients that training needs."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

RAYS = 128
"""Of a program."""


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def composite(
    sigma: tl.tensor,
    deltas: tl.tensor,
    colours: tl.tensor,
    rgb: tl.tensor,
    transmittance: tl.tensor,
    count: tl.tensor,
    SAMPLES: tl.constexpr,
    RAYS: tl.constexpr,
) -> None:
    """Composite some rays (`compositing.render_weights`, `compositing.composite`). The grid is (tiles of rays,).

    Args:
        sigma: (count, SAMPLES) per centimetre.
        deltas: (count, SAMPLES) centimetres.
        colours: (count, SAMPLES, 3).
        rgb: (count, 3), written: premultiplied colour.
        transmittance: (count,), written.
        count: of the rays.
        SAMPLES: of a ray.
        RAYS: of a program.
    """
    ray = tl.program_id(0) * RAYS + tl.arange(0, RAYS)
    exists = ray < count
    passed = tl.full([RAYS], 1.0, sigma.dtype.element_ty)
    red = tl.zeros([RAYS], sigma.dtype.element_ty)
    green, blue = red, red
    for sample in range(SAMPLES):
        place = ray * SAMPLES + sample
        through = passed * tl.exp(-tl.load(sigma + place, exists, 0.0) * tl.load(deltas + place, exists, 0.0))
        weight = passed - through
        passed = through
        red += weight * tl.load(colours + place * 3, exists, 0.0)
        green += weight * tl.load(colours + place * 3 + 1, exists, 0.0)
        blue += weight * tl.load(colours + place * 3 + 2, exists, 0.0)
    tl.store(rgb + ray * 3, red, exists)
    tl.store(rgb + ray * 3 + 1, green, exists)
    tl.store(rgb + ray * 3 + 2, blue, exists)
    tl.store(transmittance + ray, passed, exists)


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def composite_backward(
    sigma: tl.tensor,
    deltas: tl.tensor,
    colours: tl.tensor,
    rgb: tl.tensor,
    transmittance: tl.tensor,
    rgb_gradient: tl.tensor,
    transmittance_gradient: tl.tensor,
    sigma_gradient: tl.tensor,
    deltas_gradient: tl.tensor,
    colours_gradient: tl.tensor,
    count: tl.tensor,
    SAMPLES: tl.constexpr,
    RAYS: tl.constexpr,
) -> None:
    """Return what ``composite`` does to its gradients.

    With ``q_i`` the product of the ray's gradient and a sample's colour, and ``T`` what passes all samples, the
    gradient of an interval's optical depth is ``T_(i+1) q_i - sum_(k>i) w_k q_k - T g_T``: more of it shows more of its
    own sample and less of all behind it. The sum is what ``rgb`` holds less the samples up to this one.

    Args:
        sigma: as ``composite`` was given; likewise ``deltas`` and ``colours``.
        deltas: see above.
        colours: see above.
        rgb: that ``composite`` wrote, likewise ``transmittance``.
        transmittance: see above.
        rgb_gradient: (count, 3).
        transmittance_gradient: (count,).
        sigma_gradient: (count, SAMPLES), written; likewise ``deltas_gradient``.
        deltas_gradient: see above.
        colours_gradient: (count, SAMPLES, 3), written.
        count: of the rays.
        SAMPLES: of a ray.
        RAYS: of a program.
    """
    ray = tl.program_id(0) * RAYS + tl.arange(0, RAYS)
    exists = ray < count
    red = tl.load(rgb_gradient + ray * 3, exists, 0.0)
    green = tl.load(rgb_gradient + ray * 3 + 1, exists, 0.0)
    blue = tl.load(rgb_gradient + ray * 3 + 2, exists, 0.0)
    behind = red * tl.load(rgb + ray * 3, exists, 0.0)
    behind += green * tl.load(rgb + ray * 3 + 1, exists, 0.0)
    behind += blue * tl.load(rgb + ray * 3 + 2, exists, 0.0)
    background = tl.load(transmittance + ray, exists, 0.0) * tl.load(transmittance_gradient + ray, exists, 0.0)
    passed = tl.full([RAYS], 1.0, sigma.dtype.element_ty)
    for sample in range(SAMPLES):
        place = ray * SAMPLES + sample
        density, length = tl.load(sigma + place, exists, 0.0), tl.load(deltas + place, exists, 0.0)
        through = passed * tl.exp(-density * length)
        weight = passed - through
        passed = through
        value = red * tl.load(colours + place * 3, exists, 0.0)
        value += green * tl.load(colours + place * 3 + 1, exists, 0.0)
        value += blue * tl.load(colours + place * 3 + 2, exists, 0.0)
        behind -= weight * value
        slope = through * value - behind - background
        tl.store(sigma_gradient + place, slope * length, exists)
        tl.store(deltas_gradient + place, slope * density, exists)
        tl.store(colours_gradient + place * 3, weight * red, exists)
        tl.store(colours_gradient + place * 3 + 1, weight * green, exists)
        tl.store(colours_gradient + place * 3 + 2, weight * blue, exists)


class Composite(torch.autograd.Function):
    """Of ``sigma`` (N, S), ``deltas`` (N, S) and ``colours`` (N, S, 3): ``rgb`` (N, 3) and ``transmittance`` (N,)."""

    @staticmethod
    def forward(ctx: Any, sigma: Tensor, deltas: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Composite the rays."""
        sigma, deltas, colours = sigma.contiguous(), deltas.contiguous(), colours.contiguous()
        count, samples = sigma.shape
        rgb, transmittance = sigma.new_empty(count, 3), sigma.new_empty(count)
        if count:
            composite[(triton.cdiv(count, RAYS),)](
                sigma, deltas, colours, rgb, transmittance, count, SAMPLES=samples, RAYS=RAYS
            )
        ctx.save_for_backward(sigma, deltas, colours, rgb, transmittance)
        return rgb, transmittance

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, rgb_gradient: Tensor, transmittance_gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of all three."""
        saved = ctx.saved_tensors
        gradients = [torch.empty_like(values) for values in saved[:3]]
        count, samples = saved[0].shape
        if count:
            composite_backward[(triton.cdiv(count, RAYS),)](
                *saved,
                rgb_gradient.contiguous(),
                transmittance_gradient.contiguous(),
                *gradients,
                count,
                SAMPLES=samples,
                RAYS=RAYS,
            )
        sigma, deltas, colours = gradients
        return sigma, deltas, colours
