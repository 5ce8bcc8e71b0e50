"""The quantities of the results tables by name, and how the page speaks of them."""

NET_LCA = "net_lca"
LAG = "lag"
SHARED_PEAKS = "shared_peaks"
EXAMPLE = "oscillating_parameter"

_WORDS = {
    "percent_helping": "Percent helping (%)",
    "efficiency": "Net over gross LCA (%)",
    "excess_kurtosis": "Excess kurtosis of LCA",
    "percent_helping_parameter_median": "Percent helping of the median parameter (%)",
    "percent_of_parameters_helping_45_to_55": "Parameters that help in 45 to 55 % of their steps (%)",
    "top_1_percent_of_net_lca": "Net LCA carried by the top 1 % of parameters (%)",
    "top_1_percent_of_gross_lca": "Gross LCA carried by the top 1 % of parameters (%)",
    NET_LCA: "Net LCA (loss)",
    "unit_lca": "Net LCA of neurons and channels (loss)",
    "span_lca": "Net LCA in a span of training (loss)",
    "hurting_span": "Net LCA in spans that hurt (loss)",
    "lca_momentum": "Net LCA moved by momentum carried over (loss)",
    "lca_decay": "Net LCA moved by weight decay (loss)",
    "lca_gradient": "Net LCA moved by the fresh gradient (loss)",
    "net_lca_minus_train": "Net LCA less that on train (loss)",
    "helps_train_hurts_here": "Layers that help train and hurt this split (loss)",
    "mean_delay_minus_rest": "Mean delay less that of the other layers (iterations)",
    "peak_lead": "Recorded steps by which a layer's moments precede another's",
    LAG: "Lag behind −gradient (iterations)",
    "lag_minus_rest": "Lag less that of the other layers (iterations)",
    "mean_delay": "Mean delay (iterations)",
    "mean_delay_minus_momentum": "Mean delay less that of the momentum (iterations)",
    "momentum_delay": "Delay of the momentum, m/(1−m) (iterations)",
    "coherence": "Squared coherence of steps and gradients where it is clearest",
    "phase": "Phase of the steps behind the negative gradient there (rad)",
    "group_delay": "Group delay (iterations)",
    "excess_shared_peaks": "Shared moments of learning beyond those of independent layers",
    "excess_shared_peaks_local": "The same, against shifts within some steps",
    "excess_shared_peaks_residual": "Shared moments once the other layers' total is removed, beyond those expected",
    "excess_shared_peaks_residual_local": "The same, against shifts within some steps (other layers' total removed)",
    "flip_interval_step": "Iterations between sign flips of the steps",
    "flip_interval_gradient": "Iterations between sign flips of the gradients",
    "percent_periodic_step": "Parameters whose steps oscillate (%)",
    "percent_periodic_gradient": "Parameters whose gradients oscillate (%)",
    "median_period_step": "Median period of oscillating steps (iterations)",
    "median_period_gradient": "Median period of oscillating gradients (iterations)",
    EXAMPLE: "Parameters that oscillate, as examples: period (iterations)",
    "sampled_lca": "Net LCA of the sampled parameters (loss)",
    SHARED_PEAKS: "Shared moments of learning (pairs of layers)",
    "expected_shared_peaks": "Shared moments expected under the null (pairs of layers)",
    "shared_peaks_tail": "Shared moments of learning, tail approximation (pairs of layers)",
}


def describe_quantity(name: str) -> str:
    """Write a quantity's name as words, with its unit where it is known."""
    words = name.replace("_", " ").replace("lca", "LCA")
    return _WORDS.get(name, words[:1].upper() + words[1:])
