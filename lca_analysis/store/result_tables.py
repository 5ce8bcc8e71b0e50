"""The tables of the analyses."""

import pyarrow as pa

from lca_analysis.store.schema import RUN_SPLIT, SPLIT, TableSchema, column, file_schema

_TEXT, _WHOLE, _SMALL, _REAL = pa.string(), pa.int64(), pa.int32(), pa.float64()
_ANALYZE = "lca analyze"
_LAYER = column("layer", _TEXT, "", "The layer.")
_NETWORK = column("layer", _TEXT, "", "The layer; null for the whole network.", optional=True)
_ITERATION = column("iteration", _WHOLE, "iterations", "Training iteration at which the step starts.")
_CLASS = column("class", _SMALL, "", "Class of the examples; −1 for all of them.")
_REASON = column("reason", _TEXT, "", "Why there is no number.", optional=True)


def _maybe(name: str, unit: str, description: str, kind: pa.DataType = _REAL) -> pa.Field:
    """Describe a column that may be left out."""
    return column(name, kind, unit, description, optional=True)


def _table(name: str, description: str, columns: list[pa.Field], sort_keys: tuple[str, ...]) -> TableSchema:
    """Build a table of results, one row for each value of the sort keys."""
    return TableSchema(name, description, file_schema(name, columns), RUN_SPLIT, sort_keys, _ANALYZE)


_COMMON = [
    column("quantity", _TEXT, "", "What is estimated; percentages are in percent, 0 to 100."),
    _NETWORK,
    _CLASS,
    _maybe("subject", "", "What it is of, within the layer: a unit, a pair of layers a|b, a parameter.", _TEXT),
    _maybe("estimate", "of the quantity", "The estimate."),
    _maybe("low", "of the quantity", "Lower end of the interval."),
    _maybe("high", "of the quantity", "Upper end of the interval."),
    _maybe("confidence", "1", "Confidence of the interval, 0 to 1."),
    _maybe("statistic", "1", "Statistic of the test."),
    _maybe("p", "1", "p-value of the test."),
    _maybe("p_adjusted", "1", "p-value after correction for multiple tests."),
    _maybe("adjustment", "", "The correction, or why it could not be made.", _TEXT),
    column("method", _TEXT, "", "The method of the estimate, interval and test."),
    _maybe("null", "", "The null hypothesis.", _TEXT),
    _maybe("alternative", "", "The alternative.", _TEXT),
    column("n", _WHOLE, "1", "Number of units of replication."),
    column("replication", _TEXT, "", "The unit of replication: iterations, segments of them, parameters or runs."),
    _REASON,
]


def _common(name: str, description: str) -> TableSchema:
    """Build a table of estimates and tests, in the columns that all of them share."""
    keys = ("quantity", "layer", "class", "subject", "method", "null", "alternative")
    return TableSchema(name, description, file_schema(name, _COMMON), RUN_SPLIT, keys, _ANALYZE, unique=False)


RESULTS_HELPING = _common("results_helping", "An estimate or test of how many parameters help.")
RESULTS_HURTING = _common("results_hurting", "An estimate or test of whether a layer, unit or span of training hurts.")
RESULTS_OSCILLATION = _common("results_oscillation", "An estimate or test of oscillation or phase lag.")
RESULTS_SYNCHRONIZATION = _common(
    "results_synchronization", "An estimate or test of moments of learning that layers share."
)

RESULTS_HELPING_SERIES = _table(
    "results_helping_series",
    "The share of helping parameters in a step.",
    [
        _ITERATION,
        _NETWORK,
        _maybe("percent_helping", "percent", "Helping among the parameters that help or hurt."),
    ],
    ("iteration", "layer"),
)

RESULTS_PARAMETER_HELPING = _table(
    "results_parameter_helping",
    "A bin of the share of steps in which a parameter helps.",
    [
        _NETWORK,
        column("lower", _REAL, "percent", "Lower edge of the bin."),
        column("upper", _REAL, "percent", "Upper edge of the bin."),
        column("count", _WHOLE, "parameters", "Parameters in the bin."),
    ],
    ("layer", "lower"),
)

RESULTS_DISTRIBUTION = _table(
    "results_distribution",
    "A distribution fitted to allocated loss change by maximum likelihood.",
    [
        _NETWORK,
        column("distribution", _TEXT, "", "The fitted distribution."),
        column("parameters", _TEXT, "", "Its fitted parameters, as JSON."),
        _maybe("log_likelihood", "nat", "Log-likelihood at the fit."),
        _maybe("aic", "nat", "Akaike's information criterion."),
        _maybe("delta_aic", "nat", "Difference to the best fitting distribution."),
        column("n", _WHOLE, "1", "Values fitted."),
        _REASON,
    ],
    ("layer", "distribution"),
)

