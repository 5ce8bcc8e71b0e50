"""The tables of the allocation itself: A[t, i] = step[t, i] · path-mean gradient[t, i], and its sums."""

import pyarrow as pa

from lca_analysis.store.schema import RUN_SPLIT, TableSchema, column, file_schema

_TEXT, _WHOLE, _SMALL, _REAL, _SINGLE = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.float32()
_COMPUTE = "lca compute"
_ITERATION = column("iteration", _WHOLE, "iterations", "Training iteration at which the step starts.")
_CLASS = column("class", _SMALL, "", "Class of the examples; −1 for all of them.")
_LAYER = column("layer", _TEXT, "", "Layer that owns the parameters.")
_TENSOR = column("tensor", _TEXT, "", "Name of the parameter tensor.")
_INDEX = column("index", _WHOLE, "1", "Place of the parameter in its tensor, in C order.")


def _real(name: str, unit: str, description: str, kind: pa.DataType = _REAL) -> pa.Field:
    """Describe a number that is null where the step's loss or gradient is not finite."""
    return column(name, kind, unit, description, nullable=True)


def _lca(description: str, name: str = "lca") -> pa.Field:
    """Describe a sum of allocated loss change."""
    return _real(name, "loss", description)


ITERATIONS = TableSchema(
    "iterations",
    "A step of training: the change of the loss, and what of it was allocated; rows of classes sum to that of all.",
    file_schema(
        "iterations",
        [
            _ITERATION,
            column("iteration_next", _WHOLE, "iterations", "Training iteration at which the step ends."),
            _CLASS,
            _real("loss_before", "loss", "Loss of the whole split at the step's start; what a class adds to it."),
            _real("loss_after", "loss", "Loss of the whole split at the step's end; what a class adds to it."),
            _real("loss_change", "loss", "loss_after − loss_before."),
            _real("allocated", "loss", "Sum of the loss change allocated to all parameters."),
            _real("residual", "loss", "loss_change − allocated: the error of the quadrature."),
            column(
                "error_estimate",
                _REAL,
                "loss",
                "Sum of the tensors' error estimates: how much may be allocated to the wrong ones.",
                optional=True,
            ),
            column("rule", _TEXT, "", "Quadrature rule."),
            column("pieces", _SMALL, "pieces", "Pieces that the step was divided into."),
            column("gradient_evaluations", _SMALL, "1", "Gradients over the whole split that the step used."),
            column(
                "tilt",
                _REAL,
                "1",
                "Most weight moved from the start of a piece to its end, to meet its loss change; null where none was.",
                optional=True,
            ),
            column(
                "untilted_residual",
                _REAL,
                "loss",
                "Residual as it would be without the tilt, which adaptive and strict compare with the tolerance.",
                optional=True,
            ),
            column("status", _TEXT, "", "ok, tolerance (|residual| above it), nonfinite, or empty (class)."),
        ],
    ),
    RUN_SPLIT,
    ("iteration", "class"),
    _COMPUTE,
)

LAYERS = TableSchema(
    "layers",
    "A parameter tensor in a step; sums over tensors are those of layers and of the network, lca sums over classes.",
    file_schema(
        "layers",
        [
            _ITERATION,
            _CLASS,
            _LAYER,
            _TENSOR,
            column("kind", _TEXT, "", "weight, bias, norm_weight, norm_bias, embedding, other or buffer."),
            _lca("Loss change allocated to the tensor; negative helps."),
            _lca("Sum over the parameters that help (negative).", "lca_helping"),
            _lca("Sum over the parameters that hurt (positive).", "lca_hurting"),
            column("n_helping", _WHOLE, "parameters", "Parameters that help."),
            column("n_hurting", _WHOLE, "parameters", "Parameters that hurt."),
            column("n_zero", _WHOLE, "parameters", "Parameters with exactly no allocated change."),
            _real("step_norm2", "weight²", "Squared norm of the step."),
            _real("gradient_norm2", "(loss/weight)²", "Squared norm of the path-mean gradient."),
            column(
                "error_estimate", _REAL, "loss", "Estimate of the size of the quadrature's error in lca.", optional=True
            ),
            column("lca_momentum", _REAL, "loss", "Part of lca moved by momentum carried over.", optional=True),
            column("lca_decay", _REAL, "loss", "Part of lca moved by weight decay.", optional=True),
            column(
                "lca_gradient",
                _REAL,
                "loss",
                "Part of lca moved by the fresh minibatch gradient: the rest, so that the parts sum to lca.",
                optional=True,
            ),
            column("parts_reason", _TEXT, "", "Why a part of lca is not available; null where all are.", optional=True),
        ],
    ),
    RUN_SPLIT,
    ("iteration", "class", "layer", "tensor"),
    _COMPUTE,
)

