"""Makes the descriptor's background and manifest, and prints the table of its card.

    python models/descriptor/make_background.py PHOTOS

PHOTOS is a folder with `MANIFEST*.csv` (columns file, shard, split, set) and the tar shards named
there; only the sets of `photos.LICENSED_SETS` are read. Everything random is seeded.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from calibration_cases import Case, held_out_cases
from numpy.typing import NDArray
from photos import read_photos
from rendered_scenes import COLOURS, Scene, Thing, draw, random_scene
from safetensors.numpy import save_file

from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders.descriptor_words import LABELS

HERE = Path(__file__).resolve().parent
VECTORS = 256
# What every label's score should be over the background, as shares of its highest score.
WANTED_MEAN, WANTED_STD = 0.12, 0.24
POOL_SCENES, POOL_PHOTOS, POOL_TOKENS = 2500, 1500, 6000
TRIES = 600

Vectors = NDArray[np.float32]


def main(folder: Path) -> None:
    """Choose the vectors, calibrate on pictures kept apart, write both files."""
    encoder = DescriptorEncoder()
    pools = _pools(encoder, folder)
    vectors = choose_vectors(encoder, pools, np.random.default_rng(2)).astype(np.float16)
    path = HERE / "background.safetensors"
    save_file({"vectors": vectors}, path)
    cases = held_out_cases(encoder, folder)
    strengths = np.array([strength(encoder, vectors.astype(np.float32), case) for case in cases])
    present = np.array([case.present for case in cases])
    midpoint, scale = fit_logistic(strengths, present)
    _write_manifest(path, midpoint, scale)
    _report(cases, strengths, midpoint, scale)


def _pools(encoder: DescriptorEncoder, folder: Path) -> list[Vectors]:
    """Embeddings and tokens of rendered scenes and of photos, as four pools."""
    rng = np.random.default_rng(1)
    rendered = [_encode(encoder, _two_frames(rng)) for _ in range(POOL_SCENES)]
    photos = [
        _encode(encoder, picture[np.newaxis])
        for picture in read_photos(folder, "train", POOL_PHOTOS)
    ]
    pools = []
    for features in (rendered, photos):
        tokens = np.concatenate([tokens for _, tokens in features])
        pools.append(np.stack([embedding for embedding, _ in features]))
        pools.append(tokens[rng.permutation(len(tokens))[:POOL_TOKENS]])
    return pools


def _encode(encoder: DescriptorEncoder, frames: NDArray[np.uint8]) -> tuple[Vectors, Vectors]:
    features = encoder.encode_images(np.ascontiguousarray(frames))
    assert features.tokens is not None
    return features.embeddings[0], features.tokens[0]


def _two_frames(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two frames of a scene that is still, moves or is alone; now and then dark, light or grey."""
    scene = random_scene(rng, rng.choice(COLOURS, 5, replace=False))
    if rng.random() < 0.25:
        scene = _without_hue(scene, rng)
    gain = rng.choice((1.0, 1.0, 0.25, 1.5))
    first = np.clip(draw(scene, rng) * gain, 0, 255).astype(np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        noise = rng.integers(-3, 4, first.shape)
        return np.stack([first, np.clip(first + noise, 0, 255).astype(np.uint8)])
    if kind == 1:
        shift = int(rng.integers(-20, 20)), int(rng.integers(-30, 30))
        return np.stack([first, np.roll(first, shift, (1, 2))])
    return first[np.newaxis]


def _without_hue(scene: Scene, rng: np.random.Generator) -> Scene:
    def dull() -> str:
        return str(rng.choice(("black", "white", "grey")))

    things = tuple(Thing(dull(), thing.place, thing.size, thing.box) for thing in scene.things)
    return Scene(tuple(dull() for _ in scene.ground), scene.pattern, things)


def choose_vectors(
    encoder: DescriptorEncoder, pools: list[Vectors], rng: np.random.Generator
) -> Vectors:
    """Vectors from the pools in turn, so that all labels have alike means and deviations.

    A query is then as strong for a rare colour as for a common one. Greedy: of some random
    candidates the one that brings the two moments of all labels nearest to the wanted ones.
    """
    asked = np.stack([encoder.encode_text(label).embedding for label in LABELS])
    highest = np.quantile(np.concatenate(pools) @ asked.T, 0.9995, axis=0)
    scores = [(pool @ asked.T) / highest for pool in pools]
    sums, squares = np.zeros(len(LABELS)), np.zeros(len(LABELS))
    wanted_square = WANTED_MEAN**2 + WANTED_STD**2
    chosen = []
    for count in range(1, VECTORS + 1):
        which = count % len(pools)
        rows = rng.choice(len(pools[which]), TRIES, replace=False)
        tried = scores[which][rows]
        means = (sums + tried) / count - WANTED_MEAN
        second = (squares + tried**2) / count - wanted_square
        cost = (means / WANTED_STD) ** 2 + 0.5 * (second / WANTED_STD**2) ** 2
        row = rows[cost.sum(axis=1).argmin()]
        chosen.append(pools[which][row])
        sums += scores[which][row]
        squares += scores[which][row] ** 2
    return np.stack(chosen)


def strength(encoder: DescriptorEncoder, background: Vectors, case: Case) -> float:
    """Standard deviations by which the best vector of a case exceeds the background's mean."""
    query = encoder.encode_text(case.question).embedding
    usual = background @ query
    return float(((case.vectors @ query).max() - usual.mean()) / usual.std())


def fit_logistic(strengths: Vectors, present: NDArray[np.bool_]) -> tuple[float, float]:
    """Midpoint and scale of the logistic curve nearest to presence; both classes weigh alike."""
    weight = np.where(present, 0.5 / present.mean(), 0.5 / (1 - present.mean()))
    midpoints, scales = np.arange(0.0, 6.0, 0.02), np.arange(0.10, 2.0, 0.02)
    best, found = np.inf, (0.0, 0.0)
    for midpoint in midpoints:
        for scale in scales:
            logit = (strengths - midpoint) / scale * np.where(present, 1.0, -1.0)
            loss = float((weight * np.logaddexp(0.0, -logit)).sum())
            if loss < best:
                best, found = loss, (float(midpoint), float(scale))
    return round(found[0], 2), round(found[1], 2)


def _write_manifest(path: Path, midpoint: float, scale: float) -> None:
    lines = [
        'id = "descriptor"',
        'kind = "embedded"',
        'licence = "Apache-2.0"',
        'summary = "colour, light, texture, layout and motion; no weights, no torch"',
        f"dim = {DescriptorEncoder().spec.dim}",
        "",
        "[calibration]",
        "# Made by make_background.py; what was measured is in card.md.",
        'kind = "image"',
        f"midpoint = {midpoint}",
        f"scale = {scale}",
        "",
        "[files]",
        f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"',
        "",
    ]
    (path.parent / "manifest.toml").write_text("\n".join(lines), encoding="utf-8")


def _report(cases: list[Case], strengths: Vectors, midpoint: float, scale: float) -> None:
    print(f"midpoint {midpoint}, scale {scale}\n")
    print("| question | pictures | present, found | absent, found |\n| --- | --- | --- | --- |")
    for kind in dict.fromkeys((case.kind, case.pictures) for case in cases):
        found = {True: [0, 0], False: [0, 0]}
        for case, z in zip(cases, strengths, strict=True):
            if (case.kind, case.pictures) == kind:
                found[case.present][0] += int(z > midpoint)
                found[case.present][1] += 1
        hit, miss = (f"{a} of {b}" for a, b in (found[True], found[False]))
        print(f"| {kind[0]} | {kind[1]} | {hit} | {miss} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
