import numpy as np
import pytest
from scipy.signal import lfilter
from statsmodels.stats.multitest import multipletests

from lca_analysis.analysis.inference import hac_mean
from lca_analysis.analysis.multiplicity import BENJAMINI_HOCHBERG, HOLM, adjust
from lca_analysis.analysis.replication import t_over_runs
from lca_analysis.analysis.rows import Row, adjusted, from_test
from lca_analysis.errors import ArgumentError


@pytest.mark.parametrize(("name", "theirs"), [(HOLM, "holm"), (BENJAMINI_HOCHBERG, "fdr_bh")])
def test_against_statsmodels_on_mixtures(name: str, theirs: str) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 40):
        p = np.concatenate([rng.random(3 * count), rng.random(count) ** 6, [0.0, 1.0, 0.5, 0.5]])
        np.testing.assert_allclose(adjust(p, name), multipletests(p, method=theirs)[1], rtol=1e-12)


def test_by_hand() -> None:
    np.testing.assert_allclose(adjust([0.04, 0.01, 0.03], HOLM), [0.06, 0.03, 0.06])
    np.testing.assert_allclose(adjust([0.04, 0.01, 0.03], BENJAMINI_HOCHBERG), [0.04, 0.03, 0.04])


def test_missing_tests_do_not_count() -> None:
    found = adjust([0.01, np.nan, 0.04])
    np.testing.assert_allclose(found, [0.02, np.nan, 0.04])
    assert np.isnan(adjust([np.nan, np.nan])).all()
    assert adjust([]).size == 0


def test_tests_of_few_independent_iterations_are_not_corrected_for_many() -> None:
    p, effective = [0.001, 0.02, 0.03, np.nan], [5.0, np.nan, 30.0, 4.0]
    np.testing.assert_allclose(adjust(p, HOLM, effective), [1.0, 0.04, 0.04, np.nan])
    np.testing.assert_allclose(adjust(p[:1], HOLM, effective[:1]), p[:1])  # one test needs no correction
    rows = [Row("net_lca", "", 100, p=one, effective=count) for one, count in zip(p, effective, strict=True)]
    assert [row.p_adjusted for row in adjusted(rows, HOLM)][:3] == [1.0, 0.04, 0.04]
    assert [row.adjustment for row in adjusted(rows, HOLM)] == [
        "Holm; 1, since 5.0 independent iterations are too few (20 needed)",
        HOLM,
        HOLM,
        None,
    ]


def test_layers_of_a_smooth_short_run_are_not_corrected_and_runs_are() -> None:
    smooth = lfilter([1.0], [1.0, -0.95], np.random.default_rng(0).standard_normal((100, 3)), axis=0)
    tests = hac_mean(smooth)
    told = adjusted([from_test(Row("net_lca", "", 0, layer=str(place)), tests, place) for place in range(3)], HOLM)
    assert all(row.p_adjusted == 1 and "too few" in str(row.adjustment) for row in told if np.isfinite(row.p))
    assert any(np.isfinite(row.p) for row in told)
    runs = t_over_runs(np.random.default_rng(1).standard_normal((8, 3)) + 5)
    told = adjusted([from_test(Row("net_lca", "", 0, "runs"), runs, place) for place in range(3)], HOLM)
    assert all(row.p_adjusted < 0.05 and row.adjustment == HOLM for row in told)


def test_error_rates_on_mixtures() -> None:
    rng = np.random.default_rng(1)
    family, false = [], []
    for _ in range(1000):
        p = np.concatenate([rng.random(30), 0.001 * rng.random(10)])
        family.append((adjust(p, HOLM)[:30] <= 0.05).any())
        found = adjust(p, BENJAMINI_HOCHBERG) <= 0.05
        false.append(found[:30].sum() / max(found.sum(), 1))
    assert np.mean(family) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert np.mean(false) == pytest.approx(0.05 * 30 / 40, abs=0.008)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ArgumentError, match="Bonferroni"):
        adjust([0.1], "Bonferroni")
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        adjust([1.5])