RESULTS_SPECTRA = _table(
    "results_spectra",
    "A frequency of a layer's oscillation.",
    [
        _LAYER,
        column("frequency", _REAL, "cycles/iteration", "The frequency."),
        _maybe("period", "iterations", "Its period; null at frequency 0."),
        column("power_step", _REAL, "weight²·iterations", "Power spectral density of the steps.", nullable=True),
        column(
            "power_gradient",
            _REAL,
            "(loss/weight)²·iterations",
            "Power spectral density of the path-mean gradients.",
            nullable=True,
        ),
        _maybe(
            "background_step",
            "weight²·iterations",
            "Power of the steps expected without oscillation (AR(1)).",
        ),
        _maybe("coherence", "1", "Squared coherence of steps and gradients, 0 to 1."),
        _maybe("coherence_low", "1", "Lower end of its 95 % interval."),
        _maybe("coherence_high", "1", "Upper end of its 95 % interval."),
        _maybe("coherence_p", "1", "p-value of no coherence, corrected for the search over frequencies."),
        _maybe("phase", "rad", "Phase by which the step follows the negative gradient."),
        _maybe("phase_low", "rad", "Lower end of its 95 % interval, may be below −π."),
        _maybe("phase_high", "rad", "Upper end of its 95 % interval, may be above π."),
        column(
            "lca",
            _REAL,
            "loss",
            "Spectral LCA: sampled loss change at this frequency; sums to the sampled total.",
            nullable=True,
        ),
        _maybe("lca_sampled_fraction", "1", "Sampled total over the layer's total."),
    ],
    ("layer", "frequency"),
)

RESULTS_LAG_CURVE = _table(
    "results_lag_curve",
    "A lag between a layer's steps and its negative gradients.",
    [
        _LAYER,
        column("lag", _WHOLE, "iterations", "Iterations by which the step follows the negative gradient."),
        column("cross_correlation", _REAL, "1", "Correlation at this lag.", nullable=True),
    ],
    ("layer", "lag"),
)

RESULTS_PEAKS = _table(
    "results_peaks",
    "A moment of learning: a local minimum of a layer's allocated loss change.",
    [
        _LAYER,
        _CLASS,
        column("rank", _WHOLE, "1", "1 for the deepest."),
        _ITERATION,
        column("lca", _REAL, "loss", "Loss change allocated to the layer in that step."),
    ],
    ("layer", "class", "rank"),
)

RESULTS_CUMULATIVE = _table(
    "results_cumulative",
    "A layer's loss change up to and with a step.",
    [
        _ITERATION,
        _LAYER,
        column("lca", _REAL, "loss", "Sum of the loss change allocated so far.", nullable=True),
    ],
    ("iteration", "layer"),
)

_GROUP = column("group", _TEXT, "", "The configuration: the runs' group, or the name of a run that has none.")
_NOTE = _maybe("note", "", "Runs that are left out, and those to be read with care, each with why; null: none.", _TEXT)
_OVER_RUNS = ("quantity", "layer", "method", "null", "alternative")

RESULTS_SEEDS = TableSchema(
    "results_seeds",
    "An estimate or test over the runs (seeds) of one configuration.",
    file_schema("results_seeds", [_GROUP, *_COMMON, _maybe("runs", "", "Runs used, as JSON.", _TEXT), _NOTE]),
    SPLIT,
    ("group", *_OVER_RUNS),
    _ANALYZE,
)

RESULTS_COMPARISON = TableSchema(
    "results_comparison",
    "An estimate or test of a configuration less a baseline, over pairs of runs with the same seed.",
    file_schema(
        "results_comparison",
        [
            _GROUP,
            column("baseline", _TEXT, "", "The configuration that it is compared with."),
            *_COMMON,
            _maybe("group_mean", "of the quantity", "Mean of the group's runs in the pairs."),
            _maybe("baseline_mean", "of the quantity", "Mean of the baseline's runs in the pairs."),
            _maybe("seeds", "", "Seeds of the pairs, as JSON.", _TEXT),
            _NOTE,
        ],
    ),
    SPLIT,
    ("group", "baseline", *_OVER_RUNS),
    _ANALYZE,
)

ALL_RESULTS = (
    RESULTS_HELPING,
    RESULTS_HELPING_SERIES,
    RESULTS_PARAMETER_HELPING,
    RESULTS_DISTRIBUTION,
    RESULTS_HURTING,
    RESULTS_CUMULATIVE,
    RESULTS_OSCILLATION,
    RESULTS_SPECTRA,
    RESULTS_LAG_CURVE,
    RESULTS_SYNCHRONIZATION,
    RESULTS_PEAKS,
    RESULTS_SEEDS,
    RESULTS_COMPARISON,
)
