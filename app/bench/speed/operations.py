"""What a frame asks for: the operations of its rendering and the bytes that it must touch, counted from shapes.

Operations are additions, multiplications, divisions, comparisons and elementary functions, one each; a multiply-add is
two. Counted is what the method needs per item, not what an implementation adds (masks, copies, indices):

* a bilinear reading of C channels: 2 fractions, 4 corner weights (6), 4 multiply-adds a channel: 8 + 8 C;
* a trilinear reading of one channel: 3 fractions, 8 corner weights (15), 8 multiply-adds: 34;
* a point on a ray: 3 multiply-adds, and 3 more into the unit cube: 12;
* a dense layer of I inputs and O outputs: 2 I O, and O for its bias (and O for its activation).

Bytes are of two kinds. *Compulsory*: each array that a frame needs, once, and the picture written: what crosses the
memory bus even if every cache were infinite but emptied between frames. *Gathered*: what the interpolated readings
touch, corner by corner; most of it comes from a cache.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from renderer.head_field import POSE

if TYPE_CHECKING:
    from app.bench.speed.stages import Counts
    from renderer.avatar import Avatar

FLOAT_BYTES = 4
"""Of planes, grid, background: they are kept as float32."""
LEVEL_BYTES = 2
"""Of the planes that expression and pose blend, where the compiled kernels do it."""


@dataclass(frozen=True, slots=True)
class FieldSizes:
    """Sizes of an avatar's arrays that decide what a frame costs."""

    expression: int
    channels: int
    resolution: int
    moving_channels: int
    moving_resolution: int
    wide_resolution: int
    wide_expression: int
    width: int
    code: int
    grid: int
    torso_channels: int
    torso_resolution: int
    torso_width: int
    torso_code: int
    torso_lattice: int
    """Points at which the torso's warp is evaluated."""
    torso_encoded: int
    """Numbers that say where such a point lies."""
    torso_modes: int
    """In which it deforms."""
    torso_conditions: int
    """Numbers that bend it."""
    moving_bytes: int = FLOAT_BYTES
    """Of a number in the planes that expression and pose blend."""

    @classmethod
    def of(cls, avatar: "Avatar") -> "FieldSizes":
        """Return those of an avatar."""
        head, torso = avatar.head.shape, avatar.torso.shape
        lattice = avatar.torso.lattice
        return cls(
            expression=head.expression,
            channels=head.channels,
            resolution=head.resolution,
            moving_channels=head.moving_channels,
            moving_resolution=head.moving_resolution,
            wide_resolution=head.wide_resolution,
            wide_expression=head.wide_expression,
            width=head.width,
            code=head.code,
            grid=avatar.grid.density.shape[0],
            torso_channels=torso.channels,
            torso_resolution=torso.resolution,
            torso_width=torso.width,
            torso_code=torso.code,
            torso_lattice=lattice.shape[0],
            torso_encoded=lattice.shape[1],
            torso_modes=torso.modes,
            torso_conditions=torso.conditions,
            moving_bytes=LEVEL_BYTES if avatar.fastest() == "compiled" else FLOAT_BYTES,
        )

    @property
    def moving_texels(self) -> int:
        """Numbers in the planes that the expression blends."""
        return 3 * self.moving_channels * self.moving_resolution**2

    @property
    def wide_numbers(self) -> int:
        """Numbers in the planes that expression and pose blend over all of the head, all of them."""
        return (self.wide_expression + POSE) * 3 * self.moving_channels * self.wide_resolution**2

    @property
    def static_texels(self) -> int:
        """Numbers in the head's planes."""
        return 3 * self.channels * self.resolution**2

    @property
    def density_products(self) -> int:
        """Multiply-adds of the decoder's layers for the density of a sample."""
        return 3 * self.channels * self.width + self.width

    @property
    def colour_products(self) -> int:
        """Multiply-adds of the decoder's layers for the colour of a sample, its density known."""
        return (self.width + 3) * self.width + 3 * self.width

    @property
    def torso_products(self) -> int:
        """Multiply-adds of the torso's shading layers for a pixel."""
        return self.torso_channels * self.torso_width + 4 * self.torso_width

    @property
    def warp_products(self) -> int:
        """Multiply-adds of the torso's warp at a lattice point."""
        inputs = self.torso_encoded + self.torso_conditions + self.torso_code
        return inputs * self.torso_width + self.torso_width**2 + 2 * self.torso_width


