"""Slow and obvious versions of what the engine computes: float64, one node at a time, loops over parameters.

Nothing here uses the package's allocation; a first-year student could check it with the paper beside it.
"""

import copy
import itertools

import numpy as np
import torch
from torch import nn
from torch.func import functional_call


def evaluation_model(problem):
    """Copy the problem's model in float64, dropout off, batch norm normalising what it is given."""
    model = copy.deepcopy(problem.model).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.train()
    return model


def loss_and_gradient(problem, split, weights):
    """Mean loss over a split and its gradient by tensor, chunk after chunk of the problem's batch size."""
    model = evaluation_model(problem)
    inputs, targets = problem.split(split)
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    targets = targets.double() if targets.is_floating_point() else targets
    leaves = {
        name: torch.tensor(np.asarray(values, np.float64), requires_grad=True) for name, values in weights.items()
    }
    loss = 0.0
    for begin in range(0, len(inputs), problem.batch_size):
        chunk = slice(begin, begin + problem.batch_size)
        loss = loss + problem.loss(functional_call(model, leaves, (inputs[chunk],)), targets[chunk]).sum()
    loss = loss / len(inputs)
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return float(loss.detach()), {name: g.to_dense().numpy() for name, g in zip(leaves, gradients, strict=True)}


def simpson_nodes(pieces):
    """Nodes and weights of Simpson's rule on equal pieces, each piece written out: (1, 4, 1)/6."""
    nodes = {}
    for piece in range(pieces):
        for half, weight in ((0, 1), (1, 4), (2, 1)):
            place = (2 * piece + half) / (2 * pieces)
            nodes[place] = nodes.get(place, 0.0) + weight / 6 / pieces
    return nodes


def path_gradient(problem, split, before, after, nodes):
    """Σ_k w_k ∂L/∂θ (θ + s_k Δ) by tensor."""
    total = {name: np.zeros(np.shape(values)) for name, values in before.items()}
    for place, weight in nodes.items():
        point = {name: before[name] + place * (after[name] - before[name]) for name in before}
        _, gradients = loss_and_gradient(problem, split, point)
        for name in total:
            total[name] = total[name] + weight * gradients[name]
    return total


def allocate(before, after, gradient):
    """A_i = Δ_i ḡ_i by tensor."""
    return {name: (after[name] - before[name]) * gradient[name] for name in before}


def paper_step(problem, split, before, after, tolerance, max_pieces=32):
    """Allocate one step with Simpson's rule, halving every piece while the residual is above the tolerance."""
    loss_before, _ = loss_and_gradient(problem, split, before)
    loss_after, _ = loss_and_gradient(problem, split, after)
    pieces = 1
    while True:
        gradient = path_gradient(problem, split, before, after, simpson_nodes(pieces))
        lca = allocate(before, after, gradient)
        residual = loss_after - loss_before - sum(float(values.sum()) for values in lca.values())
        if abs(residual) <= tolerance or pieces >= max_pieces:
            break
        pieces = 2 * pieces
    return {
        "loss_before": loss_before,
        "loss_after": loss_after,
        "residual": residual,
        "pieces": pieces,
        "path_gradient": gradient,
        "lca": lca,
        "errors": simpson_errors(problem, split, before, after, pieces),
        "step": {name: after[name] - before[name] for name in before},
        "weight": before,
    }


def simpson_errors(problem, split, before, after, pieces):
    """Estimate each tensor's error: what Simpson's rule and the trapezoid differ by, over pieces by squares."""
    total = dict.fromkeys(before, 0.0)
    for piece in range(pieces):
        change = []
        for place in (piece / pieces, (piece + 0.5) / pieces, (piece + 1) / pieces):
            gradient = path_gradient(problem, split, before, after, {place: 1.0})
            change.append({name: float(a.sum()) for name, a in allocate(before, after, gradient).items()})
        simpson = {name: sum(w * c[name] / 6 for w, c in zip((1, 4, 1), change, strict=True)) for name in before}
        trapezoid = {name: (change[0][name] + change[2][name]) / 2 for name in before}
        size = {name: sum(w * abs(c[name]) / 6 for w, c in zip((1, 4, 1), change, strict=True)) for name in before}
        difference = {name: abs(simpson[name] - trapezoid[name]) for name in before}
        for name in before:
            share = size[name] / sum(size.values())
            total[name] += ((1.2 * difference[name] + 1.6 * sum(difference.values()) * share) / pieces) ** 2
    return {name: value**0.5 for name, value in total.items()}


def paper_run(problem, split, points, tolerance, max_pieces=32):
    """Allocate every step between successive points (dicts of float64 arrays)."""
    return [
        paper_step(problem, split, before, after, tolerance, max_pieces) for before, after in itertools.pairwise(points)
    ]


def tensor_row(lca, step, gradient):
    """Sums and counts of one tensor in one step, parameter by parameter."""
    row = dict.fromkeys(("lca", "lca_helping", "lca_hurting", "step_norm2", "gradient_norm2"), 0.0)
    row |= dict.fromkeys(("n_helping", "n_hurting", "n_zero"), 0)
    for a, d, g in zip(lca.ravel().tolist(), step.ravel().tolist(), gradient.ravel().tolist(), strict=True):
        row["lca"] += a
        row["step_norm2"] += d * d
        row["gradient_norm2"] += g * g
        if a < 0:
            row["lca_helping"] += a
            row["n_helping"] += 1
        elif a > 0:
            row["lca_hurting"] += a
            row["n_hurting"] += 1
        else:
            row["n_zero"] += 1
    return row


def flips(series):
    """Count the sign changes between successive non-zero values of one parameter."""
    count, last = 0, 0.0
    for value in series:
        if value == 0:
            continue
        if last * value < 0:
            count += 1
        last = np.sign(value)
    return count


def bin_number(value):
    """Signed-logarithmic bin: eight a decade from 1e-16 to 1e4, 0 for zero, the outermost take the rest."""
    if value == 0:
        return 0
    number = 1
    while number < 160 and abs(value) >= 10.0 ** (-16 + number / 8):
        number += 1
    return number if value > 0 else -number


def unit_sums(model, layer, lca):
    """LCA of every neuron or channel of a layer: its entries of the weight and of the bias, one by one."""
    module = model.get_submodule(layer)
    weight = lca[f"{layer}.weight"]
    transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    units = module.out_channels if transposed else weight.shape[0]
    sums = [0.0] * units
    for index in np.ndindex(weight.shape):
        unit = index[0]
        if transposed:
            group = index[0] // (module.in_channels // module.groups)
            unit = group * (module.out_channels // module.groups) + index[1]
        sums[unit] += float(weight[index])
    for unit, value in enumerate(lca.get(f"{layer}.bias", np.zeros(units))):
        sums[unit] += float(np.sum(value))
    return sums
