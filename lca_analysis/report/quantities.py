"""The quantities of the results tables by name, and how the page speaks of them."""

NET_LCA = "net_lca"
LAG = "lag"
SHARED_PEAKS = "shared_peaks"


def describe_quantity(name: str) -> str:
    """Write a quantity's name as words."""
    words = name.replace("_", " ").replace("lca", "LCA")
    return words[:1].upper() + words[1:]
