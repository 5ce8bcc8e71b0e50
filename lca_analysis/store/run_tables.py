"""The tables that say what was recorded and how it was computed."""

import pyarrow as pa

from lca_analysis.store.schema import RUN, RUN_SPLIT, TableSchema, column, file_schema

_TEXT, _WHOLE, _REAL, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_COMPUTE = "lca compute"

RUNS = TableSchema(
    "runs",
    "A run: what was trained, how, and how it was recorded.",
    file_schema(
        "runs",
        [
            column("run_id", _TEXT, "", "Identity of the recorded run (hexadecimal UUID)."),
            column("path", _TEXT, "", "Name of the run's folder."),
            column(
                "problem",
                _TEXT,
                "",
                "The problem that was trained: package.module:function or file.py:function.",
            ),
            column("arguments", _TEXT, "", "Arguments of the problem, as JSON."),
            column("parameters", _WHOLE, "parameters", "Number of parameters."),
            column("tensors", _WHOLE, "tensors", "Number of parameter tensors."),
            column("iterations", _WHOLE, "iterations", "Number of recorded steps."),
            column("optimizer", _TEXT, "", "Class of the optimizer; empty when there is none."),
            column("learning_rate", _REAL, "1", "Learning rate at the start.", optional=True),
            column("momentum", _REAL, "1", "Momentum at the start (the first beta for Adam).", optional=True),
            column("weight_decay", _REAL, "1", "Weight decay at the start.", optional=True),
            column("seed", _WHOLE, "1", "Seed of the training.", optional=True),
            column(
                "group",
                _TEXT,
                "",
                "The configuration that this run repeats, for comparisons over runs.",
                optional=True,
            ),
            column("tags", _TEXT, "", "Tags given by the user, as JSON."),
            column("lossless", _FLAG, "", "Whether the recorded weights are exact to the bit."),
            column(
                "error_fraction",
                _REAL,
                "1",
                "Largest error of a recorded weight, as a fraction of its own running mean step; 0 when lossless.",
                optional=True,
            ),
            column("preset", _TEXT, "", "Preset of the recording."),
            column("every", _WHOLE, "iterations", "Training iterations between recorded points."),
            column("longest_step", _WHOLE, "iterations", "Most iterations between recorded points.", optional=True),
            column("source", _TEXT, "", "What the run was imported from; null for a recorded run.", optional=True),
            column(
                "cautions",
                _TEXT,
                "",
                "What the recording or the import does to the statistics, as a JSON list of sentences.",
                optional=True,
            ),
            column("complete", _FLAG, "", "Whether the recording was closed in order."),
            column("created", _TEXT, "", "When the recording began (ISO 8601, UTC)."),
            column("versions", _TEXT, "", "Versions of the software that recorded, as JSON."),
        ],
    ),
    RUN,
    ("run_id",),
    _COMPUTE,
)

COMPUTATIONS = TableSchema(
    "computations",
    "A computation: the settings with which the tables of a run and split were computed.",
    file_schema(
        "computations",
        [
            column("rule", _TEXT, "", "Quadrature rule."),
            column("tolerance", _REAL, "loss", "Largest residual at which a step is not divided further."),
            column(
                "relative_tolerance",
                _REAL,
                "1",
                "The same as a fraction of the step's |loss change|, where that is more.",
                optional=True,
            ),
            column("max_pieces", _WHOLE, "pieces", "Most pieces that a step is divided into."),
            column(
                "kept_gradients", _WHOLE, "1", "Gradients within a step that are kept until its end.", optional=True
            ),
            column(
                "normalization",
                _TEXT,
                "",
                "Batch normalisation: by each evaluation batch (batch) or by running statistics (eval).",
            ),
            column("batch_size", _WHOLE, "examples", "Examples in an evaluation batch."),
            column("examples", _WHOLE, "examples", "Examples in the split."),
            column("fingerprint", _TEXT, "", "SHA-256 of the split's data."),
            column("dtype", _TEXT, "", "Floating-point type of the gradients."),
            column("sample_seed", _WHOLE, "1", "Seed that chose the parameters of the series table."),
            column("range_length", _WHOLE, "iterations", "Steps in one part of the tables."),
            column("classes", _WHOLE, "1", "Number of classes that have rows of their own; 0: none.", optional=True),
            column("iterations", _WHOLE, "iterations", "Number of steps computed."),
            column("torch_version", _TEXT, "", "Version of PyTorch that computed."),
            column("package_version", _TEXT, "", "Version of this package that computed."),
        ],
    ),
    RUN_SPLIT,
    ("rule",),
    _COMPUTE,
)

LAYERS_INDEX = TableSchema(
    "layers_index",
    "A layer of a run's network.",
    file_schema(
        "layers_index",
        [
            column("layer", _TEXT, "", "Path of the module in the network; (root) for the network itself."),
            column("depth", _WHOLE, "1", "Place of the layer in the network, from 0 at the input."),
            column("kind", _TEXT, "", "Class of the module."),
            column("tensors", _WHOLE, "tensors", "Number of its parameter tensors."),
            column("parameters", _WHOLE, "parameters", "Number of its parameters."),
            column("units", _WHOLE, "units", "Number of its units (see the table units)."),
        ],
    ),
    RUN,
    ("depth", "layer"),
    _COMPUTE,
)

PARAMETERS_INDEX = TableSchema(
    "parameters_index",
    "A parameter tensor of a run's network.",
    file_schema(
        "parameters_index",
        [
            column("tensor", _TEXT, "", "Name of the tensor in the network."),
            column("layer", _TEXT, "", "Layer that owns the tensor."),
            column("depth", _WHOLE, "1", "Place of the layer in the network, from 0 at the input."),
            column("kind", _TEXT, "", "weight, bias, norm_weight, norm_bias, embedding, other or buffer."),
            column("shape", pa.list_(_WHOLE), "1", "Shape of the tensor."),
            column("parameters", _WHOLE, "parameters", "Number of its parameters."),
            column("offset", _WHOLE, "parameters", "Parameters before it in the flat order of the network."),
            column("trainable", _FLAG, "", "Whether training may change it."),
        ],
    ),
    RUN,
    ("offset", "tensor"),
    _COMPUTE,
)
