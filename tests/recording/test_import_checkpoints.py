"""Importing folders of checkpoints: order, containers, dtypes, warnings, and folders that are none."""

import copy
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from lca_analysis.errors import ArgumentError, CorruptError, FormatError, MismatchError, NotFoundError
from lca_analysis.recording import import_checkpoints
from lca_analysis.trajectory import bfloat16_to_float32, describe, open_run, verify

SAVE = {".pt": torch.save, ".safetensors": safetensors.torch.save_file}


def states(points=4, dtype=torch.float32, step=1e-3):
    """State dicts of a network with batch norm that is really trained by small steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
    optimizer, found = torch.optim.SGD(model.parameters(), step), []
    for _ in range(points):
        found.append({name: t.to(dtype) if t.is_floating_point() else t for name, t in model.state_dict().items()})
        found[-1] = copy.deepcopy(found[-1])
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    return found


def folder(path, contents, suffix=".pt", name="step_{}"):
    """Save each content under its number."""
    path.mkdir()
    for number, content in contents.items():
        target = path / (name.format(number) + suffix)
        target.parent.mkdir(exist_ok=True)
        SAVE[suffix](content, target)
    return path


def same(run, expected):
    found = list(run.walk())
    assert len(found) == len(expected)
    for point, state in zip(found, expected, strict=True):
        assert point.weights.keys() == state.keys()
        for name, tensor in state.items():
            array = point.weights[name]
            array = bfloat16_to_float32(array) if tensor.dtype is torch.bfloat16 else array
            assert np.array_equal(array, tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_every_tensor_of_every_file(tmp_path, suffix):
    saved = states(12)
    run = import_checkpoints(folder(tmp_path / "mine", dict(enumerate(saved)), suffix), tmp_path / "run")
    same(run, saved)  # 2 before 10
    assert [t.name for t in run.parameters] == ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]
    assert [t.kind for t in run.parameters] == ["weight", "bias", "norm_weight", "norm_bias", "weight", "bias"]
    buffers = {tensor.name for tensor in run.tensors if tensor.role == "buffer"}
    assert buffers == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    kind = {".pt": "torch", ".safetensors": "safetensors"}[suffix]
    assert (run.complete, describe(run)["source"]) == (True, f"mine ({kind})")
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()
    assert verify(tmp_path / "run").ok


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_containers_and_what_else_is_in_them(tmp_path, key):
    saved = states()
    optimizer = {"state": {0: {"momentum": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
    contents = {t: {"epoch": t, key: {**state, "note": "x"}, "optimizer": optimizer} for t, state in enumerate(saved)}
    same(import_checkpoints(folder(tmp_path / "mine", contents), tmp_path / "run"), saved)


def test_wrappers_names_go_and_tied_weights_come_once(tmp_path):
    saved = states()
    contents = {}
    for t, state in enumerate(saved):
        wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
        contents[t] = {**wrapped, "module._orig_mod.head.weight": wrapped["module._orig_mod.0.weight"]}
    same(import_checkpoints(folder(tmp_path / "mine", contents), tmp_path / "run"), saved)


def test_tensors_named_as_buffers(tmp_path):
    contents = folder(tmp_path / "mine", {t: {"w": torch.ones(2), "mask": torch.ones(2)} for t in range(2)})
    run = import_checkpoints(contents, tmp_path / "run", buffers=["mask"])
    assert [(t.name, t.role) for t in run.tensors] == [("w", "parameter"), ("mask", "buffer")]
    with pytest.raises(MismatchError, match="no tensor 'musk'"):
        import_checkpoints(contents, tmp_path / "other", buffers=["musk"])


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("step_{}", "step_{iteration}.pt"),
        ("checkpoint-{}/model", "checkpoint-{iteration}/model.pt"),
        ("a(1)_{}", "a(1)_{iteration}.pt"),
        ("e7_s{}", r"e\d_s(?P<iteration>\d+)\.pt"),
        ("e7_s{}", r"e7_s(\d+)\.pt"),
    ],
)
def test_patterns_give_the_iteration(tmp_path, name, pattern):
    saved = states(3)
    path = folder(tmp_path / "mine", {100: saved[1], 5: saved[0], 101: saved[2]}, name=name)
    torch.save({"other": torch.ones(3)}, path / "optimizer.pt")
    with pytest.warns(UserWarning, match="up to 95 iterations apart"):
        run = import_checkpoints(path, tmp_path / "run", pattern=pattern)
    assert run.iterations.tolist() == [5, 100, 101]
    same(run, saved)


def test_numbers_in_names_that_are_not_used_are_pointed_out(tmp_path):
    path = folder(tmp_path / "mine", dict(zip((0, 50, 100), states(3), strict=True)))
    with pytest.warns(UserWarning, match=r"counted as iterations 0, 1, 2.*pattern 'step_\{iteration\}\.pt'"):
        run = import_checkpoints(path, tmp_path / "run")
    assert run.iterations.tolist() == [0, 1, 2]
    assert "step_{iteration}.pt" in describe(run)["cautions"][0]


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_kept_to_the_bit_with_a_warning(tmp_path, dtype, suffix):
    saved = states(dtype=dtype)
    with pytest.warns(UserWarning, match=r"half precision.*flips.*percent helping, sign flips"):
        run = import_checkpoints(folder(tmp_path / "mine", dict(enumerate(saved)), suffix), tmp_path / "run")
    same(run, saved)
    assert "half precision" in describe(run)["cautions"][0]
    assert {tensor.dtype for tensor in run.parameters} == {str(dtype).removeprefix("torch.")}


def test_rounding_to_half_precision_flips_a_third_of_the_signs():
    """What the warning says, measured on a real training."""
    from sklearn.datasets import load_digits

    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer, points = torch.optim.SGD(model.parameters(), 0.05, 0.9), []
    for _ in range(120):
        points.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
        batch = torch.randint(len(images), (100,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch].float() / 16), labels[batch]).backward()
        optimizer.step()
    exact, rounded = torch.stack(points), torch.stack(points).half().float()
    moved = exact.diff(dim=0) != 0
    changed = (exact.diff(dim=0).sign() != rounded.diff(dim=0).sign())[moved].float().mean().item()
    assert 0.2 < changed < 0.5, changed


def test_large_steps_are_imported_with_a_warning(tmp_path):
    path = folder(tmp_path / "mine", {t: {"w": torch.full((3,), 1.0 + t)} for t in range(4)})
    with pytest.warns(UserWarning, match=r"by more than 50\.0% of their norm.*percent helping"):
        run = import_checkpoints(path, tmp_path / "run")
    assert "seem far apart" in run.manifest.source.cautions[0]


def test_small_steps_are_not_warned_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = import_checkpoints(folder(tmp_path / "mine", dict(enumerate(states()))), tmp_path / "run")
    assert run.manifest.source.cautions == []


def changed(state, **change):
    return {name: tensor for name, tensor in (state | change).items() if tensor is not None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"0.bias": None}, r"step_2\.pt has no tensor '0\.bias', which step_0\.pt has"),
        ({"extra": torch.ones(1)}, r"step_2\.pt has a tensor 'extra', which step_0\.pt has not"),
        ({"0.bias": torch.ones(5)}, r"step_2\.pt: tensor '0\.bias' is float32 \(5,\), but float32 \(6,\)"),
        ({"0.bias": torch.ones(6).half()}, r"step_2\.pt: tensor '0\.bias' is float16"),
    ],
)
def test_the_first_difference_and_its_file_are_named_and_the_rest_is_kept(tmp_path, change, words):
    saved = states()
    contents = dict(enumerate(saved)) | {2: changed(saved[2], **change)}
    with pytest.raises(MismatchError, match=words):
        import_checkpoints(folder(tmp_path / "mine", contents), tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert not run.complete
    same(run, saved[:2])


class Harmful:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (Harmful(), FormatError, "would run code"),
        (nn.Linear(2, 2), FormatError, r"save model\.state_dict\(\) instead"),
        ([torch.ones(2)], FormatError, "no state dict"),
        ({"epoch": 3}, FormatError, "no state dict"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, FormatError, "complex64"),
        ({"w": torch.eye(2).to_sparse()}, FormatError, "sparse"),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path, capsys, content, error, words):
    with pytest.raises(error, match=words):
        import_checkpoints(folder(tmp_path / "mine", {0: content}), tmp_path / "run")
    assert "executed" not in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_files(tmp_path, suffix):
    path = folder(tmp_path / "mine", {0: states(1)[0]}, suffix)
    (file,) = path.iterdir()
    for data in (b"", b"hello, world", file.read_bytes()[:200]):
        file.write_bytes(data)
        with pytest.raises((CorruptError, FormatError), match=file.name):
            import_checkpoints(path, tmp_path / "run")


def test_a_changed_byte_of_a_torch_file_is_found_by_its_checksums(tmp_path):
    path = folder(tmp_path / "mine", {0: states(1)[0]})
    (file,) = path.iterdir()
    data = bytearray(file.read_bytes())
    data[data.index(states(1)[0]["0.weight"].numpy().tobytes()) + 2] ^= 1
    file.write_bytes(data)
    torch.load(file, weights_only=True)  # sees nothing
    with pytest.raises(CorruptError, match=r"step_0\.pt .*does not have its checksum"):
        import_checkpoints(path, tmp_path / "run")


def test_torch_files_without_checksums_are_taken(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = folder(tmp_path / "mine", {0: states(1)[0]})
    finally:
        torch.serialization.set_crc32_options(True)
    same(import_checkpoints(path, tmp_path / "run"), states(1))


@pytest.mark.parametrize(
    ("pattern", "error", "words"),
    [
        ("other_{iteration}.pt", NotFoundError, "no checkpoint fits.*there are: 1/step_1.pt"),
        ("(", ArgumentError, "no regular expression"),
        (r"step_\d\.pt", ArgumentError, "must have {iteration}"),
        (r"./(step)_.\.pt", ArgumentError, "'step' in 1/step_1.pt, which is no iteration number"),
        (r"\d/step_(\d)\.pt", ArgumentError, "1/step_1.pt and 2/step_1.pt are both iteration 1"),
    ],
)
def test_patterns_that_cannot_be_used(tmp_path, pattern, error, words):
    path = folder(tmp_path / "mine", {1: states(1)[0], 2: states(1)[0]}, name="{}/step_1")
    with pytest.raises(error, match=words):
        import_checkpoints(path, tmp_path / "run", pattern=pattern)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(NotFoundError, match="does not exist"):
        import_checkpoints(tmp_path / "nowhere", tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="holds no checkpoints"):
        import_checkpoints(tmp_path / "empty", tmp_path / "run")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FormatError, match="is a file"):
        import_checkpoints(tmp_path / "file", tmp_path / "run")
    both = folder(tmp_path / "both", {0: states(1)[0]})
    safetensors.torch.save_file({"w": torch.ones(2)}, both / "model_0.safetensors")
    with pytest.raises(ArgumentError, match=r"both safetensors and torch files.*'model_\{iteration\}\.safetensors'"):
        import_checkpoints(both, tmp_path / "run")
