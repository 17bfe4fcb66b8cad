"""The training code that ships beside the weights: what it writes is what the runtime reads."""

import importlib
import io
import json
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
import torch
from PIL import Image

from streammem.encoders.embedded_tower import ImageTower
from streammem.encoders.manifest import read_manifest
from tests.unit._leaning_tokens import leaning_tokens, unit

MODEL = Path(__file__).resolve().parents[2] / "models" / "embedded-v1"
TRAIN = MODEL / "train"
MODULES = (
    "student", "picture_words", "words", "pictures", "teachers", "things", "views", "patches",
    "halves", "optimiser", "train", "export",
)  # fmt: skip
SHIPPED_LIMIT_BYTES = 12 * 1024 * 1024


@pytest.fixture
def training(monkeypatch):
    """The modules of the training folder, forgotten again afterwards."""
    monkeypatch.syspath_prepend(str(TRAIN))
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name, None)


def test_shipped_tower_equals_the_trained_one(training, tmp_path):
    """Folding the norms and rounding to half precision moves no coordinate by 1e-3.

    The runtime then has each token lean on those around it and on the whole picture.
    """
    torch.manual_seed(3)
    tower = training["student"].Tower()
    for part in tower.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.bias, 0.0, 0.2)
            torch.nn.init.normal_(part.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
    tower.eval()
    size = training["student"].IMAGE_SIZE_PX
    pictures = np.random.default_rng(4).integers(0, 256, (2, 3, size, size)).astype(np.uint8)

    training["export"].export_tower(tower, tmp_path / "weights.safetensors")
    whole, tokens = ImageTower(tmp_path / "weights.safetensors", threads=1).encode(pictures)

    with torch.inference_mode():
        scaled = training["train"].scaled(torch.from_numpy(pictures).float() / 255)
        found = [unit(each.numpy()) for each in tower(scaled)]
    np.testing.assert_allclose(whole, found[0], atol=1e-3)
    leaning = leaning_tokens(*found)
    np.testing.assert_allclose(tokens, leaning, atol=1e-3)


def test_views_follow_from_their_number(training):
    """A resumed run sees what an undisturbed one would have seen."""
    rng = np.random.default_rng(6)
    picture = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    views = training["views"]

    first, second = (views._degraded(picture, np.random.default_rng((7, 5))) for _ in range(2))
    lit = [
        views.relit(torch.from_numpy(picture.transpose(2, 0, 1))[None], _generator(9))
        for _ in range(2)
    ]

    assert np.array_equal(first, second)
    assert torch.equal(lit[0], lit[1])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_box_is_in_the_tokens_it_covers(training):
    """Region supervision: a box in the top left quarter teaches the tokens there only."""
    views = training["views"]
    boxes = np.array([[0.0, 0.0, 0.5, 0.5, 0.9, 16.0]], np.float32)

    whole, tokens = views._boxes_in(boxes, views.Box(0, 0, 1, 1), 6)
    mirrored, flipped = views._boxes_in(boxes, views.Box(0, 0, 1, 1, True), 6)
    grid, other = tokens[:, 16].reshape(6, 6), flipped[:, 16].reshape(6, 6)

    assert whole[16] == mirrored[16] == 1.0
    assert (grid[:3, :3] == 255).all()
    assert grid.sum() == 9 * 255
    assert np.array_equal(grid[:, ::-1], other)


def test_a_box_outside_the_crop_is_not_shown(training):
    views = training["views"]
    boxes = np.array([[0.0, 0.0, 0.3, 0.3, 0.9, 16.0]], np.float32)

    whole, tokens = views._boxes_in(boxes, views.Box(0.5, 0.5, 1, 1), 6)

    assert not whole.any()
    assert not tokens.any()


def _marked_batch(views: int, grid: int) -> dict[str, torch.Tensor]:
    """Views whose pixels, maps and boxes all say which view and token they are of."""
    marks = torch.arange(views * grid * grid, dtype=torch.uint8).reshape(views, grid, grid)
    pixels = marks.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return {
        "pixels": pixels[:, None].expand(-1, 3, -1, -1).contiguous(),
        "map": marks.flatten(1)[..., None].expand(-1, -1, 5).to(torch.float16).contiguous(),
        "token_boxes": marks.flatten(1)[..., None].expand(-1, -1, 2).contiguous(),
        "thing_pixels": torch.full((views, 3, 9, 9), 200, dtype=torch.uint8),
        "thing_map": torch.full((views, 5), 200, dtype=torch.float16),
        "thing_boxes": torch.full((views, 2), 200, dtype=torch.uint8),
    }


def _only(patches, monkeypatch, kind: str) -> None:
    """Lay pieces of one kind alone."""
    shares = {"cut": (0.0, 0.0), "small": (0.0, 1.0), "thing": (1.0, 0.0)}
    for name, share in zip(("THINGS", "SMALL"), shares[kind], strict=True):
        monkeypatch.setattr(patches, name, share)


def test_pieces_move_pixels_maps_and_boxes_together(training, monkeypatch):
    """Every token's target must be that of the pixels under it, patched or not."""
    _only(training["patches"], monkeypatch, "cut")
    batch = _marked_batch(8, 4)

    laid, pieces = training["patches"].lay_pieces(batch, _generator(1))
    under = laid["pixels"].reshape(8, 3, 4, 8, 4, 8)[:, 0, :, 4, :, 4].flatten(1)
    moved = (laid["map"] != batch["map"])[..., 0].sum(1)

    assert torch.equal(laid["map"][..., 0].to(torch.uint8), under)
    assert torch.equal(laid["token_boxes"][..., 0], under)
    assert len(pieces) == 3
    assert not moved[:5].any()
    assert torch.equal(moved[5:] / 16, pieces.shares)
    assert (pieces.shares > 0).all()
    assert (pieces.shares <= training["patches"].LARGEST).all()


def test_a_piece_says_what_it_shows(training, monkeypatch):
    """The mean of the teacher's map and the surest boxes over the piece, for the whole's target."""
    _only(training["patches"], monkeypatch, "cut")
    batch = _marked_batch(8, 4)

    laid, pieces = training["patches"].lay_pieces(batch, _generator(2))
    for place, row in enumerate(range(5, 8)):
        changed = (laid["map"][row] != batch["map"][row])[:, 0]
        values = laid["map"][row][changed][:, 0].float()

        assert pieces.maps[place, 0] == pytest.approx(float(values.mean()), rel=1e-3)
        assert pieces.boxes[place, 0] == pytest.approx(float(values.max()) / 255, rel=1e-3)


def test_a_view_made_small_keeps_its_mean_and_its_surest_boxes(training, monkeypatch):
    """What lies over a view is all of another one, a half or a quarter as wide."""
    _only(training["patches"], monkeypatch, "small")
    batch = _marked_batch(8, 4)

    laid, pieces = training["patches"].lay_pieces(batch, _generator(1))

    assert set((pieces.shares * 16).tolist()) <= {1.0, 4.0}
    for place, row in enumerate(range(5, 8)):
        whole = batch["map"][row - 3][:, 0].float()
        changed = (laid["map"][row] != batch["map"][row])[:, 0]
        under = laid["pixels"][row, 0].reshape(4, 8, 4, 8).float().mean((1, 3)).flatten()
        assert changed.sum() == pieces.shares[place] * 16
        assert pieces.maps[place, 0] == pytest.approx(float(whole.mean()), abs=0.1)
        assert pieces.boxes[place, 0] == pytest.approx(float(whole.max()) / 255, rel=1e-3)
        assert torch.allclose(under, laid["map"][row][:, 0].float(), atol=1.0)


def test_a_thing_is_laid_over_whole_tokens(training, monkeypatch):
    """Its pixels, its map and its class are in the same tokens, at most half of each side."""
    _only(training["patches"], monkeypatch, "thing")

    laid, pieces = training["patches"].lay_pieces(_marked_batch(8, 4), _generator(3))

    under = laid["pixels"].reshape(8, 3, 4, 8, 4, 8)[:, 0, :, 4, :, 4].flatten(1)
    things = under[-len(pieces) :] == 200
    assert set(things.sum(1).tolist()) <= {1, 2, 4}
    assert torch.equal(laid["map"][-len(pieces) :, :, 0] == 200, things)
    assert torch.equal(laid["token_boxes"][-len(pieces) :, :, 0] == 200, things)
    assert (pieces.maps == 200).all()
    assert torch.allclose(pieces.boxes, torch.tensor(200 / 255))


def test_rare_things_are_drawn_more_often_than_they_are_there(training, tmp_path):
    """Nine of one class and one of another are drawn three to one."""
    things = training["things"]
    kinds = np.array([0] * 9 + [41])
    np.savez(
        tmp_path / "things.npz",
        pixels=np.zeros((10, 4, 4, 3), np.uint8),
        features=np.zeros((10, 5), np.float16),
        sure=np.full(10, 0.8, np.float32),
        kinds=kinds,
    )
    held, rng = things.Things(tmp_path), np.random.default_rng(5)

    drawn = [int(held.drawn(rng).boxes.argmax()) for _ in range(400)]

    assert 0.18 < drawn.count(41) / 400 < 0.32
    assert held.drawn(rng).boxes.max() == 204


def test_the_detector_puts_its_box_where_the_thing_is(training, shared):
    """A motorcycle in the lower right quarter of a grey picture, boxed there and not elsewhere."""
    pytest.importorskip("onnxruntime")
    with tarfile.open(shared / "train" / "images-00.tar") as archive:
        held = archive.extractfile("00013.jpg")
        assert held is not None
        thing = Image.open(io.BytesIO(held.read())).convert("RGB").resize((160, 120))
    canvas = Image.new("RGB", (320, 240), (128, 128, 128))
    canvas.paste(thing, (160, 120))

    boxes = training["teachers"].Detector(shared / "weights")(np.asarray(canvas))

    left, top, right, bottom, sure, kind = boxes[boxes[:, 4].argmax()]
    assert training["picture_words"].COCO_NAMES[int(kind)] == "motorcycle"
    assert sure > 0.5
    assert 0.48 < left < 0.6
    assert 0.48 < top < 0.65
    assert min(right, bottom) > 0.85


@pytest.mark.parametrize(("grid", "sides"), [(4, (2, 4)), (6, (2, 3))])
def test_a_mosaic_has_the_targets_of_its_views_in_their_places(training, grid, sides):
    """Of one mark a view, the pixels, the maps and the boxes of every place say the same."""
    views = 32
    marks = torch.arange(views, dtype=torch.float32)
    batch = {
        "map": marks[:, None, None].expand(-1, grid * grid, 5),
        "token_boxes": marks.to(torch.uint8)[:, None, None].expand(-1, grid * grid, 2),
    }
    pixels = marks[:, None, None, None].expand(-1, 3, 12 * grid, 12 * grid)

    found = training["patches"].mosaics(batch, pixels)

    assert tuple(each.views_each for each in found) == tuple(side**2 for side in sides)
    for side, each in zip(sides, found, strict=True):
        cells = each.pixels.reshape(len(each), 3, grid, 12, grid, 12)[:, 0, :, 5, :, 5].flatten(1)
        corners = each.maps[..., 0].reshape(-1, grid, grid)[:, :: grid // side, :: grid // side]
        assert torch.equal(each.maps[..., 0], cells)
        assert torch.equal(each.boxes[..., 0].float(), cells)
        assert torch.equal(corners.flatten(1), each.of_views(marks))


def _squares(student, batch, _rng) -> dict[str, torch.Tensor]:
    said = student(batch["pixels"])
    return {"whole": (said["whole"] * batch["wanted"]).sum(1).mean()}


def _small_student(training):
    torch.manual_seed(8)
    student = training["student"].Student(torch.randn(7, 192), torch.randn(5, 192), 11)
    # Norms by their running sums: then the halves of a batch give what the batch gives.
    return student.eval()


def test_halves_give_the_gradient_of_the_batch(training):
    """A thread for each half: the mean of their gradients, and the mean of their losses."""
    alone, shared = _small_student(training), _small_student(training)
    generator = _generator(3)
    batch = {
        "pixels": torch.randn(8, 3, 64, 64, generator=generator),
        "wanted": torch.randn(8, 192, generator=generator),
    }

    expected = _squares(alone, batch, None)["whole"]
    expected.backward()
    with ThreadPoolExecutor(2) as pool:
        halves = training["halves"].Halves(shared, pool)
        found = [halves.gradients(_squares, batch, (1, 2)) for _ in range(2)]

    wanted = {name: each.grad for name, each in alone.named_parameters() if each.grad is not None}
    assert wanted
    for name, each in shared.named_parameters():
        if name in wanted:
            torch.testing.assert_close(each.grad, wanted[name], atol=1e-5, rtol=1e-3)
    assert found[0]["whole"].item() == pytest.approx(expected.item(), abs=1e-5)
    assert torch.equal(found[0]["whole"], found[1]["whole"])


def test_an_orthogonal_update_moves_all_directions_alike(training):
    """Whatever the gradient's sizes, the update's singular values are about equal."""
    generator = _generator(4)
    stretched = torch.randn(24, 40, generator=generator) * torch.logspace(0, 2, 24)[:, None]
    weight = torch.nn.Parameter(torch.zeros(24, 40))
    weight.grad = stretched

    with ThreadPoolExecutor(2) as pool:
        training["optimiser"].Orthogonal([weight], 0.1, pool, momentum=0.9, decay=0.0).step()

    values = torch.linalg.svdvals(weight.detach())
    assert values.max() < 2.5 * values.min()
    assert (weight.detach() * stretched).sum() < 0


def test_the_rate_rises_stays_and_falls_to_nothing(training):
    plan = training["train"].Plan(steps=1000, warm_up=100)

    assert plan.rate_at(0) < plan.rate_at(50) < plan.rate_at(100) == plan.rate
    assert plan.rate_at(int(plan.decay_from * 1000)) == pytest.approx(plan.rate)
    assert plan.rate_at(999) < 0.001 * plan.rate


def test_doubtful_sets_are_left_out(training):
    pictures = training["pictures"]

    assert {"plant_cctv", "plant_videos", "rooms_stock"} == pictures.EXCLUDED_SETS
    assert not pictures.EXCLUDED_SETS & pictures.DRAWS.keys()


def test_what_is_shipped_is_small_enough_and_listed():
    """Weights, words and background are listed by digest, and fit the limit together."""
    manifest = read_manifest(MODEL)
    paths = [manifest.file(name) for name in manifest.files]
    shipped = {path.name for path in MODEL.iterdir() if path.suffix in (".safetensors", ".txt")}

    assert shipped == set(manifest.files)
    assert sum(path.stat().st_size for path in paths) <= SHIPPED_LIMIT_BYTES
    assert manifest.nouns
    assert all(0 <= found <= 1 for found in manifest.nouns.values())


def test_the_log_and_the_record_of_the_run_are_there():
    """What was run, on which bytes, and how the losses fell."""
    record = json.loads((TRAIN / "run.json").read_text(encoding="utf-8"))
    begun, *_, rows = (
        [json.loads(line) for line in (TRAIN / name).read_text("utf-8").splitlines()]
        for name in ("log-first-five.jsonl", "log-sixth.jsonl", "log-seventh.jsonl", "log.jsonl")
    )

    assert record["plan"]["seed"] == 9
    assert all(len(digest) == 64 for digest in record["pictures"].values())
    assert rows[-1]["step"] >= record["plan"]["steps"] - 20
    assert begun[-1]["whole"] < begun[0]["whole"]
    # Views differ more from step to step than a leg gains, so many are compared.
    first, last = (mean(row["whole"] for row in part) for part in (rows[:100], rows[-50:]))
    assert last < first


def test_the_one_command_says_what_it_needs():
    """Its help needs neither teachers nor pictures."""
    found = subprocess.run(
        [sys.executable, str(TRAIN / "run.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "--pictures" in found.stdout
    assert "--teachers" in found.stdout