UNITS = TableSchema(
    "units",
    "A neuron, channel, embedded word or projected feature in a step; layers without units have no rows.",
    file_schema(
        "units",
        [
            _ITERATION,
            _LAYER,
            column(
                "unit",
                _SMALL,
                "1",
                "Number in its layer; in attention the queries' features come first, then keys', then values'.",
            ),
            _lca("Loss change allocated to the unit: its part of every weight of the layer, and of the bias."),
        ],
    ),
    RUN_SPLIT,
    ("iteration", "layer", "unit"),
    _COMPUTE,
)

PARAMETERS = TableSchema(
    "parameters",
    "A parameter over all steps.",
    file_schema(
        "parameters",
        [
            _TENSOR,
            _INDEX,
            _lca("Sum of the loss change allocated to the parameter over all steps."),
            _lca("Sum over the steps in which it helps (negative).", "lca_helping"),
            _lca("Sum over the steps in which it hurts (positive).", "lca_hurting"),
            column("n_helping", _SMALL, "iterations", "Steps in which it helps."),
            column("n_hurting", _SMALL, "iterations", "Steps in which it hurts."),
            column("step_flips", _SMALL, "1", "Sign changes between successive non-zero steps."),
            column("gradient_flips", _SMALL, "1", "Sign changes between successive non-zero path-mean gradients."),
        ],
    ),
    RUN_SPLIT,
    ("tensor", "index"),
    _COMPUTE,
)

HISTOGRAM = TableSchema(
    "histogram",
    "A signed-logarithmic bin of allocated loss change, over all steps and parameters of a layer.",
    file_schema(
        "histogram",
        [
            _LAYER,
            column(
                "bin",
                _SMALL,
                "1",
                "0: exactly zero; ±k: the k-th of 160 bins, eight a decade from 1e-16 to 1e4.",
            ),
            column(
                "lower",
                _REAL,
                "loss",
                "Lower edge of the bin; the outermost bins also take what lies beyond.",
            ),
            column("upper", _REAL, "loss", "Upper edge of the bin."),
            column("count", _WHOLE, "1", "Values in the bin."),
            column("lca", _REAL, "loss", "Sum of the values in the bin."),
        ],
    ),
    RUN_SPLIT,
    ("layer", "bin"),
    _COMPUTE,
)

SERIES = TableSchema(
    "series",
    "A sampled parameter in a step; the columns are float64 where the model is.",
    file_schema(
        "series",
        [
            _ITERATION,
            _LAYER,
            _TENSOR,
            _INDEX,
            _real("weight", "weight", "Value of the parameter at the step's start.", _SINGLE),
            _real("step", "weight", "Its change in the step.", _SINGLE),
            _real("path_gradient", "loss/weight", "Mean of its gradient along the step.", _SINGLE),
            _real("lca", "loss", "Loss change allocated to it: step · path_gradient.", _SINGLE),
        ],
    ),
    RUN_SPLIT,
    ("iteration", "layer", "tensor", "index"),
    _COMPUTE,
    either_width=frozenset({"weight", "step", "path_gradient", "lca"}),
)

DIRECTIONS = TableSchema(
    "directions",
    "A given direction in a step, and the remainder outside of all (−1); lca sums to what was allocated.",
    file_schema(
        "directions",
        [
            _ITERATION,
            column("direction", _SMALL, "1", "Number of the direction in its file; −1: what lies outside of them."),
            _real("step", "weight", "Length of the step along it; null for the remainder."),
            _real("path_gradient", "loss/weight", "Path-mean gradient along it; null for the remainder."),
            _lca("Loss change allocated to the motion along it: step · path_gradient."),
        ],
    ),
    RUN_SPLIT,
    ("iteration", "direction"),
    "lca compute --directions",
)

ELEMENTS = TableSchema(
    "elements",
    "All parameters of a tensor in a step; written when asked for.",
    file_schema(
        "elements",
        [
            _ITERATION,
            _TENSOR,
            _real("lca", "loss", "Loss change allocated to every parameter, in C order.", pa.list_(_SINGLE)),
        ],
    ),
    RUN_SPLIT,
    ("iteration", "tensor"),
    "lca compute --elements",
)
