"""An examination with real texture: one subject's planes, passed by a cheap probe."""

from dataclasses import dataclass, replace
from math import pi

import numpy as np
import scipy

from fetal_iqa_training.data.planes import PlaneImage, load_frame
from fetal_iqa_training.data.textured.canvas import Canvas, make_canvas
from fetal_iqa_training.data.textured.passages import AbdomenPassage, Passage, Pose
from fetal_iqa_training.data.textured.subjects import SubjectPlanes
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.phantom.echo import compress, envelope, scatterers
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.mother import Mother
from napari_fetal_iqa.phantom.motion import Drift
from napari_fetal_iqa.phantom.settings import PhantomSettings
from napari_fetal_iqa.phantom.simulation import RenderedFrame, draw_circumference, volume_of
from napari_fetal_iqa.phantom.story import Run, plan_runs
from napari_fetal_iqa.phantom.tissue import Ellipse, Tissue
from napari_fetal_iqa.sweep import Frames, SweepVolume

PLANES_OF_A_CASE = 5
"""Planes other than the abdomen that one case shows at most."""
SURROUNDINGS = 3
"""Planes from whose surroundings the mother of one case is made."""
_NO_LINE_DB = np.float32(-19)  # tissue is darker than this, lines are brighter
_NEXT_TO_A_RUN = 3  # frames in which an abdomen leaves


def _cheap(settings: PhantomSettings, rng: np.random.Generator) -> PhantomSettings:
    """A cheap probe's picture, another for every case."""
    return replace(
        settings,
        gain_db=settings.gain_db + rng.normal(0, 2.5),
        dynamic_range_db=settings.dynamic_range_db * rng.uniform(0.85, 1.05),
        speckle_size=settings.speckle_size * rng.uniform(0.8, 1.25),
        noise_db=settings.noise_db + rng.uniform(-2, 7),
        shadow=settings.shadow * rng.uniform(0.8, 1.6),
        attenuation_db_cm=settings.attenuation_db_cm * rng.uniform(0.6, 1.2),
    )


@dataclass(frozen=True, eq=False)
class _Anatomy:
    """What the case's subject can show: abdomens with their size, and other planes."""

    abdomens: list[tuple[Canvas, tuple[float, float], float]]
    others: list[tuple[str, Canvas]]
    around: list[Canvas]


class TexturedSimulation:
    """The blind sweeps of one subject of a set of planes, before they are rendered.

    Parameters
    ----------
    settings : PhantomSettings
    planes : SubjectPlanes
    seed : int
        0 or more; the same planes, settings and seed give the same case.

    Raises
    ------
    TrainingError
        Where an image cannot be read.
    """

    def __init__(self, settings: PhantomSettings, planes: SubjectPlanes, seed: int) -> None:
        # Streams as of the drawn phantom: case, anatomy of each sweep, its speckle.
        rng = np.random.default_rng((seed, 10))
        self.settings = settings = _cheap(settings, rng)
        self.seed = seed
        self.fan = fan = Fan(settings)
        self.circumference_mm = draw_circumference(rng)
        runs = plan_runs(settings, rng)
        anatomy = _anatomy(planes, self.circumference_mm, rng)
        self._sweeps = [
            _Sweep(np.random.default_rng((seed, 11, number)), fan, own, anatomy)
            for number, own in enumerate(runs)
        ]
        # fill its caches before threads share it
        fan.scan_convert(np.zeros(fan.x.shape, np.float32))

    def render(self, index: int) -> RenderedFrame:
        """Render a frame; the same pixels in whatever order, thread or process it is done."""
        settings = self.settings
        if index >= settings.n_frames - settings.black_frames:
            return RenderedFrame(np.zeros(settings.shape, np.uint8))
        number, frame = divmod(index, settings.frames_per_sweep)
        return self._sweeps[number].render(frame, (self.seed, 12, number))

    def sweep(self, frames: Frames) -> SweepVolume:
        """Return the volume of rendered frames; their texture is real, so they count as real."""
        return volume_of(frames, self.settings, f"textured_{self.seed:04d}", simulated=False)


class _Sweep:
    """What one sweep passes."""

    def __init__(
        self, rng: np.random.Generator, fan: Fan, runs: list[Run], anatomy: _Anatomy
    ) -> None:
        self.fan = fan
        self.frames = fan.settings.frames_per_sweep
        self.mother = Mother(rng, fan, self.frames)
        self._depth_mm = fan.radius_mm - np.float32(fan.settings.probe_radius_mm)
        mirror = float(rng.choice([-1, 1]))
        pose: Pose | None = None
        self.abdomens = []
        for run in runs:
            canvas, semi_axes, angle = anatomy.abdomens[rng.integers(len(anatomy.abdomens))]
            if pose is None:
                depth = max(84.0, 42 + max(semi_axes)) + rng.uniform(-3, 5)
                pose = _pose(rng, (rng.normal(0, 8), 6.0), (depth, 3.0), mirror)
            self.abdomens.append(
                AbdomenPassage(rng, fan, canvas, pose, run, self.frames, semi_axes, angle)
            )
        self.surroundings = _surroundings(rng, fan, anatomy, mirror)
        self.passages = _pass_between(rng, fan, runs, anatomy, mirror)

    def render(self, frame: int, seed: tuple[int, ...]) -> RenderedFrame:
        """Render a frame."""
        settings, mother = self.fan.settings, self.mother
        tissue = mother.paint(frame)
        wall = mother.fat_mm.at(frame) + mother.muscle_mm.at(frame)
        self._soften(tissue, wall)
        found: tuple[Ellipse | None, int] = None, Label.NONE
        for passage in self.surroundings:
            passage.paint(tissue, frame, self._depth_mm, wall)
        tissue.level += np.float32(2) * mother.coarse.at(frame)
        tissue.level += np.float32(1.5) * mother.stripes.at(frame)
        for passage in (*self.passages, *self.abdomens):
            passage.paint(tissue, frame, self._depth_mm, wall)
        for abdomen in self.abdomens:
            if label := abdomen.label(frame):
                found = abdomen.outline(frame), int(label)
        received = envelope(
            settings, self.fan, tissue, scatterers(seed, frame), mother.contact_db(frame)
        )
        return RenderedFrame(self.fan.scan_convert(compress(settings, received)), *found)

    def _soften(self, tissue: Tissue, wall_mm: float) -> None:
        """Leave no drawn line below the wall: of the uterus only dark and bright regions stay."""
        below = np.clip((self._depth_mm - np.float32(wall_mm)) / np.float32(6), 0, 1)
        soft = scipy.ndimage.gaussian_filter(np.minimum(tissue.level, _NO_LINE_DB), (8, 3))
        tissue.level += below * (soft - tissue.level)
        tissue.mirror *= 1 - below


