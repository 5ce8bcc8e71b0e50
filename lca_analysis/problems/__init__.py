"""What a run was trained on, the built-in problems, and their training loop."""

from lca_analysis.problems.build import PROBLEMS, build_problem
from lca_analysis.problems.interventions import Intervention
from lca_analysis.problems.problem import Problem
from lca_analysis.problems.settings import OPTIMIZERS, SCHEDULES, TrainingSettings
from lca_analysis.problems.training import train

__all__ = [
    "OPTIMIZERS",
    "PROBLEMS",
    "SCHEDULES",
    "Intervention",
    "Problem",
    "TrainingSettings",
    "build_problem",
    "train",
]