@dataclass(frozen=True, slots=True)
class Work:
    """Of one stage in one frame."""

    dense: float = 0.0
    """Operations in the decoder's layers, whose number format may be narrower than float32."""
    other: float = 0.0
    """Operations in float32."""
    compulsory: float = 0.0
    """Bytes."""
    gathered: float = 0.0
    """Bytes."""

    @property
    def operations(self) -> float:
        """All of them."""
        return self.dense + self.other

    def __add__(self, more: "Work") -> "Work":
        return Work(
            self.dense + more.dense,
            self.other + more.other,
            self.compulsory + more.compulsory,
            self.gathered + more.gathered,
        )


def frame_work(sizes: FieldSizes, counts: "Counts") -> dict[str, Work]:
    """Return the work of a frame by stage (`app.bench.speed.stages.STAGES`), for the ``counts`` of a frame."""
    width, torso_width = sizes.width, sizes.torso_width
    # Along a ray: optical depth (multiply, add), exponential, difference; widening by two maxima, normalising.
    search = counts.grid_lookups * (12 + 34 + 4 + 4) + counts.intervals * 8
    # Biases and activations: a hidden layer each, softplus of the density (4), sigmoids of three colours (3 each).
    density, colour = 2 * width + 5, 2 * width + 12
    # The displacement, the warp, the plane.
    torso_reading = 2 + (8 + 8 * 2) + (8 + 8 * sizes.torso_channels) + 2 * torso_width + 4 + 4 * 3
    # The network and its activations, its scale, and two coordinates of each mode.
    warp = sizes.torso_lattice * (2 * sizes.warp_products + 4 * torso_width + 2 + 4 * sizes.torso_modes)
    torso_numbers = sizes.torso_channels * sizes.torso_resolution**2 + sizes.torso_products + sizes.warp_products
    # Wide planes are read and added at each texel of the head's planes.
    widening = 3 * sizes.resolution**2 * (8 + 9 * sizes.moving_channels) if sizes.wide_numbers else 0
    return {
        "blend": Work(
            other=(2 * sizes.expression + 1) * sizes.moving_texels + 2 * sizes.wide_numbers + widening,
            # Static planes are read, blended ones written.
            compulsory=sizes.moving_bytes * (sizes.expression * sizes.moving_texels + sizes.wide_numbers)
            + FLOAT_BYTES * 2 * sizes.static_texels,
        ),
        "search": Work(
            other=search, compulsory=FLOAT_BYTES * sizes.grid**3, gathered=FLOAT_BYTES * counts.grid_lookups * 8
        ),
        "read planes": Work(
            other=counts.head_samples * (12 + 3 * (8 + 8 * sizes.channels)),
            compulsory=FLOAT_BYTES * sizes.static_texels,
            gathered=FLOAT_BYTES * counts.head_samples * 3 * 4 * sizes.channels,
        ),
        "decoder": Work(
            counts.head_samples * 2 * sizes.density_products
            + counts.head_colours * 2 * sizes.colour_products
            + 2 * sizes.code * width,
            counts.head_samples * density + counts.head_colours * colour,
            FLOAT_BYTES * (sizes.density_products + sizes.colour_products),
        ),
        "torso": Work(
            counts.torso_pixels * 2 * sizes.torso_products,
            counts.torso_pixels * torso_reading + warp + 2 * (sizes.torso_conditions + sizes.torso_code) * torso_width,
            FLOAT_BYTES * torso_numbers,
            FLOAT_BYTES * counts.torso_pixels * 4 * (2 + sizes.torso_channels),
        ),
        "quadrature": Work(other=counts.head_samples * 4 + counts.head_colours * 6),
        # Torso over background and head over both (a multiply-add a channel each), rounding and clamping to 8 bits;
        # the background is read, the picture written.
        "assemble": Work(other=counts.pixels * 3 * (2 + 2 + 3), compulsory=counts.pixels * 3 * (FLOAT_BYTES + 1)),
    }