def _pose(
    rng: np.random.Generator,
    x: tuple[float, float],
    z: tuple[float, float],
    mirror: float,
    turned: float = 0.3,
) -> Pose:
    turn = Drift(rng, rng.uniform(-turned, turned), 0.13)
    return Pose(Drift(rng, *x), Drift(rng, *z), turn, mirror)


def _surroundings(
    rng: np.random.Generator, fan: Fan, anatomy: _Anatomy, mirror: float
) -> list[Passage]:
    """Mother's tissue behind everything, slowly changing."""
    n_frames = fan.settings.frames_per_sweep
    most = rng.uniform(0.6, 0.9)  # the drawn uterus stays faintly behind
    passages, at = [], 0
    while at < n_frames:
        length = int(rng.integers(18, 45))
        canvas = anatomy.around[rng.integers(len(anatomy.around))]
        x = rng.choice([-1, 1]) * rng.uniform(10, 70)
        pose = _pose(rng, (x, 12.0), (rng.uniform(60, 110), 7.0), mirror, 0.6)
        passages.append(Passage(rng, fan, canvas, pose, (at, at + length), n_frames, 9.0, most))
        at += length
    return passages


def _pass_between(
    rng: np.random.Generator, fan: Fan, runs: list[Run], anatomy: _Anatomy, mirror: float
) -> list[Passage]:
    """Fill the frames between runs with other planes, and with the mother alone."""
    n_frames = fan.settings.frames_per_sweep
    edges = [0]
    for run in runs:
        edges += [run.start - _NEXT_TO_A_RUN + 1, run.stop + _NEXT_TO_A_RUN - 1]
    edges.append(n_frames)
    passages = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        at = start
        while stop - at >= 4:
            length = min(stop - at, int(rng.integers(8, 40)))
            shown = anatomy.others and rng.random() < 0.85
            if shown:
                beside_run = (
                    [other for other in anatomy.others if other[0] == "thorax"]
                    if at in edges[1:]
                    else []
                )
                choice = beside_run or anatomy.others
                _, canvas = choice[rng.integers(len(choice))]
                aside = float(rng.choice([0, 0, 0, -1, 1]) * rng.uniform(40, 65))
                pose = _pose(
                    rng, (aside + rng.normal(0, 10), 7.0), (rng.uniform(76, 96), 4.0), mirror, 0.4
                )
                passages.append(
                    Passage(rng, fan, canvas, pose, (at + 1, at + length - 1), n_frames)
                )
            at += length
    return passages


def _anatomy(planes: SubjectPlanes, circumference: float, rng: np.random.Generator) -> _Anatomy:
    chosen = rng.permutation(len(planes.others))[:PLANES_OF_A_CASE]
    others = [planes.others[number] for number in sorted(chosen)]
    abdomens: list[tuple[Canvas, tuple[float, float], float]] = []
    around: list[Canvas] = []
    for image, ellipse in planes.abdomens[:3]:
        frame = load_frame(image)
        scale = circumference / ellipse.circumference
        canvas = make_canvas(frame, scale, (ellipse.cx, ellipse.cy), ellipse)
        abdomens.append((canvas, (ellipse.a * scale, ellipse.b * scale), ellipse.angle_rad))
        if not around:
            around.append(make_canvas(frame, scale, (ellipse.cx, ellipse.cy), ellipse, around=True))
    shown = []
    for image in others:
        frame = load_frame(image)
        rows, columns = frame.shape
        scale = _mm_per_pixel(image, frame.shape, circumference) * rng.uniform(0.9, 1.1)
        anchor = columns / 2, rows / 2
        shown.append((image.plane, make_canvas(frame, scale, anchor)))
        if len(around) < SURROUNDINGS:
            around.append(make_canvas(frame, scale, anchor, around=True))
    return _Anatomy(abdomens, shown, around)


def _mm_per_pixel(image: PlaneImage, shape: tuple[int, int], circumference: float) -> float:
    """Guess the scale of a plane from how a sonographer fills the image with it.

    A chest is nearly as wide as the abdomen and fills the height; a head's longer diameter is a
    third of its circumference, which is near the abdomen's, and fills three quarters of the
    width; a femur is a fifth to a quarter of that circumference and fills half of it.
    """
    rows, columns = shape
    width = circumference / pi
    if image.plane == "thorax":
        return 0.9 * width / (0.85 * rows)
    if image.plane == "brain":
        return 1.13 * width / (0.72 * columns)
    return 0.22 * circumference / (0.52 * columns)
