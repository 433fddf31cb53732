"""Statistics for few test images and few seeds: pure functions, every bit of chance from a Generator passed
in.

Start with `evidence`: tidy scores of several models in, all that they prove out. The parts: `intervals` of a
mean, `pairs` of models, their `ranking`, the cost of `selection`, and the simulated `coverage` of the
intervals.
"""

from analysis.stats.arrays import paired_differences, ratio_scores
from analysis.stats.coverage import coverage_table, simulated_coverage, simulated_split_coverage, split_table
from analysis.stats.evidence import Evidence, evidence
from analysis.stats.intervals import Interval, interval
from analysis.stats.pairs import (
    Outcome,
    corrected_bounds,
    corrected_t_test,
    crossed_t_test,
    holm,
    letters,
    sign_flip_test,
    smallest_p,
)
from analysis.stats.ranking import (
    RankStability,
    interquartile_mean,
    probability_best,
    probability_of_improvement,
    rank_stability,
)
from analysis.stats.selection import Optimism, expected_best, selection_optimism

__all__ = [
    "Evidence",
    "Interval",
    "Optimism",
    "Outcome",
    "RankStability",
    "corrected_bounds",
    "corrected_t_test",
    "coverage_table",
    "crossed_t_test",
    "evidence",
    "expected_best",
    "holm",
    "interquartile_mean",
    "interval",
    "letters",
    "paired_differences",
    "probability_best",
    "probability_of_improvement",
    "rank_stability",
    "ratio_scores",
    "selection_optimism",
    "sign_flip_test",
    "simulated_coverage",
    "simulated_split_coverage",
    "smallest_p",
    "split_table",
]
